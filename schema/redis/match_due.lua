-- read
-- What the matcher has to look at now; each is decided again by the step that does it, so that any number of
-- processes may ask, and one that dies on the way leaves it due.
-- ARGV 1 at most, of each
-- Answer: {people whose search may be over, "chat:user" whose grace is, chats that have lasted too long, people to look at
--   again (match_try.lua)}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local function due(key)
  return redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, ARGV[1])
end
local over = due('portal:match:until')
for _, user in ipairs(due('portal:match:away')) do
  over[#over + 1] = user
end
local again = due('portal:match:retry')
for _, user in ipairs(redis.call('SRANDMEMBER', 'portal:match:look', ARGV[1])) do
  again[#again + 1] = user
end
return {over, due('portal:match:graces'), due('portal:match:chats'), again}
