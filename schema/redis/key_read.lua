-- read
-- The blob of a session for the current epoch. KEYS 1 epoch; ARGV 1 chat, 2 user, 3 session
-- Answer: {0, epoch, "blob public-key" or nil}; {-2}: the chat has no epoch yet
local n = redis.call('GET', KEYS[1])
if not n then
  return {-2}
end
return {0, tonumber(n),
  redis.call('HGET', 'portal:e2ee:chatkey:' .. ARGV[1] .. ':' .. n, ARGV[2] .. ':' .. ARGV[3])}
