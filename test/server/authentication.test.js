// Contract section 1: codes, verification, bot codes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { assertError, pgOptions, randomAddress, randomPlatformId, sessionOf, startPortal, until } from './harness.js';

let portal;
// Limits that other tests are about are off here; this file sends much from few addresses.
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0' });
});
after(() => portal.stop());

const ask = (id, from, platform = 'discord') =>
  portal.post('/v1/authentication/request', { platform, platform_user_id: id }, { from });
const verify = (code, from) => portal.post('/v1/authentication/verify', { code }, { from });
const botCall = async (call, id, more = {}, key) =>
  portal.post(`/v1/authentication/bot/${call}`, {
    platform: 'discord', platform_user_id: id, platform_username: 'niels', platform_avatar_url: '', ...more,
  }, { key: key ?? (await portal.bot('discord')).key });

test('a new person signs in: request, bot fetch, verify, me', async () => {
  const id = randomPlatformId();
  const from = randomAddress();
  const asked = await ask(id, from);
  assert.equal(asked.status, 200);
  assert.deepEqual(Object.keys(asked.body).sort(), ['expires_at', 'message']);
  assert.equal(asked.body.message, 'Login code generated.');
  const left = Date.parse(asked.body.expires_at) - Date.now();
  assert.ok(left > 590_000 && left <= 600_500, `ten minutes, not ${left}`);

  const fetched = await botCall('login-code', id, { platform_username: 'Niels', platform_avatar_url: 'https://cdn.example/a.png' });
  assert.match(fetched.body.code, /^[A-Za-z0-9]{8}$/);
  assert.equal(fetched.body.expires_at, asked.body.expires_at);

  const r = await verify(fetched.body.code, from);
  assert.equal(r.status, 200);
  assert.equal(r.body.user_created, true);
  assert.match(r.body.username, /^user_[0-9a-f]{8}$/);
  assert.equal(r.body.avatar_url, 'https://cdn.example/a.png');
  assert.equal(r.body.permission_level, 0);
  assert.equal(r.body.state, 'active');

  const me = await portal.get('/v1/users/me', { cookie: sessionOf(r), from });
  assert.equal(me.status, 200);
  const { user_created: created, ...profile } = r.body;
  assert.equal(created, true);
  assert.deepEqual(me.body, profile);
  assert.equal(me.body.linked_platforms[0].platform_username, 'Niels');
  const unread = await portal.get('/v1/notifications/unread-count', { cookie: sessionOf(r), from });
  assert.deepEqual(unread.body, { unread: 1 }, 'the welcome notification');
});

test('lookup finds a name in any case and tells the platforms', async () => {
  const person = await portal.signIn();
  const r = await portal.post('/v1/authentication/lookup', { username: person.username.toUpperCase() });
  assert.equal(r.status, 200);
  assert.deepEqual(r.body, {
    id: person.id, username: person.username, avatar_url: null, permission_level: 0, subscription_level: 0,
    platforms: [{ platform: 'discord', platform_user_id: person.platform_user_id }],
  });
  assertError(await portal.post('/v1/authentication/lookup', { username: 'nobody.here' }), 404, 'ERR_USER_NOT_FOUND', 'User not found');
});

test('the first bad field is named in a sentence', async () => {
  const cases = [
    ['lookup', {}, 'username is required'],
    ['lookup', { username: 'ab' }, 'username must be at least 3 characters'],
    ['lookup', { username: 'x'.repeat(33) }, 'username must be at most 32 characters'],
    ['lookup', { username: 'no spaces' }, 'username contains invalid characters'],
    ['lookup', { username: 7 }, 'username must be a string'],
    ['verify', {}, 'code is required'],
    ['verify', { code: null }, 'code is required'],
    ['request', { platform_user_id: '1' }, 'platform is required'],
    ['request', { platform: 'discord' }, 'platform_user_id is required'],
    ['request', { platform: 'discord', platform_user_id: 'a b' }, 'platform_user_id contains invalid characters'],
    ['request', { platform: 'discord', platform_user_id: '' }, 'platform_user_id is required'],
    ['request', { platform: 'discord', platform_user_id: '9'.repeat(65) }, 'platform_user_id must be at most 64 characters'],
  ];
  for (const [call, body, sentence] of cases) {
    assertError(await portal.post(`/v1/authentication/${call}`, body), 400, 'ERR_INVALID_REQUEST', sentence);
  }
  for (const body of ['', 'no json', '[]', '"x"', '{"code":"a","code":"b"}', '{"code":"\xff"}', '['.repeat(1000)]) {
    const r = await portal.post('/v1/authentication/verify', Buffer.from(body, 'latin1'));
    assertError(r, 400, 'ERR_INVALID_REQUEST', body === '' ? 'code is required' : 'Invalid request');
  }
});

test('platforms that the server does not have and ids that cannot be are refused', async () => {
  assertError(await ask('1', '10.0.0.1', 'irc'), 400, 'ERR_INVALID_REQUEST', /^platform /);
  for (const id of ['0123', 'abc', '12x']) {
    assertError(await ask(id, '10.0.0.1'), 400, 'ERR_INVALID_REQUEST', /^platform_user_id /);
  }
});

test('asking again from the same address gives the same code; another address gets its own', async () => {
  const id = randomPlatformId();
  const [a, b] = [randomAddress(), randomAddress()];
  const first = await ask(id, a);
  const again = await ask(id, a);
  assert.equal(again.body.expires_at, first.body.expires_at);
  const one = (await botCall('login-code', id)).body;
  assert.equal(one.codes.length, 1);
  await ask(id, b);
  const two = (await botCall('login-code', id)).body;
  assert.equal(two.codes.length, 2);
  assert.notEqual(two.code, one.code, 'the newest first');
  assert.equal(two.codes[1].code, one.code, 'no code displaces another address\'s');
  assertError(await verify(one.code, b), 400, 'ERR_INVALID_CODE', 'Invalid or expired code');
  assert.equal((await verify(one.code, a)).status, 200, 'an attempt from elsewhere left the code as it was');
  assert.equal((await verify(two.code, b)).status, 200);
});

test('the sixth pending code of an address is refused; verifying frees a slot', async () => {
  const from = randomAddress();
  const ids = Array.from({ length: 6 }, randomPlatformId);
  for (const id of ids.slice(0, 5)) assert.equal((await ask(id, from)).status, 200);
  const sixth = await ask(ids[5], from);
  assertError(sixth, 429, 'ERR_TOO_MANY_PENDING_CODES');
  assert.ok(sixth.body.retry_after > 0 && sixth.body.retry_after <= 600);
  assert.equal(sixth.headers['retry-after'], String(sixth.body.retry_after));
  assert.equal((await ask(ids[0], from)).status, 200, 'one that is pending already takes no slot');
  assert.equal((await verify(await portal.fetchCode('discord', ids[0]), from)).status, 200);
  assert.equal((await ask(ids[5], from)).status, 200);
});

test('200 verifications of one code at once: one wins', async () => {
  const id = randomPlatformId();
  const from = randomAddress();
  await ask(id, from);
  const code = await portal.fetchCode('discord', id);
  // The budget of failures of one address would stop them: each loser comes from the same address.
  const all = await Promise.all(Array.from({ length: 200 }, () => verify(code, from)));
  assert.equal(all.filter((r) => r.status === 200).length, 1);
  for (const r of all) assert.ok([200, 400, 429].includes(r.status), r.text);
  const { rows } = await portal.db.query('SELECT count(*)::int AS n FROM identities WHERE platform_user_id = $1', [id]);
  assert.equal(rows[0].n, 1);
});

test('two codes of one new identity at once make one account', async () => {
  for (let i = 0; i < 10; i++) {
    const id = randomPlatformId();
    const [a, b] = [randomAddress(), randomAddress()];
    await Promise.all([ask(id, a), ask(id, b)]);
    const { codes } = (await botCall('login-code', id)).body;
    assert.equal(codes.length, 2);
    const tries = await Promise.all(codes.flatMap(({ code }) => [verify(code, a), verify(code, b)]));
    const won = tries.filter((r) => r.status === 200);
    assert.equal(won.length, 2);
    assert.equal(won[0].body.id, won[1].body.id);
    assert.deepEqual(won.map((r) => r.body.user_created).sort(), [false, true]);
  }
});

test('an identity that goes while its login waits for the person is a new person', async () => {
  const person = await portal.signIn();
  const from = randomAddress();
  const before = await portal.get('/v1/users/me', person);
  await ask(person.platform_user_id, from);
  const { code } = (await botCall('login-code', person.platform_user_id)).body;
  const other = new pg.Client(pgOptions(portal.stores.databaseUrl));
  await other.connect();
  try {
    await other.query('BEGIN');
    await other.query('SELECT FROM users WHERE id = $1 FOR UPDATE', [person.id]);
    const verified = verify(code, from);
    await until(async () => (await portal.stores.db.query(
      `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%sign_in(%'`)).rowCount === 1, 'the login to wait');
    await other.query('DELETE FROM identities WHERE user_id = $1', [person.id]);
    await other.query('COMMIT');
    const r = await verified;
    assert.equal(r.status, 200);
    assert.equal(r.body.user_created, true);
    assert.notEqual(r.body.id, person.id);
  } finally {
    await other.end();
  }
  const after = await portal.get('/v1/users/me', person);
  assert.equal(after.body.last_activity_at, before.body.last_activity_at, 'what the login had begun is undone');
});

test('ten failures of an address close it for a while; others go on', async () => {
  const from = randomAddress();
  for (let i = 0; i < 10; i++) assertError(await verify('AAAAAAAA', from), 400, 'ERR_INVALID_CODE');
  const r = await verify('AAAAAAAA', from);
  assertError(r, 429, 'ERR_RATE_LIMITED', 'Too many requests');
  assert.ok(r.body.retry_after > 0 && r.body.retry_after <= 600);
  const id = randomPlatformId();
  await ask(id, from);
  const code = await portal.fetchCode('discord', id);
  assertError(await verify(code, from), 429, 'ERR_RATE_LIMITED');
  await portal.signIn();
});

test('a code is case-sensitive and works once', async () => {
  const id = randomPlatformId();
  const from = randomAddress();
  await ask(id, from);
  const code = await portal.fetchCode('discord', id);
  const swapped = code.replace(/[a-zA-Z]/g, (c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()));
  if (swapped !== code) assertError(await verify(swapped, from), 400, 'ERR_INVALID_CODE');
  assert.equal((await verify(code, from)).status, 200);
  assertError(await verify(code, from), 400, 'ERR_INVALID_CODE');
});

test('bot codes: existing accounts only, the same code when asked again, no address binding', async () => {
  assertError(await botCall('send-code', randomPlatformId()), 404, 'ERR_USER_NOT_FOUND');
  const person = await portal.signIn();
  const asked = await Promise.all(Array.from({ length: 20 }, () => botCall('send-code', person.platform_user_id)));
  const codes = new Set(asked.map((r) => r.body.code));
  assert.equal(codes.size, 1, 'one live bot code per identity, also at the same moment');
  const [code] = codes;
  assert.match(code, /^[A-Za-z0-9]{8}$/);
  assert.deepEqual((await botCall('login-code', person.platform_user_id)).body.code, null, 'a bot code is no pending web code');
  const r = await verify(code, randomAddress());
  assert.equal(r.status, 200);
  assert.equal(r.body.id, person.id);
  assert.equal(r.body.user_created, false);
});

test('five bot logins, then the web is required; a web login resets the count', async () => {
  const person = await portal.signIn();
  for (let i = 0; i < 5; i++) {
    const { body } = await botCall('send-code', person.platform_user_id);
    assert.equal((await verify(body.code, randomAddress())).status, 200);
  }
  assertError(await botCall('send-code', person.platform_user_id), 403, 'ERR_WEB_LOGIN_REQUIRED', 'Web login required');
  await portal.signIn({ id: person.platform_user_id });
  assert.equal((await botCall('send-code', person.platform_user_id)).status, 200);
});

test('both bot calls refresh name and picture; a Telegram file URL is not kept', async () => {
  const person = await portal.signIn();
  const linked = async () => (await person.get('/v1/users/me')).body.linked_platforms[0];
  await botCall('send-code', person.platform_user_id, { platform_username: 'first', platform_avatar_url: 'https://cdn.example/1.png' });
  assert.equal((await linked()).platform_username, 'first');
  assert.equal((await linked()).platform_avatar_url, 'https://cdn.example/1.png');
  await botCall('login-code', person.platform_user_id, {
    platform_username: 'second', platform_avatar_url: 'https://api.example/file/bot12:secret/a.png',
  });
  assert.equal((await linked()).platform_username, 'second');
  assert.equal((await linked()).platform_avatar_url, '');
  assertError(await botCall('send-code', person.platform_user_id, { platform_avatar_url: 'http://plain.example/a.png' }), 400, 'ERR_INVALID_REQUEST', /^platform_avatar_url /);
});

test('only login bots of their own platform, with a live key', async () => {
  const id = randomPlatformId();
  const telegram = await portal.bot('telegram');
  assertError(await botCall('send-code', id, {}, telegram.key), 403, 'ERR_ACCESS_DENIED');
  assertError(await botCall('login-code', id, {}, telegram.key), 403, 'ERR_ACCESS_DENIED');
  assertError(await botCall('login-code', id, {}, 'hbot_' + 'x'.repeat(43)), 401, 'ERR_INVALID_API_KEY', 'Invalid API key');
  const admin = await portal.withLevel('admin');
  const made = await admin.post('/v1/admin/bots', { name: 'community bot', owner_id: admin.id, platform: 'discord', rate_limit_per_hour: 1000 });
  assert.equal(made.status, 200, made.text);
  assert.equal(made.body.bot.login, false);
  assertError(await botCall('login-code', id, {}, made.body.api_key), 403, 'ERR_ACCESS_DENIED');
});

test('banned and timed-out people get no session and no code, and are told why', async () => {
  const person = await portal.signIn();
  const set = (kind, until) => portal.db.query(
    'UPDATE users SET restriction = $2, restriction_reason = $3, restricted_until = $4 WHERE id = $1',
    [person.id, kind, 'spam', until]);
  const from = randomAddress();
  await ask(person.platform_user_id, from);
  const code = await portal.fetchCode('discord', person.platform_user_id);
  await set('banned', null);
  const banned = await verify(code, from);
  assertError(banned, 403, 'ERR_ACCOUNT_BANNED', 'Account banned');
  assert.equal(banned.body.reason, 'spam');
  assert.equal(banned.body.expires_at, null);
  assert.equal(sessionOf(banned), undefined);
  await set('timeout', new Date(Date.now() + 60_000));
  const held = await botCall('send-code', person.platform_user_id);
  assertError(held, 403, 'ERR_ACCOUNT_TIMEOUT', 'Account timed out');
  assert.ok(Date.parse(held.body.expires_at) > Date.now());
  await set('timeout', new Date(Date.now() - 1000));
  assert.equal((await botCall('send-code', person.platform_user_id)).status, 200, 'over is over');
});

test('codes are at rest only as keyed hashes and sealed', async () => {
  const id = randomPlatformId();
  const from = randomAddress();
  await ask(id, from);
  const code = await portal.fetchCode('discord', id);
  for (const key of await portal.redis.keys('*')) {
    assert.ok(!key.includes(code), key);
    const dump = await portal.redis.dumpBuffer(key);
    assert.ok(!dump?.includes(code), `the code stands in ${key}`);
  }
  const logs = JSON.stringify(portal.logs);
  assert.ok(!logs.includes(code), 'nothing secret is logged');
});

test('log-out ends the session at once and clears the cookie', async () => {
  const person = await portal.signIn();
  const r = await person.post('/v1/authentication/logout');
  assert.equal(r.status, 200);
  assert.deepEqual(r.body, { message: 'Logged out' });
  assert.match(String(r.headers['set-cookie']), /^psession=;.*Max-Age=0/);
  assertError(await person.get('/v1/users/me'), 401, 'ERR_AUTH_REQUIRED', 'Authentication required');
  assertError(await person.post('/v1/authentication/logout'), 401, 'ERR_AUTH_REQUIRED');
});
