-- read
-- Chats whose messages are to be wiped now. KEYS 1 wipes; ARGV 1 most. Time is this server's.
local now = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000 + math.floor(now[2] / 1000), 'LIMIT', 0, ARGV[1])
