-- Sets how many sockets a session has in a process. Who is connected follows: portal:online.
--
-- KEYS 1 sockets of the person (hash session:process), 2 people of the process, 3 who is connected
--      (sorted by time), 4 a session of each (hash), 5 the session
-- ARGV 1 user, 2 session, 3 process, 4 sockets here, 5 most of the session in all (0: it is one less)
-- Answer: {1, expires_ms}; {0} the session has ended; {-1} too many
local expires = false
if ARGV[5] ~= '0' then
  expires = redis.call('HGET', KEYS[5], 'e')
  if not expires then
    return {0}
  end
  local all = tonumber(ARGV[4])
  local sockets = redis.call('HGETALL', KEYS[1])
  for i = 1, #sockets, 2 do
    local session, process = sockets[i]:match('^(%x+):(%x+)$')
    if session == ARGV[2] and process ~= ARGV[3] then
      all = all + tonumber(sockets[i + 1])
    end
  end
  if all > tonumber(ARGV[5]) then
    return {-1}
  end
end
if ARGV[4] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[2] .. ':' .. ARGV[3])
else
  redis.call('HSET', KEYS[1], ARGV[2] .. ':' .. ARGV[3], ARGV[4])
  redis.call('SADD', KEYS[2], ARGV[1])
end
local one = redis.call('HKEYS', KEYS[1])[1]
if one then
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[3], 'NX', now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
  redis.call('HSET', KEYS[4], ARGV[1], one:match('^%x+'))
else
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('HDEL', KEYS[4], ARGV[1])
end
-- They search (match_try.lua): it is known here that they have been there, and the tick looks at them.
local ticket = 'portal:match:person:' .. ARGV[1]
if redis.call('EXISTS', ticket) == 1 then
  if one then
    redis.call('HSET', ticket, 'h', '1')
    if redis.call('HDEL', ticket, 'a') == 1 then
      local now = redis.call('TIME')
      redis.call('ZREM', 'portal:match:away', ARGV[1])
      redis.call('HSET', ticket, 's', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
    end
  end
  redis.call('SADD', 'portal:match:look', ARGV[1])
end
return {1, expires or 0}
