// Limits and sessions of people whom processes remember (src/store/known.h): two of them on one Redis. Whatever
// they remember, what Redis says at that moment decides.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, randomAddress, send, startPortal, startProcess, stopProcess, until } from './harness.js';

const LIMIT = 30;
let portal, other;
before(async () => {
  const env = { RATE_LIMIT_AUTH: String(LIMIT), RATE_LIMIT_LOGIN: '0', RATE_LIMIT_PUBLIC: '50', RATE_LIMIT_BOT: '0' };
  portal = await startPortal(env);
  other = await startProcess(portal.stores, env);
});
after(async () => {
  await stopProcess(other);
  await portal.stop();
});

const unread = (who, p = portal) => send(p, 'GET', '/v1/notifications/unread-count', { cookie: who.token, from: who.from });
const left = (r) => Number(r.headers['ratelimit-remaining']);
const reset = (r) => Number(r.headers['ratelimit-reset']);
const counter = (who) => `portal:rate:auth:${who.id}`;

// Signed in and remembered by both processes: the first use checks the session, the second finds it checked.
async function known() {
  const who = await portal.signIn();
  let used = 0;
  for (const p of [portal, portal, portal, other, other]) {
    const r = await unread(who, p);
    assert.equal(r.status, 200, r.text);
    assert.equal(left(r), LIMIT - ++used);
  }
  return { ...who, used };
}

test('of requests to two processes at once exactly as many pass as the limit allows', async () => {
  const who = await known();
  const answers = await Promise.all(Array.from({ length: 2 * LIMIT }, (_, i) => unread(who, i % 2 ? other : portal)));
  const passed = answers.filter((r) => r.status === 200);
  assert.deepEqual(passed.map(left).sort((a, b) => a - b), [...Array(LIMIT - who.used).keys()], 'each place is given once');
  for (const r of answers.filter((a) => a.status !== 200)) {
    assertError(r, 429, 'ERR_RATE_LIMITED', 'Too many requests');
    assert.equal(left(r), 0);
    assert.equal(r.headers['ratelimit-limit'], String(LIMIT));
    assert.ok(reset(r) > 0 && reset(r) <= 60);
    assert.equal(r.headers['retry-after'], r.headers['ratelimit-reset']);
  }
  assert.equal(Number(await portal.redis.get(counter(who))), who.used + 2 * LIMIT);
});

test('what is over the limit has no effect', async () => {
  const who = await known();
  for (let i = who.used; i < LIMIT; i++) assert.equal((await unread(who, i % 2 ? other : portal)).status, 200);
  for (const p of [portal, other]) {
    const r = await send(p, 'POST', '/v1/users/me/update', { cookie: who.token, body: { username: 'too.late' } });
    assertError(r, 429, 'ERR_RATE_LIMITED');
  }
  const { rows } = await portal.db.query('SELECT username FROM users WHERE id = $1', [who.id]);
  assert.equal(rows[0].username, who.username);
});

test('a window ends, another begins with the next request, and both processes count in it', async () => {
  const who = await portal.signIn();
  for (let i = 0; i < 3; i++) await unread(who); // one knows of a minute
  await portal.redis.pexpire(counter(who), 4000);
  for (let i = 0; i < 2; i++) assert.ok(reset(await unread(who, other)) <= 4); // the other of its last seconds
  await until(async () => !(await portal.redis.exists(counter(who))), 'the end of the window');
  for (const [i, p] of [portal, other, portal, other].entries()) {
    const r = await unread(who, p);
    assert.equal(left(r), LIMIT - 1 - i);
    assert.ok(reset(r) > 30 && reset(r) <= 60, String(reset(r)));
  }
  const ms = await portal.redis.pttl(counter(who));
  assert.ok(ms > 30_000 && ms <= 60_000, String(ms));
});

test('a session that one process ends is refused by the other at once, and costs its person nothing', async () => {
  const who = await known();
  const second = await portal.signIn({ id: who.platform_user_id });
  const before_ = left(await unread(second, other));
  assert.equal((await send(portal, 'POST', '/v1/authentication/logout', { cookie: who.token })).status, 200);
  for (let i = 0; i < 5; i++) {
    for (const p of [other, portal]) {
      const r = await unread(who, p);
      assertError(r, 401, 'ERR_AUTH_REQUIRED');
      assert.equal(r.headers['ratelimit-limit'], '50', 'it counts for the address');
    }
  }
  assert.equal(left(await unread(second, other)), before_ - 2, 'the logout and this one');
});

test('Redis is flushed: nobody is signed out, the ended stay out, all count anew', async () => {
  const who = await known();
  const gone = await known();
  await portal.db.query("UPDATE sessions SET ended_at = now(), end_reason = 'logout' WHERE user_id = $1", [gone.id]);
  await portal.redis.flushdb();
  for (const [i, p] of [portal, other, other, portal].entries()) {
    const r = await unread(who, p);
    assert.equal(r.status, 200, r.text);
    assert.equal(left(r), LIMIT - 1 - i);
    assert.equal((await unread(gone, p)).status, 401);
  }
  assert.ok((await portal.redis.pttl(counter(who))) > 30_000);
  assert.equal(await portal.redis.exists(counter(gone)), 0);
});

test('a counter that was left without an end gets one', async () => {
  const who = await portal.signIn();
  for (let i = 0; i < 3; i++) await unread(who);
  await portal.redis.persist(counter(who)); // as if whoever began the window had died on the way
  const r = await unread(who, other);
  assert.equal(left(r), LIMIT - 4);
  assert.ok(reset(r) > 30);
  assert.ok((await portal.redis.pttl(counter(who))) > 30_000);
});

test('an address and a bot are counted by both processes, in windows that end', async () => {
  const from = randomAddress();
  const bot = await portal.bot('discord');
  const browse = (p) => send(p, 'GET', '/v1/portal/directory', { from });
  for (let i = 1; i <= 50; i++) assert.equal(left(await browse(i % 2 ? portal : other)), 50 - i);
  for (const p of [portal, other]) assertError(await browse(p), 429, 'ERR_RATE_LIMITED');
  await portal.redis.del(`portal:rate:public:${from}`);
  for (let i = 1; i <= 4; i++) assert.equal(left(await browse(i % 2 ? portal : other)), 50 - i);
  assert.ok((await portal.redis.pttl(`portal:rate:public:${from}`)) > 30_000);
  const limited = await startProcess(portal.stores, { RATE_LIMIT_BOT: '4' });
  const report = () => send(limited, 'GET', '/v1/bot/me', { key: bot.key });
  for (let i = 1; i <= 4; i++) {
    const r = await report();
    assert.equal(r.status, 200, r.text);
    assert.equal(left(r), 4 - i);
  }
  assertError(await report(), 429, 'ERR_RATE_LIMITED');
  await stopProcess(limited);
});
