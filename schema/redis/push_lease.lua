-- A process has login bots of a platform connected, for the next milliseconds; 0: it has none.
--
--   portal:bots:{platform}  sorted set of processes by the end of their lease
--
-- KEYS 1 bots:{platform}
-- ARGV 1 process, 2 milliseconds
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
if ARGV[2] == '0' then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
redis.call('ZADD', KEYS[1], now_ms + ARGV[2], ARGV[1])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
