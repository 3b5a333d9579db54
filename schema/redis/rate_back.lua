-- read
-- Takes a hit back that should have been counted otherwise, or not at all, while its window lasts.
-- KEYS 1 counter; ARGV 1 what it was with that hit.
local n = tonumber(redis.call('GET', KEYS[1]) or 0)
if n < tonumber(ARGV[1]) then
  return 0
end
-- A count of nothing has no window.
return redis.call(n == 1 and 'DEL' or 'DECR', KEYS[1])
