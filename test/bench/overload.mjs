// Five times the capacity: how much portald still does, what it refuses, how its memory and its pages fare, and how soon all is as
// before. Server and load (overload.c) on core 0; Redis, PostgreSQL and this program on core 1.
//
//   node overload.mjs [--times 5] [--seconds 120] [--connections 9000] [--step 3] [--write]
//
// 1. Capacity: more and more connections that ask again when answered, --step seconds each; the most that a step gets answered
//    in a second.
// 2. --times that rate for --seconds, whether it is answered or not.
// 3. One request after the other, until they are answered as fast as before.
// Ends with 1 when a limit (LIMITS) is broken or the load fell short of its rate, and says which. --write: docs/overload.md and its
// picture, too. Figures go to build/bench/overload.json. Needs what bench.mjs needs.
//
// To add a page to the mix: a row of MIX. To add a limit: a row of LIMITS.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LOAD_CORE, SERVER_CORE, cpuOf, cpuOfTree, median, memoryOf, pin } from './measure.mjs';
import { makePeople, prepare, storePids } from './people.mjs';
import { OUT, ROOT, makePortal } from './servers.mjs';
import { drawTimes } from './svg.mjs';

const { values: flags } = parseArgs({
  options: { times: { type: 'string' }, seconds: { type: 'string' }, connections: { type: 'string' }, step: { type: 'string' }, write: { type: 'boolean' } },
});
const times = Number(flags.times ?? 5);
const seconds = Number(flags.seconds ?? 120);
const step = Number(flags.step ?? 3);
const SPARE = 500; // descriptors that are no connection's
const descriptors = Number(execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Infinity;
const connections = Math.min(Number(flags.connections ?? 9000), descriptors - SPARE);
const STEPS = [64, 256, 512];
const PEOPLE = 1000;
const MiB = 1 << 20;
const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// What clients ask for when they open and look around, in parts of ten. `i`: the person.
const MIX = [
  { parts: 2, line: () => 'GET /v1/users/me' },
  { parts: 2, line: () => 'GET /v1/users/me/chats' },
  { parts: 1, line: () => 'GET /v1/notifications' },
  { parts: 3, line: (i) => `GET /v1/users/search?q=person_${i % 100}` },
  { parts: 2, line: () => 'POST /v1/users/me/preferences', body: (i) => JSON.stringify({ preferences: { theme: i % 2 ? 'dark' : 'light' } }) },
];

// ---- the load ----

function writeRequests(tokens) {
  const file = path.join(OUT, 'overload.requests');
  const rows = MIX.flatMap((m) => Array(m.parts).fill(m));
  const list = Array.from({ length: rows.length * tokens.length }, (_, n) => {
    // One behind the other: another person's, and the next of the mix.
    const i = n % tokens.length;
    const { line, body } = rows[((n + Math.floor(n / tokens.length)) * 3) % rows.length];
    const text = body?.(i) ?? '';
    const type = text ? `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n` : '';
    return `${line(i)} HTTP/1.1\r\nHost: bench\r\nCookie: psession=${tokens[i]}\r\n${type}\r\n${text}`;
  });
  writeFileSync(file, list.map((text) => `${text.length}\n${text}`).join(''));
  return file;
}

// One run of overload.c; `each` is given every second. Its total. `first`: a command before it.
async function load(server, requests, args, { each = () => {}, first = '' } = {}) {
  const program = path.join(ROOT, 'build/release/bench/overload');
  const child = spawn('bash', ['-c', `ulimit -n "$(ulimit -Hn)"; exec taskset -c ${SERVER_CORE} ${first} "$@"`, 'bash', program, server.port, requests, ...args].map(String),
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let total;
  const ended = new Promise((done) => { child.once('close', done); });
  for await (const line of createInterface({ input: child.stdout })) {
    const r = JSON.parse(line);
    if ('total' in r) total = r;
    else each(r);
  }
  const code = await ended;
  process.off('exit', kill);
  if (code !== 0 || !total) throw new Error('the load did not end well');
  return total;
}

// ---- from outside ----

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

// Status and milliseconds of one request; 0 when there is no answer in time.
function probe(server, target, { token, own = false } = {}) {
  const began = performance.now();
  return new Promise((done) => {
    const over = (status) => done({ status, ms: performance.now() - began });
    const q = http.get({ port: server.port, host: '127.0.0.1', path: target, agent: own ? false : agent, timeout: 5000, headers: token ? { cookie: `psession=${token}` } : {} },
      (r) => r.resume().on('end', () => over(r.statusCode)));
    q.on('timeout', () => q.destroy());
    q.on('error', () => over(0));
  });
}

// One after the other for so long.
async function probes(server, token, ms) {
  const list = [];
  for (const end = performance.now() + ms; performance.now() < end; await pause(10)) list.push(await probe(server, '/v1/users/me', { token }));
  return list;
}

// Milliseconds until the first of RUN answers in a row that are as fast as they were before: three times the median,
// or what a busy neighbour may add.
async function recovery(server, token, before) {
  const RUN = 25, SLACK_MS = 10;
  const fine = (r) => r.status === 200 && r.ms <= 3 * median(before.map((b) => b.ms)) + SLACK_MS;
  const began = performance.now();
  let first = 0;
  for (let inRow = 0; inRow < RUN; await pause(10)) {
    const at = performance.now() - began;
    if (at > 60_000) return at;
    const good = fine(await probe(server, '/v1/users/me', { token }));
    if (good && inRow === 0) first = at;
    inRow = good ? inRow + 1 : 0;
  }
  return first;
}

// ---- the run ----

const LIMITS = [
  ['offered, of the rate that was wanted: at least 0.95', (r) => r.offered, (v) => v >= 0.95],
  ['goodput, of its peak: at least 0.80', (r) => r.goodput / r.capacity, (v) => v >= 0.8],
  ['goodput in the worst ten seconds, of its peak: at least 0.70', (r) => r.worst / r.capacity, (v) => v >= 0.7],
  [`memory beyond that before, MiB: at most 64 KiB a connection and 64 MiB (${Math.round((connections * 65536) / MiB + 64)})`,
    (r) => r.memory.most - r.memory.before, (v) => v <= (connections * 65536) / MiB + 64],
  ['/livez and /readyz, of those asked answered with 200: all', (r) => r.pages.well / r.pages.asked, (v) => v === 1],
  ['answers that are neither 200 nor 503, and connections lost: none', (r) => r.wrong, (v) => v === 0],
  ['as fast as before again after, s: at most 5', (r) => r.recovery, (v) => v <= 5],
];

const ms = (us) => `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms`;
const pc = (v) => `${Math.round(v * 100)} %`;
const rss = (server) => memoryOf(server.pid).rss / MiB;

// CPU that each has had so far, and when; the shares of a core between two such looks.
const look = (server, stores, ours) => ({
  at: performance.now() * 1000, server: cpuOf(server.pid), stores: cpuOf(stores.redis) + cpuOfTree(stores.postgres), load: ours,
});
const shares = (from, to) => Object.fromEntries(['server', 'stores', 'load'].map((w) => [w, (to[w] - from[w]) / (to.at - from.at)]));
const sayShares = (cpu) => `CPU of the server ${pc(cpu.server)}, stores ${pc(cpu.stores)}, load ${pc(cpu.load)}`;

async function capacityOf(server, stores, requests) {
  const list = [];
  await load(server, requests, ['closed', 64, 2]); // until all is warm
  for (const n of STEPS) {
    const before = look(server, stores, 0);
    const r = await load(server, requests, ['closed', n, step]);
    const row = { connections: n, rate: r.ok / (r.total / 1e6), p50: r.p50, p99: r.p99, cpu: shares(before, look(server, stores, r.cpu)) };
    if (r.other || r.lost) throw new Error(`${r.other + r.lost} requests of the ramp failed`);
    console.log(`  ${n} connections: ${Math.round(row.rate)} a second, p50 ${ms(r.p50)}, p99 ${ms(r.p99)}; ${sayShares(row.cpu)}`);
    list.push(row);
  }
  return list;
}

// It asks on time whatever the stores do: for that little the load goes before them, where that is allowed.
function punctual() {
  try {
    execFileSync('chrt', ['--rr', '1', 'true'], { stdio: 'ignore' });
    return 'chrt --rr 1';
  } catch {
    return '';
  }
}

async function overload(server, stores, requests, rate, tokens) {
  const line = [], pages = [];
  let asking = 0, last = look(server, stores, 0);
  const each = (r) => {
    const now = look(server, stores, r.cpu);
    line.push({ ...r, rss: rss(server), cpu: shares(last, now) });
    last = now;
    console.log(`  ${String(r.second).padStart(3)} s: sent ${r.sent}, kept back ${r.kept}, 200 ${r.ok} (p50 ${ms(r.p50)}, p99 ${ms(r.p99)}), 503 ${r.refused} (p50 ${ms(r.refused_p50)}); ` +
      `${r.connections} connections, ${line.at(-1).rss.toFixed(1)} MiB; ${sayShares(line.at(-1).cpu)}`);
    if (r.second > seconds) return; // the rest of the last one
    for (const page of ['/livez', '/readyz']) {
      asking++;
      probe(server, page, { own: true }).then((p) => { pages.push({ page, ...p }); asking--; });
    }
  };
  const total = await load(server, requests, ['open', connections, seconds, rate], { each, first: punctual() });
  const before = await probe(server, '/livez', { own: true });
  const healed = await recovery(server, tokens[0], overload.before);
  while (asking > 0) await pause(10);
  return { total, seconds: line.filter((r) => r.second <= seconds), pages: [...pages, { page: '/livez', ...before }], healed };
}

function worstOf(list, span = 10) {
  const sums = list.map((_, i) => list.slice(i, i + span)).filter((s) => s.length === Math.min(span, list.length));
  return Math.min(...sums.map((s) => s.reduce((sum, r) => sum + r.ok, 0) / s.length));
}

mkdirSync(OUT, { recursive: true });
pin(process.pid, LOAD_CORE);
const portal = await makePortal();
let result;
try {
  const stores = await storePids(portal.stores);
  const server = await portal.start();
  portal.server = server;
  await makePeople(portal, PEOPLE);
  const tokens = readFileSync(await prepare(portal, server, 'verify', 0, PEOPLE, 'overload.tokens'), 'utf8').trim().split('\n');
  const requests = writeRequests(tokens);
  await portal.stores.db.query('VACUUM ANALYZE');
  console.log('capacity');
  const ramp = await capacityOf(server, stores, requests);
  const capacity = Math.max(...ramp.map((r) => r.rate));
  const rate = Math.round(capacity * times);
  overload.before = await probes(server, tokens[0], 2000);
  const memoryBefore = rss(server);
  console.log(`${times} times ${Math.round(capacity)} a second: ${rate} for ${seconds} s, by up to ${connections} connections`);
  const { total, seconds: line, pages, healed } = await overload(server, stores, requests, rate, tokens);
  await pause(3000);
  result = {
    times, rate, capacity, ramp, connections, seconds: line, total, pages: {
      asked: pages.length, well: pages.filter((p) => p.status === 200).length, slowest: Math.max(...pages.map((p) => p.ms)),
    },
    offered: total.sent / (rate * seconds), goodput: total.ok / seconds, worst: worstOf(line), wrong: total.other + total.lost,
    memory: { before: memoryBefore, most: Math.max(...line.map((r) => r.rss)), after: rss(server) },
    recovery: healed / 1000, before: median(overload.before.map((b) => b.ms)),
  };
  await server.stop();
} finally {
  await portal.stores.release();
}
writeFileSync(path.join(OUT, 'overload.json'), `${JSON.stringify(result, null, 2)}\n`);

// ---- the report ----

const number = (v) => (Math.abs(v) >= 100 ? Math.round(v).toLocaleString('en') : v.toFixed(2));
const verdicts = LIMITS.map(([what, value, holds]) => ({ what, value: value(result), met: holds(value(result)) }));
console.log('');
for (const v of verdicts) console.log(`  ${v.met ? 'met   ' : 'BROKEN'}  ${v.what}: ${number(v.value)}`);

function write(r) {
  const table = (head, rows) => [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const mean = (what) => r.seconds.reduce((sum, s) => sum + s.cpu[what], 0) / r.seconds.length;
  const at = (value) => r.seconds.map((s) => [s.second, value(s)]);
  writeFileSync(path.join(docs, 'overload.svg'), drawTimes([
    { title: 'Requests a second', lines: [{ name: '200', points: at((s) => s.ok) }, { name: '503', points: at((s) => s.refused) }, { name: 'peak', points: at(() => r.capacity), dashed: true }] },
    { title: 'Latency of what is answered with 200, ms', lines: [{ name: 'p50', points: at((s) => s.p50 / 1000) }, { name: 'p99', points: at((s) => s.p99 / 1000) }] },
    { title: 'Memory of portald, MiB', lines: [{ name: 'resident', points: at((s) => s.rss) }] },
    { title: 'CPU, % of a core', lines: ['server', 'stores', 'load'].map((w) => ({ name: w, points: at((s) => s.cpu[w] * 100) })) },
  ]));
  writeFileSync(path.join(docs, 'overload.md'), `${[
    '# Overload',
    `Written by \`make bench-overload\`, on the machine of [benchmarks.md](benchmarks.md): portald and the load on one core; Redis and PostgreSQL, which are what limits it, on the other, so that what sending takes is not theirs. ` +
    `The requests are a mix: ${MIX.map((m) => `${m.parts} of ten \`${m.line(0).replace(/\?.*/, '')}\``).join(', ')}. Capacity is what connections that ask again when answered ` +
    'get answered in a second, at the best of some numbers of them. Then requests arrive at a multiple of it, whether those before are answered or not ' +
    '(`test/bench/overload.c`); each takes an idle connection or a new one. The load counts what it could not send.',
    '## Capacity',
    table(['connections', 'a second', 'p50', 'p99', 'CPU of the server', 'stores', 'load'],
      r.ramp.map((s) => [s.connections, number(s.rate), ms(s.p50), ms(s.p99), pc(s.cpu.server), pc(s.cpu.stores), pc(s.cpu.load)])),
    `## ${r.times} times that, ${number(r.rate)} a second for ${r.seconds.length} s`,
    table(['', ''], [
      ['sent, of what was due', pc(r.offered)], ['kept back, since no connection was idle', number(r.total.kept)],
      ['answered with 200 a second', `${number(r.goodput)} (${pc(r.goodput / r.capacity)} of the peak)`], ['their p50, p99', `${ms(r.total.p50)}, ${ms(r.total.p99)}`],
      ['refused with 503 a second', number(r.total.refused / r.seconds.length)], ['their p50, p99', `${ms(r.total.refused_p50)}, ${ms(r.total.refused_p99)}`],
      ['connections', number(r.total.connections)],
      ['memory before, at most, 3 s after', `${number(r.memory.before)}, ${number(r.memory.most)}, ${number(r.memory.after)} MiB`],
      ['`/livez`, `/readyz` at the slowest', `${Math.round(r.pages.slowest)} ms`],
      ['CPU of server, stores, load', `${pc(mean('server'))}, ${pc(mean('stores'))}, ${pc(mean('load'))} of a core`],
    ]),
    '![Second by second](overload.svg)',
    '## Limits', table(['limit', 'measured', ''], verdicts.map((v) => [v.what, number(v.value), v.met ? 'met' : 'broken'])),
  ].join('\n\n')}\n`);
  console.log('docs/overload.md is written');
}
if (flags.write) write(result);
process.exit(verdicts.every((v) => v.met) ? 0 : 1);
