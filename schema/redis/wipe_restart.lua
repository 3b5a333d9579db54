-- A chat's wipe preset has changed: the time that runs starts anew, and no send uses the old preset
-- any more (message_send.lua). Time is this server's.
-- KEYS 1 wipes, 2 the chat's stamp; ARGV 1 chat, 2 milliseconds, 0: off
redis.call('DEL', KEYS[2])
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local now = redis.call('TIME')
  local due = ARGV[2] == '0' and '+inf' or now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2]
  redis.call('ZADD', KEYS[1], due, ARGV[1])
end
