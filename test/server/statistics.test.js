// Contract section 9: statistics, and the figures for operators.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, connect, startPortal, startProcess, send, stopProcess, until } from './harness.js';

let portal;
before(async () => {
  portal = await startPortal({
    RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0',
  });
});
after(() => portal.stop());

const FRESH_MS = 5000;
const figures = async () => {
  const r = await portal.get('/v1/statistics/app');
  assert.equal(r.status, 200, r.text);
  return r.body;
};
// Right within 5 s of a change; the wait is bounded by what is promised and a busy machine.
const become = (check, what) => until(async () => check(await figures()), what, FRESH_MS + 2000);
// Counted by looking at every row.
const truth = async (client = portal.db) => (await client.query(`SELECT
  (SELECT count(*) FROM users WHERE deleted_at IS NULL)::int users,
  (SELECT array_agg((SELECT count(*) FROM users WHERE deleted_at IS NULL
    AND subscription_now(subscription_level, subscription_expires_at) = l) ORDER BY l) FROM generate_series(1, 3) l)::int[] levels,
  (SELECT array_agg((SELECT count(*) FROM bots WHERE deleted_at IS NULL AND bot_type = t) ORDER BY t) FROM generate_series(1, 3) t)::int[] bots,
  (SELECT count(*) FROM chats WHERE visibility = 'private')::int private,
  (SELECT count(*) FROM chats WHERE visibility <> 'private')::int open`)).rows[0];
// As statistics() of schema/ counts them.
const counted = async (client = portal.db) => {
  const n = Object.fromEntries((await client.query('SELECT name, n::int FROM statistics()')).rows.map((r) => [r.name, r.n]));
  const of = (prefix) => [1, 2, 3].map((i) => n[`${prefix} ${i}`] ?? 0);
  return {
    users: n.users ?? 0, levels: of('subscription'), bots: of('bot'),
    private: n['chat private'] ?? 0, open: (n['chat public'] ?? 0) + (n['chat official'] ?? 0),
  };
};

test('the four calls have their members, and agree', async () => {
  const person = await portal.signIn();
  await portal.bot('discord');
  await become((f) => f.users.total_count === 1 && f.bots.total_count === 1, 'the first person and bot');
  const parts = {};
  for (const part of ['users', 'bots', 'chats']) {
    const r = await portal.get(`/v1/statistics/${part}`);
    assert.equal(r.status, 200, r.text);
    parts[part] = r.body;
  }
  assert.deepEqual(parts.users, { total_count: 1, basic_count: 1, trial_count: 0, premium_count: 0, lifetime_count: 0, online_count: 0 });
  assert.deepEqual(parts.bots, { total_count: 1, official_count: 0, verified_count: 0, community_count: 1 });
  assert.deepEqual(parts.chats, { total_count: 0, public_count: 0, private_count: 0, direct_count: 0 });
  const app = await figures();
  assert.deepEqual(Object.keys(app), ['application_name', 'version', 'started_at', 'users', 'bots', 'chats']);
  assert.equal(app.application_name, 'Portal');
  const version = (await portal.get('/v1/version')).body;
  assert.deepEqual([app.version, app.started_at], [version.version, version.started_at]);
  await person.post('/v1/users/me/delete', { username: person.username });
  await become((f) => f.users.total_count === 0, 'nobody');
});

test('every change shows within 5 s', async () => {
  const [anna, ben, cleo] = [await portal.signIn(), await portal.signIn(), await portal.withLevel('owner')];
  await portal.ctl(['subscription', 'grant', String(anna.id), '--level', 'premium', '--days', '3']);
  await portal.ctl(['subscription', 'grant', String(ben.id), '--level', 'lifetime']);
  await cleo.post('/v1/portal/chats', { name: 'closed' });
  await cleo.post('/v1/portal/chats', { name: 'open', slug: 'open' });
  await cleo.post('/v1/admin/chats', { name: 'official', slug: 'official' });
  const made = await cleo.post('/v1/admin/bots', { name: 'bot', platform: 'discord' });
  await cleo.post(`/v1/admin/bots/${made.body.bot.id}/update`, { bot_type: 'verified' });
  const socket = await connect(portal, anna);
  await portal.redis.zadd('portal:match:chats', Date.now() + 60_000, '17');
  await become((f) => f.users.premium_count === 1 && f.users.lifetime_count === 1 && f.users.basic_count === 1
    && f.users.total_count === 3 && f.users.online_count === 1
    && f.chats.public_count === 2 && f.chats.private_count === 1 && f.chats.direct_count === 1 && f.chats.total_count === 4
    && f.bots.verified_count === 1 && f.bots.community_count === 1 && f.bots.total_count === 2, 'all of it');

  socket.close();
  await portal.redis.del('portal:match:chats');
  await portal.ctl(['subscription', 'revoke', String(ben.id), '--reason', 'the way back', '--yes']);
  await cleo.post(`/v1/admin/bots/${made.body.bot.id}/delete`);
  const chats = (await cleo.get('/v1/admin/chats')).body.chats;
  await cleo.post(`/v1/portal/chats/${chats.find((c) => c.name === 'open').id}/config/update`, { slug: null });
  await become((f) => f.users.lifetime_count === 0 && f.users.basic_count === 2 && f.users.online_count === 0
    && f.bots.total_count === 1 && f.chats.public_count === 1 && f.chats.private_count === 2 && f.chats.direct_count === 0, 'the way back');
});

test('a subscription that expires counts as Basic, with no job', async () => {
  const person = await portal.signIn();
  await portal.ctl(['subscription', 'grant', String(person.id), '--level', 'trial']);
  await become((f) => f.users.trial_count === 1, 'a Trial');
  const { rows } = await portal.db.query("UPDATE users SET subscription_expires_at = now() + interval '1500 ms' WHERE id = $1 RETURNING subscription_expires_at AS at", [person.id]);
  assert.equal((await counted()).levels[0], 1);
  await become((f) => f.users.trial_count === 0, 'it to end');
  assert.ok(Date.now() >= rows[0].at.getTime() - 100, 'not before its end');
  assert.deepEqual(await counted(), await truth());
});

test('counts stay true under many changes at once, also those that are rolled back', async () => {
  const ends = ["NULL", "now() - interval '2 hours'", "now() - interval '1 second'", "now() + interval '3 minutes'", "now() + interval '40 minutes'", "now() + interval '3 hours'", "now() + interval '30 days'", "date_trunc('hour', now()) + interval '1 hour'"];
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  const some = (table) => `(SELECT id FROM ${table} ORDER BY random() LIMIT 1)`;
  let n = 0;
  // Whatever becomes of a row.
  const steps = [
    (id) => [`INSERT INTO users (username, subscription_level, subscription_expires_at) VALUES ($1, ${pick([0, 1, 2, 3])}, ${pick(ends)})`, [`u_${id}`]],
    () => [`UPDATE users SET subscription_level = ${pick([0, 1, 2, 3])}, subscription_expires_at = ${pick(ends)} WHERE id = ${some('users')} AND username LIKE 'u_%'`],
    () => [`UPDATE users SET last_activity_at = now() WHERE id = ${some('users')}`],
    () => [`UPDATE users SET deleted_at = now(), subscription_level = 0, subscription_expires_at = NULL WHERE id = ${some('users')} AND username LIKE 'u_%' AND deleted_at IS NULL`],
    () => [`INSERT INTO bots (name, platform, bot_type, key_hash) VALUES ('b', 'discord', ${pick([1, 2, 3])}, sha256(gen_random_uuid()::text::bytea))`],
    () => [`UPDATE bots SET bot_type = ${pick([1, 2, 3])} WHERE id = ${some('bots')}`],
    () => [`UPDATE bots SET deleted_at = now() WHERE id = ${some('bots')} AND name = 'b'`],
    (id) => [`INSERT INTO chats (name, slug, visibility) VALUES ('c', $1, '${pick(['public', 'official'])}')`, [`c-${id}`]],
    () => ["INSERT INTO chats (name, visibility) VALUES ('c', 'private')"],
    (id) => [`UPDATE chats SET visibility = 'public', slug = $1 WHERE id = ${some('chats')} AND visibility = 'private'`, [`d-${id}`]],
    () => [`DELETE FROM chats WHERE id = ${some('chats')} AND name = 'c'`],
  ];
  const one = await portal.db.connect();
  for (let i = 0; i < 60; i++) {
    await one.query('BEGIN');
    for (let k = 0; k < 3; k++) await one.query(...pick(steps)(++n));
    await one.query(pick(['COMMIT', 'COMMIT', 'ROLLBACK']));
  }
  one.release();
  assert.deepEqual(await counted(), await truth());
  // Several at a time, each holding what it has counted until its end: nobody waits for another.
  await Promise.all([0, 1, 2].map(async (w) => {
    const client = await portal.db.connect();
    for (let i = 0; i < 80; i++) {
      await client.query('BEGIN');
      await client.query("INSERT INTO users (username, subscription_level) VALUES ($1, 2)", [`w_${w}_${i}`]);
      await client.query("INSERT INTO chats (name, visibility) VALUES ('w', 'private')");
      await client.query(i % 5 ? 'COMMIT' : 'ROLLBACK');
      assert.ok((await counted(client)).users > 0);
    }
    client.release();
  }));
  assert.deepEqual(await counted(), await truth());
  await portal.db.query('SELECT counts_fold()');
  assert.deepEqual(await counted(), await truth());
  const { rows } = await portal.db.query('SELECT (SELECT count(*) FROM counts)::int folded, (SELECT count(*) FROM count_deltas)::int deltas');
  assert.ok(rows[0].folded > 5 && rows[0].deltas === 0);
  assert.deepEqual((await portal.db.query("SELECT FROM counts WHERE until < now() - interval '1 day'")).rowCount, 0);
});

test('to ask costs the same, however many there are; what comes together is folded on the way', async () => {
  const client = await portal.db.connect();
  const pages = async () => {
    let plan;
    for (let i = 0; i < 3; i++) plan = (await client.query('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM statistics()')).rows[0]['QUERY PLAN'][0].Plan;
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  };
  const few = await pages();
  await client.query(`INSERT INTO users (username, subscription_level, subscription_expires_at)
    SELECT 'many_' || i, i % 4, now() + interval '2 hours' + (i % 20) * interval '1 day' FROM generate_series(1, 20000) i`);
  await client.query('VACUUM ANALYZE users, counts, count_deltas');
  const many = await pages();
  const tables = Number((await client.query("SELECT pg_relation_size('users') / 8192 AS n")).rows[0].n);
  const { rows } = await client.query('SELECT count(*)::int n FROM count_deltas');
  client.release();
  assert.ok(rows[0].n < 200, `${rows[0].n} rows wait to be folded`);
  assert.ok(tables > 200 && many < few + 60, `${few} pages with a few, ${many} with many, of ${tables}`);
  assert.deepEqual(await counted(), await truth());
});

test('a crowd does not reach PostgreSQL', async () => {
  const queries = async () => Number((await portal.get('/metrics')).text.match(/^portal_postgres_queries_total (\d+)/m)[1]);
  await figures();
  const from = await queries();
  const begun = Date.now();
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 20 }, () => portal.get('/v1/statistics/users')));
  const seconds = (Date.now() - begun) / 1000;
  // The pulse asks once a second, too.
  assert.ok(await queries() - from <= 3 * (seconds + 2), `${await queries() - from} queries in ${seconds} s for 200 requests`);
});

test('the public key is demanded where one is set', async () => {
  const p = await startProcess(portal.stores, { ...portal.env, PUBLIC_API_KEYS: 'a-public-key-of-the-front-end' });
  for (const part of ['users', 'bots', 'chats', 'app']) {
    const target = `/v1/statistics/${part}`;
    assertError(await send(p, 'GET', target), 401, 'ERR_INVALID_API_KEY');
    assertError(await send(p, 'GET', target, { key: 'another' }), 401, 'ERR_INVALID_API_KEY');
    assert.equal((await send(p, 'GET', target, { key: 'a-public-key-of-the-front-end' })).status, 200);
  }
  await stopProcess(p);
});

test('GET admin/health: what /health says, and the figures of the process', async () => {
  const [admin, moderator] = [await portal.withLevel('admin'), await portal.withLevel('moderator')];
  assertError(await moderator.get('/v1/admin/health'), 403, 'ERR_ACCESS_DENIED');
  const socket = await connect(portal, admin);
  const r = await admin.get('/v1/admin/health');
  assert.equal(r.status, 200, r.text);
  const { pool, queue, memory, loop, ...health } = r.body;
  assert.deepEqual(Object.keys(health), Object.keys((await portal.get('/health')).body));
  assert.equal(health.status, 'healthy');
  assert.equal(pool.database, pool.database_up);
  assert.ok(pool.clients >= 2 && pool.sockets === 1 && pool.people === 1);
  assert.ok(queue.requests >= 1 && queue.tasks >= 1);
  assert.ok(memory.resident_bytes > 1e6 && memory.peak_bytes >= memory.resident_bytes * 0.9 && memory.heap_bytes >= 0);
  assert.ok(memory.descriptors === null || (memory.descriptors > 5 && memory.descriptors < memory.max_descriptors));
  assert.ok(loop.lag_max_ms >= loop.lag_ms);
  socket.close();
});

test('what was there before the counters is counted when they are made', async () => {
  // As the migration does it, in a transaction that is taken back.
  const client = await portal.db.connect();
  await client.query('BEGIN');
  const before_ = await counted(client);
  await client.query('DELETE FROM counts');
  await client.query('DELETE FROM count_deltas');
  const { readFile } = await import('node:fs/promises');
  const sql = await readFile(new URL('../../schema/0006_notifications.sql', import.meta.url), 'utf8');
  const fill = sql.match(/-- What was there before\.\n(INSERT INTO counts [^;]+;)/)[1];
  await client.query(fill);
  assert.deepEqual(await counted(client), before_);
  await client.query('ROLLBACK');
  client.release();
});
