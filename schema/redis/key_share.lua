-- Stores blobs that a holder, or the maker of an epoch's key, hands to others (keys: store/key.h;
-- asks and circle: key_ask.lua). The first maker's share fixes the key of the epoch. A share that
-- names its sender is a maker's: should the sender have another's blob by then, it made a key in vain.
--
-- KEYS 1 epoch, 2 joined, 3 people, 4 asks, 5 circle, 6 gate
-- ARGV 1 chat, 2 epoch, 3 user, 4 session, 5 "session blob session blob …"
-- Answer: {0, stored, skipped}; {-1, gate, circle}: read the circle; {-2}: no epoch yet;
-- {-4}: not in the room; {-5, epoch}: another epoch; {-6}: another made the key; {-7}: has no key
local chat, user, session = ARGV[1], ARGV[3], ARGV[4]
local me = user .. ':' .. session
if not redis.call('ZSCORE', KEYS[2], me) then
  return {-4}
end
local n = redis.call('GET', KEYS[1])
if not n then
  return {-2}
elseif n ~= ARGV[2] then
  return {-5, tonumber(n)}
end
local gate, circle = redis.call('GET', KEYS[6]) or '0', redis.call('GET', KEYS[5]) or ''
if circle:match('^%S*') ~= gate then
  return {-1, gate, circle}
end

local blobs = 'portal:e2ee:chatkey:' .. chat .. ':' .. n
local key = redis.call('HGET', 'portal:e2ee:keys:' .. user, session)
local asks = redis.call('HMGET', KEYS[4], 'epoch', 'made', 'm:' .. me)
if asks[1] ~= n then
  asks = {}
end
local mine = redis.call('HGET', blobs, me)
local asked = key and asks[3]
local own = false -- does it name its sender?
for target in ARGV[5]:gmatch('(%x+) %S+') do
  own = own or target == session
end
if asks[2] or redis.call('EXISTS', blobs) == 1 then
  if not (mine and key) then
    return {asked and -6 or -7}
  elseif own and mine:match('%S+$') ~= key then
    return {-6}
  end
elseif not asked then
  return {-7}
end

-- A blob for a session with a new key counts only from who was asked since: others sealed it for the
-- key before.
local function is_stale(target, field)
  local renewed = tonumber(redis.call('GET', 'portal:e2ee:renewed:' .. target) or '0')
  if renewed == 0 or renewed < tonumber(asks[3] or '0') then
    return false
  end
  local was = redis.call('HGET', KEYS[4], 'a:' .. field) or '0'
  return tonumber(was:match('^%d+')) < renewed or not was:find(' ' .. me, 1, true)
end
local stored, skipped = 0, 0
for target, blob in ARGV[5]:gmatch('(%x+) (%S+)') do
  local owner = redis.call('GET', 'portal:e2ee:owner:' .. target)
  local field = owner and owner .. ':' .. target
  if field and redis.call('HEXISTS', 'portal:e2ee:keys:' .. owner, target) == 1 and
      (redis.call('HEXISTS', KEYS[3], owner) == 1 or circle:find(' ' .. owner .. ' ', 1, true)) and
      not is_stale(target, field) and
      redis.call('HSETNX', blobs, field, blob .. ' ' .. key) == 1 then
    stored = stored + 1
    redis.call('HDEL', KEYS[4], 'a:' .. field)
    redis.call('SADD', 'portal:e2ee:blobs:' .. target, chat .. ':' .. n)
    redis.call('PEXPIRE', 'portal:e2ee:blobs:' .. target,
      math.max(1, redis.call('PTTL', 'portal:e2ee:owner:' .. target)))
    if redis.call('ZSCORE', KEYS[2], field) then
      redis.call('PUBLISH', 'portal:room:' .. chat, string.format(
        's room:key - %s\n{"chat_id":%s,"epoch":%s,"blob":"%s","from_public_key":"%s"}',
        field, chat, n, blob, key))
    end
  else
    skipped = skipped + 1
  end
end
if stored > 0 then
  redis.call('HSET', KEYS[4], 'made', '1')
  redis.call('HDEL', KEYS[4], 'since')
end
return {0, stored, skipped}
