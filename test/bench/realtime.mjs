// What is measured of sockets, with fanout.c as the load: messages to everyone in a chat, connecting,
// and the memory of idle sockets.
//
// `server` is {name, port, pid}; `side` says how it is spoken to: {protocol: 'portal' | 'socketio' | 'raw',
// tokens: FILE, chat: ID}.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import readline from 'node:readline';
import { LOAD_CORE, cpuOf, cpuOfTree, memoryOf } from './measure.mjs';
import { FANOUT } from './servers.mjs';

const CONTENT = 1024; // characters of what is sent
const ITEM = 1330; // what Portal makes of it, with who, when and where; the floor gives as many to all
export const AT_ONCE = 256; // sockets on their way
const WARM = 0.1; // of a run's time, before it

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The load, told by lines: const load = await startLoad(server, side); await load.ask('open 100').
export async function startLoad(server, side, joins = true) {
  const size = side.protocol === 'raw' ? ITEM : CONTENT;
  const args = ['-c', LOAD_CORE, FANOUT, side.protocol, `http://127.0.0.1:${server.port}`, '--width', AT_ONCE, '--size', size];
  if (side.tokens) args.push('--tokens', side.tokens);
  if (joins && side.chat) args.push('--chat', side.chat);
  const child = spawn('taskset', args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const answers = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(line) {
      child.stdin.write(`${line}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(`${server.name}: the load ended at '${line}'`);
      return JSON.parse(value);
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}

const cpus = (server, stores) => ({ server: cpuOf(server.pid), redis: cpuOf(stores.redis), postgres: cpuOfTree(stores.postgres) });

// One command of the load, with the CPU time that server and stores took for each of `count(answer)`.
export async function cost(server, stores, load, line, count) {
  const before = cpus(server, stores);
  const r = await load.ask(line);
  const after = cpus(server, stores);
  const n = count(r);
  return {
    ...r, rate: n / r.seconds, requests: n, p50: r.last50 ?? r.p50, p99: r.last99 ?? r.p99,
    cpu: (after.server - before.server) / n, redis: (after.redis - before.redis) / n,
    postgres: (after.postgres - before.postgres) / n,
  };
}

// `members` in a chat; `under` messages under way, or `pace` a second. settle: ms for what the server
// still does behind joins (presence, timers).
export async function fanOut(server, side, stores, { members, under, pace, seconds, settle }) {
  const load = await startLoad(server, side);
  const line = (part) => (pace ? `pace ${pace} ${seconds * part}` : `send ${under} ${seconds * part}`);
  await load.ask(`open ${members}`);
  if (side.protocol === 'portal') await load.ask(`keys ${under ?? 1}`);
  await pause(settle);
  await load.ask(line(WARM));
  const r = await cost(server, stores, load, line(1), (answer) => answer.deliveries);
  await load.stop();
  await pause(settle);
  return r;
}

// `count` sockets in all, some at a time; none joins a room.
export async function connecting(server, side, stores, { count, settle }) {
  const load = await startLoad(server, side, false);
  await load.ask(`open ${AT_ONCE}`);
  const r = await cost(server, stores, load, `open ${AT_ONCE + count}`, () => count);
  await load.stop();
  await pause(settle);
  return r;
}

// Growth of a fresh server for each of `counts` (ascending) idle sockets in one room, beyond as many as
// are on their way at once: what a server sets up for the first, and the pools of a burst, are not theirs.
export async function idleSockets(start, side, { counts, settle }) {
  const server = await start();
  const load = await startLoad(server, side);
  await load.ask(`open ${AT_ONCE}`);
  await pause(settle);
  const before = memoryOf(server.pid);
  const list = [];
  for (const count of counts) {
    const { errors } = await load.ask(`open ${AT_ONCE + count}`);
    await pause(3 * settle); // until the last chat:status has left
    const now = memoryOf(server.pid);
    list.push({ count, rss: now.rss - before.rss, pss: now.pss - before.pss, lost: errors });
  }
  await load.stop();
  await server.stop();
  return { name: server.name, list };
}
