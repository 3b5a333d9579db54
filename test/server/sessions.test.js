// Contract section 1.1: five sessions, PostgreSQL is the truth, nothing that ended comes back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, randomAddress, send, sessionOf, startPortal, startProcess, stopProcess, until } from './harness.js';

let portal;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_AUTH: '0', BOT_LOGIN_WEB_REQUIRED_EVERY: '0' });
});
after(() => portal.stop());

const me = (token, p = portal) => send(p, 'GET', '/v1/users/me', { cookie: token });
const live = async (tokens) => (await Promise.all(tokens.map((t) => me(t)))).map((r) => r.status === 200);

async function login(person) {
  const bot = await portal.bot('discord');
  const { body } = await portal.post('/v1/authentication/bot/send-code', {
    platform: 'discord', platform_user_id: person.platform_user_id, platform_username: 'n', platform_avatar_url: '',
  }, { key: bot.key });
  return portal.post('/v1/authentication/verify', { code: body.code }, { from: randomAddress() });
}

test('the cookie has the attributes of a local plain-http server', async () => {
  const person = await portal.signIn();
  const r = await login(person);
  const cookie = String(r.headers['set-cookie']);
  assert.match(cookie, /^psession=[A-Za-z0-9_-]{43}; /);
  for (const part of ['Path=/', 'HttpOnly', 'SameSite=Lax', 'Max-Age=2592000']) assert.ok(cookie.includes(part), cookie);
  assert.ok(!/Secure|Domain/.test(cookie), cookie);
});

test('behind TLS the cookie is Secure, SameSite=None and has the domain', async () => {
  const p = await startProcess(portal.stores, { RATE_LIMIT_LOGIN: '0', COOKIE_SECURE: 'true', COOKIE_DOMAIN: '.example.org', PUBLIC_API_KEYS: 'front-end-key' });
  const from = randomAddress();
  const id = '1234567890123';
  const o = { from, key: 'front-end-key' };
  await send(p, 'POST', '/v1/authentication/request', { body: { platform: 'discord', platform_user_id: id }, ...o });
  const code = await portal.fetchCode('discord', id);
  assertError(await send(p, 'POST', '/v1/authentication/verify', { body: { code }, from }), 401, 'ERR_INVALID_API_KEY');
  assertError(await send(p, 'POST', '/v1/authentication/verify', { body: { code }, from, key: 'front-end-kez' }), 401, 'ERR_INVALID_API_KEY');
  const r = await send(p, 'POST', '/v1/authentication/verify', { body: { code }, ...o });
  assert.equal(r.status, 200, r.text);
  const cookie = String(r.headers['set-cookie']);
  for (const part of ['Path=/', 'HttpOnly', 'Secure', 'SameSite=None', 'Domain=.example.org']) assert.ok(cookie.includes(part), cookie);
  await stopProcess(p);
});

test('the sixth login ends the oldest session', async () => {
  const person = await portal.signIn();
  const tokens = [person.token];
  for (let i = 0; i < 6; i++) tokens.push(sessionOf(await login(person)));
  assert.deepEqual(await live(tokens), [false, false, true, true, true, true, true]);
  const { body } = await send(portal, 'GET', '/v1/users/me/sessions', { cookie: tokens[6] });
  assert.equal(body.sessions.length, 5);
  assert.equal(body.history.length, 2);
  assert.deepEqual(body.sessions.map((s) => s.is_current), [true, false, false, false, false]);
  assert.equal(body.sessions[0].token_suffix, tokens[6].slice(-6));
  assert.equal(body.sessions[0].geo, null);
});

test('200 logins of one person at once leave five sessions', async () => {
  const person = await portal.signIn();
  const codes = [];
  for (let i = 0; i < 200; i++) {
    // Web codes of 200 addresses; all are verified at once.
    const from = `10.77.${Math.floor(i / 250)}.${(i % 250) + 1}`;
    await portal.post('/v1/authentication/request', { platform: 'discord', platform_user_id: person.platform_user_id }, { from });
    codes.push({ from, code: await portal.fetchCode('discord', person.platform_user_id) });
  }
  const all = await Promise.all(codes.map(({ code, from }) => portal.post('/v1/authentication/verify', { code }, { from })));
  assert.deepEqual([...new Set(all.map((r) => r.status))], [200]);
  const tokens = all.map(sessionOf);
  assert.equal((await live(tokens)).filter(Boolean).length, 5);
  const { rows } = await portal.db.query('SELECT count(*)::int AS n FROM sessions WHERE user_id = $1 AND ended_at IS NULL', [person.id]);
  assert.equal(rows[0].n, 5);
  assert.equal((await live([person.token]))[0], false);
});

// People who are known, each with a code of an address of their own.
async function withCodes(count) {
  const list = [];
  for (let i = 0; i < count; i++) {
    const person = await portal.signIn();
    const from = randomAddress();
    await portal.post('/v1/authentication/request', { platform: 'discord', platform_user_id: person.platform_user_id }, { from });
    list.push({ person, from, code: await portal.fetchCode('discord', person.platform_user_id) });
  }
  return list;
}
const verify = ({ code, from }) => portal.post('/v1/authentication/verify', { code }, { from });

// Runs `sql` in a transaction that is open while `during` runs.
async function holding(sql, values, during) {
  const client = await portal.db.connect();
  try {
    await client.query('BEGIN');
    await client.query(sql, values);
    await during();
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

// As many as there are connections to PostgreSQL, at most: what is sent on one waits for what was sent before.
test('several sign in at once: one whose row is held waits, the others do not', async () => {
  const list = await withCodes(4);
  let held, tokens;
  await holding('SELECT FROM users WHERE id = $1 FOR UPDATE', [list[2].person.id], async () => {
    const all = list.map(verify);
    held = all[2];
    const others = await Promise.all(all.filter((r) => r !== held));
    assert.deepEqual([...new Set(others.map((r) => r.status))], [200]);
    tokens = others.map(sessionOf);
  });
  assert.equal((await held).status, 200);
  assert.deepEqual(new Set(await live([...tokens, sessionOf(await held)])), new Set([true]));
});

test('PostgreSQL is lost while many sign in: all get an answer, and who was told 200 has a session', async () => {
  const list = await withCodes(12);
  let all;
  await holding('LOCK TABLE sessions IN EXCLUSIVE MODE', [], async () => {
    all = list.map(verify);
    await until(async () => (await portal.db.query(`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'portald' AND wait_event_type = 'Lock'`)).rowCount > 0, 'a sign-in that waits');
    await portal.db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'portald'`);
    // Not before the last has been sent: some may come when PostgreSQL is back.
    await Promise.race(all);
  });
  const answers = await Promise.all(all);
  assert.ok(answers.some((r) => r.status === 503));
  for (const [i, first] of answers.entries()) {
    let r = first;
    if (r.status !== 200) {
      assertError(r, 503, 'ERR_UNAVAILABLE');
      await until(async () => (r = await verify(list[i])).status !== 503, 'PostgreSQL to be back');
    }
    assert.equal(r.status, 200, r.text);
    assert.deepEqual(await live([list[i].person.token, sessionOf(r)]), [true, true]);
    const { rows } = await portal.db.query('SELECT count(*)::int AS n FROM sessions WHERE user_id = $1', [list[i].person.id]);
    assert.equal(rows[0].n, 2);
  }
});

test('a Redis that comes back empty signs nobody out and lets nobody in', async () => {
  const person = await portal.signIn();
  const tokens = [person.token];
  for (let i = 0; i < 5; i++) tokens.push(sessionOf(await login(person)));
  const out = await portal.signIn();
  await out.post('/v1/authentication/logout');
  await portal.redis.flushdb();
  assert.deepEqual(await live(tokens), [false, true, true, true, true, true]);
  assert.equal((await me(out.token)).status, 401);
  await portal.redis.flushdb();
  assert.equal((await login(person)).status, 200);
  assert.deepEqual(await live(tokens), [false, false, true, true, true, true], 'the limit holds from PostgreSQL');
});

test('log-out against look-up in any order never brings a session back', async () => {
  for (let i = 0; i < 25; i++) {
    const person = await portal.signIn();
    await portal.redis.flushdb();
    // Look-ups that miss Redis run while the session ends.
    const calls = [];
    for (let k = 0; k < 8; k++) calls.push(me(person.token));
    calls.splice(i % 8, 0, person.post('/v1/authentication/logout'));
    await Promise.all(calls);
    assert.equal((await me(person.token)).status, 401);
  }
});

test('destroy one, the others, not the current one, not another person\'s', async () => {
  const person = await portal.signIn();
  const second = sessionOf(await login(person));
  const third = sessionOf(await login(person));
  const stranger = await portal.signIn();
  const destroy = (suffix) => person.post(`/v1/users/me/sessions/${suffix}/destroy`);
  assertError(await destroy(person.token.slice(-6)), 400, 'ERR_INVALID_REQUEST');
  assertError(await destroy(stranger.token.slice(-6)), 404, 'ERR_SESSION_NOT_FOUND', 'Session not found');
  assertError(await destroy('zzzzzz'), 404, 'ERR_SESSION_NOT_FOUND');
  assert.deepEqual((await destroy(second.slice(-6))).body, { destroyed: true });
  assert.deepEqual(await live([person.token, second, third, stranger.token]), [true, false, true, true]);
  assert.deepEqual((await person.post('/v1/users/me/sessions/destroy-others')).body, { destroyed: 1 });
  assert.deepEqual(await live([person.token, third]), [true, false]);
});

test('an Admin signs in for a day; a promotion shortens what is open', async () => {
  const admin = await portal.withLevel('admin');
  const day = 86_400_000;
  const sessions = (await admin.get('/v1/users/me/sessions')).body.sessions;
  const left = Date.parse(sessions[0].expires_at) - Date.now();
  assert.ok(left > 0 && left <= day + 1000, 'shortened');
  const r = await login(admin);
  assert.match(String(r.headers['set-cookie']), /Max-Age=86400\b/);
});

test('a cached session is checked against PostgreSQL again after a minute', async () => {
  const person = await portal.signIn();
  assert.equal((await me(person.token)).status, 200);
  // As if an end of the session had never reached Redis.
  await portal.db.query('UPDATE sessions SET ended_at = now() WHERE user_id = $1', [person.id]);
  const [key] = (await portal.redis.keys('portal:session:*')).slice(-1);
  assert.ok(key);
  for (const k of await portal.redis.keys('portal:session:*')) {
    const checked = await portal.redis.hget(k, 'c');
    if (checked) await portal.redis.hset(k, 'c', Number(checked) - 61_000);
  }
  assert.equal((await me(person.token)).status, 401);
});

test('two processes share sessions and limits', async () => {
  const other = await startProcess(portal.stores, { RATE_LIMIT_AUTH: '0' });
  const person = await portal.signIn();
  assert.equal((await me(person.token, other)).status, 200);
  await person.post('/v1/authentication/logout');
  assert.equal((await me(person.token, other)).status, 401);
  await stopProcess(other);
});

test('after a crash of the process everything acknowledged is there', async () => {
  const p = await startProcess(portal.stores, { RATE_LIMIT_LOGIN: '0' });
  const person = await portal.signIn();
  assert.equal((await me(person.token, p)).status, 200);
  await stopProcess(p, 'SIGKILL');
  const again = await startProcess(portal.stores);
  assert.equal((await me(person.token, again)).status, 200);
  await until(async () => (await send(again, 'GET', '/readyz')).status === 200, 'readyz');
  await stopProcess(again);
});
