-- Hands the push of a login code to a process that has a login bot of its platform connected and was
-- not asked for this push yet: the one with the freshest lease. Only the code's name is told.
--
-- KEYS 1 code (code_web.lua; its field p: processes that were asked), 2 bots:{platform} (push_lease.lua)
-- ARGV 1 name of the code
-- Answer: 1; 0: the code is gone, or there is none left to ask
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local asked = redis.call('HGET', KEYS[1], 'p') or ''
for _, process in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', now_ms)) do
  if not asked:find(process, 1, true) then
    redis.call('HSET', KEYS[1], 'p', asked .. process .. ' ')
    redis.call('PUBLISH', 'portal:all', 'c !login:push ' .. process .. ' ' .. ARGV[1] .. '\n{}')
    return 1
  end
end
return 0
