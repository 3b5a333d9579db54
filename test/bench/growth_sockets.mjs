// How cost grows with the members of a chat, with sockets (the load is fanout.c, as in realtime.mjs) and with open chats.
import { readFileSync } from 'node:fs';
import { cpuOf, cpuOfTree, measure, memoryOf } from './measure.mjs';
import { makePeople, prepare, storePids } from './people.mjs';
import { AT_ONCE, cost, pause, startLoad } from './realtime.mjs';
import { startFloorFanout } from './servers.mjs';

const SETTLE_MS = 700;
const SECONDS = 2; // of messages, of requests

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

export async function chatsPart(portal, points) {
  const pids = await storePids(portal.stores);
  const server = await portal.start();
  const { tokens } = await makeSide(portal, server);
  const { db } = portal.stores;
  const took = [];
  for (const n of points) {
    const { rows } = await db.query(`SELECT count(*)::int AS n FROM chats WHERE visibility <> 'private'`);
    await db.query(`INSERT INTO chats (name, slug, visibility) SELECT 'chat ' || i, 'chat-' || i, 'public' FROM generate_series($1::int + 1, $2) i`, [rows[0].n, n]);
    await db.query('VACUUM ANALYZE chats');
    took.push([n, await asked(server, pids, '/v1/portal/directory?limit=25', readFileSync(tokens, 'utf8').split('\n')[0])]);
  }
  await db.query(`DELETE FROM chats WHERE visibility = 'public'`);
  await server.stop();
  const of = (value) => took.map(([n, r]) => [n, value(r)]);
  return {
    text: 'CPU of `GET /v1/portal/directory`, and so of the first list that a socket gets: its order is how busy each chat is, so every open chat is ' +
      'looked at. Private chats are not.',
    figures: [
      { title: 'CPU of a directory', unit: 'us', grows: 'linear', points: of((r) => r.cpu) },
      { title: 'CPU of Redis for it', unit: 'us', grows: 'linear', points: of((r) => r.redis) },
      { title: 'CPU of PostgreSQL for it', unit: 'us', grows: 'linear', points: of((r) => r.postgres) },
    ],
  };
}
