-- A web code for an identity and an address: the one that is pending, or the fresh one. Codes are
-- named by their keyed hash, as are identity and address. Time is this server's.
--
--   portal:code:{code}           hash: s sealed, i identity, a address ('': a bot code), x expiry in us,
--                                t last push in us, p see push_next.lua
--   portal:codes:web:{identity}  sorted set of codes by expiry
--   portal:codes:addr:{address}  sorted set of codes by expiry: the slots of the address
--   portal:codes:told:{identity} sealed: name and avatar that a bot told
--   portal:codes:bot:{identity}  the one bot code
--   portal:codes:pushed:{identity}  sorted set: the pushes of the last 10 minutes
--
-- KEYS 1 codes:web, 2 codes:addr, 3 codes:told, 4 codes:pushed, 5 bots:{platform} (push_lease.lua)
-- ARGV 1 identity, 2 address, 3 milliseconds to live, 4 most pending of the address,
--      5 fresh code, 6 its sealed text, then pairs to fall back on should the name be taken
-- Answer: {1, expiry, the code that is to be pushed or nil}; {-1, milliseconds until a slot is free}; {-2}: all the names are taken
local now = redis.call('TIME')
local us = now[1] * 1000000 + now[2]
local at = string.format('%.0f', us) -- numbers are dear to hand over, and lose their end
local function ms_of(text) return text:sub(1, -4) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at)

-- A code is pushed every 30 s, an identity's 3 times in 10 minutes, and only when a bot is there.
local function due(code)
  if redis.call('ZCOUNT', KEYS[5], ms_of(at), '+inf') == 0 then
    return false
  end
  local key = 'portal:code:' .. code
  local last = redis.call('HGET', key, 't')
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', us - 600000000)
  if last and us - last < 30000000 or redis.call('ZCARD', KEYS[4]) >= 3 then
    return false
  end
  redis.call('ZADD', KEYS[4], at, at .. code)
  redis.call('PEXPIRE', KEYS[4], '600000')
  redis.call('HSET', key, 't', at)
  redis.call('HDEL', key, 'p')
  return code
end

local slots = redis.call('ZRANGE', KEYS[2], '0', '-1', 'WITHSCORES')
if slots[1] and tonumber(slots[2]) <= us then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', at)
  slots = redis.call('ZRANGE', KEYS[2], '0', '-1', 'WITHSCORES')
end
for i = 1, #slots, 2 do
  if redis.call('HGET', 'portal:code:' .. slots[i], 'i') == ARGV[1] then
    return {1, tonumber(slots[i + 1]), due(slots[i])}
  end
end
if #slots / 2 >= tonumber(ARGV[4]) then
  return {-1, math.ceil((slots[2] - us) / 1000)}
end

for i = 5, #ARGV, 2 do
  local key = 'portal:code:' .. ARGV[i]
  if redis.call('EXISTS', key) == 0 then
    local expires = string.format('%.0f', us + ARGV[3] * 1000)
    local ms = ms_of(expires)
    redis.call('HSET', key, 's', ARGV[i + 1], 'i', ARGV[1], 'a', ARGV[2], 'x', expires)
    redis.call('PEXPIREAT', key, ms)
    for set = 1, 2 do
      redis.call('ZADD', KEYS[set], expires, ARGV[i])
      redis.call('PEXPIREAT', KEYS[set], ms)
    end
    redis.call('PEXPIREAT', KEYS[3], ms)
    return {1, tonumber(expires), due(ARGV[i])}
  end
end
return {-2}
