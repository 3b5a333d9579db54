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
--   portal:match:known:{user}    p and b as PostgreSQL last had them, for their next search (b, a newline, p); '-' for seconds
--                                behind a change of either: what was read before it may still be on its way here
--   portal:match:blocked:{user}, :closed:{user}   what a ticket being written may not know yet, for seconds: hash,
--                                '1' either blocks the other, '0' no longer; the account is closed
--   portal:match:chat:{user}     the direct chat they are in
--   portal:direct:{chat}         x y ids, px py how shown (JSON), i interests, c u created and ends at (ms), g grace (ms),
--                                l:{user} the other has been told that they left, s:{session} has been there
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
-- Only who has a socket is told. "!direct {made at} {chat}" tells a process that a person of its is paired: peer (JSON),
-- interests and person (JSON), a line each (api/catch_up_direct.c).
--
-- ARGV 1 user, 2 id for a chat, 3 '1': a new search; else they are looked at again
--      4 "grace, grace of a search, expiry, how long a chat may last, how long nobody else has to have been there before a
--      recent partner is met again, how long a person is kept" (all ms), parted by spaces; of a search: 5 tags, 6 when it expires
--      (RFC 3339, for match:searching), and if PostgreSQL was asked: 7 person (JSON), 8 blocked (" id id ")
-- Answer: {IDLE}; {SEARCHING, fresh: '1' when this step began it, then since (ms)}; {MATCHED, fresh, chat: when fresh the id was
--   used, then also the peer (JSON), interests, made at (ms)}; {CLOSED}; {UNKNOWN}: nothing is kept, PostgreSQL is to be asked
local IDLE, SEARCHING, MATCHED, CLOSED, UNKNOWN = 0, 1, 2, 3, 4
local call, text_of = redis.call, string.format -- '%d': commands write a number more slowly
local user, chat, is_new = ARGV[1], ARGV[2], ARGV[3] == '1'
local grace, away, expiry, lasting, alone, keep = ARGV[4]:match('(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)')
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local TICKET, SOCKETS, ALL, ANY = 'portal:match:person:', 'portal:sockets:', 'portal:match:queue', 'portal:match:queue:any'

local function words(text)
  local list = {}
  for word in text:gmatch('%S+') do
    list[#list + 1] = word
  end
  return list
end
local function unqueue(who, tags)
  call('ZREM', ALL, who)
  for i = 1, #tags do
    call('ZREM', 'portal:match:queue:' .. tags[i], who)
  end
end
local function go_away(who, tags)
  unqueue(who, tags)
  local lost = text_of('%d', now + away)
  call('HSET', TICKET .. who, 'a', lost)
  call('ZADD', 'portal:match:away', lost, who)
end

-- ---- who is it, and are they there? Later sockets are known to the ticket (socket_count.lua). ----
local ticket = TICKET .. user
local told = call('MGET', 'portal:match:chat:' .. user, 'portal:match:closed:' .. user, 'portal:match:known:' .. user)
local there = call('EXISTS', ticket, ticket, SOCKETS .. user) -- the ticket counts twice
local here, fresh = there % 2 == 1, there < 2
local wants, person, blocked, since, place
if not fresh or not is_new then
  call('SREM', 'portal:match:look', user)
  call('ZREM', 'portal:match:retry', user)
end
if told[1] then
  return {MATCHED, '0', told[1]}
elseif not fresh then
  local t = call('HMGET', ticket, 't', 'p', 'b', 's', 'q', 'h', 'a')
  wants, person, blocked, since, place = t[1], t[2], t[3], tonumber(t[4]), t[5]
  if t[6] == '1' and not here then
    if not t[7] then
      go_away(user, words(wants))
    end
    return {SEARCHING, '0'}
  end
elseif not is_new then
  return {IDLE}
elseif told[2] then
  return {CLOSED}
elseif ARGV[7] then
  wants, person, blocked, since = ARGV[5], ARGV[7], ARGV[8], now
  local late = call('HGETALL', 'portal:match:blocked:' .. user)
  for i = 1, #late, 2 do
    blocked = blocked:gsub(' ' .. late[i] .. ' ', ' ') .. (late[i + 1] == '1' and late[i] .. ' ' or '')
  end
  if told[3] ~= '-' then
    call('SET', 'portal:match:known:' .. user, blocked .. '\n' .. person, 'PX', keep)
  end
else
  local at = told[3] and told[3]:find('\n', 1, true)
  if not at then
    return {UNKNOWN}
  end
  wants, person, blocked, since = ARGV[5], told[3]:sub(at + 1), told[3]:sub(1, at - 1), now
end

-- ---- who waits longest of those they may meet? They stand in the same order in all queues. ----
local tags = words(wants)
local queues, pages, at = {wants == 'any' and ALL or ANY}, {}, {}
for i = 1, wants == 'any' and 0 or #tags do
  queues[i + 1] = 'portal:match:queue:' .. tags[i]
end
for i = 1, #queues do
  pages[i], at[i] = call('ZRANGEBYSCORE', queues[i], '-inf', '+inf', 'WITHSCORES', 'LIMIT', '0', '16'), 1
end
local partner, other, late, retry
repeat
  local who, least = nil, math.huge
  for i = 1, #queues do
    if at[i] == 33 then
      pages[i], at[i] = call('ZRANGEBYSCORE', queues[i], '(' .. pages[i][32], '+inf', 'WITHSCORES', 'LIMIT', '0', '16'), 1
    end
    local first = pages[i][at[i]]
    local theirs = first and tonumber(pages[i][at[i] + 1])
    if first and theirs < least then
      who, least = first, theirs
    end
  end
  for i = 1, who and #queues or 0 do
    if pages[i][at[i]] == who then
      at[i] = at[i] + 2
    end
  end
  if who and who ~= user then
    local t = call('HMGET', TICKET .. who, 't', 'p', 'b', 'h')
    if t[4] == '1' and call('EXISTS', SOCKETS .. who) == 0 then
      go_away(who, words(t[1]))
    elseif not blocked:find(' ' .. who .. ' ', 1, true) and not t[3]:find(' ' .. user .. ' ', 1, true) then
      local ends = tonumber(call('ZSCORE', 'portal:match:recent:' .. user, who) or 0)
      if ends <= now then
        partner, other = who, t
      else
        local from = math.min(ends, math.max(since, tonumber(call('HGET', TICKET .. who, 's'))) + alone)
        if from > now then
          retry = math.min(retry or from, from)
        elseif not late then
          late = {who, t}
        end
      end
    end
  end
until partner or not who
if not partner and late then
  partner, other = late[1], late[2]
end
if not partner then
  if fresh then
    local began, expires = text_of('%d', now), text_of('%d', now + expiry)
    place = text_of('%d', call('INCR', 'portal:match:seq'))
    call('HSET', ticket, 't', wants, 'q', place, 's', began, 'c', began, 'u', expires, 'p', person, 'b', blocked,
      'h', here and '1' or '0')
    call('ZADD', 'portal:match:until', expires, user)
    if here then
      call('PUBLISH', 'portal:user:' .. user, 'r match:searching - -\n{"expires_at":"' .. ARGV[6] .. '"}')
    end
  end
  call('ZADD', ALL, place, user)
  for i = 1, #tags do
    call('ZADD', 'portal:match:queue:' .. tags[i], place, user)
  end
  if retry then
    call('ZADD', 'portal:match:retry', text_of('%d', retry), user)
  end
  return {SEARCHING, fresh and '1' or '0', now}
end

-- ---- a pair ----
local theirs, common = words(other[1]), {}
if wants == 'any' or other[1] == 'any' then
  common[1] = 'any'
else
  for i = 1, #tags do
    for j = 1, #theirs do
      if tags[i] == theirs[j] then
        common[#common + 1] = tags[i]
      end
    end
  end
end
unqueue(partner, theirs)
if not fresh then
  unqueue(user, tags)
end
call('DEL', TICKET .. partner, ticket)
call('ZREM', 'portal:match:until', partner, user)

local interests, missed = table.concat(common, ' '), text_of('%d', now + grace)
local made, ends = text_of('%d', now), text_of('%d', now + lasting)
local direct = {'HSET', 'portal:direct:' .. chat, 'x', user, 'y', partner, 'px', person, 'py', other[2], 'i', interests,
  'c', made, 'u', ends, 'g', grace}
local function greet(who, shown, is_here, peer, peer_shown, peer_here)
  if not is_here then
    direct[#direct + 1] = 'l:' .. who
    direct[#direct + 1] = '1'
    return
  end
  local channel = 'portal:user:' .. who
  call('PUBLISH', channel, 'c !direct ' .. made .. ' ' .. chat .. '\n' .. peer_shown .. '\n' .. interests .. '\n' .. shown)
  if not peer_here then
    call('PUBLISH', channel, 'r room:peer_left - -\n{"chat_id":' .. chat .. ',"user_id":' .. peer .. ',"grace_until_ms":' .. missed .. '}')
  end
end
local other_here = other[4] == '1'
greet(user, person, here, partner, other[2], other_here)
greet(partner, other[2], other_here, user, person, here)
call(unpack(direct))
call('ZADD', 'portal:match:chats', ends, chat)
call('MSET', 'portal:match:chat:' .. user, chat, 'portal:match:chat:' .. partner, chat, 'portal:chat:' .. chat .. ':epoch', '1',
  'portal:chat:' .. chat .. ':ceiling', '9007199254740991', 'portal:e2ee:circle:' .. chat, '0 ' .. user .. ' ' .. partner .. ' ')
call('XADD', 'portal:chat:' .. chat .. ':stream', '*', 's', '0', 'j', 'null,"permission_level":0', 'c',
  'Chat started — say hi! Matched on: ' .. table.concat(common, ', '), 'e', '0', 'k', '')
call('ZADD', 'portal:match:graces', missed, chat .. ':' .. user, missed, chat .. ':' .. partner)
return {MATCHED, '1', chat, other[2], interests, now}
