-- Who is asked for whom, now: the distribution of a chat's key (contract 3.3) as one step, run by each
-- process that has cause to look, and again after the time that it answers.
--
-- Nobody keyless is present: nothing to do. The epoch has no key: the longest joined is asked to make
-- one, after a second the next. It has one: holders who are present are asked, longest joined first,
-- each for at most 64 that no other was asked for; what is not there after a second is asked of
-- another. Whose blob did not open is not asked for that session again. Where nobody can help (no
-- holder, none that gave anything for 5 s, or, once a minute, none but those whose blobs do not open)
-- the epoch rotates and a key is made. Sessions that are entitled but absent ride along.
--
--   asks    hash: epoch (all else is void in another), made: the epoch has or had blobs, since: when
--           somebody began to wait or was last given a blob, seen: the last look with somebody waiting, m:{field} asked to make the key (ms),
--           a:{field} asked for it (ms) and of whom: "ms holder holder …", x:{field} " key key …" whose
--           blobs did not open; {field} is "{user}:{session}"
--   circle  "gate open", or in a private chat "gate id id … ": its people as PostgreSQL had them; void
--           once the gate has moved (a removal, a change of visibility). Who is present is entitled.
--
-- KEYS 1 epoch, 2 joined, 3 people, 4 asks, 5 circle, 6 gate, 7 present, 8 mark of the last rotation
--      for blobs that do not open, 9 ceiling of the epoch; ARGV 1 chat
-- Answer: {0, ms until the next look (0: nobody waits)}; {-1, gate, circle}: read the circle;
-- {-2}: no epoch yet; {-3}: it has to rotate, but the ceiling is near
local chat, channel = ARGV[1], 'portal:room:' .. ARGV[1]
local ASK_MS, GIVE_UP_MS, MOST, LOOKED_AT = 1000, 5000, 64, 256
local order = redis.call('ZRANGE', KEYS[2], 0, -1)
if #order == 0 then
  return {0, 0}
end
local n = redis.call('GET', KEYS[1])
if not n then
  return {-2}
end
local gate, circle = redis.call('GET', KEYS[6]) or '0', redis.call('GET', KEYS[5]) or ''
if circle:match('^%S*') ~= gate then
  return {-1, gate, circle}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- ---- who is there ----
local keys = {}
local function key_of(field)
  if keys[field] == nil then
    local user, session = field:match('^(%d+):(%x+)$')
    keys[field] = redis.call('HGET', 'portal:e2ee:keys:' .. user, session)
  end
  return keys[field]
end
local blobs = 'portal:e2ee:chatkey:' .. chat .. ':' .. n
local held, present, holders, keyless = {}, {}, {}, {}
local made = false
for _, field in ipairs(redis.call('HKEYS', blobs)) do
  held[field], made = true, true
end
for _, field in ipairs(order) do
  present[field] = true
  if held[field] then
    holders[#holders + 1] = field
  elseif key_of(field) then
    keyless[#keyless + 1] = field
  end
end
if #keyless == 0 then
  redis.call('HDEL', KEYS[4], 'since')
  return {0, 0}
end

local asks, list = {}, redis.call('HGETALL', KEYS[4])
for i = 1, #list, 2 do
  asks[list[i]] = list[i + 1]
end
local changed = {}
local function put(name, value)
  asks[name] = value
  changed[#changed + 1], changed[#changed + 2] = name, value
end
local function keep() -- what was put; before each return from here on
  for i = 1, #changed, 1000 do
    redis.call('HSET', KEYS[4], unpack(changed, i, math.min(i + 999, #changed)))
  end
  redis.call('PEXPIRE', KEYS[4], 86400000)
end
if asks.epoch ~= n then
  redis.call('DEL', KEYS[4])
  asks = {}
  put('epoch', n)
end
made = made or asks.made
-- The wait began when it was first seen, if it has been looked at ever since.
if now - (asks.seen or 0) > 2 * ASK_MS + 500 then
  asks.since = nil
end
put('seen', string.format('%.0f', now))
put('since', asks.since or asks.seen)

-- Entitled, absent, without a blob, and not asked for just now; at most `most`. Of many people some are
-- looked at, each time others.
local function absent(most)
  local found, users = {}, redis.call('HKEYS', KEYS[3])
  for user in circle:gmatch(' (%d+)') do
    if redis.call('HEXISTS', KEYS[3], user) == 0 then
      users[#users + 1] = user
    end
  end
  for i = 1, math.min(#users, LOOKED_AT) do
    local user = users[(now + i) % #users + 1]
    local sessions = redis.call('HGETALL', 'portal:e2ee:keys:' .. user)
    for j = 1, #sessions, 2 do
      local field = user .. ':' .. sessions[j]
      local asked = tonumber((asks['a:' .. field] or '0'):match('^%d+'))
      if #found == most then
        return found
      elseif not present[field] and not held[field] and now - asked >= ASK_MS and
          redis.call('GET', 'portal:e2ee:owner:' .. sessions[j]) == user then
        keys[field] = sessions[j + 1]
        found[#found + 1] = field
      end
    end
  end
  return found
end

-- One socket of the session is told, in one of the processes where it has any.
local function send(field, make_key, recipients)
  local session, process = field:match('%x+$'), '-'
  for _, p in ipairs(redis.call('ZRANGE', 'portal:processes', 0, -1)) do
    if redis.call('HEXISTS', KEYS[7], session .. ':' .. p) == 1 then
      process = p
      break
    end
  end
  local rows = {}
  for i, recipient in ipairs(recipients) do
    local user, id = recipient:match('^(%d+):(%x+)$')
    rows[i] = string.format('{"user_id":%s,"session_id":"%s","public_key":"%s"}', user, id, key_of(recipient))
  end
  redis.call('PUBLISH', channel, string.format(
    '1 room:key_needed %s %s\n{"chat_id":%s,"epoch":%s,"make_key":%s,"recipients":[%s]}',
    process, field, chat, n, tostring(make_key), table.concat(rows, ',')))
end

-- ---- a new epoch ----
local function rotate()
  if n + 1 >= tonumber(redis.call('GET', KEYS[9]) or '0') then
    return false
  end
  redis.call('DEL', blobs, KEYS[4])
  n = string.format('%d', n + 1)
  redis.call('SET', KEYS[1], n)
  redis.call('PUBLISH', channel, string.format(
    'r room:epoch_changed - -\n{"chat_id":%s,"epoch":%s,"reason":"lost"}', chat, n))
  redis.call('PUBLISH', channel, string.format('c !keys - -\n{"chat_id":%s}', chat))
  asks, changed, held, holders, keyless, made = {}, {}, {}, {}, {}, false
  put('epoch', n)
  put('seen', string.format('%.0f', now))
  put('since', asks.seen)
  for _, field in ipairs(order) do
    if key_of(field) then
      keyless[#keyless + 1] = field
    end
  end
  return true
end

local function opens(field, holder) -- may what this holder gives be of use?
  local bad = asks['x:' .. field]
  return not bad or not bad:find(key_of(holder) or '', 1, true)
end
local lost = made and (#holders == 0 or now - asks.since >= GIVE_UP_MS)
for _, field in ipairs(made and not lost and keyless or {}) do
  local helped = not asks['x:' .. field]
  for i = 1, helped and 0 or #holders do
    helped = helped or opens(field, holders[i])
  end
  if not helped then
    lost = lost or redis.call('SET', KEYS[8], n, 'NX', 'PX', 60000)
    asks['x:' .. field] = nil -- there is no other: it is asked again
    redis.call('HDEL', KEYS[4], 'x:' .. field)
  end
end
if lost and not rotate() then
  keep()
  redis.call('DEL', KEYS[8])
  return {-3}
end

-- ---- no key yet: who makes it ----
if not made then
  local maker, least, last = nil, now + 1, 0
  for _, field in ipairs(keyless) do
    local asked = tonumber(asks['m:' .. field] or '0')
    last = math.max(last, asked)
    if asked < least then
      maker, least = field, asked
    end
  end
  if now - last < ASK_MS then
    keep()
    return {0, last + ASK_MS - now}
  end
  local recipients = {maker}
  for _, field in ipairs(keyless) do
    if field ~= maker and #recipients < MOST then
      recipients[#recipients + 1] = field
    end
  end
  for _, field in ipairs(absent(MOST - #recipients)) do
    recipients[#recipients + 1] = field
  end
  put('m:' .. maker, string.format('%.0f', now))
  keep()
  send(maker, true, recipients)
  return {0, ASK_MS}
end

-- ---- holders ----
local is_holder, load, batch = {}, {}, {}
for _, holder in ipairs(holders) do
  is_holder[holder], load[holder], batch[holder] = true, 0, {}
end
local function pending(field) -- ms for which an ask still holds; 0: ask
  local asked = asks['a:' .. field]
  local holder = asked and asked:match('%S+$')
  local left = asked and tonumber(asked:match('^%d+')) + ASK_MS - now or 0
  return left > 0 and is_holder[holder] and left or 0, holder
end
for name in pairs(asks) do
  local left, holder = 0, nil
  if name:sub(1, 2) == 'a:' then
    left, holder = pending(name:sub(3))
  end
  if left > 0 then
    load[holder] = load[holder] + 1
  end
end
local free = 1 -- those before it are loaded to the brim
local function ask(field, asked)
  asked = asked or ''
  while free <= #holders and load[holders[free]] >= MOST do
    free = free + 1
  end
  for i = free, #holders do
    local holder = holders[i]
    if load[holder] < MOST and opens(field, holder) and not asked:find(' ' .. holder, 1, true) then
      load[holder] = load[holder] + 1
      batch[holder][#batch[holder] + 1] = field
      put('a:' .. field, string.format('%.0f', now) .. asked .. ' ' .. holder)
      return true
    end
  end
  return false
end
local wait = math.min(ASK_MS, math.max(1, asks.since + GIVE_UP_MS - now))
for _, field in ipairs(keyless) do
  local left = pending(field)
  if left > 0 then
    wait = math.min(wait, left)
  else
    -- Everyone was asked: from the beginning.
    local _ = ask(field, (asks['a:' .. field] or ''):match(' .*')) or ask(field)
  end
end
for _, holder in ipairs(holders) do
  if #batch[holder] > 0 then
    for _, field in ipairs(absent(MOST - load[holder])) do
      load[holder] = load[holder] + 1
      batch[holder][#batch[holder] + 1] = field
      put('a:' .. field, string.format('%.0f', now) .. ' ' .. holder)
    end
    send(holder, false, batch[holder])
  end
end
keep()
return {0, wait}
