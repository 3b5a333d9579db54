-- Lets a session's socket into a room, and answers what of the room the socket has to know. Repeated
-- for a session that is present it changes nothing.
--
-- KEYS 1 gate (counts removals; see store/epoch.h), 2 sockets of sessions by
--      process (hash session:process), 3 who is present by order of coming (sorted set user:session),
--      4 people (hash: sessions of each), 5 how people are shown (hash), 6 counter of joins, 7 epoch,
--      8 throttle of chat:status, 9 rooms of the process, 10 since when the person has been here
-- ARGV 1 chat, 2 user, 3 session, 4 process, 5 sockets of the session here, with this one,
--      6 the gate as seen before PostgreSQL was asked, 7 the person as JSON, 8 ROSTER_MAX, 9 '1': all of the answer,
--      10 its rank in the directory (directory_busy.lua); '0': it is not in there
-- Answer: {0} begin again; {-1} the epoch is to be made first; else {1, epoch, sessions, status is due} and, if asked for,
--   {…, people, keyed, "blob public-key" or nil, members as JSON or nil}; keyed: a session of the person holds the
--   epoch's key.
local chat, user, session = ARGV[1], ARGV[2], ARGV[3]
local now_at = redis.call('MGET', KEYS[1], KEYS[7])
local epoch = now_at[2]
if (now_at[1] or '') ~= ARGV[6] then
  return {0}
elseif not epoch then
  return {-1}
end

local member, status = user .. ':' .. session, 0
local channel = 'portal:room:' .. chat
local function shown(who, sess, as)
  local key = redis.call('HGET', 'portal:e2ee:keys:' .. who, sess)
  return string.format('"user":%s,"session_id":"%s","public_key":%s}',
    as or 'null', sess, key and '"' .. key .. '"' or 'null')
end
redis.call('HSET', KEYS[2], session .. ':' .. ARGV[4], ARGV[5])
redis.call('SADD', KEYS[9], chat)
redis.call('SADD', 'portal:e2ee:rooms:' .. session, chat)
redis.call('PEXPIRE', 'portal:e2ee:rooms:' .. session, 2592000000)
redis.call('HSET', KEYS[5], user, ARGV[7])
local now = redis.call('TIME')
if not redis.call('SET', KEYS[10], now[1] * 1000 + math.floor(now[2] / 1000), 'NX') then
  redis.call('PERSIST', KEYS[10])
end
local fresh = redis.call('ZADD', KEYS[3], 'NX', redis.call('INCR', KEYS[6]), member) == 1
if fresh then
  if redis.call('HINCRBY', KEYS[4], user, 1) == 1 and ARGV[10] ~= '0' then
    local listed = string.format('%016d', chat)
    local was = redis.call('ZSCORE', 'portal:directory', listed) or 0
    local rank = math.max(tonumber(ARGV[10]), was - math.floor(was / 2^32) % 2^20 * 2^32)
    redis.call('ZADD', 'portal:directory', rank + redis.call('HLEN', KEYS[4]) * 2^32, listed)
  end
  -- In a direct chat their grace is over (match_try.lua), and the other hears of it if they were missed.
  local direct = 'portal:direct:' .. chat
  local two = redis.call('HMGET', direct, 'x', 'y', 'l:' .. user)
  if two[1] then
    redis.call('HSET', direct, 's:' .. session, user)
    if redis.call('ZREM', 'portal:match:graces', chat .. ':' .. user) == 1 and two[3] then
      redis.call('HDEL', direct, 'l:' .. user)
      redis.call('PUBLISH', 'portal:user:' .. (two[1] == user and two[2] or two[1]), string.format(
        'r room:peer_back - -\n{"chat_id":%s,"user_id":%s}', chat, user))
    end
  end
end
local sessions = redis.call('ZCARD', KEYS[3])
if fresh then
  redis.call('PUBLISH', channel, 'n - - ' .. sessions .. '\n')
  if sessions <= tonumber(ARGV[8]) then
    redis.call('PUBLISH', channel, string.format('o room:member_joined - -\n{"chat_id":%s,', chat)
      .. shown(user, session, ARGV[7]))
  end
  status = redis.call('SET', KEYS[8], '1', 'NX', 'PX', 3000) and 1 or 0
end
local chatkey = 'portal:e2ee:chatkey:' .. chat .. ':' .. epoch
local blob = redis.call('HGET', chatkey, member)
if ARGV[9] ~= '1' then
  if blob then -- it was there before them: they hear of it as of one that comes now (key_share.lua)
    local sealed, from = blob:match('^(%S+) (%S+)$')
    redis.call('PUBLISH', channel, string.format('s room:key - %s\n{"chat_id":%s,"epoch":%s,"blob":"%s","from_public_key":"%s"}',
      member, chat, epoch, sealed, from))
  end
  return {1, tonumber(epoch), sessions, status}
end

local members = false
if sessions <= tonumber(ARGV[8]) then
  local users, list = {}, {}
  for i, m in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    users[i], list[i] = m:match('^(%d+):(%x+)$')
  end
  for from = 1, #users, 1000 do -- unpack has a limit
    for k, as in ipairs(redis.call('HMGET', KEYS[5], unpack(users, from, math.min(from + 999, #users)))) do
      local i = from + k - 1
      list[i] = '{' .. shown(users[i], list[i], as)
    end
  end
  members = '[' .. table.concat(list, ',') .. ']'
end

local keyed = 0
if blob then
  keyed = 1
else
  for _, other in ipairs(redis.call('HKEYS', 'portal:e2ee:keys:' .. user)) do
    if redis.call('HEXISTS', chatkey, user .. ':' .. other) == 1 then
      keyed = 1
    end
  end
end

return {1, tonumber(epoch), sessions, status, redis.call('HLEN', KEYS[4]), keyed, blob, members}
