// The peer's look-up of a session, its rate limit and a value read along, in one round trip. KEYS 1 session;
// ARGV 1 kind of the value ('': none). Answer: {user, count, milliseconds left, value}, or {}.
export const GATE = `
local user = redis.call('HGET', KEYS[1], 'u')
if not user then return {} end
local n = redis.call('INCR', 'peer:rate:auth:' .. user)
local ms = 60000
if n == 1 then redis.call('PEXPIRE', 'peer:rate:auth:' .. user, ms)
else ms = redis.call('PTTL', 'peer:rate:auth:' .. user) end
local with = ARGV[1] ~= '' and redis.call('GET', 'peer:' .. ARGV[1] .. ':' .. user)
return {user, n, ms, with}
`;
