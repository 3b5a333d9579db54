-- A session's blob does not open: it goes, and its sender is not asked for this session again
-- (key_ask.lua). At most 3 a minute and session.
--
-- KEYS 1 epoch, 2 joined, 3 asks, 4 counter of the session; ARGV 1 chat, 2 epoch, 3 user, 4 session
-- Answer: {0}; {-2}: no epoch yet; {-4}: not in the room; {-5, epoch}: another epoch;
-- {-8, milliseconds to wait}
local me = ARGV[3] .. ':' .. ARGV[4]
local count = redis.call('INCR', KEYS[4])
if count == 1 then
  redis.call('PEXPIRE', KEYS[4], 60000)
elseif count > 3 then
  return {-8, redis.call('PTTL', KEYS[4])}
end
if not redis.call('ZSCORE', KEYS[2], me) then
  return {-4}
end
local n = redis.call('GET', KEYS[1])
if not n then
  return {-2}
elseif n ~= ARGV[2] then
  return {-5, tonumber(n)}
end

local blobs = 'portal:e2ee:chatkey:' .. ARGV[1] .. ':' .. n
local blob = redis.call('HGET', blobs, me)
if blob then
  if redis.call('HGET', KEYS[3], 'epoch') ~= n then
    redis.call('DEL', KEYS[3])
    redis.call('HSET', KEYS[3], 'epoch', n)
  end
  local bad = redis.call('HGET', KEYS[3], 'x:' .. me) or ''
  redis.call('HSET', KEYS[3], 'made', '1', 'x:' .. me, bad .. ' ' .. blob:match('%S+$'))
  redis.call('HDEL', blobs, me)
end
return {0}
