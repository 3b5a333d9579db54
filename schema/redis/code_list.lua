-- read
-- All pending web codes, for portalctl demo on a developer's machine (it walks the keys: never for a
-- server). Layout: code_web.lua.
--
-- Answer: sealed, expiry, sealed, expiry, …
local out = {}
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', 'portal:code:*', 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local code = redis.call('HMGET', key, 's', 'a', 'x')
    if code[1] and code[2] ~= '' then
      out[#out + 1] = code[1]
      out[#out + 1] = code[3]
    end
  end
until cursor == '0'
return out
