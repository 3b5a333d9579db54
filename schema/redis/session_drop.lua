-- Sessions that have ended in PostgreSQL go, each leaving a tombstone for five minutes: a look-up
-- that began before cannot put it back. Their keys and blobs go (store/key.h), and their sockets hear of
-- it, in the same step.
-- ARGV 1: "hash user session reason hash …".
local function keys_drop(user, session)
  local field = user .. ':' .. session
  local had = redis.call('HDEL', 'portal:e2ee:keys:' .. user, session) == 1
  for _, blobs in ipairs(redis.call('SMEMBERS', 'portal:e2ee:blobs:' .. session)) do
    redis.call('HDEL', 'portal:e2ee:chatkey:' .. blobs, field)
  end
  for _, chat in ipairs(had and redis.call('SMEMBERS', 'portal:e2ee:rooms:' .. session) or {}) do
    if redis.call('ZSCORE', 'portal:room:' .. chat .. ':joined', field) then
      redis.call('PUBLISH', 'portal:room:' .. chat, string.format(
        'o portal:key_removed - -\n{"chat_id":%s,"user_id":%s,"session_id":"%s"}', chat, user, session))
    end
  end
  redis.call('DEL', 'portal:e2ee:owner:' .. session, 'portal:e2ee:blobs:' .. session,
    'portal:e2ee:rooms:' .. session)
end
for hash, user, session, reason in ARGV[1]:gmatch('(%x+) (%d+) (%x+) (%a+)') do
  redis.call('DEL', 'portal:session:' .. hash)
  redis.call('ZREM', 'portal:sessions:' .. user, hash)
  redis.call('SET', 'portal:ended:' .. hash, '', 'EX', 300)
  keys_drop(user, session)
  redis.call('PUBLISH', 'portal:user:' .. user, string.format(
    'e session:ended - %s\n{"reason":"%s"}', session, reason))
end
return 1
