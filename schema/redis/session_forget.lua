-- A person's sessions are forgotten; the next use of each finds it in PostgreSQL as it is now.
-- KEYS 1 the person's sessions
for _, hash in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('DEL', 'portal:session:' .. hash)
end
return redis.call('DEL', KEYS[1])
