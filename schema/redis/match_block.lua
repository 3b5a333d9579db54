-- Two people have come to avoid each other, or no longer do: their searches learn of it. For a while it is kept
-- beside, for a search that is just being begun with what PostgreSQL said before.
-- ARGV 1 user, 2 the other, 3 '1': one of them blocks the other
for i = 1, 2 do
  local user, other = ARGV[i], ARGV[3 - i]
  local key, beside = 'portal:match:person:' .. user, 'portal:match:blocked:' .. user
  local blocked = redis.call('HGET', key, 'b')
  if ARGV[3] == '1' then
    redis.call('SADD', beside, other)
    redis.call('PEXPIRE', beside, 10000)
    if blocked then
      redis.call('HSET', key, 'b', blocked .. other .. ' ')
    end
  else
    redis.call('SREM', beside, other)
    if blocked then
      while blocked:find(' ' .. other .. ' ', 1, true) do
        local from, to = blocked:find(' ' .. other .. ' ', 1, true)
        blocked = blocked:sub(1, from) .. blocked:sub(to + 1)
      end
      redis.call('HSET', key, 'b', blocked)
      redis.call('SADD', 'portal:match:look', user)
    end
  end
end
return 1
