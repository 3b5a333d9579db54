-- A chat is gone: tells its room, puts everyone out, drops what Redis keeps of it. The gate stays for
-- a minute, so that a join that is under way fails; that it runs out tells steps under way that the chat is
-- gone.
-- KEYS 1 gate, 2 epoch, 3 people, 4 wipes, 5… what is dropped besides
-- ARGV 1 chat, 2 its name
local chat = ARGV[1]
local n = redis.call('GET', KEYS[2])

redis.call('PUBLISH', 'portal:room:' .. chat, string.format(
  'd room:destroyed - -\n{"chat_id":%s,"name":%s}', chat, cjson.encode(ARGV[2])))
for _, user in ipairs(redis.call('HKEYS', KEYS[3])) do
  redis.call('DEL', 'portal:chat:' .. chat .. ':since:' .. user)
end
if n then
  redis.call('DEL', 'portal:e2ee:chatkey:' .. chat .. ':' .. n)
end
redis.call('ZREM', KEYS[4], chat)
redis.call('ZREM', 'portal:directory', string.format('%016d', chat))
redis.call('DEL', KEYS[2], KEYS[3], unpack(KEYS, 5))
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], 60000)
