-- read
-- How many people are present in each of the rooms of ARGV 1 ("id id …").
local online = {}
for chat in ARGV[1]:gmatch('%d+') do
  online[#online + 1] = redis.call('HLEN', 'portal:room:' .. chat .. ':people')
end
return online
