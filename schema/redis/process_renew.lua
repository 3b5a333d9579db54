-- Renews the lease of a process, and finds one that has died: whose rooms and people the caller then
-- takes out (process_sweep.lua). The claim holds for a lease, so that another does it if the caller
-- dies as well.
--
-- KEYS 1 processes, 2 dead ones (both sorted by the end of their lease or claim), 3 marker
-- ARGV 1 process, 2 milliseconds, 3 '1': it had a lease, 4 '1': look for the dead
-- Answer: {1; 0: it was taken for dead; marker of this life of Redis; a dead process or nil}
local now = redis.call('TIME')
local now_ms, ms = now[1] * 1000 + math.floor(now[2] / 1000), tonumber(ARGV[2])
redis.call('SET', KEYS[3], now[1] .. '.' .. now[2], 'NX')
local marker = redis.call('GET', KEYS[3])
if ARGV[3] == '1' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return {0, marker}
end
redis.call('ZADD', KEYS[1], now_ms + ms, ARGV[1])
if ARGV[4] ~= '1' then
  return {1, marker}
end
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms)) do
  redis.call('ZREM', KEYS[1], process)
  redis.call('ZADD', KEYS[2], 0, process)
end
local dead = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now_ms, 'LIMIT', 0, 1)[1]
if dead then
  redis.call('ZADD', KEYS[2], now_ms + ms, dead)
end
return {1, marker, dead}
