-- read
-- Whose sessions these are, for many new sockets at once. A handshake of the address is counted
-- first, as rate.lua does. Time is this server's.
--
-- ARGV 1 handshakes of an address in a minute (0: not counted), 2 "hash address hash address …"
-- Answer: two for each: the person ('': Redis knows no such session, '-': too many handshakes), 1: to
--      be checked again
local CHECKED_MS = 60000 -- as in gate.lua
local most = tonumber(ARGV[1])
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + now[2] / 1000

local function over(address)
  local key = 'portal:rate:handshake:' .. address
  local n = redis.call('INCR', key)
  if n == 1 then
    redis.call('PEXPIRE', key, 60000)
  end
  return n > most
end

local answer = {}
for hash, address in ARGV[2]:gmatch('(%x+) (%S+)') do
  local user, old = '-', 0
  if most == 0 or not over(address) then
    local session = redis.call('HMGET', 'portal:session:' .. hash, 'u', 'c')
    user = session[1] or ''
    old = session[1] and now_ms - session[2] > CHECKED_MS and 1 or 0
  end
  answer[#answer + 1] = user
  answer[#answer + 1] = old
end
return answer
