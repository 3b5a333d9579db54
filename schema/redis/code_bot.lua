-- The one live bot code of an identity, or the fresh one (keys: code_web.lua). Time is this server's.
-- KEYS 1 codes:bot; ARGV 1 identity, 2 milliseconds to live, 3 fresh code, 4 its sealed text, …
-- Answer: {expiry, sealed}; empty: all the names are taken
local live = redis.call('GET', KEYS[1])
if live then
  local code = redis.call('HMGET', 'portal:code:' .. live, 'x', 's')
  if code[1] then
    return {tonumber(code[1]), code[2]}
  end
end
local now = redis.call('TIME')
local expires = string.format('%.0f', now[1] * 1000000 + now[2] + ARGV[2] * 1000)
local ms = expires:sub(1, -4)
for i = 3, #ARGV, 2 do
  local key = 'portal:code:' .. ARGV[i]
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 's', ARGV[i + 1], 'i', ARGV[1], 'a', '', 'x', expires)
    redis.call('PEXPIREAT', key, ms)
    redis.call('SET', KEYS[1], ARGV[i], 'PXAT', ms)
    return {tonumber(expires), ARGV[i + 1]}
  end
end
return {}
