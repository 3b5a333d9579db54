-- Tells a room how many people are in it; the next change is told again.
-- KEYS 1 throttle, 2 people; ARGV 1 chat
redis.call('DEL', KEYS[1])
return redis.call('PUBLISH', 'portal:room:' .. ARGV[1], string.format(
  'r chat:status - -\n{"chat_id":%s,"online":%d}', ARGV[1], redis.call('HLEN', KEYS[2])))
