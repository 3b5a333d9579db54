-- read
-- The official and public chats that people are in, the busiest first: who comes, goes, says something or
-- changes a chat keeps them in this order.
--
--   portal:directory   sorted set: a chat's id in 16 digits, by its rank + people there * 2^32
-- Its rank is when it was last active, in s, and 2^52 more of an official one: so people come before
-- activity, and official ones before all. Of chats alike the one made last comes first.
--
-- ARGV 1 how many of each kind; '-1': all, without how many people are there
-- Answer: {official ones, how many people are in each, public ones, how many people are in each}, as arrays of PostgreSQL
local function busy(from, to)
  if ARGV[1] == '-1' then
    return '{' .. table.concat(redis.call('ZREVRANGEBYSCORE', 'portal:directory', from, to), ',') .. '}', '{}'
  end
  local found = redis.call('ZREVRANGEBYSCORE', 'portal:directory', from, to, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
  local ids, online = {}, {}
  for i = 1, #found, 2 do
    ids[#ids + 1] = found[i]
    online[#online + 1] = math.floor(found[i + 1] / 2^32) % 2^20
  end
  return '{' .. table.concat(ids, ',') .. '}', '{' .. table.concat(online, ',') .. '}'
end
local official, in_official = busy('+inf', 2^52)
local public, in_public = busy(string.format('(%.0f', 2^52), '-inf')
return {official, in_official, public, in_public}
