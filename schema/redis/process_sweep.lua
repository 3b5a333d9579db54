-- A process has died: its people are no longer connected through it. Its rooms follow one by one
-- (room_leave.lua); with '1' they have, and the process is forgotten.
--
-- KEYS 1 people of the process, 2 its rooms, 3 dead processes, 4 who is connected, 5 a session of each
-- ARGV 1 process, 2 '1': done
-- Answer: its rooms
if ARGV[2] == '1' then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('ZREM', KEYS[3], ARGV[1])
  return {}
end
-- Of direct chats it may have left the one for its last person there and died before it did for the other.
local rooms = redis.call('SMEMBERS', KEYS[2])
for _, user in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  rooms[#rooms + 1] = redis.call('GET', 'portal:match:chat:' .. user) or nil
  local sockets = 'portal:sockets:' .. user
  for _, field in ipairs(redis.call('HKEYS', sockets)) do
    if field:sub(-#ARGV[1] - 1) == ':' .. ARGV[1] then
      redis.call('HDEL', sockets, field)
    end
  end
  if redis.call('EXISTS', sockets) == 0 then
    redis.call('ZREM', KEYS[4], user)
    redis.call('HDEL', KEYS[5], user)
    if redis.call('EXISTS', 'portal:match:person:' .. user) == 1 then
      redis.call('SADD', 'portal:match:look', user) -- they search: are they there?
    end
  end
end
return rooms
