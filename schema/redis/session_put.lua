-- read
-- Puts a session that PostgreSQL knows as live where look-ups find it, unless it has ended meanwhile
-- (tombstone) or Redis has lost what it knew since the look-up began (marker). Time is this server's.
--
-- KEYS 1 session, 2 its tombstone, 3 the person's sessions (sorted by login), 4 marker
-- ARGV 1 hash, 2 user, 3 the person's live sessions as PostgreSQL has them: "hash created_us
--      expires_ms …", this one among them, 4 marker of the look-up ('': none), 5 most sessions of a
--      person, 6 '1': checked just now (else the first use checks)
-- Answer: 1 when it is in.
if redis.call('EXISTS', KEYS[2]) == 1 or
    (ARGV[4] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[4]) then
  return 0
end

local listed, last, ends_last, created, expires = {}, 0, nil, nil, nil
for hash, login, ends in ARGV[3]:gmatch('(%x+) (%d+) (%d+)') do
  listed[hash] = login
  if hash == ARGV[1] then
    created, expires = login, ends
  end
  if tonumber(ends) > last then
    last, ends_last = tonumber(ends), ends
  end
end
redis.call('ZADD', KEYS[3], created, ARGV[1])
local members = redis.call('ZRANGE', KEYS[3], '0', '-1')
local alone = #members == 1

-- Nobody else is there: what the list has is put in, all but those whose end the list has not seen.
if alone then
  for hash, login in pairs(listed) do
    if hash ~= ARGV[1] and redis.call('EXISTS', 'portal:ended:' .. hash) == 0 then
      redis.call('ZADD', KEYS[3], login, hash)
    end
  end
end

-- What is older than the newest of the list and not in it has ended, and its end got lost. What is
-- newer is not the list's business; together they keep to the limit, the earliest login giving way.
-- Nothing goes here for good: who is live in PostgreSQL is put back by the next look-up.
local over = #members - tonumber(ARGV[5])
local stale, unlisted = {}, false
for _, hash in ipairs(members) do
  unlisted = unlisted or not listed[hash]
end
if unlisted then
  local newest = 0
  for _, login in pairs(listed) do
    newest = math.max(newest, tonumber(login))
  end
  for _, hash in ipairs(members) do
    if not listed[hash] and tonumber(redis.call('ZSCORE', KEYS[3], hash)) <= newest then
      stale[hash] = true
      over = over - 1
    end
  end
end
local kept = 1
for _, hash in ipairs(members) do
  if stale[hash] or over > 0 then
    redis.call('ZREM', KEYS[3], hash)
    redis.call('DEL', 'portal:session:' .. hash)
    if not stale[hash] then
      over = over - 1
    end
    if hash == ARGV[1] then
      kept = 0
    end
  end
end

if kept == 1 then
  local checked = '0'
  if ARGV[6] == '1' then
    local now = redis.call('TIME')
    checked = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
  end
  redis.call('HSET', KEYS[1], 'u', ARGV[2], 'c', checked, 'a', created, 'e', expires)
  redis.call('PEXPIREAT', KEYS[1], expires)
end
if ARGV[6] ~= '1' then -- a sign-in: their platform may show them otherwise now (match_try.lua)
  redis.call('SET', 'portal:match:known:' .. ARGV[2], '-', 'XX', 'PX', 10000)
end
if alone then
  redis.call('PEXPIREAT', KEYS[3], ends_last)
else
  redis.call('PEXPIREAT', KEYS[3], ends_last, 'GT')
end
return kept
