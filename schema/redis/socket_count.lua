-- Sets how many sockets sessions have in a process, many at once. Who is connected follows: portal:online.
--
-- KEYS 1 people of the process, 2 who is connected (sorted by time), 3 a session of each (hash)
-- ARGV 1 process, 2 most sockets of a session in all, 3 for each: "user session sockets hash checked":
--      sockets here; hash: one more, of this session ('-': one less); checked: PostgreSQL has just
--      said that it lives until then (ms; 0: it was not asked)
-- Answer: two for each: expires_ms of the session (one less: 0), or 0: it has ended, -1: too many; the
--      direct chat of the person (one more only) or 0
local process, most, entries = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)

-- Its end, when one more socket of the session may be counted; else 0 or -1.
local function admit(key, session, here, hash, checked)
  local name = 'portal:session:' .. hash
  local expires = redis.call('HGET', name, 'e')
  if not expires then
    return 0
  end
  local all = tonumber(here)
  local sockets = redis.call('HGETALL', key)
  for i = 1, #sockets, 2 do
    local of, where = sockets[i]:match('^(%x+):(%x+)$')
    if of == session and where ~= process then
      all = all + tonumber(sockets[i + 1])
    end
  end
  if all > most then
    return -1
  end
  if checked ~= '0' then
    redis.call('HSET', name, 'c', now_ms, 'e', checked)
    if checked ~= expires then
      redis.call('PEXPIREAT', name, checked)
    end
  end
  return checked ~= '0' and checked or expires
end

-- In the order of their coming; `shown`: a session of theirs that is connected, false: none is.
local users, shown = {}, {}
local people, answer, chats, places = {}, {}, {}, {}
for user, session, here, hash, checked in entries:gmatch('(%d+) (%x+) (%d+) (%S+) (%d+)') do
  local key, field = 'portal:sockets:' .. user, session .. ':' .. process
  local expires = hash == '-' and 0 or admit(key, session, here, hash, checked)
  local at = #answer
  answer[at + 1], answer[at + 2] = expires, 0
  if hash == '-' or (expires ~= 0 and expires ~= -1) then
    if shown[user] == nil then
      users[#users + 1] = user
    end
    if here == '0' then
      redis.call('HDEL', key, field)
      local one = redis.call('HKEYS', key)[1]
      shown[user] = one and one:match('^%x+') or false
    else
      redis.call('HSET', key, field, here)
      people[#people + 1] = user
      shown[user] = session
    end
    if hash ~= '-' then
      chats[#chats + 1] = 'portal:match:chat:' .. user
      places[#places + 1] = at + 2
    end
  end
end

local since, sessions, gone, tickets = {}, {}, {}, {}
for _, user in ipairs(users) do
  if shown[user] then
    since[#since + 1] = now_ms
    since[#since + 1] = user
    sessions[#sessions + 1] = user
    sessions[#sessions + 1] = shown[user]
  else
    gone[#gone + 1] = user
  end
  tickets[#tickets + 1] = 'portal:match:person:' .. user
end
if #people > 0 then
  redis.call('SADD', KEYS[1], unpack(people))
end
if #since > 0 then
  redis.call('ZADD', KEYS[2], 'NX', unpack(since))
  redis.call('HSET', KEYS[3], unpack(sessions))
end
if #gone > 0 then
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('HDEL', KEYS[3], unpack(gone))
end

-- Who searches (match_try.lua): it is known here that they have been there, and the tick looks at them.
local function searcher_look(user, ticket)
  if shown[user] then
    redis.call('HSET', ticket, 'h', '1')
    if redis.call('HDEL', ticket, 'a') == 1 then
      redis.call('ZREM', 'portal:match:away', user)
      redis.call('HSET', ticket, 's', string.format('%.0f', now_ms))
    end
  end
  redis.call('SADD', 'portal:match:look', user)
end
if #tickets > 0 and redis.call('EXISTS', unpack(tickets)) > 0 then
  for i, user in ipairs(users) do
    if redis.call('EXISTS', tickets[i]) == 1 then
      searcher_look(user, tickets[i])
    end
  end
end
for i, chat in ipairs(#chats > 0 and redis.call('MGET', unpack(chats)) or {}) do
  answer[places[i]] = chat or 0
end
return answer
