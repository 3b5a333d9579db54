// Measures portald against the floor (bare epoll), nginx, webdis, a fastify server of the same endpoints
// and socket.io: the servers on core 0, load and stores on core 1, rounds interleaved, medians.
//
//   node bench.mjs [--rounds 3] [--seconds 3] [--codes 20000] [--connections 5000]
//                  [--sockets 5000,20000]
//                  [--only livez,session,me,verify,signin,memory,
//                  enqueue,atonce,pairs,fairness,send100,send1000,send1,pace,connect,sockets] [--quick] [--write]
//
// With both defaults and growth.mjs before it, a quarter of an hour. --quick: one round of 1 s, with fewer people, yardsticks not warmed: under two minutes. --sockets: fewer where the limit of descriptors is lower. --write: docs/benchmarks.md too. Figures go to build/bench/results.json.
// Needs DATABASE_URL and REDIS_URL of stores on this machine that may be written to, PORTALD and
// PORTALCTL (test/dev/with-stores.sh sets all four), build/release/bench/* (make benchers) and wrk. nginx and webdis take part
// when they are installed, or named by NGINX and WEBDIS.
//
// To add a path: its endpoint in peer.mjs, its row in scenarios(), its target in report.mjs. To add one of
// sockets: a function in realtime.mjs, its row in socketScenarios().
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import net from 'node:net';
import { parseArgs } from 'node:util';
import { LOAD_CORE, measure, median, memoryOf, pin, wrk } from './measure.mjs';
import { fairness, matchScenarios, pairingStep } from './match.mjs';
import { makePeople, prepare, storePids } from './people.mjs';
import { connecting, fanOut, idleSockets } from './realtime.mjs';
import { OUT, makePeer, makePortal, programOf, startFloor, startFloorFanout, startNginx, startWebdis } from './servers.mjs';
import { describeMachine, printReport, writeReport } from './report.mjs';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string' }, seconds: { type: 'string' }, codes: { type: 'string' }, connections: { type: 'string' }, sockets: { type: 'string' },
    only: { type: 'string' }, quick: { type: 'boolean' }, write: { type: 'boolean' },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3));
const seconds = Number(flags.seconds ?? (flags.quick ? 1 : 3));
const codes = Number(flags.codes ?? (flags.quick ? 2000 : 20000));
const connections = Number(flags.connections ?? (flags.quick ? 2000 : 5000));
const only = flags.only?.split(',');
const wanted = (scenario) => !only || only.includes(scenario);

const SESSIONS = 200; // people who send GETs, each with a session
const METRICS = ['rate', 'p50', 'p99', 'longest', 'keyed', 'cpu', 'redis', 'postgres', 'requests', 'bytes'];
const SEEKERS = codes / 2; // people who search, with a session each
const AT_ONCE = flags.quick ? { people: 500, seconds: 2 } : { people: 2000, seconds: 5 };
const SPARE = 1000; // sockets of people beyond those that idle; descriptors that are no socket's
const SOCKET_SCENARIOS = ['send100', 'send1000', 'send1', 'pace', 'connect', 'sockets'];
const settle = flags.quick ? 300 : 1500;

const descriptors = Number(execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Infinity;
const idle = [...new Set((flags.sockets ?? (flags.quick ? '1000' : '5000,20000')).split(',')
  .map((n) => Math.min(Number(n), descriptors - SPARE)))];

// How long the part took that ends here.
let partBegan = performance.now();
function partOver(what) {
  console.log(`  (${((performance.now() - partBegan) / 1000).toFixed(1)} s) ${what}`);
  partBegan = performance.now();
}

async function scenarios(sides, yardsticks) {
  const list = [];
  const add = (scenario, title, servers, perOperation = false) => {
    if (wanted(scenario)) list.push({ scenario, title, perOperation, servers: servers.filter(Boolean), runs: {} });
  };
  const { floor, nginx, webdis } = yardsticks;
  const fixed = (server) => server && { server, load: async () => ({ target: '/livez' }) };
  add('livez', 'GET /livez', [fixed(floor), fixed(nginx), ...sides.map((s) => fixed(s.server))]);

  const get = (server, s, target) => server && { server, side: s, load: async () => ({ args: ['get', target, s.tokens] }) };
  add('session', 'GET /v1/notifications/unread-count', [
    webdis && { server: webdis, name: 'webdis, GET', load: async () => ({ target: '/GET/bench' }) },
    webdis && { server: webdis, name: 'webdis, script', load: async () => ({ target: webdis.script }) },
    ...sides.map((s) => get(s.server, s, '/v1/notifications/unread-count')),
  ]);
  add('me', 'GET /v1/users/me', sides.flatMap((s) => [
    get(s.server, s, '/v1/users/me'), get(s.logging, s, '/v1/users/me')]));

  const verify = (s) => ({
    server: s.server, side: s,
    load: async (warm) => ({
      seconds: 120,
      args: ['verify', await prepare(s, s.server, 'code', 0, warm ? 1000 : codes, `${s.server.name}.codes`)],
    }),
  });
  add('verify', 'POST /v1/authentication/verify', sides.map(verify));
  const signIn = (s) => ({ server: s.server, side: s, load: async () => ({ args: ['flow', 'verify', codes, codes, s.key] }) });
  add('signin', 'whole sign-in: request, bot fetch, verify', sides.map(signIn), true);
  return list;
}

// Servers of sockets: {server, how it is spoken to}.
function socketScenarios(speakers, stores) {
  const row = (scenario, title, run) => ({
    scenario, title, sockets: true, runs: {},
    servers: speakers.map(({ server, side }) => ({ server, run: () => run(server, side) })),
  });
  const send = (what) => (server, side) => fanOut(server, side, stores, { seconds, settle, ...what });
  return [
    row('send100', 'message:send to 100 members, 8 under way', send({ members: 100, under: 8 })),
    row('send1000', 'message:send to 1,000 members, 4 under way', send({ members: 1000, under: 4 })),
    row('send1', 'message:send to 1,000 members, one at a time', send({ members: 1000, under: 1 })),
    row('pace', 'message:send to 1,000 members, 20 a second', send({ members: 1000, pace: 20 })),
    row('connect', 'new sockets, session checked', (server, side) => connecting(server, side, stores, { count: idle[0], settle })),
  ].filter((s) => wanted(s.scenario));
}

async function runAll(list, sides, stores) {
  const once_ = async (s, entry, warm) => {
    if (entry.run) return entry.run();
    const load = { seconds: warm ? 1 : seconds, ...(await entry.load(warm)) };
    return measure(entry.server, stores, load, s.perOperation);
  };
  for (const s of list) for (const entry of s.servers.filter((e) => e.load && (e.side || !flags.quick))) await once_(s, entry, true);
  // Plans that were made while tables were empty are made again, as they are in a database that has run for a while.
  for (const side of sides) await side.stores.db.query('VACUUM ANALYZE');
  partOver('all is warm');
  for (let round = 1; round <= rounds; round++) {
    for (const s of list) {
      for (const entry of s.servers) {
        const r = await once_(s, entry, false);
        const name = entry.name ?? entry.server.name;
        (s.runs[name] ??= []).push(r);
        console.log(`  round ${round}  ${s.title}  ${name}: ${Math.round(r.rate)}/s, ${r.cpu.toFixed(1)} us` +
          (r.errors ? `, ${r.errors} ERRORS` : ''));
      }
    }
    partOver(`round ${round}`);
  }
  return list.map((s) => ({
    scenario: s.scenario,
    title: s.title,
    sockets: s.sockets,
    matcher: s.matcher,
    servers: Object.entries(s.runs).map(([name, runs]) => ({
      name,
      ...Object.fromEntries(METRICS.map((m) => [m, median(runs.map((r) => r[m]))])),
      errors: runs.reduce((sum, r) => sum + r.errors, 0),
      runs,
    })),
  }));
}

// ---- memory of idle connections ----

async function openOne(port) {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write('GET /livez HTTP/1.1\r\nHost: bench\r\n\r\n');
  const [data] = await once(socket, 'data');
  if (!data.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error('an idle connection got no answer');
  return socket;
}

// Bytes of a fresh server's memory for each of many connections that have made one request.
async function idleMemory(startServer) {
  const server = await startServer();
  const sockets = [];
  const open = async (count) => {
    for (let left = count; left > 0; left -= 50)
      sockets.push(...await Promise.all(Array.from({ length: Math.min(50, left) }, () => openOne(server.port))));
  };
  await open(50); // what a server sets up at the first requests is not a connection's
  const before = memoryOf(server.pid).rss;
  await open(connections);
  const bytes = (memoryOf(server.pid).rss - before) / connections;
  const lost = sockets.filter((s) => s.destroyed || s.readableEnded).length;
  for (const socket of sockets) socket.destroy();
  await server.stop();
  return { name: server.name, bytes, lost };
}

// ---- the run ----

if (os.cpus().length < 2) {
  console.error('bench: two cores are needed, one for the server and one for the load.');
  process.exit(1);
}
if (!programOf('wrk')) {
  console.error("bench: wrk is not installed; 'apt-get install wrk' adds it.");
  process.exit(1);
}
mkdirSync(OUT, { recursive: true });
pin(process.pid, LOAD_CORE);

const sides = [];

// Portal gets a person for each socket; what socket.io keeps of one does not depend on whose it is.
async function makeSpeakers(peer, portal) {
  const tokens = (side, count) => prepare(side, side.server, 'verify', 2 * codes + SESSIONS + SEEKERS, count, `${side.server.name}.people`);
  const raw = await startFloorFanout();
  const io = await peer.startSockets();
  const list = [
    { own: raw, server: raw, start: startFloorFanout, side: { protocol: 'raw' } },
    { own: io, server: io, start: peer.startSockets, side: { protocol: 'socketio', tokens: await tokens(peer, SPARE), chat: 1 } },
  ];
  if (!portal) return list;
  const { rows } = await portal.stores.db.query(`INSERT INTO chats (name, visibility) VALUES ('bench', 'official') RETURNING id`);
  const side = { protocol: 'portal', tokens: await tokens(portal, idle.at(-1) + SPARE), chat: rows[0].id };
  return [...list, { server: portal.server, start: () => portal.start(), side }];
}

async function bench() {
  const step = wanted('pairs') && await pairingStep(); // while Redis is empty
  partOver('the pairing step');
  const peer = await makePeer();
  sides.push(peer);
  const portal = await makePortal();
  if (portal) sides.push(portal);
  const stores = await storePids(peer.stores);
  const yardsticks = { floor: await startFloor(), nginx: await startNginx(), webdis: await startWebdis(peer.stores) };
  for (const side of sides) {
    side.server = await side.start();
    await makePeople(side, 2 * codes + SESSIONS + SEEKERS + idle.at(-1) + SPARE);
    side.tokens = await prepare(side, side.server, 'verify', 2 * codes, SESSIONS, `${side.server.name}.tokens`);
    if (wanted('enqueue'))
      side.seekers = await prepare(side, side.server, 'verify', 2 * codes + SESSIONS, SEEKERS, `${side.server.name}.seekers`);
  }
  if (portal && wanted('me')) portal.logging = await portal.start(true);

  partOver('servers, people and their sessions');
  const speakers = SOCKET_SCENARIOS.some(wanted) ? await makeSpeakers(peer, portal) : [];

  const results = {
    machine: describeMachine(await peer.stores.db.query('SHOW server_version'), await peer.stores.redis.info('server')),
    settings: { rounds, seconds, codes, connections, connects: idle[0] },
    scenarios: await runAll([
      ...await scenarios(sides, yardsticks), ...matchScenarios(sides, stores, AT_ONCE).filter((s) => wanted(s.scenario)), ...socketScenarios(speakers, stores),
    ], sides, stores),
    matcher: { step, fairness: wanted('fairness') && await fairness(flags.quick ? 20000 : 100000, flags.write) },
    memory: [],
    idle: [],
  };
  partOver('fairness');
  for (const server of [...Object.values(yardsticks), ...sides.flatMap((s) => [s.server, s.logging]), ...speakers.map((s) => s.own)])
    await server?.stop();
  if (wanted('memory')) {
    for (const startServer of [startFloor, programOf('nginx') && startNginx, ...sides.map((s) => () => s.start())].filter(Boolean))
      results.memory.push(await idleMemory(startServer));
    partOver('idle connections');
  }
  if (wanted('sockets')) {
    for (const { start, side } of speakers) results.idle.push(await idleSockets(start, side, { counts: idle, settle }));
    partOver('idle sockets');
  }
  return results;
}

let results;
try {
  results = await bench();
} finally {
  for (const side of sides) await side.stores.release();
}
writeFileSync(path.join(OUT, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
printReport(results);
if (flags.write) writeReport(results);
const errors = results.scenarios.flatMap((s) => s.servers).reduce((sum, s) => sum + s.errors, 0) +
  [...results.memory, ...results.idle.flatMap((i) => i.list)].reduce((sum, m) => sum + m.lost, 0);
if (errors > 0) console.error(`bench: ${errors} errors; the figures do not count.`);
process.exit(errors > 0 ? 1 : 0);
