-- Deletes messages of a chat (message_send.lua) and tells the room.
--
-- KEYS 1 stream
-- ARGV 1 chat, 2 'ids', 'of' or 'last', 3 whose they must be ('': anybody's), 4 ids parted by spaces, or
--      how many
-- Answer: how many; -1: one is another's, and nothing was deleted
local whose, ids = ARGV[3], {}

local function sender(entry)
  return entry[2][2] -- s, the first field
end

if ARGV[2] == 'ids' then
  local seen = {}
  for id in ARGV[4]:gmatch('%S+') do
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if entry and whose ~= '' and sender(entry) ~= whose then
      return -1
    end
    if entry and not seen[entry[1]] then
      seen[entry[1]] = true
      ids[#ids + 1] = entry[1]
    end
  end
elseif ARGV[2] == 'of' then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
    if sender(entry) == whose then
      ids[#ids + 1] = entry[1]
    end
  end
else
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[4])) do
    table.insert(ids, 1, entry[1])
  end
end
if #ids > 0 then
  for _, id in ipairs(ids) do
    redis.call('XDEL', KEYS[1], id)
  end
  redis.call('PUBLISH', 'portal:room:' .. ARGV[1], 'r message:bulk_deleted - -\n{"chat_id":' .. ARGV[1] ..
    ',"ids":["' .. table.concat(ids, '","') .. '"]}')
end
return #ids
