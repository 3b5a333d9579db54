-- A server has started: graces that are running have at least ARGV 1 ms left, as the others hear; those of searches, too
-- (keys: match_try.lua).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local least = string.format('%.0f', now + ARGV[1])
for _, member in ipairs(redis.call('ZRANGEBYSCORE', 'portal:match:graces', '-inf', '(' .. least)) do
  local chat, user = member:match('^(%d+):(%d+)$')
  redis.call('ZADD', 'portal:match:graces', least, member)
  local d = redis.call('HMGET', 'portal:direct:' .. chat, 'x', 'y', 'l:' .. user)
  if d[3] then
    redis.call('PUBLISH', 'portal:user:' .. (d[1] == user and d[2] or d[1]), string.format(
      'r room:peer_left - -\n{"chat_id":%s,"user_id":%s,"grace_until_ms":%s}', chat, user, least))
  end
end
for _, user in ipairs(redis.call('ZRANGEBYSCORE', 'portal:match:away', 0, '(' .. least)) do
  redis.call('ZADD', 'portal:match:away', least, user)
  redis.call('HSET', 'portal:match:person:' .. user, 'a', least)
end
return 1
