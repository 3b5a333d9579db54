-- Takes people out of a room, moves its epoch on, drops the old epoch's blobs and tells the room: one
-- step. Without a reason only the epoch is read, and made when it is missing.
--
-- A counter that is missing, or near the ceiling that PostgreSQL keeps, wants the ceiling raised
-- first: the answer is then 0 and the marker of this Redis' life, and the caller comes again with
-- both. A ceiling that was raised before Redis came back empty is not taken.
--
-- KEYS 1 epoch, 2 ceiling, 3 gate, 4 people, 5 joined, 6 present, 7 throttle of rotations for joins,
--      8 marker
-- ARGV 1 chat, 2 reason or '', 3 who is taken out: '', a person's id, or 'but id id …': all others,
--      4 ceiling just raised by the step (0: not), 5 the step, 6 marker of the first answer, 7 of a change of
--      visibility: the rank in the directory now (directory_busy.lua), '0': it is not in there
-- Answer: {epoch, marker}; epoch 0: raise the ceiling.
local chat, reason, out = ARGV[1], ARGV[2], ARGV[3]
local raised, step = tonumber(ARGV[4]), tonumber(ARGV[5])
local marker = redis.call('GET', KEYS[8]) or ''
local n = tonumber(redis.call('GET', KEYS[1]) or '')
local ceiling = tonumber(redis.call('GET', KEYS[2]) or '0')

if redis.call('PTTL', KEYS[3]) >= 0 then
  return {0, marker} -- the chat is gone (room_destroy.lua), as PostgreSQL will say
end
if n and reason == '' then
  return {n, marker}
end
if raised > 0 and marker == ARGV[6] and raised > ceiling then
  n = n or raised - step
  ceiling = raised
end
if not n or n + 1 >= ceiling then
  return {0, marker}
end

local channel = 'portal:room:' .. chat
local function publish(head, data)
  redis.call('PUBLISH', channel, head .. '\n' .. data)
end

local gate = (out ~= '' or reason == 'visibility') and redis.call('INCR', KEYS[3])

-- Those who go: their sockets leave behind room:kicked; a member who left hears nothing. A join that
-- saw the gate where it is now came behind this.
local gone, listed = {}, string.format('%016d', chat)
if out:sub(1, 4) == 'but ' then
  for _, user in ipairs(redis.call('HKEYS', KEYS[4])) do
    gone[user] = true
  end
  for user in out:gmatch('%d+') do
    gone[user] = nil
  end
elseif out ~= '' then
  gone[out] = true
end
if next(gone) then
  local left = {}
  for _, who in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
    local user, session = who:match('^(%d+):(.*)$')
    if gone[user] then
      redis.call('ZREM', KEYS[5], who)
      left[session] = user
    end
  end
  for _, place in ipairs(redis.call('HKEYS', KEYS[6])) do
    if left[place:match('^[^:]*')] then
      redis.call('HDEL', KEYS[6], place)
    end
  end
  local people = 0
  for user in pairs(gone) do
    people = people + redis.call('HDEL', KEYS[4], user)
    redis.call('HDEL', 'portal:room:' .. chat .. ':persons', user)
    redis.call('DEL', 'portal:chat:' .. chat .. ':since:' .. user)
    if reason == 'leave' then
      publish('x - ' .. gate .. ' ' .. user, '')
    else
      publish('x room:kicked ' .. gate .. ' ' .. user, string.format('{"chat_id":%s,"reason":"%s"}', chat,
        reason == 'visibility' and 'private' or reason))
    end
  end
  local was = redis.call('ZSCORE', 'portal:directory', listed) -- see directory_busy.lua
  if was and redis.call('HLEN', KEYS[4]) == 0 then
    redis.call('ZREM', 'portal:directory', listed)
  elseif was then
    redis.call('ZADD', 'portal:directory', was - people * 2^32, listed)
  end
  publish('n - - ' .. redis.call('ZCARD', KEYS[5]), '')
  for session, user in pairs(left) do
    publish('o room:member_left - -', string.format('{"chat_id":%s,"user_id":%s,"session_id":"%s"}',
      chat, user, session))
  end
  publish('r chat:status - -', string.format('{"chat_id":%s,"online":%d}', chat,
    redis.call('HLEN', KEYS[4])))
end

if reason == 'visibility' then
  redis.call('ZREM', 'portal:directory', listed)
  local online = redis.call('HLEN', KEYS[4])
  if ARGV[7] ~= '0' and online > 0 then
    redis.call('ZADD', 'portal:directory', ARGV[7] + online * 2^32, listed)
  end
end

if reason == 'join' and not redis.call('SET', KEYS[7], '1', 'NX', 'PX', 1000) then
  return {n, marker}
end
redis.call('DEL', 'portal:e2ee:chatkey:' .. chat .. ':' .. n)
n = n + 1
redis.call('SET', KEYS[1], n)
redis.call('SET', KEYS[2], ceiling)
if reason ~= '' then
  publish('r room:epoch_changed - -', string.format('{"chat_id":%s,"epoch":%d,"reason":"%s"}',
    chat, n, reason))
  publish('c !keys - -', string.format('{"chat_id":%s}', chat))
end
return {n, marker}
