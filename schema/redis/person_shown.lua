-- How a person is shown in the rooms where a session of theirs is.
-- ARGV 1 user, 2 the person as JSON, 3 the public ids of the sessions: "id id …"
for session in ARGV[3]:gmatch('%x+') do
  for _, chat in ipairs(redis.call('SMEMBERS', 'portal:e2ee:rooms:' .. session)) do
    local persons = 'portal:room:' .. chat .. ':persons'
    if redis.call('HEXISTS', persons, ARGV[1]) == 1 then
      redis.call('HSET', persons, ARGV[1], ARGV[2])
    end
  end
end
return 1
