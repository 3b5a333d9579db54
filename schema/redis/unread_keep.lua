-- Keeps a person's number of unread notifications, unless something has changed in the last moments:
-- the count may have begun before.
--
-- KEYS 1 number
-- ARGV 1 the number under its generation, 2 seconds to keep it
if redis.call('GET', KEYS[1]) ~= '-' then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
return 0
