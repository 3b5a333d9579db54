// Contract section 0: errors, correlation ids, rate limits, CORS and origins, trusted proxies.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, randomAddress, randomPlatformId, send, startPortal, startProcess, stopProcess } from './harness.js';

const FRONT = 'https://portal.example.org';
let portal;
before(async () => {
  portal = await startPortal({ ALLOWED_ORIGINS: FRONT });
});
after(() => portal.stop());

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

test('unknown paths, wrong methods and trailing slashes', async () => {
  assertError(await portal.get('/v1/nothing'), 404, 'ERR_NOT_FOUND');
  assertError(await portal.get('/v1/users/me/'), 404, 'ERR_NOT_FOUND');
  for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE', 'GET']) {
    const r = await portal.send(method, '/v1/authentication/verify');
    assertError(r, 405, 'ERR_METHOD');
    assert.equal(r.headers.allow, 'POST, OPTIONS');
  }
  const r = await portal.post('/v1/users/me', {});
  assertError(r, 405, 'ERR_METHOD');
  assert.equal(r.headers.allow, 'GET, HEAD, OPTIONS');
});

test('every response has a correlation id; a caller\'s UUID is kept, anything else is not', async () => {
  const a = await portal.get('/livez');
  assert.match(a.headers['x-correlation-id'], uuid);
  const own = '123e4567-e89b-42d3-a456-426614174000';
  const b = await portal.get('/v1/users/me', { headers: { 'x-correlation-id': own } });
  assert.equal(b.headers['x-correlation-id'], own);
  assert.equal(b.body.correlation_id, own);
  const c = await portal.get('/livez', { headers: { 'x-correlation-id': 'x"\\<script>' } });
  assert.match(c.headers['x-correlation-id'], uuid);
  const line = await portal.logged((l) => l.correlation_id === own);
  assert.equal(line.status, 401);
  assert.equal(line.route, '/v1/users/me');
});

test('logs hold the route, never the raw path, query or secrets', async () => {
  const person = await portal.signIn();
  const own = '123e4567-e89b-42d3-a456-426614174001';
  await portal.get('/v1/users/987654321?token=hidden', { cookie: person.token, headers: { 'x-correlation-id': own } });
  const line = await portal.logged((l) => l.correlation_id === own);
  assert.equal(line.route, '/v1/users/{id}');
  const text = JSON.stringify(portal.logs);
  for (const secret of ['987654321', 'hidden', person.token]) assert.ok(!text.includes(secret), secret);
});

test('the LOGIN tier: 20 a minute per address, with headers, shared by two processes', async () => {
  const other = await startProcess(portal.stores);
  const from = randomAddress();
  for (let i = 0; i < 20; i++) {
    const r = await send(i % 2 ? other : portal, 'POST', '/v1/authentication/lookup', { body: { username: 'nobody' }, from });
    assert.equal(r.status, 404);
    assert.equal(r.headers['ratelimit-limit'], '20');
    assert.equal(r.headers['ratelimit-remaining'], String(19 - i));
    assert.ok(Number(r.headers['ratelimit-reset']) <= 60);
  }
  const r = await portal.post('/v1/authentication/lookup', { username: 'x' }, { from });
  assertError(r, 429, 'ERR_RATE_LIMITED', 'Too many requests');
  assert.ok(Number(r.headers['retry-after']) > 0 && Number(r.headers['retry-after']) <= 60);
  assert.equal(r.body.retry_after, Number(r.headers['retry-after']));
  assert.equal((await portal.post('/v1/authentication/lookup', { username: 'nobody' }, { from: randomAddress() })).status, 404);
  await stopProcess(other);
});

test('the AUTH tier counts per person, whatever the address', async () => {
  const person = await portal.signIn();
  const r = await person.get('/v1/users/me');
  assert.equal(r.headers['ratelimit-limit'], '120');
  const left = Number(r.headers['ratelimit-remaining']);
  const next = await portal.get('/v1/users/me', { cookie: person.token, from: randomAddress() });
  assert.equal(Number(next.headers['ratelimit-remaining']), left - 1);
});

test('requests with a dead cookie count for their address at the PUBLIC limit', async () => {
  const from = randomAddress();
  for (let i = 0; i < 120; i++) {
    const r = await portal.get('/v1/users/me', { cookie: 'x'.repeat(43), from });
    assert.equal(r.status, 401);
    assert.equal(r.headers['ratelimit-remaining'], String(119 - i));
  }
  assertError(await portal.get('/v1/users/me', { from }), 429, 'ERR_RATE_LIMITED');
  assertError(await portal.get('/v1/bot/me', { key: 'hbot_x', from }), 429, 'ERR_RATE_LIMITED');
});

test('a limit of 0 is off', async () => {
  const p = await startProcess(portal.stores, { RATE_LIMIT_LOGIN: '0' });
  const from = randomAddress();
  for (let i = 0; i < 30; i++) {
    const r = await send(p, 'POST', '/v1/authentication/lookup', { body: { username: 'nobody' }, from });
    assert.equal(r.status, 404);
    assert.equal(r.headers['ratelimit-limit'], undefined);
  }
  await stopProcess(p);
});

test('checks run in order: the limit before the credential, the credential before the body', async () => {
  const r = await portal.post('/v1/users/me/update', 'no json');
  assertError(r, 401, 'ERR_AUTH_REQUIRED');
  const person = await portal.signIn();
  assertError(await person.post('/v1/users/me/update', 'no json'), 400, 'ERR_INVALID_REQUEST', 'Invalid request');
  assertError(await person.post('/v1/admin/bots', { name: 'x' }), 400, 'ERR_INVALID_REQUEST');
});

test('CORS answers the listed front ends only, with credentials', async () => {
  const pre = (origin) => portal.send('OPTIONS', '/v1/users/me/update', {
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
  });
  const good = await pre(FRONT);
  assert.equal(good.status, 204);
  assert.equal(good.headers['access-control-allow-origin'], FRONT);
  assert.equal(good.headers['access-control-allow-credentials'], 'true');
  assert.equal(good.headers['access-control-max-age'], '600');
  const allowed = good.headers['access-control-allow-headers'].toLowerCase();
  for (const h of ['content-type', 'x-api-key', 'x-correlation-id']) assert.ok(allowed.includes(h));
  assert.match(String(good.headers.vary), /origin/i);
  const bad = await pre('https://evil.example');
  assert.equal(bad.headers['access-control-allow-origin'], undefined);
  const get = await portal.get('/v1/version', { headers: { origin: FRONT } });
  assert.equal(get.headers['access-control-allow-origin'], FRONT);
  const exposed = get.headers['access-control-expose-headers'].toLowerCase();
  for (const h of ['x-correlation-id', 'retry-after', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset']) assert.ok(exposed.includes(h), exposed);
});

test('a cross-site post with the cookie is refused and changes nothing', async () => {
  const person = await portal.signIn();
  const post = (origin, body = { username: 'stolen.name' }, type = 'application/json') =>
    person.post('/v1/users/me/update', JSON.stringify(body), { headers: { origin, 'content-type': type } });
  for (const origin of ['https://evil.example', 'null', `${FRONT}.evil.example`, 'https://portal.example.org:8443']) {
    assertError(await post(origin), 403, 'ERR_ORIGIN', 'Origin not allowed');
  }
  assert.equal((await person.get('/v1/users/me')).body.username, person.username);
  assertError(await post(FRONT, {}, 'text/plain'), 415, 'ERR_MEDIA_TYPE');
  assertError(await post(FRONT, {}, 'application/x-www-form-urlencoded'), 415, 'ERR_MEDIA_TYPE');
  assert.equal((await post(FRONT, {})).status, 200);
  assert.equal((await post(portal.url, {})).status, 200, "the server's own origin");
  assert.equal((await post(FRONT, {}, 'application/json; charset=utf-8')).status, 200);
  const plain = await person.post('/v1/users/me/update', '{}', { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.equal(plain.status, 200, 'without an Origin any type is read as JSON');
});

test('X-Forwarded-For: the right-most address that is not trusted, only from trusted peers', async () => {
  const left = async (p, xff) => {
    const r = await send(p, 'POST', '/v1/authentication/lookup', { body: { username: 'nobody' }, headers: xff ? { 'x-forwarded-for': xff } : {} });
    return Number(r.headers['ratelimit-remaining']);
  };
  const a = randomAddress();
  assert.equal(await left(portal, a), 19);
  assert.equal(await left(portal, `1.2.3.4, ${a}`), 18, 'what a client puts in front changes nothing');
  assert.equal(await left(portal, `9.9.9.9, ${a}, 127.0.0.9`), 17, 'trusted proxies are seen through');
  assert.equal(await left(portal, `garbage, ${a}`), 16);
  const v6 = '2001:db8:1:2';
  assert.equal(await left(portal, `${v6}::1`), 19);
  assert.equal(await left(portal, `${v6}:ffff::2`), 18, 'an IPv6 client is its /64');
  assert.equal(await left(portal, '2001:db8:1:3::1'), 19);
  const direct = await startProcess(portal.stores, { TRUSTED_PROXIES: 'none' });
  const first = await left(direct, randomAddress());
  assert.equal(await left(direct, randomAddress()), first - 1, 'a forged header from a stranger changes nothing');
  await stopProcess(direct);
});

test('a code is bound to the address behind the proxy, a forged header does not move it', async () => {
  const id = randomPlatformId();
  const from = randomAddress();
  await portal.post('/v1/authentication/request', { platform: 'discord', platform_user_id: id }, { from });
  const code = await portal.fetchCode('discord', id);
  const attacker = randomAddress();
  const forged = await portal.post('/v1/authentication/verify', { code }, { headers: { 'x-forwarded-for': `${from}, ${attacker}` } });
  assertError(forged, 400, 'ERR_INVALID_CODE');
  assert.equal((await portal.post('/v1/authentication/verify', { code }, { from })).status, 200);
});

test('answers under /v1 are not stored', async () => {
  assert.equal((await portal.get('/v1/version')).headers['cache-control'], 'no-store');
  assert.equal((await portal.get('/v1/users/me')).headers['cache-control'], 'no-store');
  assert.equal((await portal.get('/%761/users/me')).headers['cache-control'], 'no-store', 'however the path is written');
});

test('lists: offset and limit out of range are a 400 that names the field', async () => {
  const person = await portal.signIn();
  for (const [query, sentence] of [
    ['q=a&limit=0', /^limit /], ['q=a&limit=101', /^limit /], ['q=a&offset=-1', /^offset /], ['q=a&offset=10001', /^offset /],
    ['q=a&limit=ten', /^limit /], [`q=${'x'.repeat(51)}`, 'q must be at most 50 characters'], ['q=%ff', /./], ['q=a&q=b', /./],
  ]) assertError(await person.get(`/v1/users/search?${query}`), 400, 'ERR_INVALID_REQUEST', sentence);
});

test('what a 401 or a 404 says does not tell whether something exists', async () => {
  const person = await portal.signIn();
  assertError(await person.get('/v1/users/999999999'), 404, 'ERR_USER_NOT_FOUND', 'User not found');
  assertError(await person.get('/v1/admin/bots'), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
});
