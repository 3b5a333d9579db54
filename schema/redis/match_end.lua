-- Ends a direct chat, tells its two people, and drops everything of it (keys: match_try.lua). The gate stays for a
-- minute, running out: so steps under way see that the chat is gone; and why it ended stays for ten, for processes that
-- did not hear of it (api/catch_up_room.c).
-- ARGV 1 chat, 2 reason (left grace expired gone), 3 whose doing or whose grace it is, or '', 4 '1': only if it is due
--      5 how long the two avoid each other (ms)
-- Answer: {1, the one, the other}; {0}: nothing to end (any more)
local chat, reason, who = ARGV[1], ARGV[2], ARGV[3]
local direct, room, base = 'portal:direct:' .. chat, 'portal:room:' .. chat, 'portal:chat:' .. chat
local people = redis.call('HMGET', direct, 'x', 'y')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not people[1] or (who ~= '' and who ~= people[1] and who ~= people[2]) then
  return {0}
end
if ARGV[4] == '1' then
  local due = reason == 'grace' and redis.call('ZSCORE', 'portal:match:graces', chat .. ':' .. who)
    or reason == 'expired' and redis.call('ZSCORE', 'portal:match:chats', chat)
  if not due or tonumber(due) > now then
    return {0}
  end
end

local x, y = people[1], people[2]
local function tell(to, event, data)
  redis.call('PUBLISH', 'portal:user:' .. to, 'r ' .. event .. ' - -\n' .. data)
end
if who ~= '' then
  tell(who == x and y or x, 'room:peer_left', string.format('{"chat_id":%s,"user_id":%s,"grace_until_ms":0}', chat, who))
end
local gate = redis.call('INCR', base .. ':gate')
redis.call('PEXPIRE', base .. ':gate', 60000)
redis.call('SET', base .. ':ended', reason, 'PX', 600000)

-- Retries of its messages, sessions that were in its room, blobs.
for _, entry in ipairs(redis.call('XRANGE', base .. ':stream', '-', '+')) do
  local f = {}
  for i = 1, #entry[2], 2 do
    f[entry[2][i]] = entry[2][i + 1]
  end
  if f.k ~= '' then
    redis.call('DEL', base .. ':sent:' .. f.s .. ':' .. f.k)
  end
end
for _, place in ipairs(redis.call('HKEYS', room .. ':present')) do
  redis.call('SREM', 'portal:process:' .. place:match('[^:]*$') .. ':rooms', chat)
end
local epoch = redis.call('GET', base .. ':epoch') or '1'
for _, field in ipairs(redis.call('HKEYS', direct)) do
  if field:sub(1, 2) == 's:' then
    redis.call('SREM', 'portal:e2ee:rooms:' .. field:sub(3), chat)
  end
end
for _, user in ipairs({x, y}) do
  for _, session in ipairs(redis.call('HKEYS', 'portal:e2ee:keys:' .. user)) do
    for n = 1, tonumber(epoch) do
      redis.call('SREM', 'portal:e2ee:blobs:' .. session, chat .. ':' .. n)
    end
  end
  redis.call('DEL', base .. ':card:' .. user, base .. ':since:' .. user, base .. ':rate:' .. user)
  redis.call('ZREM', 'portal:match:graces', chat .. ':' .. user)
  if redis.call('GET', 'portal:match:chat:' .. user) == chat then
    redis.call('DEL', 'portal:match:chat:' .. user)
  end
  local recent, peer = 'portal:match:recent:' .. user, user == x and y or x
  redis.call('ZREMRANGEBYSCORE', recent, '-inf', now)
  redis.call('ZADD', recent, string.format('%.0f', now + ARGV[5]), peer)
  redis.call('PEXPIRE', recent, ARGV[5])
  redis.call('PUBLISH', room, 'x - ' .. gate .. ' ' .. user .. '\n')
  tell(user, 'match:ended', string.format('{"chat_id":%s,"reason":"%s"}', chat, reason))
end
redis.call('ZREM', 'portal:match:chats', chat)
redis.call('DEL', direct, base .. ':stream', base .. ':epoch', base .. ':ceiling', base .. ':stamp', room .. ':present', room .. ':joined',
  room .. ':people', room .. ':persons', room .. ':seq', room .. ':status', 'portal:e2ee:chatkey:' .. chat .. ':' .. epoch,
  'portal:e2ee:asks:' .. chat, 'portal:e2ee:circle:' .. chat, 'portal:e2ee:lost:' .. chat, 'portal:e2ee:joined:' .. chat)
return {1, x, y}
