-- read
-- What the matcher is about, for operators (keys: match_try.lua).
-- ARGV 1 first, 2 last: of the searches, by their end, those whose tags are answered; last < first: none
-- Answer: {searches, direct chats, people of those who search that are away, graces that run, how long the one that
--   waits longest has waited (ms), {tags, …}}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = redis.call('ZRANGE', 'portal:match:queue', 0, 0)[1]
local since = first and redis.call('HGET', 'portal:match:person:' .. first, 'c')
local tags = {}
if tonumber(ARGV[2]) >= tonumber(ARGV[1]) then
  for _, user in ipairs(redis.call('ZRANGE', 'portal:match:until', ARGV[1], ARGV[2])) do
    tags[#tags + 1] = redis.call('HGET', 'portal:match:person:' .. user, 't') or ''
  end
end
return {redis.call('ZCARD', 'portal:match:until'), redis.call('ZCARD', 'portal:match:chats'),
  redis.call('ZCARD', 'portal:match:away'), redis.call('ZCARD', 'portal:match:graces'), since and now - since or 0, tags}
