-- read
-- One hit in a fixed window that starts with the first. KEYS 1 counter; ARGV 1 milliseconds.
-- Answer: count, milliseconds left.
local n = redis.call('INCR', KEYS[1])
local ms = n > 1 and redis.call('PTTL', KEYS[1]) or -1
if ms < 0 then -- it begins, or whoever began it has died on the way
  ms = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ms)
end
return {n, ms}
