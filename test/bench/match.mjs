// What is measured of the matcher: enqueue as an endpoint, many people at once with portal-load, the pairing step
// alone, and how long people wait (test/sim).
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { LOAD_CORE, childrenOf, wrk } from './measure.mjs';
import { LOAD, PAIRS, SIM, ROOT } from './servers.mjs';

const run = promisify(execFile);
const SECONDS = 120; // more than each person once takes
const PEOPLE = 100000; // of the simulation
const PLOT = path.join(ROOT, 'docs/matcher-waiting.svg');

async function json(command, ...args) {
  return JSON.parse((await run(command, args.map(String), { cwd: ROOT, maxBuffer: 1 << 24 })).stdout);
}

// Each of `seekers` (a file of sessions) searches once; before, they leave what the run before has brought them.
const enqueueLoad = ({ server, seekers }) => async () => {
  await wrk(server.port, { seconds: SECONDS, args: ['match', 'leave', seekers] });
  return { seconds: SECONDS, args: ['match', 'enqueue', seekers] };
};

// All search at once, each with a socket: times are from the request's bytes to match:found, CPU is for a pair.
async function atOnce({ server, key }, stores, { people, seconds }) {
  const r = await json('taskset', '-c', LOAD_CORE, LOAD, 'match', '--url', `http://127.0.0.1:${server.port}`, '--bot-key', key,
    '--clients', people, '--connect-rate', 1000, '--seconds', seconds, '--watch', [`server=${server.pid}`, `redis=${stores.redis}`, `postgres=${childrenOf(stores.postgres).join('+')}`].join(','));
  return {
    rate: r.pairs_per_s, p50: r.meters.found.latency.p50_us, p99: r.meters.found.latency.p99_us, longest: r.meters.found.latency.max_us, keyed: r.meters.keyed.latency.p99_us,
    cpu: r.cpu_us_per_pair.server, redis: r.cpu_us_per_pair.redis, postgres: r.cpu_us_per_pair.postgres,
    requests: r.pairs, errors: Object.values(r.errors).reduce((sum, n) => sum + n, 0),
  };
}

export const matchScenarios = (sides, stores, settings) => [{
  scenario: 'enqueue', title: 'POST /v1/portal/match/enqueue', runs: {},
  servers: sides.map((side) => ({ server: side.server, load: enqueueLoad(side) })),
}, {
  scenario: 'atonce', title: `${settings.people.toLocaleString('en')} people at once: enqueue to match:found`, runs: {},
  servers: sides.map((side) => ({ server: side.server, run: () => atOnce(side, stores, settings) })),
}];

export const pairingStep = () => json(PAIRS);
export const fairness = (write) => json(SIM, '--people', PEOPLE, ...(write ? ['--plot', PLOT] : []));
