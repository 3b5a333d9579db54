-- Two people have come to avoid each other, or no longer do: their searches learn of it. For a while it is kept
-- beside (match_try.lua), for a search that is just being begun with what PostgreSQL said before.
-- ARGV 1 user, 2 the other, 3 '1': one of them blocks the other
for i = 1, 2 do
  local user, other = ARGV[i], ARGV[3 - i]
  local key, beside = 'portal:match:person:' .. user, 'portal:match:blocked:' .. user
  redis.call('HSET', beside, other, ARGV[3])
  redis.call('PEXPIRE', beside, 10000)
  redis.call('SET', 'portal:match:known:' .. user, '-', 'PX', 10000)
  local blocked = redis.call('HGET', key, 'b')
  if blocked then
    blocked = blocked:gsub(' ' .. other .. ' ', ' ') .. (ARGV[3] == '1' and other .. ' ' or '')
    redis.call('HSET', key, 'b', blocked)
    redis.call('SADD', 'portal:match:look', user)
  end
end
return 1
