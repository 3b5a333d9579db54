-- Some of those who search, in rotation, for a look at whether PostgreSQL still lets them: one process of all at a
-- time gets them.
--   portal:match:swept   how long it is nobody's turn; portal:match:sweep   place (match_try.lua) of the last looked at
-- ARGV 1 between two turns (ms), 2 most
-- Answer: ids
if not redis.call('SET', 'portal:match:swept', '', 'NX', 'PX', ARGV[1]) then
  return {}
end
local from = redis.call('GET', 'portal:match:sweep') or '-inf'
local rows = redis.call('ZRANGEBYSCORE', 'portal:match:queue', from, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local ids = {}
for i = 1, #rows, 2 do
  ids[#ids + 1] = rows[i]
end
if #ids < tonumber(ARGV[2]) then
  redis.call('DEL', 'portal:match:sweep') -- from the beginning
else
  redis.call('SET', 'portal:match:sweep', '(' .. rows[#rows])
end
return ids
