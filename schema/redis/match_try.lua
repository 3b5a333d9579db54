-- The pairing step: puts a person into the search, or looks again for one who is in it, and pairs them with
-- the one who waits longest of those they may meet. Two people leave every queue and get their chat in
-- this one step, or nothing of it happens.
--
--   portal:match:person:{user}   ticket: t tags ("any", or parted by spaces), q place (of portal:match:seq),
--                                s since when they have been there without a break (ms), c queued at and u expires
--                                at (ms), p how chats show them (JSON), b whom either side has blocked (" id id "),
--                                h '1': has had a socket, a: away, the place is lost then (ms)
--   portal:match:queue           everyone who may be paired now, by place
--   portal:match:queue:{tag}     of these, those with the tag; "any" is one
--   portal:match:until, :away, :retry   sorted by ms: tickets that expire, that are lost, that may meet a late partner then
--   portal:match:look            set: people whose sockets came or went (socket_count.lua, process_sweep.lua)
--   portal:match:recent:{user}   partners, sorted by the end (ms) of the time in which they are avoided
--   portal:match:blocked:{user}, :closed:{user}   what a ticket being written may not know yet, for seconds: hash,
--                                '1' either blocks the other, '0' no longer; the account is closed
--   portal:match:chat:{user}     the direct chat they are in
--   portal:direct:{chat}         x y ids, px py how shown (JSON), i interests, j the chat (JSON), c u created and ends at (ms),
--                                g grace (ms), l:{user} the other has been told that they left, s:{session} has been there
--   portal:chat:{chat}:ended     why it has ended, for ten minutes; other keys of a chat: store/message.h, store/epoch.h
--   portal:match:chats           direct chats by their end; portal:match:graces "{chat}:{user}" without a socket there, by
--                                the end of the grace
--
-- Invariants, between any two steps: a person has a ticket, or a chat, or neither. Who is in a queue has a
-- ticket, and is in the queues of all its tags; who has a ticket and is in no queue is away, or is back and
-- stands in look. A chat has two people and both name it. No two people in the queues may meet, unless one of them stands in look or retry.
-- Nothing here is known from an earlier step but through these keys, so no interleaving can break them; and a
-- process that dies between two steps leaves nothing half done, only something due (match_due.lua).
-- The cost is that of the tags, and of those passed over: the blocked, recent partners, the absent (each once).
--
-- ARGV 1 user, 2 id for a chat, 3 the chat (JSON), 4 '1': a new search; else they are looked at again
--      5 grace, 6 grace of a search, 7 expiry, 8 how long a chat may last, 9 how long nobody else has to have been there
--      before a recent partner is met again (all ms), of a search: 10 tags, 11 person (JSON), 12 blocked (" id id "),
--      13 when it expires (RFC 3339, for match:searching), 14 when the chat was made, as it says (ms)
-- Answer: {IDLE}; {SEARCHING, fresh: '1' when this step began it, then since and expires at (ms)}; {MATCHED, fresh, chat: when
--   fresh the id was used, then also the peer (JSON), interests, ends at (ms)}; {CLOSED}
local IDLE, SEARCHING, MATCHED, CLOSED = 0, 1, 2, 3
local user, chat = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ALL, ANY = 'portal:match:queue', 'portal:match:queue:any'

local function ms(n)
  return string.format('%.0f', n)
end
local function ticket_key(who)
  return 'portal:match:person:' .. who
end
local function ticket_of(who)
  local t = redis.call('HMGET', ticket_key(who), 't', 'q', 's', 'p', 'b', 'h', 'a')
  return t[1] and {tags = t[1], place = t[2], since = tonumber(t[3]), person = t[4], blocked = t[5], had = t[6] == '1', away = t[7]}
end
local function each_queue(tags, call)
  call(ALL)
  for tag in tags:gmatch('%S+') do
    call('portal:match:queue:' .. tag)
  end
end
local function unqueue(who, t)
  each_queue(t.tags, function(queue)
    redis.call('ZREM', queue, who)
  end)
end
local function connected(who)
  return redis.call('EXISTS', 'portal:sockets:' .. who) == 1
end
local function go_away(who, t)
  unqueue(who, t)
  local lost = ms(now + ARGV[6])
  redis.call('HSET', ticket_key(who), 'a', lost)
  redis.call('ZADD', 'portal:match:away', lost, who)
end
local function tell(who, head, data)
  redis.call('PUBLISH', 'portal:user:' .. who, head .. '\n' .. data)
end

local told = redis.call('MGET', 'portal:match:chat:' .. user, 'portal:match:closed:' .. user)
local me, fresh = ticket_of(user), false
if me or ARGV[4] ~= '1' then
  redis.call('SREM', 'portal:match:look', user)
  redis.call('ZREM', 'portal:match:retry', user)
end
if told[1] then
  return {MATCHED, '0', told[1]}
elseif not me and ARGV[4] ~= '1' then
  return {IDLE}
elseif not me and told[2] then
  return {CLOSED}
elseif not me then
  fresh = true
  me = {tags = ARGV[10], since = now, person = ARGV[11], blocked = ARGV[12]}
  local late = redis.call('HGETALL', 'portal:match:blocked:' .. user)
  for i = 1, #late, 2 do
    me.blocked = me.blocked:gsub(' ' .. late[i] .. ' ', ' ') .. (late[i + 1] == '1' and late[i] .. ' ' or '')
  end
end

-- ---- are they there? Later sockets are known to the ticket (socket_count.lua). ----
local here = connected(user)
if fresh then
  me.had = here
elseif me.had and not here then
  if not me.away then
    go_away(user, me)
  end
  return {SEARCHING, '0'}
end

-- ---- who waits longest of those they may meet? ----
local CHUNK = 16
local queues, seen, retry = {}, {[user] = true}, nil
local function open(key)
  queues[#queues + 1] = {key = key, from = '-inf', rows = {}, at = 1}
end
local function head(queue) -- its first that was not looked at yet
  while true do
    local who = queue.rows[queue.at]
    if who and not seen[who] then
      return who, tonumber(queue.rows[queue.at + 1])
    elseif who then
      queue.at = queue.at + 2
    elseif queue.done then
      return nil
    else
      queue.rows = redis.call('ZRANGEBYSCORE', queue.key, queue.from, '+inf', 'WITHSCORES', 'LIMIT', 0, CHUNK)
      queue.at, queue.done = 1, #queue.rows < 2 * CHUNK
      queue.from = #queue.rows > 0 and '(' .. queue.rows[#queue.rows] or queue.from
    end
  end
end
local function first()
  local found, least = nil, math.huge
  for _, queue in ipairs(queues) do
    local who, place = head(queue)
    if who and place < least then
      found, least = who, place
    end
  end
  if found then
    seen[found] = true
  end
  return found
end
if me.tags == 'any' then
  open(ALL)
else
  open(ANY)
  for tag in me.tags:gmatch('%S+') do
    open('portal:match:queue:' .. tag)
  end
end
local partner, other, late = nil, nil, nil
while not partner do
  local who = first()
  if not who then
    break
  end
  local t = ticket_of(who)
  local ends = redis.call('ZSCORE', 'portal:match:recent:' .. user, who)
  if t.had and not connected(who) then
    go_away(who, t)
  elseif me.blocked:find(' ' .. who .. ' ', 1, true) or t.blocked:find(' ' .. user .. ' ', 1, true) then
    -- never
  elseif ends and tonumber(ends) > now then
    local from = math.min(tonumber(ends), math.max(me.since, t.since) + ARGV[9])
    if from <= now then
      late = late or {who, t}
    else
      retry = math.min(retry or from, from)
    end
  else
    partner, other = who, t
  end
end
if not partner and late then
  partner, other = late[1], late[2]
end
if not partner then
  local expires = ms(now + ARGV[7])
  if fresh then
    me.place = ms(redis.call('INCR', 'portal:match:seq'))
    redis.call('HSET', ticket_key(user), 't', me.tags, 'q', me.place, 's', ms(now), 'c', ms(now), 'u', expires, 'p', me.person,
      'b', me.blocked, 'h', here and '1' or '0')
    redis.call('ZADD', 'portal:match:until', expires, user)
    tell(user, 'r match:searching - -', string.format('{"expires_at":"%s"}', ARGV[13]))
  end
  each_queue(me.tags, function(queue)
    redis.call('ZADD', queue, me.place, user)
  end)
  if retry then
    redis.call('ZADD', 'portal:match:retry', ms(retry), user)
  end
  return {SEARCHING, fresh and '1' or '0', now, expires}
end

-- ---- a pair ----
local common = {}
if me.tags == 'any' or other.tags == 'any' then
  common[1] = 'any'
else
  for tag in me.tags:gmatch('%S+') do
    if (' ' .. other.tags .. ' '):find(' ' .. tag .. ' ', 1, true) then
      common[#common + 1] = tag
    end
  end
end
local function take(who, t)
  unqueue(who, t)
  redis.call('DEL', ticket_key(who))
  redis.call('ZREM', 'portal:match:until', who)
  redis.call('ZREM', 'portal:match:retry', who)
  redis.call('SREM', 'portal:match:look', who)
end
if not fresh then
  take(user, me)
end
take(partner, other)
local ends = ms(now + ARGV[8])
redis.call('HSET', 'portal:direct:' .. chat, 'x', user, 'y', partner, 'px', me.person, 'py', other.person, 'i',
  table.concat(common, ' '), 'j', ARGV[3], 'c', ARGV[14], 'u', ends, 'g', ARGV[5])
redis.call('ZADD', 'portal:match:chats', ends, chat)
redis.call('MSET', 'portal:match:chat:' .. user, chat, 'portal:match:chat:' .. partner, chat, 'portal:chat:' .. chat .. ':epoch', 1,
  'portal:chat:' .. chat .. ':ceiling', 9007199254740991, 'portal:e2ee:circle:' .. chat, '0 ' .. user .. ' ' .. partner .. ' ')
redis.call('XADD', 'portal:chat:' .. chat .. ':stream', '*', 's', '0', 'j', 'null,"permission_level":0', 'c',
  'Chat started — say hi! Matched on: ' .. table.concat(common, ', '), 'e', '0', 'k', '')
local until_ms = ms(now + ARGV[5])
redis.call('ZADD', 'portal:match:graces', until_ms, chat .. ':' .. user, until_ms, chat .. ':' .. partner)
local function greet(who, t, peer, p)
  tell(who, 'r match:found - -', string.format('{"chat":%s,"peer":{"user":%s},"interests":["%s"]}', ARGV[3], p.person,
    table.concat(common, '","')))
  tell(who, 'c !direct - -', string.format('{"chat_id":%s,"person":%s}', chat, t.person))
  if not t.had then -- nor has a socket now
    redis.call('HSET', 'portal:direct:' .. chat, 'l:' .. who, '1')
    tell(peer, 'r room:peer_left - -', string.format('{"chat_id":%s,"user_id":%s,"grace_until_ms":%s}', chat, who, until_ms))
  end
end
greet(user, me, partner, other)
greet(partner, other, user, me)
return {MATCHED, '1', chat, other.person, table.concat(common, ' '), ends}
