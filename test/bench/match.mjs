// What is measured of the matcher: enqueue as an endpoint, many people at once with portal-load, the pairing step
// alone, and how long people wait (test/sim).
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { LOAD_CORE, childrenOf, wrk } from './measure.mjs';
import { LOAD, PAIRS, SIM, ROOT } from './servers.mjs';

const run = promisify(execFile);
const SECONDS = 120; // more than each person once takes
const PLOT = path.join(ROOT, 'docs/matcher-waiting.svg');

async function json(command, ...args) {
  return JSON.parse((await run(command, args.map(String), { cwd: ROOT, maxBuffer: 1 << 24 })).stdout);
}

// Each of `seekers` (a file of sessions) searches once; before, all leave what the run before has brought them.
const once = ({ server, seekers }, step) => ({ seconds: SECONDS, args: ['match', step, seekers] });
async function enqueueLoad(side) {
  await wrk(side.server.port, once(side, 'leave'));
  return once(side, 'enqueue');
}

// All search at once, each with a socket: times are from the request's bytes to match:found, CPU is for a pair.
async function atOnce(side, stores, { people, seconds }) {
  const { server, key, seekers } = side;
  if (seekers) await wrk(server.port, once(side, 'leave')); // nobody else searches
  const costs = [`server=${server.pid}`, `redis=${stores.redis}`, `postgres=${childrenOf(stores.postgres).join('+')}`];
  const r = await json('taskset', '-c', LOAD_CORE, LOAD, 'match', '--url', `http://127.0.0.1:${server.port}`, '--bot-key', key,
    '--sign-ins', 32, '--clients', people, '--connect-rate', 1000, '--seconds', seconds, '--cpu-of', costs.join(','));
  const { found, keyed } = r.meters;
  return {
    rate: r.pairs_per_s, p50: found.latency.p50_us, p99: found.latency.p99_us, longest: found.latency.max_us,
    keyed: keyed.latency.p99_us, cpu: r.cpu_us_per_pair.server, redis: r.cpu_us_per_pair.redis,
    postgres: r.cpu_us_per_pair.postgres, requests: r.pairs, errors: Object.values(r.errors).reduce((sum, n) => sum + n, 0),
  };
}

export const matchScenarios = (sides, stores, settings) => [{
  scenario: 'enqueue', title: 'POST /v1/portal/match/enqueue', runs: {},
  servers: sides.map((side) => ({ server: side.server, side, load: () => enqueueLoad(side) })),
}, {
  scenario: 'atonce', title: `Strangers: ${settings.people} people at once`, matcher: true, runs: {},
  servers: sides.map((side) => ({ server: side.server, run: () => atOnce(side, stores, settings) })),
}];

export const pairingStep = () => json(PAIRS);
export const fairness = (people, write) => json(SIM, '--people', people, ...(write ? ['--plot', PLOT] : []));

// ---- telling ----

const ms = (us) => `${(us / 1000).toFixed(1)} ms`;
const whole = (n) => Math.round(n).toLocaleString('en');
export const MATCH_HEAD = ['server', 'pairs per second', 'found p50', 'found p99', 'longest', 'with a key p99', 'CPU us', 'Redis us',
  'PostgreSQL us', 'errors'];
export const matchRows = ({ servers }) => servers.map((s) => [
  s.name, whole(s.rate), ms(s.p50), ms(s.p99), ms(s.longest), ms(s.keyed), whole(s.cpu), whole(s.redis), whole(s.postgres), String(s.errors),
]);
export const MATCH_TEXT = '`portal-load match`: each person has a socket and a connection for requests, a public key is posted. All send ' +
  '`POST match/enqueue` at once (one in ten for `any`, the others with one to three of a hundred tags), those who are asked for a key make it, ' +
  'all leave, and again. Times are from the first byte of the request to `match:found`, and to `room:key`; pairs per second and CPU for a pair count all of ' +
  'that but the leaving. The peer (`test/bench/peer_match.mjs`) does it with fastify, ioredis and socket.io in one process, person and blocks from PostgreSQL, ' +
  'pairing in Lua; it knows no recent partners, absent people, graces, expiry or other processes. In the row of `enqueue` above, the same people as in this load ' +
  'search once each, without sockets; before each round all leave.';

// Of the pairing step alone, and of the simulation.
export function matchAlone({ step, fairness: f }) {
  const list = [];
  if (step)
    list.push(`The pairing step alone (\`test/sim/pairs.c\`: 20,000 people search, then their 20,000 partners, pipelined to Redis): ` +
      `${whole(step.pairing_per_s)} pairs a second, ${whole(step.pairing_per_redis_cpu_s)} for each second of Redis' CPU; with the searches of those ` +
      `who wait ${whole(step.two_enqueues_per_s)}.`);
  if (f)
    list.push(`Fairness (\`test/sim/fair.c\`: the same script under a virtual clock; ${whole(f.people)} people come at 50 a second, with one to three of 1,000 ` +
      `interests that are spread by Zipf's law, one in ten for \`any\`, and leave for good after their talk): the median waits ${(f.median_ms / 1000).toFixed(2)} s, 99 of 100 ` +
      `at most ${(f.p99_ms / 1000).toFixed(1)} s, the longest ${(f.longest_ms / 1000).toFixed(1)} s; ${whole(f.left_over)} are without a partner when the last has come. ` +
      `${whole(f.pairs_per_s)} pairs a second in the simulator.`);
  return list;
}

// find(scenario, server name); want(sentence, figure, met), as in report.mjs.
export function matchTargets({ find, want, ours, peer, results }) {
  const [portal, fastify] = [find('enqueue', ours), find('enqueue', peer)];
  want('POST match/enqueue: CPU at most 30 us', portal?.cpu, (v) => v <= 30);
  want('POST match/enqueue: rate at least 5 x fastify', portal && fastify ? portal.rate / fastify.rate : NaN, (v) => v >= 5);
  want('enqueue to match:found, all at once: p99 at most 100 ms', find('atonce', ours)?.p99 / 1000, (v) => v <= 100);
  want('pairing step alone: at least 15,000 pairs a second', results.matcher.step?.pairing_per_s, (v) => v >= 15000);
}
