-- read
-- Which of these people are in a direct chat (keys: match_try.lua).
-- ARGV 1 "id id …"
-- Answer: {user, chat, user, chat, …}
local found = {}
for user in ARGV[1]:gmatch('%d+') do
  local chat = redis.call('GET', 'portal:match:chat:' .. user)
  if chat then
    found[#found + 1] = user
    found[#found + 1] = chat
  end
end
return found
