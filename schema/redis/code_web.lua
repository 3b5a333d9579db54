-- A web code for an identity and an address: the one that is pending, or the fresh one. Codes are
-- named by their keyed hash, as are identity and address. Time is this server's.
--
--   portal:code:{code}           hash: s sealed, i identity, a address ('': a bot code), x expiry in us
--   portal:codes:web:{identity}  sorted set of codes by expiry
--   portal:codes:addr:{address}  sorted set of codes by expiry: the slots of the address
--   portal:codes:told:{identity} sealed: name and avatar that a bot told
--   portal:codes:bot:{identity}  the one bot code
--
-- KEYS 1 codes:web, 2 codes:addr, 3 codes:told
-- ARGV 1 identity, 2 address, 3 milliseconds to live, 4 most pending of the address,
--      5 fresh code, 6 its sealed text, then pairs to fall back on should the name be taken
-- Answer: {1, expiry}; {-1, milliseconds until a slot is free}; {-2}: all the names are taken
local now = redis.call('TIME')
local us = now[1] * 1000000 + now[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', us)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', us)

local slots = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #slots, 2 do
  if redis.call('HGET', 'portal:code:' .. slots[i], 'i') == ARGV[1] then
    return {1, tonumber(slots[i + 1])}
  end
end
if #slots / 2 >= tonumber(ARGV[4]) then
  return {-1, math.ceil((slots[2] - us) / 1000)}
end

for i = 5, #ARGV, 2 do
  local key = 'portal:code:' .. ARGV[i]
  if redis.call('EXISTS', key) == 0 then
    local expires = string.format('%.0f', us + ARGV[3] * 1000)
    local ms = math.floor(expires / 1000)
    redis.call('HSET', key, 's', ARGV[i + 1], 'i', ARGV[1], 'a', ARGV[2], 'x', expires)
    redis.call('PEXPIREAT', key, ms)
    for set = 1, 2 do
      redis.call('ZADD', KEYS[set], expires, ARGV[i])
      redis.call('PEXPIREAT', KEYS[set], ms)
    end
    redis.call('PEXPIREAT', KEYS[3], ms)
    return {1, tonumber(expires)}
  end
end
return {-2}
