-- Adds a message to a chat's stream and tells the room of it, if the person may speak: one step, so
-- that the channel has the stream's order and nothing is told that is not stored. Content is spliced,
-- never read. A message of the system may come with emptying the stream first, which moves the epoch
-- on (as epoch_rotate.lua does, which is asked to make room under the ceiling when there is none). The
-- stream is trimmed, not deleted: its ids go on rising. Time is this server's.
--
--   portal:chat:{chat}:stream              s sender (0: the system), j what stands behind "sender": in an
--                                          item (JSON), c content, e epoch, k client_id
--   portal:chat:{chat}:sent:{user}:{key}   the id that a client_id got, for 10 minutes; a wipe leaves it
--   portal:chat:{chat}:card:{user}         for a minute, what PostgreSQL says of the person there: j, n name
--                                          of the chat (JSON), m muted until (ms; 0: until lifted; '': not), w
--                                          the wipe preset in ms (0: off; '': none, a direct chat), and the stamps it was made under
--   portal:person:{user}:stamp, portal:chat:{chat}:stamp    deleted by whoever changes what cards say; so a
--                                          card made from what was read before the change is never used
--   portal:chat:{chat}:gate                moves with removals and changes of visibility; a stamp too
--   portal:chat:{chat}:rate:{user}, portal:person:{user}:messages    counters, windows from the first hit
--   portal:wipes                           chats by the time they are wiped at (+inf: preset "off")
--
-- ARGV 1 chat, 2 user (0: the system), 3 session, 4 client_id or '', 5 epoch, 6 content, 7 the same as a
--      JSON string, 8 most messages kept, 9 most of a person in the chat in 5 s, 10 in all chats in
--      10 s (0: off); with a card just read from PostgreSQL: 11-13 its stamps, 14-17 j n m w, 18 '1': the chat's
--      activity is written down; of the system: 14 j, 15 n, 18 'clear', 'wipe' (only if it is due) or ''
-- Answer: {0, id, how many were cleared}; {1, stamps of the card to bring}; {2, seconds}: muted; {3}: not
-- in the room; {4, epoch}: it is another; {5}: no key of the epoch; {6, milliseconds}: too many; {7}: not
-- due (any more); {8}: the epoch needs room
local ADDED, CARD, MUTED, APART, EPOCH, KEYLESS, RATE, EARLY, CEILING = 0, 1, 2, 3, 4, 5, 6, 7, 8
local chat, user, session, key, epoch = 'portal:chat:' .. ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local room, person = 'portal:room:' .. ARGV[1], 'portal:person:' .. user
local sent = chat .. ':sent:' .. user .. ':' .. key
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)

local function stamp(name, have)
  if have then
    return have
  end
  have = now[1] .. '.' .. now[2]
  redis.call('SET', name, have, 'PX', 86400000)
  return have
end

-- A counter's time to wait when it has more than `max`.
local function wait(name, max, window)
  if max == '0' then
    return nil
  end
  local n = redis.call('INCR', name)
  if n == 1 then
    redis.call('PEXPIRE', name, window)
  end
  return n > tonumber(max) and redis.call('PTTL', name)
end

-- The answer to who is muted until `m`; nil: they are not.
local function refused(m)
  if m == '0' then
    return {MUTED, 0}
  end
  return m ~= '' and tonumber(m) > now_ms and {MUTED, math.ceil((m - now_ms) / 1000)} or nil
end

-- RFC 3339 of a stream id's milliseconds (days to a date: the calendar repeats every 146097 days).
local function time_of(id)
  local ms = tonumber(id:match('^%d+'))
  local floor = math.floor
  local z = floor(ms / 86400000) + 719468
  local era = floor(z / 146097)
  local day = z - era * 146097
  local year = floor((day - floor(day / 1460) + floor(day / 36524) - floor(day / 146096)) / 365)
  day = day - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * day + 2) / 153)
  day = day - floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  local s = floor(ms / 1000) % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03d000Z', year + era * 400 + (month <= 2 and 1 or 0),
    month, day, floor(s / 3600), floor(s / 60) % 60, s % 60, ms % 1000)
end

-- Empties the stream, ends the wipe timer, moves the epoch on. Answers how many went and the epoch, or
-- why not.
local function empty(reason)
  local due = reason == 'wipe' and tonumber(redis.call('ZSCORE', 'portal:wipes', ARGV[1]) or 'inf')
  if due and due > now_ms then
    return nil, EARLY
  end
  local current = tonumber(redis.call('GET', chat .. ':epoch') or 'inf')
  if current + 1 >= tonumber(redis.call('GET', chat .. ':ceiling') or '0') then
    return nil, CEILING
  end
  redis.call('ZREM', 'portal:wipes', ARGV[1])
  redis.call('DEL', 'portal:e2ee:chatkey:' .. ARGV[1] .. ':' .. current)
  return redis.call('XTRIM', chat .. ':stream', 'MAXLEN', 0), redis.call('INCR', chat .. ':epoch')
end

local face, name, type, reason, wipe = ARGV[14], ARGV[15], 'system', '', nil
local cleared, next_epoch = 0, nil
if user == '0' then
  reason = ARGV[18]
  if reason == '' and redis.call('PTTL', chat .. ':gate') >= 0 then
    return {APART} -- the chat is gone (room_destroy.lua)
  elseif reason ~= '' then
    cleared, next_epoch = empty(reason)
    if not cleared then
      return {next_epoch}
    end
  end
else
  local id = key ~= '' and redis.call('GET', sent)
  if id then
    return {ADDED, id}
  end
  local current = redis.call('GET', chat .. ':epoch')
  if not current then -- nobody has ever been there, or it is gone: nothing may be left of it here
    return ARGV[11] and (refused(ARGV[16]) or {APART}) or {CARD, '', '', ''}
  end

  local stamps = redis.call('MGET', person .. ':stamp', chat .. ':stamp', chat .. ':gate')
  local gate = stamps[3] or ''
  local card
  if ARGV[11] and ARGV[11] == stamps[1] and ARGV[12] == stamps[2] and ARGV[13] == gate then
    card = {ARGV[11], ARGV[12], gate, face, name, ARGV[16], ARGV[17]}
    redis.call('HSET', chat .. ':card:' .. user, 'p', ARGV[11], 'h', ARGV[12], 'b', gate, 'j', face,
      'n', name, 'm', ARGV[16], 'w', ARGV[17])
    redis.call('PEXPIRE', chat .. ':card:' .. user, 60000)
  else
    card = redis.call('HMGET', chat .. ':card:' .. user, 'p', 'h', 'b', 'j', 'n', 'm', 'w')
    if not card[1] or card[1] ~= stamps[1] or card[2] ~= stamps[2] or card[3] ~= gate then
      return {CARD, stamp(person .. ':stamp', stamps[1]), stamp(chat .. ':stamp', stamps[2]), gate}
    end
  end
  face, name, type, wipe = card[4], card[5], 'user', card[7]

  local no = refused(card[6])
  if no then
    return no
  end
  if not redis.call('ZSCORE', room .. ':joined', user .. ':' .. session) then
    return {APART}
  end
  if current ~= epoch then
    return {EPOCH, current}
  end
  if redis.call('HEXISTS', 'portal:e2ee:chatkey:' .. ARGV[1] .. ':' .. epoch, user .. ':' .. session) == 0 then
    return {KEYLESS}
  end
  local ms = wait(chat .. ':rate:' .. user, ARGV[9], 5000) or wait(person .. ':messages', ARGV[10], 10000)
  if ms then
    return {RATE, ms}
  end
end

local id = redis.call('XADD', chat .. ':stream', 'MAXLEN', ARGV[8], '*', 's', user, 'j', face, 'c', ARGV[6],
  'e', epoch, 'k', key)
if key ~= '' then
  redis.call('SET', sent, id, 'PX', 600000)
end
if ARGV[18] == '1' then -- the latest active come first of those equally busy (directory_busy.lua)
  local listed = string.format('%016d', ARGV[1])
  local was = redis.call('ZSCORE', 'portal:directory', listed)
  if was then
    redis.call('ZADD', 'portal:directory', was - was % 2^32 + math.max(was % 2^32, tonumber(now[1])), listed)
  end
end
if wipe and wipe ~= '' then
  redis.call('ZADD', 'portal:wipes', 'NX', wipe == '0' and '+inf' or now_ms + wipe, ARGV[1])
end
if reason ~= '' then
  local data = string.format('{"chat_id":%s,"epoch":%d,"reason":"%s"}', ARGV[1], next_epoch, reason)
  redis.call('PUBLISH', room, 'r portal:cleared ' .. id .. ' -\n' .. data)
  redis.call('PUBLISH', room, 'r room:epoch_changed - -\n' .. data)
  redis.call('PUBLISH', room, 'c !keys - -\n{"chat_id":' .. ARGV[1] .. '}')
end
redis.call('PUBLISH', room, table.concat({'r message:new ', id, ' -\n{"chat_id":', ARGV[1], ',"chat_name":', name,
  ',"id":"', id, '","sender":', face, ',"content":', ARGV[7], ',"type":"', type, '","epoch":', epoch, ',"timestamp":"',
  time_of(id), '","client_id":', key == '' and 'null' or '"' .. key .. '"', '}'}))
return {ADDED, id, cleared}
