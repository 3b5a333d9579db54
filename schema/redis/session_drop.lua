-- Sessions that have ended in PostgreSQL go, each leaving a tombstone for five minutes: a look-up
-- that began before cannot put it back. ARGV 1: "hash user hash user …".
for hash, user in ARGV[1]:gmatch('(%x+) (%d+)') do
  redis.call('DEL', 'portal:session:' .. hash)
  redis.call('ZREM', 'portal:sessions:' .. user, hash)
  redis.call('SET', 'portal:ended:' .. hash, '', 'EX', 300)
end
return 1
