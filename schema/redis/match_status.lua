-- read
-- Where a person stands (keys: match_try.lua).
-- ARGV 1 user
-- Answer: {0}: idle; {1, tags, queued at, expires at (ms)}; {2, chat, interests, the peer (JSON), created at, ends at (ms), people
--   present}
local chat = redis.call('GET', 'portal:match:chat:' .. ARGV[1])
if chat then
  local d = redis.call('HMGET', 'portal:direct:' .. chat, 'x', 'px', 'py', 'i', 'c', 'u')
  return {2, chat, d[4], d[1] == ARGV[1] and d[3] or d[2], tonumber(d[5]), tonumber(d[6]),
    redis.call('HLEN', 'portal:room:' .. chat .. ':people')}
end
local t = redis.call('HMGET', 'portal:match:person:' .. ARGV[1], 't', 'c', 'u')
if t[1] then
  return {1, t[1], tonumber(t[2]), tonumber(t[3])}
end
return {0}
