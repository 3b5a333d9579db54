// The matcher as one would write it on fastify, ioredis and socket.io, on the tables of Portal: the person and their
// blocks from PostgreSQL, one Lua script that writes the queue or makes the pair, events by socket.io in the same
// process. It keeps the rules that a first version would keep: a shared tag or `any`, longest waiting first, never oneself,
// never blocked, one chat at a time; who meets gets a key for the chat. It leaves out recent partners, the absent, graces,
// expiry and other processes.
//
// Keys: peer:match:queue:{tag} and peer:match:queue (all), by place; peer:match:ticket:{user} hash; peer:match:chat:{user};
// peer:direct:{chat} hash.
import { Server } from 'socket.io';

const EXPIRY_MS = 600_000;
const TAG = { type: 'string', pattern: '^[a-z0-9]{3,12}$' };

// KEYS 1 ticket, 2 chat of the person; ARGV 1 user, 2 now, 3 expires at, 4 the person (JSON), 5 blocked (" id id "), 6… tags
// Answer: {'searching', fresh} or {'matched', fresh, chat, partner, the partner (JSON), tags…}
const TRY = `
local user, now, ALL = ARGV[1], ARGV[2], 'peer:match:queue'
local chat = redis.call('GET', KEYS[2])
if chat then return {'matched', 0} end
if redis.call('EXISTS', KEYS[1]) == 1 then return {'searching', 0} end
local tags, any = {}, false
for i = 6, #ARGV do
  tags[#tags + 1] = ARGV[i]
  any = any or ARGV[i] == 'any'
end
local function queues_of(list)
  local queues = {ALL}
  for _, tag in ipairs(list) do queues[#queues + 1] = ALL .. ':' .. tag end
  return queues
end
local partner, least
local look = any and {ALL} or queues_of(tags)
if not any then look[1] = ALL .. ':any' end
for _, queue in ipairs(look) do
  local from, found = 0, false
  repeat
    local rows = redis.call('ZRANGE', queue, from, from + 15, 'WITHSCORES')
    for i = 1, #rows, 2 do
      local other = redis.call('HGET', 'peer:match:ticket:' .. rows[i], 'b')
      if not found and not ARGV[5]:find(' ' .. rows[i] .. ' ', 1, true) and not other:find(' ' .. user .. ' ', 1, true) then
        found = true
        if not least or tonumber(rows[i + 1]) < least then partner, least = rows[i], tonumber(rows[i + 1]) end
      end
    end
    from = from + 16
  until found or #rows < 32
end
if not partner then
  local place = redis.call('INCR', 'peer:match:place')
  for _, queue in ipairs(queues_of(tags)) do redis.call('ZADD', queue, place, user) end
  redis.call('HSET', KEYS[1], 't', table.concat(tags, ' '), 'p', ARGV[4], 'b', ARGV[5], 'c', now, 'u', ARGV[3])
  return {'searching', 1}
end
local ticket = redis.call('HMGET', 'peer:match:ticket:' .. partner, 't', 'p')
local theirs = {}
for tag in ticket[1]:gmatch('%S+') do theirs[#theirs + 1] = tag end
for _, queue in ipairs(queues_of(theirs)) do redis.call('ZREM', queue, partner) end
redis.call('DEL', 'peer:match:ticket:' .. partner)
chat = redis.call('INCR', 'peer:match:chats')
redis.call('MSET', KEYS[2], chat, 'peer:match:chat:' .. partner, chat)
redis.call('HSET', 'peer:direct:' .. chat, 'x', user, 'y', partner, 'c', now)
redis.call('XADD', 'peer:direct:' .. chat .. ':stream', '*', 'content', 'Chat started — say hi!')
return {'matched', 1, chat, partner, ticket[2], ticket[1]}
`;

// KEYS 1 ticket, 2 chat of the person; ARGV 1 user. Answer: {} idle, {'idle'} searched, {'left', chat, x, y}
const LEAVE = `
local t = redis.call('HGET', KEYS[1], 't')
if t then
  redis.call('ZREM', 'peer:match:queue', ARGV[1])
  for tag in t:gmatch('%S+') do redis.call('ZREM', 'peer:match:queue:' .. tag, ARGV[1]) end
  redis.call('DEL', KEYS[1])
  return {'idle'}
end
local chat = redis.call('GET', KEYS[2])
if not chat then return {} end
local d = redis.call('HMGET', 'peer:direct:' .. chat, 'x', 'y')
redis.call('DEL', 'peer:direct:' .. chat, 'peer:direct:' .. chat .. ':stream', 'peer:direct:' .. chat .. ':keys', 'peer:match:chat:' .. d[1], 'peer:match:chat:' .. d[2])
return {'left', chat, d[1], d[2]}
`;

const personOf = {
  name: 'match_person',
  text: `SELECT u.username, u.permission_level, (SELECT i.platform_avatar_url FROM identities i WHERE i.user_id = u.id LIMIT 1) AS avatar_url,
    (SELECT ' ' || string_agg(a.id || ' ', '') FROM user_avoids(u.id) a (id)) AS blocked
    FROM users u WHERE u.id = $1 AND u.deleted_at IS NULL AND user_state(u.restriction, u.restricted_until) = 'active'`,
};

// What it needs of the server: session(request, reply) counts and finds the person, userOf(token) only finds.
export function addMatcher(app, { db, redis, session, userOf, Refusal }) {
  redis.defineCommand('matchTry', { numberOfKeys: 2, lua: TRY });
  redis.defineCommand('matchLeave', { numberOfKeys: 2, lua: LEAVE });
  const keysOf = (user) => [`peer:match:ticket:${user}`, `peer:match:chat:${user}`];
  const io = new Server(app.server, { transports: ['websocket'], perMessageDeflate: false, serveClient: false, maxHttpBufferSize: 65536 });

  const text = { type: 'string' };
  const time = { type: ['string', 'null'], format: 'date-time' };
  const integer = { type: 'integer' };
  const chat = { type: 'object', properties: { id: integer, chat_type: text, created_at: text } };
  const user = { type: 'object', properties: { id: integer, username: text, avatar_url: { type: ['string', 'null'] }, permission_level: integer } };
  const standing = {
    response: { 200: { type: 'object', properties: {
      state: text, interests: { type: 'array', items: text }, queued_at: time, expires_at: time,
      chat: { type: ['object', 'null'], properties: { chat, peer: { type: 'object', properties: { user } }, expires_at: text } },
    } } },
  };
  const idle = { state: 'idle', interests: [], queued_at: null, expires_at: null, chat: null };

  // Both get the chat, and their sockets are in it; who has a public key is asked for the chat's.
  async function introduce(people, chat, interests) {
    for (const [i, p] of people.entries()) {
      io.to(`user:${p.id}`).emit('match:found', { chat, peer: { user: people[1 - i] }, interests });
      io.in(`user:${p.id}`).socketsJoin(`chat:${chat.id}`);
    }
    const keys = await redis.mget(people.map((p) => `peer:key:${p.id}`));
    const recipients = people.map((p, i) => ({ user_id: p.id, session_id: String(p.id), public_key: keys[i] })).filter((r) => r.public_key);
    if (recipients.length === 2)
      io.to(`user:${people[1].id}`).emit('room:key_needed', { chat_id: chat.id, epoch: 1, make_key: true, recipients });
  }

  const wanted = { schema: { ...standing, body: {
    type: 'object', properties: { interest: TAG, interests: { type: 'array', items: TAG, minItems: 1, maxItems: 3 } },
    anyOf: [{ required: ['interest'] }, { required: ['interests'] }],
  } } };
  app.post('/v1/portal/match/enqueue', wanted, async (request, reply) => {
    const { user: id } = await session(request, reply);
    const tags = [...new Set(request.body.interests ?? [request.body.interest])];
    const { rows } = await db.query({ ...personOf, values: [id] });
    if (!rows[0]) throw new Refusal(401, 'ERR_AUTH_REQUIRED', 'Authentication required');
    const { username, avatar_url: avatar, permission_level: level, blocked } = rows[0];
    const me = { id: Number(id), username, avatar_url: avatar, permission_level: level };
    const now = Date.now();
    const [state, fresh, chatId, , partner, theirs] = await redis.matchTry(
      ...keysOf(id), id, now, now + EXPIRY_MS, JSON.stringify(me), blocked ?? ' ', ...tags);
    if (!fresh && state === 'searching') throw new Refusal(409, 'ERR_MATCH_ALREADY_SEARCHING', 'Already searching');
    if (!fresh) throw new Refusal(409, 'ERR_MATCH_SLOT_LIMIT', 'Already in a direct chat');
    const began = new Date(now).toISOString();
    const expires = new Date(now + EXPIRY_MS).toISOString();
    if (state === 'searching') return { state, interests: tags, queued_at: began, expires_at: expires, chat: null };
    const made = { id: Number(chatId), chat_type: 'direct', created_at: began };
    const peer = JSON.parse(partner);
    const common = tags.filter((tag) => theirs.split(' ').includes(tag));
    const interests = common.length ? common : ['any'];
    introduce([me, peer], made, interests).catch(() => {});
    return { state, interests, queued_at: null, expires_at: null, chat: { chat: made, peer: { user: peer }, expires_at: expires } };
  });

  app.post('/v1/portal/match/leave', { schema: standing }, async (request, reply) => {
    const { user: id } = await session(request, reply);
    const [what, chatId, x, y] = await redis.matchLeave(...keysOf(id), id);
    if (!what) throw new Refusal(404, 'ERR_MATCH_NO_ACTIVE_DIRECT', 'No active direct chat');
    if (what === 'left') {
      io.to(`user:${x}`).to(`user:${y}`).emit('match:ended', { chat_id: Number(chatId), reason: 'left' });
      io.socketsLeave(`chat:${chatId}`);
    }
    return idle;
  });

  // ---- keys ----
  app.post('/v1/portal/keys', async (request, reply) => {
    const { user: id } = await session(request, reply);
    await redis.set(`peer:key:${id}`, request.body.public_key, 'EX', 86400);
    return { ok: true };
  });

  io.use(async (socket, next) => {
    const id = await userOf(socket.handshake.auth.session ?? '');
    if (!id) return next(new Error('Authentication required'));
    socket.data.user = Number(id);
    next();
  });
  io.on('connection', (socket) => {
    socket.conn.request = null;
    socket.join(`user:${socket.data.user}`);
    socket.on('room:key_share', async ({ chat_id: id, epoch, keys }, ack) => {
      if (!socket.rooms.has(`chat:${id}`)) return ack({ ok: false, code: 'ERR_NOT_JOINED' });
      const members = await redis.hmget(`peer:direct:${id}`, 'x', 'y');
      const given = keys.filter((k) => members.includes(k.session_id));
      await redis.hset(`peer:direct:${id}:keys`, given.flatMap((k) => [k.session_id, k.blob]));
      for (const k of given) io.to(`user:${k.session_id}`).emit('room:key', { chat_id: id, epoch, blob: k.blob });
      ack({ ok: true });
    });
  });
}
