// A PostgreSQL and a Redis of one test's own, to kill, freeze and empty. Redis keeps nothing, unless
// `durable`: then each write is on disk before it is answered (appendfsync always), and a Redis that is
// started again has all that was answered. PostgreSQL has what it committed: only its processes die.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import Redis from 'ioredis';
import pg from 'pg';
import { pgOptions, portalctl, until } from './harness.js';

const run = promisify(execFile);

function postgresBin() {
  const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => b - a);
  return `/usr/lib/postgresql/${versions[0]}/bin`;
}

// PostgreSQL refuses root: there it runs as the user `postgres` (setpriv, which execs: runuser would stop
// itself together with a frozen child).
const asUser = (command, args) => 
  (process.getuid() === 0 ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--init-groups', '--', command, ...args]] : [command, args]);

export async function ownStores({ durable = false } = {}) {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'pt-'));
  await chmod(dir, 0o777);
  const data = path.join(dir, 'pg');
  const redisDir = path.join(dir, 'redis');
  await mkdir(redisDir);
  const bin = postgresBin();
  await run(...asUser(`${bin}/initdb`, ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']));
  const databaseUrl = `postgresql:///postgres?host=${dir}&user=postgres&port=5432`;
  const redisSocket = path.join(dir, 'redis.sock');
  const stores = { dir, pgDir: data, redisDir, databaseUrl, redisUrl: `unix://${redisSocket}?db=0` };
  // For a look from outside; they connect when they are used.
  stores.db = new pg.Pool({ ...pgOptions(databaseUrl), max: 4 });
  stores.redis = new Redis({ path: redisSocket, lazyConnect: true });
  for (const client of [stores.db, stores.redis]) client.on('error', () => {}); // tests kill on purpose
  stores.dumpPg = async () => (await run(...asUser(`${bin}/pg_dump`, ['-h', dir, '-U', 'postgres', 'postgres']), { maxBuffer: 1 << 28, encoding: 'buffer' })).stdout;
  const persistence = durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];

  stores.startPg = async () => {
    const [command, args] = asUser(`${bin}/postgres`, ['-D', data, '-k', dir, '-c', 'listen_addresses=', '-c', 'fsync=off', '-c', 'max_connections=60']);
    const begin = () => {
      stores.pgChild = spawn(command, args, { stdio: 'ignore' });
      stores.pgChild.done = once(stores.pgChild, 'exit');
    };
    begin();
    await until(async () => {
      if (stores.pgChild.exitCode !== null) begin(); // a killed one's last children hold its shared memory for a moment
      const client = new pg.Client({ host: dir, user: 'postgres', database: 'postgres' });
      client.on('error', () => {});
      try {
        await client.connect();
        await client.query('SELECT 1');
        await client.end();
        return true;
      } catch {
        return false;
      }
    }, 'PostgreSQL', 30_000);
    stores.pgPid = Number((await readFile(path.join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  };
  stores.startRedis = async () => {
    const child = spawn('redis-server', ['--port', '0', '--unixsocket', redisSocket, '--save', '', ...persistence, '--dir', redisDir], { stdio: 'ignore' });
    child.done = once(child, 'exit');
    stores.redisChild = child;
    await until(async () => {
      const client = new Redis({ path: redisSocket, lazyConnect: true, retryStrategy: null });
      client.on('error', () => {});
      try {
        await client.connect();
        return (await client.ping()) === 'PONG';
      } catch {
        return false;
      } finally {
        client.disconnect();
      }
    }, 'Redis', 30_000);
  };
  // Every process of PostgreSQL: the postmaster and its children.
  const pgPids = async () => {
    const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(stores.pgPid)]).catch(() => ({ stdout: '' }));
    return [stores.pgPid, ...stdout.split('\n').map(Number).filter(Boolean)];
  };
  const signal = (pids, name) => {
    for (const pid of pids) {
      try {
        process.kill(pid, name);
      } catch {
        // it is gone already
      }
    }
  };
  stores.killPg = async () => {
    signal([stores.pgPid], 'SIGSTOP'); // no child is made meanwhile: one that is left keeps a new one from starting
    signal(await pgPids(), 'SIGKILL');
    await stores.pgChild.done;
  };
  stores.killRedis = async () => {
    stores.redisChild.kill('SIGKILL');
    await stores.redisChild.done;
  };
  // Started again it has nothing. Only while it is not running.
  stores.forgetRedis = () => rm(path.join(redisDir, 'appendonlydir'), { recursive: true, force: true });
  stores.freezePg = async () => {
    stores.frozen = await pgPids();
    signal(stores.frozen, 'SIGSTOP');
  };
  stores.thawPg = () => signal(stores.frozen, 'SIGCONT');
  stores.freezeRedis = () => stores.redisChild.kill('SIGSTOP');
  stores.thawRedis = () => stores.redisChild.kill('SIGCONT');

  await Promise.all([stores.startPg(), stores.startRedis()]);
  await portalctl(stores, ['migrate']);
  stores.release = async () => {
    stores.redis.disconnect();
    await stores.db.end();
    if (stores.redisChild.exitCode === null && stores.redisChild.signalCode === null) await stores.killRedis();
    if (stores.pgChild.exitCode === null && stores.pgChild.signalCode === null) await stores.killPg();
    await rm(dir, { recursive: true, force: true });
  };
  return stores;
}
