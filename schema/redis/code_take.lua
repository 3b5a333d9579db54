-- Consumes a code (keys: code_web.lua), or counts a failure. An attempt from another address leaves
-- it as it is. Failures are counted in fixed windows from the first: 10 minutes for an address, one
-- minute for all together; both budgets are looked at before the code is.
--
-- KEYS 1 code, 2 failures of the address, 3 failures of all
-- ARGV 1 code, 2 address, 3 budget of the address, 4 budget of all (0: off), 5 '1': web codes only
-- Answer: {1, sealed, told or nil, expiry}; {0}: no such code; {-1, milliseconds to wait};
-- {-2}: a bot code where only web codes are taken
local failed = tonumber(redis.call('GET', KEYS[2]) or 0)
if ARGV[3] ~= '0' and failed >= tonumber(ARGV[3]) then
  return {-1, redis.call('PTTL', KEYS[2])}
end
if ARGV[4] ~= '0' and failed > 0 and
    tonumber(redis.call('GET', KEYS[3]) or 0) >= tonumber(ARGV[4]) then
  return {-1, math.min(redis.call('PTTL', KEYS[2]), redis.call('PTTL', KEYS[3]))}
end

local code = redis.call('HMGET', KEYS[1], 's', 'i', 'a', 'x')
local address = code[3]
if not address or (address ~= '' and address ~= ARGV[2]) then
  if redis.call('INCR', KEYS[2]) == 1 then
    redis.call('PEXPIRE', KEYS[2], 600000)
  end
  if redis.call('INCR', KEYS[3]) == 1 then
    redis.call('PEXPIRE', KEYS[3], 60000)
  end
  return {0}
end
if address == '' and ARGV[5] == '1' then
  return {-2}
end

redis.call('DEL', KEYS[1])
if address == '' then
  redis.call('DEL', 'portal:codes:bot:' .. code[2])
else
  redis.call('ZREM', 'portal:codes:web:' .. code[2], ARGV[1])
  redis.call('ZREM', 'portal:codes:addr:' .. address, ARGV[1])
end
return {1, code[1], redis.call('GET', 'portal:codes:told:' .. code[2]), tonumber(code[4])}
