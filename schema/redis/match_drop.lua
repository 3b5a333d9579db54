-- Ends a search (keys: match_try.lua).
-- ARGV 1 user, 2 reason: dequeued; expired (only if it is due: never had a socket, or away for too long); gone (the
--      account is closed: no search of theirs begins for 10 s), 3 expiry (ms)
-- Answer: {1: it was ended, 0: not, the direct chat they are in or nil}
local user, reason = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key = 'portal:match:person:' .. user
if reason == 'gone' then
  redis.call('SET', 'portal:match:closed:' .. user, '', 'PX', 10000)
  redis.call('SET', 'portal:match:known:' .. user, '-', 'PX', 10000)
end
local t = redis.call('HMGET', key, 't', 'u', 'a', 'h')
if not t[1] then
  return {0, redis.call('GET', 'portal:match:chat:' .. user)}
end
if reason == 'expired' then
  local over, lost = tonumber(t[2]) <= now, t[3] and tonumber(t[3]) <= now
  local here = redis.call('EXISTS', 'portal:sockets:' .. user) == 1
  if over and (here or t[4] == '1' and not lost) then -- kept alive; who is away has the grace
    over = false
    local again = string.format('%.0f', now + ARGV[3])
    redis.call('HSET', key, 'u', again)
    redis.call('ZADD', 'portal:match:until', again, user)
  end
  if here or not (over or lost) then
    if lost then
      redis.call('SADD', 'portal:match:look', user)
    end
    return {0}
  end
end
redis.call('ZREM', 'portal:match:queue', user)
for tag in t[1]:gmatch('%S+') do
  redis.call('ZREM', 'portal:match:queue:' .. tag, user)
end
redis.call('DEL', key)
redis.call('ZREM', 'portal:match:until', user)
redis.call('ZREM', 'portal:match:away', user)
redis.call('ZREM', 'portal:match:retry', user)
redis.call('SREM', 'portal:match:look', user)
if reason ~= 'gone' then
  redis.call('PUBLISH', 'portal:user:' .. user, string.format('r match:idle - -\n{"reason":"%s"}', reason))
end
return {1}
