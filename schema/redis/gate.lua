-- read
-- What a request needs first, in one round trip: the address is counted, the session looked up, then
-- its person counted, or the address among those with a dead or missing session. The first exceeded
-- limit ends it. Windows are fixed: 60 s from the first hit. Time is this server's.
--
-- KEYS 1 counter of the address, 2 counter of the dead, 3 session, 4 its tombstone, 5 marker
-- ARGV 1 limit of the address, 2 limit of the dead (0: off), 3 '1': there is a token,
--      4 tier of the person ('': not counted), 5 its limit, 6 value to read along ('': none),
--      7 milliseconds after which a session is checked again
-- Answer: state, user, limit, count and milliseconds left of the window that decides (limit 0: none
-- counted), the value read along, the marker (for `missing` and `old`), the generation of the value
-- read along
local OVER, DEAD, LIVE, OLD, MISSING = 0, 1, 2, 3, 4
local limit, count, left = 0, 0, 0

local function hit(key, max)
  max = tonumber(max)
  if max == 0 then
    return false
  end
  local n = redis.call('INCR', key)
  local ms = 60000
  if n == 1 then
    redis.call('PEXPIRE', key, ms)
  else
    ms = redis.call('PTTL', key)
  end
  if limit == 0 or max - n < limit - count then
    limit, count, left = max, n, ms
  end
  return n > max
end

-- Tells this life of Redis from the one before. A new one is made when a flush took it.
local function marker()
  local m = redis.call('GET', KEYS[5])
  if not m then
    local now = redis.call('TIME')
    m = now[1] .. '.' .. now[2]
    redis.call('SET', KEYS[5], m)
  end
  return m
end

if hit(KEYS[1], ARGV[1]) then
  return {OVER, 0, limit, count, left}
end

local session = ARGV[3] == '1' and redis.call('HMGET', KEYS[3], 'u', 'c') or {}
local user = session[1]
if not user then
  local unknown = ARGV[3] == '1' and redis.call('EXISTS', KEYS[4]) == 0
  local max = tonumber(ARGV[2])
  -- Whoever has used up the budget of the dead is not worth a look at PostgreSQL.
  if unknown and (max == 0 or tonumber(redis.call('GET', KEYS[2]) or 0) < max) then
    return {MISSING, 0, limit, count, left, false, marker()}
  end
  local over = hit(KEYS[2], max)
  return {over and OVER or DEAD, 0, limit, count, left}
end

if ARGV[4] ~= '' and hit('portal:rate:' .. ARGV[4] .. ':' .. user, ARGV[5]) then
  return {OVER, user, limit, count, left}
end
-- A value that was kept under another generation, or none ("-"), is none.
local with, generation = false, false
if ARGV[6] ~= '' then
  local name = 'portal:' .. ARGV[6] .. ':'
  local kept = redis.call('MGET', name .. user, name .. 'all')
  generation = kept[2] or '0'
  with = kept[1] and kept[1]:match('^' .. generation .. ' (.*)$') or false
end
local now = redis.call('TIME')
if now[1] * 1000 + now[2] / 1000 - session[2] > tonumber(ARGV[7]) then
  return {OLD, user, limit, count, left, with, marker(), generation}
end
return {LIVE, user, limit, count, left, with, false, generation}
