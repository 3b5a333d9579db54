-- Sets how many sockets of a session a process has in a room; with the last of them in any process the
-- session leaves. Without a session: all of the process leave, which has died.
--
-- KEYS as room_join.lua: 1 sockets, 2 present, 3 people, 4 how they are shown, 5 throttle of chat:status,
--      6 rooms of the process
-- ARGV 1 chat, 2 user, 3 session or '', 4 process, 5 its sockets in this process now, 6 '1': the
--      process has nobody else in the room, 7 '1': left on purpose, 8 ROSTER_MAX
-- Answer: {sessions that left, status is due}
local chat, process = ARGV[1], ARGV[4]
local channel = 'portal:room:' .. chat
local left, people, status = 0, 0, 0

local function elsewhere(session)
  for _, p in ipairs(redis.call('ZRANGE', 'portal:processes', 0, -1)) do
    if p ~= process and redis.call('HEXISTS', KEYS[1], session .. ':' .. p) == 1 then
      return true
    end
  end
end
-- In a direct chat (match_try.lua) the grace begins, and the other hears of it.
local function missed(user)
  local d = redis.call('HMGET', 'portal:direct:' .. chat, 'x', 'y', 'g')
  if d[1] then
    local now = redis.call('TIME')
    local grace = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) + d[3])
    redis.call('ZADD', 'portal:match:graces', grace, chat .. ':' .. user)
    redis.call('HSET', 'portal:direct:' .. chat, 'l:' .. user, '1')
    redis.call('PUBLISH', 'portal:user:' .. (d[1] == user and d[2] or d[1]), string.format(
      'r room:peer_left - -\n{"chat_id":%s,"user_id":%s,"grace_until_ms":%s}', chat, user, grace))
  end
end
local function leave(user, session)
  redis.call('HDEL', KEYS[1], session .. ':' .. process)
  if elsewhere(session) or redis.call('ZREM', KEYS[2], user .. ':' .. session) == 0 then
    return
  end
  left = left + 1
  if redis.call('HINCRBY', KEYS[3], user, -1) <= 0 then
    local since = 'portal:chat:' .. chat .. ':since:' .. user
    people = people + 1
    redis.call('HDEL', KEYS[3], user)
    redis.call('HDEL', KEYS[4], user)
    missed(user)
    if ARGV[7] == '1' then
      redis.call('DEL', since)
    else
      redis.call('PEXPIRE', since, 86400000)
    end
  end
  if redis.call('ZCARD', KEYS[2]) <= tonumber(ARGV[8]) then
    redis.call('PUBLISH', channel, string.format(
      'o room:member_left - -\n{"chat_id":%s,"user_id":%s,"session_id":"%s"}', chat, user, session))
  end
end

if ARGV[3] == '' then
  for _, m in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    local user, session = m:match('^(%d+):(%x+)$')
    if redis.call('HEXISTS', KEYS[1], session .. ':' .. process) == 1 then
      leave(user, session)
    end
  end
elseif ARGV[5] == '0' then
  leave(ARGV[2], ARGV[3])
elseif redis.call('HEXISTS', KEYS[1], ARGV[3] .. ':' .. process) == 1 then -- the room may be gone
  redis.call('HSET', KEYS[1], ARGV[3] .. ':' .. process, ARGV[5])
end
if ARGV[6] == '1' then
  redis.call('SREM', KEYS[6], chat)
end
local listed = string.format('%016d', chat)
local was = people > 0 and redis.call('ZSCORE', 'portal:directory', listed) -- see directory_busy.lua
if was and redis.call('HLEN', KEYS[3]) == 0 then
  redis.call('ZREM', 'portal:directory', listed)
elseif was then
  redis.call('ZADD', 'portal:directory', was - people * 2^32, listed)
end
if left > 0 then
  redis.call('PUBLISH', channel, 'n - - ' .. redis.call('ZCARD', KEYS[2]) .. '\n')
  status = redis.call('SET', KEYS[5], '1', 'NX', 'PX', 3000) and 1 or 0
end
return {left, status}
