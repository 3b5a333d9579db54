-- read
-- A page of the people who are connected, longest connected first.
-- KEYS 1 people (sorted by connect time), 2 one session of each (hash)
-- ARGV 1 offset, 2 limit
-- Answer: {how many in all, {id, session, …}}
local page, offset = {}, tonumber(ARGV[1])
for _, user in ipairs(redis.call('ZRANGE', KEYS[1], offset, offset + tonumber(ARGV[2]) - 1)) do
  page[#page + 1] = user
  page[#page + 1] = redis.call('HGET', KEYS[2], user) or ''
end
return {redis.call('ZCARD', KEYS[1]), page}
