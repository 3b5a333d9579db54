-- Registers the public key of a session (keys: store/key.h). Another key than before drops every blob
-- kept for the session, and its rooms hear of it.
--
-- KEYS 1 keys of the person, 2 owner of the session, 3 where blobs for it are, 4 rooms it has been in,
--      5 the session as the gate keeps it, 6 its tombstone
-- ARGV 1 user, 2 session, 3 public key
-- Answer: 0 unchanged; 1 another; -1: the session is gone
local left = redis.call('PTTL', KEYS[5])
if left <= 0 or redis.call('EXISTS', KEYS[6]) == 1 then
  return -1
end
local user, session, key = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', KEYS[1], session) == key and redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end

-- Sessions that ran out leave their key behind; this is where it goes.
for _, other in ipairs(redis.call('HKEYS', KEYS[1])) do
  if redis.call('EXISTS', 'portal:e2ee:owner:' .. other) == 0 then
    redis.call('HDEL', KEYS[1], other)
  end
end
local now = redis.call('TIME')
if redis.call('HSET', KEYS[1], session, key) == 0 then
  redis.call('SET', 'portal:e2ee:renewed:' .. session, now[1] * 1000 + math.floor(now[2] / 1000), 'PX', 10000)
end
if redis.call('PTTL', KEYS[1]) < left then
  redis.call('PEXPIRE', KEYS[1], left)
end
redis.call('SET', KEYS[2], user, 'PX', left)

local field = user .. ':' .. session
for _, blobs in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  redis.call('HDEL', 'portal:e2ee:chatkey:' .. blobs, field)
end
redis.call('DEL', KEYS[3])
for _, chat in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  redis.call('HDEL', 'portal:e2ee:asks:' .. chat, 'a:' .. field, 'x:' .. field) -- were about the old key
  if redis.call('ZSCORE', 'portal:room:' .. chat .. ':joined', field) then
    local channel = 'portal:room:' .. chat
    redis.call('PUBLISH', channel, string.format(
      'o portal:key_added - -\n{"chat_id":%s,"user":%s,"session_id":"%s","public_key":"%s"}', chat,
      redis.call('HGET', channel .. ':persons', user) or 'null', session, key))
    redis.call('PUBLISH', channel, string.format('c !keys - -\n{"chat_id":%s}', chat))
  else
    redis.call('SREM', KEYS[4], chat)
  end
end
return 1
