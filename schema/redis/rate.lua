-- read
-- One hit in a fixed window that starts with the first. KEYS 1 counter; ARGV 1 milliseconds.
-- Answer: count, milliseconds left.
local n = redis.call('INCR', KEYS[1])
if n == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return {n, tonumber(ARGV[1])}
end
return {n, redis.call('PTTL', KEYS[1])}
