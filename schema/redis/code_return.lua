-- A consumed code that could not be used goes back, as it was and no longer than it had (keys:
-- code_web.lua), unless another has taken its place. Time is this server's.
-- KEYS 1 code, 2 codes:web or codes:bot, 3 codes:addr ('': a bot code)
-- ARGV 1 code, 2 identity, 3 address ('': a bot code), 4 expiry in us, 5 sealed
local now = redis.call('TIME')
local ms = math.floor(ARGV[4] / 1000)
if tonumber(ARGV[4]) <= now[1] * 1000000 + now[2] or redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
if ARGV[3] == '' then
  if not redis.call('SET', KEYS[2], ARGV[1], 'PXAT', ms, 'NX') then
    return 0
  end
else
  for _, code in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    if redis.call('HGET', 'portal:code:' .. code, 'i') == ARGV[2] then
      return 0
    end
  end
  for set = 2, 3 do
    redis.call('ZADD', KEYS[set], ARGV[4], ARGV[1])
    if redis.call('PTTL', KEYS[set]) < 0 then
      redis.call('PEXPIREAT', KEYS[set], ms)
    end
  end
end
redis.call('HSET', KEYS[1], 's', ARGV[5], 'i', ARGV[2], 'a', ARGV[3], 'x', ARGV[4])
redis.call('PEXPIREAT', KEYS[1], ms)
return 1
