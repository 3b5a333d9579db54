-- read
-- What a request needs first, in one round trip: the address is counted, the session looked up, then
-- its person counted, or the address among those with a dead or missing session. The first exceeded
-- limit ends it. Windows are fixed: 60 s from the first hit. Time is this server's.
-- Whoever remembers what this has answered does without it for a while: src/store/session_gate.c.
--
-- KEYS 1 counter of the address, 2 counter of the dead, 3 session ('portal:session:': there is no token)
-- ARGV 1 limit of the address, 2 limit of the dead (0: off), 3 tier of the person ('': not counted),
--      4 its limit, 5 value to read along ('': none)
-- Answer: state, user, limit, count and milliseconds left of the window that decides (limit 0: none
-- counted), the marker (for `missing` and `old`), when the session was checked, in how many
-- milliseconds it is to be checked again, {the value read along, the generation of today}
local OVER, DEAD, LIVE, OLD, MISSING = 0, 1, 2, 3, 4
local NONE = 'portal:session:'
local CHECKED_MS = 60000 -- a session is checked again after that
local limit, count, left = 0, 0, 0

local function hit(key, max)
  local n = redis.call('INCR', key)
  local ms = n > 1 and redis.call('PTTL', key) or -1
  if ms < 0 then -- it begins, or whoever began it has died on the way
    ms = 60000
    redis.call('PEXPIRE', key, ms)
  end
  if limit == 0 or max - n < limit - count then
    limit, count, left = max, n, ms
  end
  return n > max
end

-- Tells this life of Redis from the one before. A new one is made when a flush took it.
local function marker(now)
  local m = redis.call('GET', 'portal:marker')
  if not m then
    m = now[1] .. '.' .. now[2]
    redis.call('SET', 'portal:marker', m)
  end
  return m
end

if ARGV[1] ~= '0' and hit(KEYS[1], tonumber(ARGV[1])) then
  return {OVER, 0, limit, count, left}
end

local session = KEYS[3] ~= NONE and redis.call('HMGET', KEYS[3], 'u', 'c') or {}
local user = session[1]
if not user then
  local max = tonumber(ARGV[2])
  local unknown = KEYS[3] ~= NONE and
    redis.call('EXISTS', 'portal:ended:' .. KEYS[3]:match('^portal:session:(.*)$')) == 0
  -- Whoever has used up the budget of the dead is not worth a look at PostgreSQL.
  if unknown and (max == 0 or tonumber(redis.call('GET', KEYS[2]) or 0) < max) then
    return {MISSING, 0, limit, count, left, marker(redis.call('TIME'))}
  end
  local over = max > 0 and hit(KEYS[2], max)
  return {over and OVER or DEAD, 0, limit, count, left}
end

if ARGV[3] ~= '' and hit('portal:rate:' .. ARGV[3] .. ':' .. user, tonumber(ARGV[4])) then
  return {OVER, user, limit, count, left}
end
local now = redis.call('TIME')
local fresh = session[2] + CHECKED_MS - math.floor(now[1] * 1000 + now[2] / 1000)
local name = 'portal:' .. ARGV[5] .. ':'
local with = ARGV[5] ~= '' and redis.call('MGET', name .. user, name .. 'all')
return {fresh < 0 and OLD or LIVE, user, limit, count, left, fresh < 0 and marker(now), session[2], fresh, with}
