// How cost grows with the people who wait for the matcher (in Redis), and with rows (in PostgreSQL).
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './measure.mjs';
import { makePortal } from './servers.mjs';

const schema = fileURLToPath(new URL('../../schema/redis/', import.meta.url));

// ---- the matcher ----

const PROBES = 300;
const PARTS = 10; // of the probes
const BATCH = 200; // commands under way
const SWEEP = 500; // people of a look
const DIRECT = 1e9; // ids of direct chats

async function scriptsOf(redis, names) {
  return Object.fromEntries(await Promise.all(names.map(async (name) =>
    [name, await redis.script('LOAD', readFileSync(path.join(schema, `${name}.lua`), 'utf8'))])));
}

// `before` adds to the pipeline what goes ahead of each.
async function runAll(redis, calls, before = () => {}) {
  for (let i = 0; i < calls.length; i += BATCH) {
    const pipeline = redis.pipeline();
    for (const [sha, ...args] of calls.slice(i, i + BATCH)) {
      before(pipeline);
      pipeline.evalsha(sha, 0, ...args);
    }
    for (const [error] of await pipeline.exec()) if (error) throw error;
  }
}

// What Redis itself says that a script took, in us by the clock: of several parts the least, when nobody else had its core.
async function cost(redis, calls, before) {
  const read = async () => Number(/^cmdstat_evalsha:.*?usec=(\d+)/m.exec(await redis.info('commandstats'))?.[1] ?? 0);
  const size = Math.ceil(calls.length / PARTS);
  let least = Infinity;
  for (let i = 0; i < calls.length; i += size) {
    const part = calls.slice(i, i + size);
    const began = await read();
    await runAll(redis, part, before);
    least = Math.min(least, (await read() - began) / part.length);
  }
  return least;
}

export async function queuePart(portal, points) {
  const { redis } = portal.stores;
  const sha = await scriptsOf(redis, ['match_try', 'match_drop', 'match_status', 'match_due', 'match_sweep', 'match_figures']);
  const minute = 60000, day = 86400000;
  const settings = `${minute} ${minute} ${day} ${day} 10000 ${minute}`;
  const search = (person, tags) => [sha.match_try, person, DIRECT + person, '1', settings, tags, '2026-01-01T00:00:00Z',
    `{"id":${person},"username":"person","avatar_url":null}`, ' '];
  const range = (n, call) => Array.from({ length: n }, (_, i) => call(i));
  const figures = {};
  const add = (title, n, us, from) => (figures[title] ??= { title, unit: 'us in Redis', grows: 'flat', from, points: [] }).points.push([n, us]);
  const count = () => redis.zcard('portal:match:queue');
  let people = 0; // each waits for a tag of their own
  for (const n of points) {
    await runAll(redis, range(n - await count(), () => search(++people, `tag${people}`)));
    const from = people + 1e7; // the probes
    add('A search begins, nobody fits', n, await cost(redis, range(PROBES, (i) => search(from + i, `new${from + i}`))));
    add('Where a person stands', n, await cost(redis, range(PROBES, (i) => [sha.match_status, from + i])));
    add('A search ends', n, await cost(redis, range(PROBES, (i) => [sha.match_drop, from + i, 'dequeued', day])));
    // As many as wait at most, from end to end of the queue.
    const met = (await redis.zrange('portal:match:queue', 0, -1)).filter((_, i) => i % Math.ceil(n / PROBES) === 0);
    add('Two with one tag are paired', n, await cost(redis, met.map((who, i) => search(from + 1000 + i, `tag${who}`))));
    await runAll(redis, range(n - await count(), () => search(++people, `tag${people}`)));
    add('One without tags meets the longest waiting', n, await cost(redis, range(Math.min(n, PROBES), (i) => search(from + 2000 + i, 'any'))));
    await runAll(redis, range(n - await count(), () => search(++people, `tag${people}`)));
    add('A tick: what is due', n, await cost(redis, range(PROBES, () => [sha.match_due, 64])));
    add('A tick: a part of those who wait is looked at', n, await cost(redis, range(PROBES, () => [sha.match_sweep, minute, SWEEP]),
      (pipeline) => pipeline.del('portal:match:swept')), 10 * SWEEP);
    add('Figures for operators', n, await cost(redis, range(PROBES, () => [sha.match_figures, 1, 0])));
    if (await count() !== n) throw new Error(`${await count()} wait, not ${n}`);
  }
  await redis.flushdb();
  return { text: 'Time of the script in Redis (`INFO commandstats`), without the way there. Each who waits has a tag of their own.', figures: Object.values(figures) };
}

// ---- PostgreSQL ----

const REQUESTS = 7;
const PLATFORM_ID = 200000000000;

// People 1 to N with a name that looks random, an identity, a live and an ended session, a notification each.
// Triggers and references are off meanwhile, and the counters set by hand.
const FILL = [
  'DROP INDEX users_parts',
  `INSERT INTO users (id, username) OVERRIDING SYSTEM VALUE SELECT i, left(md5(i::text), 8) || '_' || i FROM generate_series($1::bigint, $2) i`,
  `INSERT INTO identities (platform, platform_user_id, user_id) SELECT 'discord', (${PLATFORM_ID} + i)::text, i FROM generate_series($1::bigint, $2) i`,
  `INSERT INTO sessions (token_hash, user_id, token_suffix, client_ip, expires_at, ended_at) SELECT sha256((n || i)::bytea), i, 'abcd', '127.0.0.1',
     now() + interval '7 days', CASE WHEN n = 'ended' THEN now() - interval '1 day' END
     FROM generate_series($1::bigint, $2) i, (VALUES ('live'), ('ended')) v (n)`,
  `INSERT INTO notifications (user_id, title, body) SELECT i, 'title', 'body' FROM generate_series($1::bigint, $2) i`,
  `INSERT INTO counts (until, name, n) VALUES ('infinity', 'users', $1) ON CONFLICT (until, name) DO UPDATE SET n = excluded.n`,
  `CREATE INDEX users_parts ON users USING gin (name_parts(username)) WHERE deleted_at IS NULL`,
];

async function fill(db, from, to) {
  const client = await db.connect();
  try {
    await client.query("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'");
    for (const sql of FILL) await client.query(sql, sql.includes('$2') ? [from, to] : sql.includes('$1') ? [to] : []);
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT'); // or who reads has to write what lies in memory
  } finally {
    client.release(true);
  }
}

// What PostgreSQL writes of the statements from now on: {us, pages} of all since the last call.
async function watchStatements(stores) {
  if (!process.env.PORTAL_STORES) throw new Error('PORTAL_STORES is not set: private stores are needed, whose log can be read');
  const { rows } = await stores.db.query('SELECT current_database() AS name');
  const set = { session_preload_libraries: 'auto_explain', 'auto_explain.log_min_duration': 0, 'auto_explain.log_analyze': 'on',
    'auto_explain.log_buffers': 'on', 'auto_explain.log_timing': 'off' };
  for (const [key, value] of Object.entries(set)) await stores.db.query(`ALTER DATABASE ${rows[0].name} SET ${key} = '${value}'`);
  const log = await open(path.join(process.env.PORTAL_STORES, 'log/postgres.log'));
  let at = (await log.stat()).size;
  return {
    async since() {
      const { size } = await log.stat();
      const { buffer } = await log.read(Buffer.alloc(size - at), 0, size - at, at);
      at = size;
      return buffer.toString().split('duration: ').slice(1).reduce((sum, text) => {
        const [, hit, read] = /Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?/.exec(text) ?? [];
        return { us: sum.us + 1000 * parseFloat(text), pages: sum.pages + Number(hit ?? 0) + Number(read ?? 0) };
      }, { us: 0, pages: 0 });
    },
    close: () => log.close(),
  };
}

function client(server, key) {
  const send = async (method, target, { from = '10.9.9.9', cookie, body } = {}) => {
    const r = await fetch(`http://127.0.0.1:${server.port}${target}`, {
      method, body: body && JSON.stringify(body),
      headers: { 'X-Forwarded-For': from, 'X-API-Key': key, ...(cookie && { Cookie: cookie }), ...(body && { 'Content-Type': 'application/json' }) },
    });
    if (!r.ok) throw new Error(`${method} ${target}: ${r.status} ${await r.text()}`);
    return r;
  };
  return {
    get: (target, cookie) => send('GET', target, { cookie }),
    // Signs a person in; `verify` does the last step.
    async code(person) {
      const id = { platform: 'discord', platform_user_id: String(PLATFORM_ID + person) };
      const from = `10.${person % 250}.${Math.floor(person / 250) % 250}.1`;
      await send('POST', '/v1/authentication/request', { from, body: id });
      const r = await send('POST', '/v1/authentication/bot/login-code', { from, body: { ...id, platform_username: 'somebody', platform_avatar_url: '' } });
      return { from, body: { code: (await r.json()).code } };
    },
    async verify(code) {
      const r = await send('POST', '/v1/authentication/verify', code);
      return r.headers.get('set-cookie').split(';')[0];
    },
  };
}

// {title: {us, pages}} of the median request of each kind, by people from all of 1 … n.
async function measureRequests(portal, http, watch, n) {
  const { db, redis } = portal.stores;
  const took = {};
  const one = async (title, call) => {
    await watch.since();
    const result = await call();
    (took[title] ??= []).push(await watch.since());
    return result;
  };
  const { rows: names } = await db.query('SELECT id, left(username, 8) AS part FROM users WHERE id % $1 = 0 ORDER BY id LIMIT $2', [Math.floor(n / REQUESTS), REQUESTS]);
  await db.query('UPDATE users SET permission_level = 3 WHERE id = 1');
  const owner = await http.verify(await http.code(1));
  for (const { id, part } of [...names, ...names]) {
    const code = await http.code(Number(id));
    const cookie = await one('Sign-in (verify)', () => http.verify(code));
    await one('GET users/me', () => http.get('/v1/users/me', cookie));
    await one('GET notifications', () => http.get('/v1/notifications', cookie));
    await one('GET users/search, part of a name', () => http.get(`/v1/users/search?q=${part}`, cookie));
    await one('GET users/search, three letters of few', () => http.get('/v1/users/search?q=g.z', cookie));
    await one('GET admin/users', () => http.get('/v1/admin/users', owner));
    await one('GET admin/users, by name', () => http.get(`/v1/admin/users?q=${part}`, owner));
    await one('GET admin/users, timed out', () => http.get('/v1/admin/users?state=timeout', owner));
    await redis.del(...await redis.keys('portal:session:*'));
    await one('A session that Redis has lost', () => http.get('/v1/users/me', cookie));
  }
  // Last: they put everything else out of PostgreSQL's memory.
  for (let i = 0; i < REQUESTS; i++) await one('GET users/search, two letters of all', () => http.get('/v1/users/search?q=ab', owner));
  for (let i = 0; i < REQUESTS; i++) await one('GET admin/users, all who are active', () => http.get('/v1/admin/users?state=active', owner));
  return Object.entries(took).map(([title, list]) => {
    const later = list.slice(list.length >> 1); // connections are set up, and what is asked for lies in memory
    return { title, us: median(later.map((t) => t.us)), pages: median(later.map((t) => t.pages)) };
  });
}

export async function peoplePart(_, points) {
  const portal = await makePortal();
  const figures = {};
  const add = (title, n, unit, noise, value) => (figures[`${title}, ${unit}`] ??= { title, unit, noise, points: [],
    grows: / all( |$)/.test(title) ? 'linear' : 'flat' }).points.push([n, value]);
  try {
    const watch = await watchStatements(portal.stores);
    for (const [i, n] of points.entries()) {
      await fill(portal.stores.db, (points[i - 1] ?? 0) + 1, n);
      const server = await portal.start();
      for (const { title, us, pages } of await measureRequests(portal, client(server, portal.key), watch, n)) {
        add(title, n, 'us in PostgreSQL', 100, us);
        add(title, n, 'pages', 10, pages);
      }
      await server.stop();
    }
    await watch.close();
  } finally {
    await portal.stores.release();
  }
  return {
    text: 'Each person has an identity, a live session, an ended one and a notification. Time and pages (of 8 KiB, from memory or not) of all ' +
      `statements of a request, as PostgreSQL tells them (\`auto_explain\`); medians of ${REQUESTS} people from all of them, asked for ` +
      'the second time: a million people are more than PostgreSQL keeps in memory (`shared_buffers`, 128 MB), and whoever comes first pays for reading ' +
      'the pages. A list that counts whom it finds reads all it finds.',
    figures: Object.values(figures),
  };
}
