-- The newest pending web codes of an identity, newest first (keys: code_web.lua); what the bot tells
-- of the person waits with them. Time is this server's.
-- KEYS 1 codes:web, 2 codes:told; ARGV 1 how many at most, 2 sealed name and avatar
-- Answer: {expiry, sealed, expiry, sealed, …}
local now = redis.call('TIME')
local live = string.format('(%.0f', now[1] * 1000000 + now[2])
local answer = {}
for _, code in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', live, 'LIMIT', 0, ARGV[1])) do
  local c = redis.call('HMGET', 'portal:code:' .. code, 'x', 's')
  if c[1] then
    answer[#answer + 1] = tonumber(c[1])
    answer[#answer + 1] = c[2]
  end
end
if answer[1] then
  redis.call('SET', KEYS[2], ARGV[2], 'PXAT', math.floor(answer[1] / 1000))
end
return answer
