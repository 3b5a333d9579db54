-- Deletes a page of everything Portal keeps, for a restore: nothing else is at work then.
-- ARGV 1 cursor, '0' at first, 2 how many keys to look at
-- Answer: the next cursor; '0': that was all
local page = redis.call('SCAN', ARGV[1], 'MATCH', 'portal:*', 'COUNT', ARGV[2])
for _, key in ipairs(page[2]) do
  redis.call('UNLINK', key)
end
return page[1]
