// What is measured of sockets, with fanout.c as the load: messages to everyone in a chat, connecting,
// and the memory of idle sockets.
//
// A measured server is {name, port, pid}; what it is spoken to with is `protocol` and `options` of a
// side: {protocol: 'portal' | 'socketio' | 'raw', tokens: FILE, chat: ID}.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import readline from 'node:readline';
import { LOAD_CORE, cpuOf, cpuOfTree, memoryOf } from './measure.mjs';
import { FANOUT } from './servers.mjs';

const SETTLE_MS = 1500; // what a server still does behind joins: presence, timers, memory given back

const settle = () => new Promise((done) => setTimeout(done, SETTLE_MS));

// The load, told by lines: const load = await startLoad(server, side); await load.ask('open 100').
async function startLoad(server, side, { joins = true, width = 256 } = {}) {
  const args = ['-c', LOAD_CORE, FANOUT, side.protocol, `http://127.0.0.1:${server.port}`, '--width', width];
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
async function cost(server, stores, load, line, count) {
  const before = cpus(server, stores);
  const r = await load.ask(line);
  const after = cpus(server, stores);
  const n = count(r);
  return {
    ...r, rate: n / r.seconds, requests: n,
    cpu: (after.server - before.server) / n, redis: (after.redis - before.redis) / n,
    postgres: (after.postgres - before.postgres) / n,
  };
}

// `members` in a chat; `under` messages under way, or `pace` a second.
export async function fanOut(server, side, stores, { members, under, pace, seconds }) {
  const load = await startLoad(server, side);
  await load.ask(`open ${members}`);
  if (side.protocol === 'portal') await load.ask(`keys ${under ?? 1}`);
  await settle();
  const line = pace ? `pace ${pace} ${seconds}` : `send ${under} ${seconds}`;
  const r = await cost(server, stores, load, line, (answer) => answer.deliveries);
  await load.stop();
  return r;
}

// `count` sockets, one after the other, 64 at a time; none joins a room.
export async function connecting(server, side, stores, { count }) {
  const load = await startLoad(server, side, { joins: false });
  const r = await cost(server, stores, load, `open ${count}`, (answer) => answer.open);
  await load.stop();
  await settle(); // the server gets rid of them
  return r;
}

// Growth of a fresh server for each of `counts` (ascending) idle sockets, all in one room.
export async function idleSockets(start, side, counts) {
  const server = await start();
  const load = await startLoad(server, side);
  await load.ask('open 50'); // what a server sets up for the first is not theirs
  await settle();
  const before = memoryOf(server.pid);
  const list = [];
  for (const count of counts) {
    const { errors } = await load.ask(`open ${50 + count}`);
    await settle();
    const now = memoryOf(server.pid);
    list.push({ count, rss: (now.rss - before.rss) / count, pss: (now.pss - before.pss) / count, lost: errors });
  }
  await load.stop();
  await server.stop();
  return { name: server.name, list };
}
