// The usual choice, as one would write it well: fastify, ioredis with auto-pipelining, pg with named
// statements, on the tables of Portal. It answers the endpoints of the bench with the same JSON, and
// does the work that belongs to them: session and rate limit in one Redis script, codes consumed by a
// script, sign-in in one transaction, rate-limit and correlation headers. It leaves out what a
// small server would leave out: sealed codes, budgets of failures, eviction of sessions.
//
//   PORT, DATABASE_URL, REDIS_URL; prints nothing. Rate limits are counted and never reached.
import { createHash, createHmac, randomBytes, randomInt, randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import Redis from 'ioredis';
import pg from 'pg';
import { GATE } from './gate.mjs';
import { addMatcher } from './peer_match.mjs';
import { pgOptions, redisOptions } from '../server/harness.js';

const LIMIT = 1_000_000;
const SESSION_SECONDS = 30 * 86400;
const CODE_SECONDS = 600;
const CODE_KEY = randomBytes(32);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

const db = new pg.Pool({ ...pgOptions(process.env.DATABASE_URL), max: 16 });
const redis = new Redis({ ...redisOptions(process.env.REDIS_URL), enableAutoPipelining: true });

// Each counts in a window of a minute first, then does its work.
const hit = `
  local n = redis.call('INCR', KEYS[1])
  local ms = 60000
  if n == 1 then redis.call('PEXPIRE', KEYS[1], ms) else ms = redis.call('PTTL', KEYS[1]) end`;
redis.defineCommand('rate', { numberOfKeys: 1, lua: `${hit} return {n, ms}` });
redis.defineCommand('gate', { numberOfKeys: 1, lua: GATE });
redis.defineCommand('takeCode', {
  numberOfKeys: 2,
  lua: `${hit}
  local c = redis.call('HMGET', KEYS[2], 'p', 'i', 'a', 'c')
  if not c[1] or c[3] ~= ARGV[1] then return {n, ms} end
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', 'peer:codes:' .. c[1] .. ':' .. c[2], c[4])
  return {n, ms, c[1], c[2]}`,
});
redis.defineCommand('makeCode', {
  numberOfKeys: 3,
  lua: `${hit}
  redis.call('HSET', KEYS[2], 'p', ARGV[1], 'i', ARGV[2], 'a', ARGV[3], 'c', ARGV[4])
  redis.call('EXPIRE', KEYS[2], ARGV[6])
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[4])
  redis.call('EXPIRE', KEYS[3], ARGV[6])
  return {n, ms}`,
});

const hashOf = (secret) => createHash('sha256').update(secret).digest('hex');
const codeKey = (code) => `peer:code:${createHmac('sha256', CODE_KEY).update(code).digest('hex')}`;

class Refusal extends Error {
  constructor(statusCode, code, message) {
    super(message);
    Object.assign(this, { statusCode, code });
  }
}

function rate(reply, [count, ms]) {
  reply.header('RateLimit-Limit', LIMIT);
  reply.header('RateLimit-Remaining', Math.max(0, LIMIT - count));
  reply.header('RateLimit-Reset', Math.ceil(ms / 1000));
  if (count > LIMIT) throw new Refusal(429, 'ERR_RATE_LIMITED', 'Too many requests');
}

function tokenOf(request) {
  const match = /(?:^|;\s*)psession=([\w-]{43})(?:;|$)/.exec(request.headers.cookie ?? '');
  if (!match) throw new Refusal(401, 'ERR_AUTH_REQUIRED', 'Authentication required');
  return match[1];
}

// Session, rate limit and, when wanted, a value read along, in one round trip.
async function session(request, reply, along = '') {
  const [user, count, ms, value] = await redis.gate(`peer:session:${hashOf(tokenOf(request))}`, along);
  if (!user) throw new Refusal(401, 'ERR_AUTH_REQUIRED', 'Authentication required');
  rate(reply, [count, ms]);
  return { user, value };
}

const userById = {
  name: 'user_by_id',
  text: `SELECT u.id, u.username, u.avatar_source, user_state(u.restriction, u.restricted_until) AS state,
    u.permission_level, subscription_now(u.subscription_level, u.subscription_expires_at) AS subscription_level,
    u.subscription_expires_at, u.subscription_granted_by, u.last_activity_at, u.permission_since,
    u.created_at, u.updated_at, i.platform, i.platform_user_id, i.platform_username, i.platform_avatar_url,
    i.linked_at, i.last_authenticated_at
    FROM users u LEFT JOIN identities i ON i.user_id = u.id
    WHERE u.id = $1 AND u.deleted_at IS NULL ORDER BY i.linked_at, i.platform`,
};
const asId = (v) => (v === null ? null : Number(v));

async function profile(user) {
  const { rows } = await db.query({ ...userById, values: [user] });
  const u = rows[0];
  if (!u) throw new Refusal(401, 'ERR_AUTH_REQUIRED', 'Authentication required');
  return {
    id: asId(u.id), username: u.username, avatar_url: rows.find((r) => r.platform_avatar_url)?.platform_avatar_url ?? null,
    permission_level: u.permission_level, subscription_level: u.subscription_level,
    subscription_expires_at: u.subscription_expires_at, subscription_granted_by: asId(u.subscription_granted_by),
    state: u.state, last_activity_at: u.last_activity_at, permission_since: u.permission_since,
    avatar_source: u.avatar_source,
    linked_platforms: rows.filter((r) => r.platform).map((r) => ({
      platform: r.platform, platform_user_id: r.platform_user_id, platform_username: r.platform_username,
      platform_avatar_url: r.platform_avatar_url, linked_at: r.linked_at, last_authenticated_at: r.last_authenticated_at,
    })),
    created_at: u.created_at, updated_at: u.updated_at,
  };
}

// The account of an identity, found or made, and a session row, in one transaction.
async function signIn(platform, id, tokenHash, token, request) {
  const client = await db.connect();
  try {
    await client.query('BEGIN');
    const found = await client.query({
      name: 'identity_owner',
      text: `UPDATE users u SET bot_logins = 0, last_activity_at = now() FROM identities i
        WHERE i.platform = $1 AND i.platform_user_id = $2 AND u.id = i.user_id RETURNING u.id`,
      values: [platform, id],
    });
    let user = found.rows[0]?.id;
    if (!user) {
      const made = await client.query({
        name: 'make_user', text: 'INSERT INTO users (username) VALUES ($1) RETURNING id',
        values: [`user_${randomBytes(4).toString('hex')}`],
      });
      user = made.rows[0].id;
      await client.query({
        name: 'make_identity', text: 'INSERT INTO identities (platform, platform_user_id, user_id) VALUES ($1, $2, $3)',
        values: [platform, id, user],
      });
    }
    await client.query({
      name: 'touch_identity',
      text: 'UPDATE identities SET last_authenticated_at = now() WHERE platform = $1 AND platform_user_id = $2',
      values: [platform, id],
    });
    await client.query({
      name: 'make_session',
      text: `INSERT INTO sessions (token_hash, user_id, token_suffix, client_ip, user_agent, expires_at)
        VALUES (decode($1, 'hex'), $2, $3, $4, $5, now() + interval '30 days')`,
      values: [tokenHash, user, token.slice(-6), request.ip, request.headers['user-agent'] ?? ''],
    });
    await client.query('COMMIT');
    return { user, created: found.rowCount === 0 };
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

const app = Fastify({ logger: false, trustProxy: '127.0.0.1' });
const time = { type: ['string', 'null'], format: 'date-time' };
const text = { type: 'string' };
const integer = { type: 'integer' };
const answer = (properties) => ({ response: { 200: { type: 'object', properties } } });
const user = {
  id: integer, username: text, avatar_url: { type: ['string', 'null'] }, permission_level: integer, subscription_level: integer,
  subscription_expires_at: time, subscription_granted_by: { type: ['integer', 'null'] }, state: text, last_activity_at: time,
  permission_since: time, avatar_source: text,
  linked_platforms: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        platform: text, platform_user_id: text, platform_username: text, platform_avatar_url: text, linked_at: time,
        last_authenticated_at: time,
      },
    },
  },
  created_at: time, updated_at: time,
};
const body = (...names) => ({
  body: {
    type: 'object', required: names,
    properties: Object.fromEntries(names.map((n) => [n, { type: 'string', minLength: 0, maxLength: 512 }])),
  },
});

app.addHook('onRequest', (request, reply, done) => {
  const given = request.headers['x-correlation-id'];
  reply.header('X-Correlation-ID', given?.length === 36 ? given : randomUUID());
  reply.header('Cache-Control', 'no-store');
  done();
});
app.setErrorHandler((error, request, reply) => {
  const status = error.statusCode ?? 500;
  reply.code(status).send({
    error: status < 500 ? error.message : 'Internal server error', code: error.code ?? 'ERR_INTERNAL',
    correlation_id: reply.getHeader('X-Correlation-ID'),
  });
});

app.get('/livez', { schema: answer({ status: text }) }, (request, reply) => {
  reply.send({ status: 'alive' });
});

app.get('/v1/notifications/unread-count', { schema: answer({ unread: integer }) }, async (request, reply) => {
  const { user: id, value } = await session(request, reply, 'unread');
  if (value !== null && value !== undefined) return { unread: Number(value) };
  const { rows } = await db.query({
    name: 'unread', text: 'SELECT count(*) AS unread FROM notifications WHERE user_id = $1 AND read_at IS NULL', values: [id],
  });
  await redis.set(`peer:unread:${id}`, rows[0].unread, 'EX', 60);
  return { unread: Number(rows[0].unread) };
});

app.get('/v1/users/me', { schema: answer(user) }, async (request, reply) => {
  const { user: id } = await session(request, reply);
  return profile(id);
});

const asked = { schema: { ...body('platform', 'platform_user_id'), ...answer({ message: text, expires_at: time }) } };
app.post('/v1/authentication/request', asked, async (request, reply) => {
  const { platform, platform_user_id: id } = request.body;
  const code = Array.from({ length: 8 }, () => ALPHABET[randomInt(62)]).join('');
  const expires = Date.now() + CODE_SECONDS * 1000;
  rate(reply, await redis.makeCode(`peer:rate:login:${request.ip}`, codeKey(code), `peer:codes:${platform}:${id}`,
    platform, id, request.ip, code, expires, CODE_SECONDS));
  return { message: 'Login code generated.', expires_at: new Date(expires).toISOString() };
});

const told = { schema: {
  ...body('platform', 'platform_user_id', 'platform_username', 'platform_avatar_url'),
  ...answer({ code: { type: ['string', 'null'] }, expires_at: time }),
} };
app.post('/v1/authentication/bot/login-code', told, async (request, reply) => {
  const { platform, platform_user_id: id } = request.body;
  const [counted, [code, expires]] = await Promise.all([
    redis.rate(`peer:rate:bot:${hashOf(request.headers['x-api-key'] ?? '')}`),
    redis.zrevrange(`peer:codes:${platform}:${id}`, 0, 0, 'WITHSCORES'),
  ]);
  rate(reply, counted);
  return { code: code ?? null, expires_at: expires ? new Date(Number(expires)).toISOString() : null };
});

const verified = { schema: { ...body('code'), ...answer({ ...user, user_created: { type: 'boolean' } }) } };
app.post('/v1/authentication/verify', verified, async (request, reply) => {
  const [count, ms, platform, id] = await redis.takeCode(
    `peer:rate:login:${request.ip}`, codeKey(request.body.code), request.ip);
  rate(reply, [count, ms]);
  if (!platform) throw new Refusal(400, 'ERR_INVALID_CODE', 'Invalid or expired code');
  const token = randomBytes(32).toString('base64url');
  const tokenHash = hashOf(token);
  const { user: owner, created } = await signIn(platform, id, tokenHash, token, request);
  const key = `peer:session:${tokenHash}`;
  await Promise.all([redis.hset(key, 'u', owner, 'c', Date.now()), redis.expire(key, SESSION_SECONDS)]);
  reply.header('Set-Cookie', `psession=${token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${SESSION_SECONDS}`);
  return { ...(await profile(owner)), user_created: created };
});

addMatcher(app, {
  db, redis, session, Refusal, userOf: (token) => redis.hget(`peer:session:${hashOf(token)}`, 'u'),
});

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 4096 });
