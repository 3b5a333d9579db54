-- Keeps the copy of who is entitled in a chat, unless a removal, a change of visibility or a new
-- member came since it was read (key_ask.lua says what it is). It lives 30 s at most.
-- KEYS 1 circle, 2 gate; ARGV 1 gate and 2 circle as they were before PostgreSQL was asked,
--      3 '' for an open chat, else its people: " id id …"
if (redis.call('GET', KEYS[2]) or '0') == ARGV[1] and (redis.call('GET', KEYS[1]) or '') == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[1] .. (ARGV[3] == '' and ' open' or ARGV[3] .. ' '), 'PX', 30000)
end
return 1
