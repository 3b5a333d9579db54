-- read
-- A window of a chat's stream (message_send.lua): the oldest after `after`, else the newest.
--
-- KEYS 1 stream, 2 when the person joined first, in ms
-- ARGV 1 after or '', 2 before or '' (ids, exclusive), 3 most, 4 what came before this time (ms) is
--      hidden; -1: before KEYS 2
-- Answer: {entries oldest first, 1: there is more, 1: `after` is no longer there, the last id given out}
local after, before, most, since = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local cursor, gap, entries = '0-0', 0, {}

local about = redis.pcall('XINFO', 'STREAM', KEYS[1]) -- an error when nothing was ever said
for i = 1, #about, 2 do
  if about[i] == 'last-generated-id' then
    cursor = about[i + 1]
  end
end
if after ~= '' and #redis.call('XRANGE', KEYS[1], after, after) == 0 then
  gap = 1
end
if since < 0 then
  since = tonumber(redis.call('GET', KEYS[2]) or 'inf')
end
if since == math.huge or before:match('^0+%-0+$') then -- Redis takes no id before the first
  return {entries, 0, gap, cursor}
end

local from, to = string.format('%.0f', since), before == '' and '+' or '(' .. before
if after ~= '' and tonumber(after:match('^%d+')) >= since then
  from = '(' .. after
end
if after ~= '' then
  entries = redis.call('XRANGE', KEYS[1], from, to, 'COUNT', most + 1)
else
  local newest = redis.call('XREVRANGE', KEYS[1], to, from, 'COUNT', most + 1)
  for i = math.min(#newest, most), 1, -1 do
    entries[#entries + 1] = newest[i]
  end
  return {entries, #newest > most and 1 or 0, gap, cursor}
end
local more = #entries > most and 1 or 0
entries[most + 1] = nil
return {entries, more, gap, cursor}
