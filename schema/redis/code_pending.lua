-- The newest pending web codes of an identity, newest first (keys: code_web.lua); what the bot tells
-- of the person waits with them. Codes that are over are gone by themselves, and come last.
-- KEYS 1 codes:web, 2 codes:told; ARGV 1 how many at most, 2 sealed name and avatar
-- Answer: {expiry, sealed, expiry, sealed, …}
local answer, newest = {}, nil
for _, code in ipairs(redis.call('ZREVRANGE', KEYS[1], '0', ARGV[1] - 1)) do
  local c = redis.call('HMGET', 'portal:code:' .. code, 'x', 's')
  if c[1] then
    newest = newest or c[1]
    answer[#answer + 1] = tonumber(c[1])
    answer[#answer + 1] = c[2]
  end
end
if newest then
  redis.call('SET', KEYS[2], ARGV[2], 'PXAT', newest:sub(1, -4))
end
return answer
