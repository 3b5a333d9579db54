// How cost grows with the members of a chat, with sockets (the load is fanout.c, as in realtime.mjs) and with open chats.
import { readFileSync } from 'node:fs';
import { cpuOf, cpuOfTree, measure, memoryOf } from './measure.mjs';
import { makePeople, prepare, storePids } from './people.mjs';
import { AT_ONCE, cost, pause, startLoad } from './realtime.mjs';
import { startFloorFanout } from './servers.mjs';

const SETTLE_MS = 700;
const SECONDS = 2; // of messages, of requests
const BATCH = 1000; // commands under way

// As in bench.mjs: a person with a session for each of portal.sockets, once, and a chat for all.
async function makeSide(portal, server) {
  if (!portal.tokens) {
    await makePeople(portal, portal.sockets + AT_ONCE);
    portal.tokens = await prepare(portal, server, 'verify', 0, portal.sockets + AT_ONCE, 'growth.tokens');
  }
  const { rows } = await portal.stores.db.query(`INSERT INTO chats (name, visibility) VALUES ('growth', 'official') RETURNING id`);
  return { protocol: 'portal', tokens: portal.tokens, chat: rows[0].id };
}

// One member sends, the next message when all have the one before.
async function sends(server, side, stores, points) {
  const load = await startLoad(server, side);
  const list = [];
  for (const n of points) {
    await load.ask(`open ${n}`);
    if (side.protocol === 'portal') await load.ask('keys 1');
    await pause(SETTLE_MS);
    await load.ask(`send 1 ${SECONDS / 8}`);
    const r = await cost(server, stores, load, `send 1 ${SECONDS}`, (answer) => answer.deliveries);
    if (r.errors) throw new Error(`${server.name}: ${r.errors} errors with ${n} members`);
    list.push([n, r]);
  }
  await load.stop();
  return list;
}

export async function membersPart(portal, points) {
  const pids = await storePids(portal.stores);
  const server = await portal.start();
  const ours = await sends(server, await makeSide(portal, server), pids, points);
  await server.stop();
  const floor = await startFloorFanout();
  const bare = await sends(floor, { protocol: 'raw' }, pids, points);
  await floor.stop();
  const of = (list, value) => list.map(([n, r]) => [n, value(r)]);
  return {
    text: 'One member sends 1,024 characters, again when all have them. A message has a cost of its own (the event, Redis), which few ' +
      'members share; the floor (`test/bench/floor_fanout.c`, bare epoll) has none.',
    figures: [
      { title: 'CPU of a delivery', unit: 'us', grows: 'flat', points: of(ours, (r) => r.cpu) },
      { title: 'The same of the floor', unit: 'us', grows: 'flat', points: of(bare, (r) => r.cpu) },
      { title: 'Send until the last has it, p99', unit: 'ms', grows: 'linear', points: of(ours, (r) => r.p99 / 1000) },
    ],
  };
}

export async function socketsPart(portal, points) {
  const pids = await storePids(portal.stores);
  const server = await portal.start();
  const side = await makeSide(portal, server);
  const load = await startLoad(server, side, false);
  const memory = [], connect = [], request = [];
  await load.ask(`open ${AT_ONCE}`); // what a server sets up for the first, and the pools of a burst, are nobody's
  await pause(SETTLE_MS);
  const before = memoryOf(server.pid).rss;
  let open = 0;
  for (const n of points) {
    const r = await cost(server, pids, load, `open ${AT_ONCE + n}`, () => n - open);
    if (r.errors) throw new Error(`${r.errors} of ${n} sockets were lost`);
    open = n;
    await pause(SETTLE_MS);
    memory.push([n, (memoryOf(server.pid).rss - before) / 1024 / n]);
    connect.push([n, r.cpu]);
    request.push([n, (await measure(server, pids, { seconds: SECONDS, args: ['get', '/v1/users/me', side.tokens] })).cpu]);
  }
  await load.stop();
  await server.stop();
  return {
    text: `Sockets that are signed in and in no room, beyond the first ${AT_ONCE}. A new one is measured from the point before; a request is ` +
      '`GET /v1/users/me` (wrk, 64 connections) while they idle.',
    figures: [
      { title: 'Memory of a socket', unit: 'KiB', grows: 'flat', noise: 1, points: memory },
      { title: 'CPU of a new one', unit: 'us', grows: 'flat', noise: 100, points: connect },
      { title: 'CPU of a request', unit: 'us', grows: 'flat', points: request },
    ],
  };
}

// CPU of a GET, one after the other for a while.
async function asked(server, pids, target, token) {
  const cpus = () => ({ cpu: cpuOf(server.pid), redis: cpuOf(pids.redis), postgres: cpuOfTree(pids.postgres) });
  const before = cpus();
  const end = Date.now() + SECONDS * 1000;
  let count = 0;
  for (; Date.now() < end; count++) {
    const r = await fetch(`http://127.0.0.1:${server.port}${target}`, { headers: { cookie: `psession=${token}` } });
    if (!r.ok) throw new Error(`GET ${target}: ${r.status}`);
    await r.arrayBuffer();
  }
  const after = cpus();
  return Object.fromEntries(Object.keys(before).map((k) => [k, (after[k] - before[k]) / count]));
}

// People are in every second chat, as room_join.lua leaves them.
async function makeChats({ db, redis }, from, to) {
  const { rows } = await db.query(`INSERT INTO chats (name, slug, visibility) SELECT CASE WHEN i % 4 < 2 THEN 'chat ' ELSE 'room ' END || i, 'c-' || i, 'public'
    FROM generate_series($1::int, $2) i RETURNING id, extract(epoch FROM last_activity_at)::bigint AS active`, [from, to]);
  await db.query('VACUUM ANALYZE chats');
  for (let at = 0; at < rows.length; at += BATCH) {
    const pipeline = redis.pipeline();
    for (const [i, { id, active }] of rows.slice(at, at + BATCH).entries()) {
      if (i % 2 === 1) continue;
      pipeline.hset(`portal:room:${id}:people`, 1, 1);
      pipeline.zadd('portal:directory', Number(active) + 2 ** 32, id.padStart(16, '0'));
    }
    await pipeline.exec();
  }
}

export async function chatsPart(portal, points) {
  const pids = await storePids(portal.stores);
  const server = await portal.start();
  const { tokens } = await makeSide(portal, server);
  const { db, redis } = portal.stores;
  const token = readFileSync(tokens, 'utf8').split('\n')[0];
  const figures = {};
  const add = (title, n, grows, { cpu, redis: inRedis, postgres }) => {
    for (const [who, value] of [['Portal', cpu], ['Redis', inRedis], ['PostgreSQL', postgres]]) {
      (figures[`${title} ${who}`] ??= { title: `${title}, ${who}`, unit: 'us', grows, points: [] }).points.push([n, value]);
    }
  };
  for (const [i, n] of points.entries()) {
    await makeChats(portal.stores, (points[i - 1] ?? 0) + 1, n);
    add('A page', n, 'flat', await asked(server, pids, '/v1/portal/directory?limit=25', token));
    add('A search that finds half of them', n, 'linear', await asked(server, pids, '/v1/portal/directory?limit=25&q=chat', token));
  }
  await db.query(`DELETE FROM chats WHERE visibility = 'public'`);
  await redis.flushdb();
  await server.stop();
  return {
    text: 'CPU of `GET /v1/portal/directory` in each of the three, and so of the first list that a socket gets. People are in every second chat. ' +
      'A search counts whom it finds, and looks at all chats that people are in: they come first.',
    figures: Object.values(figures),
  };
}
