// Stores away at start, killed under load, frozen, restarted empty: 503 with the contract's body, no
// request waits over a second, full service within two seconds of their return.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { assertError, portalctl, randomAddress, randomPlatformId, send, sessionOf, startProcess, stopProcess, until } from './harness.js';
import { ownStores } from './own_stores.js';

let stores;
let p;
let bot;
const env = {
  STORE_TIMEOUT_MS: '600', RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HEALTH: '0',
};
before(async () => {
  stores = await ownStores();
  p = await startProcess(stores, env);
  bot = await portalctl(stores, ['bot', 'register', '--name', 'chaos bot', '--platform', 'discord', '--json']);
});
after(async () => {
  await stopProcess(p);
  await stores.release();
});

async function signIn() {
  const from = randomAddress();
  const identity = { platform: 'discord', platform_user_id: randomPlatformId() };
  await send(p, 'POST', '/v1/authentication/request', { body: identity, from });
  const { body } = await send(p, 'POST', '/v1/authentication/bot/login-code', { body: { ...identity, platform_username: 'x', platform_avatar_url: '' }, key: bot.api_key });
  const r = await send(p, 'POST', '/v1/authentication/verify', { body: { code: body.code }, from });
  assert.equal(r.status, 200, r.text);
  return sessionOf(r);
}

const me = (token) => send(p, 'GET', '/v1/users/me', { cookie: token });

// Keeps 16 requests under way until told to stop; gives what came back and the longest wait.
function load(token) {
  const seen = { statuses: new Map(), longest: 0, stop: false };
  const worker = async () => {
    while (!seen.stop) {
      const begun = Date.now();
      const r = await me(token);
      seen.longest = Math.max(seen.longest, Date.now() - begun);
      seen.statuses.set(r.status, (seen.statuses.get(r.status) ?? 0) + 1);
      if (r.status === 503) {
        assertError(r, 503, 'ERR_UNAVAILABLE', 'Service unavailable');
        assert.equal(r.headers['retry-after'], '1');
        await new Promise((done) => setTimeout(done, 10));
      }
    }
  };
  const all = Promise.all(Array.from({ length: 16 }, worker));
  seen.finish = async () => {
    seen.stop = true;
    await all;
    return seen;
  };
  return seen;
}

async function outage(hurt, heal) {
  const token = await signIn();
  const seen = load(token);
  await until(() => seen.statuses.get(200) > 50, 'requests to be served');
  await hurt();
  await until(() => seen.statuses.get(503) > 20, 'requests to be refused');
  await until(async () => (await send(p, 'GET', '/readyz')).status === 503, 'readyz to tell');
  assert.equal((await send(p, 'GET', '/livez')).status, 200, 'the loop turns');
  const health = await send(p, 'GET', '/health');
  assert.equal(health.status, 503);
  assert.equal(health.body.status, 'unhealthy');
  assert.ok(health.body.errors.length > 0);
  await heal();
  const healed = Date.now();
  await until(async () => (await me(token)).status === 200, 'service');
  await until(async () => (await send(p, 'GET', '/readyz')).status === 200, 'readyz');
  const back = Date.now() - healed;
  await seen.finish();
  for (const status of seen.statuses.keys()) assert.ok([200, 503].includes(status), `a ${status} was seen`);
  assert.ok(seen.longest <= 1_000 * slack, `no request waits over a second, not ${seen.longest} ms`);
  assert.ok(back <= 2_000 * slack, `back after ${back} ms`);
  assert.equal((await me(await signIn())).status, 200, 'scripts and prepared statements are back');
  return token;
}
// The server under test carries ASan and UBSan and shares its two cores with the whole suite.
const slack = 2;

test('Redis is killed under load and comes back empty: nobody is signed out', async () => {
  await outage(() => stores.killRedis(), () => stores.startRedis());
});

test('PostgreSQL is killed under load and comes back', async () => {
  await outage(() => stores.killPg(), () => stores.startPg());
});

test('Redis freezes under load', async () => {
  await outage(() => stores.freezeRedis(), () => stores.thawRedis());
});

test('PostgreSQL freezes under load', async () => {
  await outage(() => stores.freezePg(), () => stores.thawPg());
});

test('PostgreSQL freezes while nobody asks: readyz does not wait until each connection has been given up', async () => {
  const q = await startProcess(stores, { ...env, PG_CONNECTIONS: '32' });
  const up = async () => (await send(q, 'GET', '/health')).body.database_statistics.connections_up;
  await until(async () => (await up()) === 32, 'all connections');
  await stores.freezePg();
  await until(async () => (await send(q, 'GET', '/readyz')).status === 503, 'readyz to tell');
  assert.ok((await up()) > 0);
  stores.thawPg();
  for (const each of [q, p]) await until(async () => (await send(each, 'GET', '/readyz')).status === 200, 'readyz');
  await stopProcess(q);
});

test('a session ended while Redis is away stays ended when Redis is back with its data', async () => {
  const token = await signIn();
  assert.equal((await me(token)).status, 200, 'cached in Redis');
  await stores.freezeRedis();
  await until(async () => (await send(p, 'GET', '/readyz')).status === 503, 'readyz to tell');
  await portalctl(stores, ['session', 'end', '--all', '--user', String(await userOf(token)), '--yes', '--json'], { STORE_TIMEOUT_MS: '300' }).catch(() => {});
  stores.thawRedis();
  await until(async () => (await send(p, 'GET', '/readyz')).status === 200, 'readyz');
  assert.equal((await me(token)).status, 401);
});

async function userOf(token) {
  const client = new pg.Client({ host: stores.dir, user: 'postgres', database: 'postgres' });
  await client.connect();
  const { rows } = await client.query('SELECT user_id FROM sessions WHERE token_suffix = $1', [token.slice(-6)]);
  await client.end();
  return rows[0].user_id;
}

test('stores away at start: it serves livez, tells on readyz, and is there when they come', async () => {
  await stores.killRedis();
  await stores.killPg();
  const q = await startProcess(stores, env, { ready: false });
  assert.equal((await send(q, 'GET', '/livez')).status, 200);
  assert.equal((await send(q, 'GET', '/readyz')).status, 503);
  assertError(await send(q, 'GET', '/v1/users/me', { cookie: 'A'.repeat(43) }), 503, 'ERR_UNAVAILABLE');
  await Promise.all([stores.startRedis(), stores.startPg()]);
  await until(async () => (await send(q, 'GET', '/readyz')).status === 200, 'readyz');
  await stopProcess(q);
  await until(async () => (await send(p, 'GET', '/readyz')).status === 200, 'readyz');
});

test('a stop while the stores are away is clean and quick', async () => {
  await stores.killRedis();
  const q = await startProcess(stores, env, { ready: false });
  await stopProcess(q);
  await stores.startRedis();
  await until(async () => (await send(p, 'GET', '/readyz')).status === 200, 'readyz');
});
