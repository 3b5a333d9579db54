// The servers that are measured: each in a process of its own on the server's core.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { makeStores, pgOptions, portalctl, redisOptions, until } from '../server/harness.js';
import { SERVER_CORE, LOAD_CORE } from './measure.mjs';
import { GATE } from './gate.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const ROOT = path.resolve(here, '../..');
export const OUT = path.join(ROOT, 'build/bench');
const PORTALD = process.env.PORTALD ?? path.join(ROOT, 'build/release/portald');
const RELEASE = path.join(ROOT, 'build/release');
const PROGRAMS = path.join(RELEASE, 'bench');
export const FANOUT = path.join(PROGRAMS, 'fanout');
export const LOAD = path.join(RELEASE, 'portal-load');
export const PAIRS = path.join(RELEASE, 'sim/pairs'); // empties the Redis of REDIS_URL
export const SIM = path.join(RELEASE, 'sim/sim');
const SECRET_KEY = 'a secret key of the bench, long enough';
const LIMIT = '1000000'; // counted, and not reached

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(port, target) {
  try {
    return (await fetch(`http://127.0.0.1:${port}${target}`, { headers: { connection: 'close' } })).status === 200;
  } catch {
    return false;
  }
}

// `stderr`: 'file' (build/bench/NAME.log), or 'read': a pipe that another process empties.
async function start(name, command, port, { env = {}, ready = '/livez', stderr = 'file' } = {}) {
  mkdirSync(OUT, { recursive: true });
  const log = openSync(path.join(OUT, `${name.replace(/\W+/g, '-')}.log`), 'w');
  const redirect = stderr === 'read' ? `2> >(exec taskset -c ${LOAD_CORE} cat >/dev/null)` : '';
  const child = spawn('bash', ['-c', `ulimit -n "$(ulimit -Hn)"; exec taskset -c ${SERVER_CORE} "$@" ${redirect}`, 'bash', ...command],
    { env: { ...process.env, ...env }, stdio: ['ignore', log, log] });
  running.add(child);
  const exited = once(child, 'exit').then(() => running.delete(child));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${name} did not start; see ${OUT}`);
    return answers(port, ready);
  }, `${name} to be ready`);
  return {
    name, port, pid: child.pid,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

// ---- yardsticks ----

// One of ours: floor (GET), floor_fanout (WebSocket).
async function startOurs(name, program) {
  const port = await freePort();
  return start(name, [path.join(PROGRAMS, program), String(port)], port);
}
export const startFloor = () => startOurs('floor', 'floor');
export const startFloorFanout = () => startOurs('floor', 'floor_fanout');

// The path of a program, or undefined.
export function programOf(name) {
  const given = process.env[name.toUpperCase()];
  return given ?? [...(process.env.PATH ?? '').split(':'), '/usr/sbin'].map((d) => path.join(d, name)).find((p) => existsSync(p));
}

function missing(name, packageName) {
  console.log(`  ${name} is not installed and is left out ('apt-get install ${packageName}' adds it)`);
  return null;
}

export async function startNginx() {
  const program = programOf('nginx');
  if (!program) return missing('nginx', 'nginx-light');
  const port = await freePort();
  const config = path.join(OUT, 'nginx.conf');
  writeFileSync(config, `daemon off; master_process off; pid ${OUT}/nginx.pid; error_log stderr crit;
events { worker_connections 16384; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; default_type application/json;
  server { listen 127.0.0.1:${port} backlog=4096; location / { return 200 '{"status":"alive"}'; } } }
`);
  return start('nginx', [program, '-p', OUT, '-c', config, '-e', 'stderr'], port);
}

// Puts HTTP before Redis and does nothing else: once a plain GET of a key, once the script that the
// peer runs for session and rate limit (`script`).
export async function startWebdis(stores) {
  const program = programOf('webdis');
  if (!program) return missing('webdis', 'webdis');
  const redis = redisOptions(stores.redisUrl);
  const port = await freePort();
  const config = path.join(OUT, 'webdis.json');
  await stores.redis.mset('bench', '7', 'peer:unread:0', '1');
  await stores.redis.hset('peer:session:bench', 'u', '0');
  const sha = await stores.redis.script('LOAD', GATE);
  writeFileSync(config, JSON.stringify({
    redis_host: redis.path ?? redis.host, redis_port: redis.port ?? 0, redis_auth: redis.password ?? null, database: redis.db,
    http_host: '127.0.0.1', http_port: port, threads: 1, daemonize: false, verbosity: 0, logfile: '/dev/null',
  }));
  const server = await start('webdis', [program, config], port, { ready: '/GET/bench' });
  return { ...server, script: `/EVALSHA/${sha}/1/peer:session:bench/unread` };
}

// ---- the two that do the whole work ----

export async function makePeer() {
  const stores = await makeStores();
  const db = new pg.Client(pgOptions(stores.databaseUrl));
  await db.connect();
  for (const file of readdirSync(path.join(ROOT, 'schema')).filter((f) => f.endsWith('.sql')).sort())
    await db.query(readFileSync(path.join(ROOT, 'schema', file), 'utf8'));
  await db.end();
  return {
    stores,
    key: 'any',
    async start() {
      const port = await freePort();
      return start('fastify', [process.execPath, path.join(here, 'peer.mjs')], port, {
        env: { PORT: String(port), DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl, NODE_ENV: 'production' },
      });
    },
    // For sockets, with the sessions that the other has made.
    async startSockets() {
      const port = await freePort();
      return start('socket.io', [process.execPath, path.join(here, 'peer_sockets.mjs')], port, {
        env: { PORT: String(port), REDIS_URL: stores.redisUrl, NODE_ENV: 'production' },
      });
    },
  };
}

export async function makePortal() {
  if (!existsSync(PORTALD)) {
    console.log(`  ${path.relative(ROOT, PORTALD)} is not built and is left out`);
    return null;
  }
  const stores = await makeStores();
  const base = {
    DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl, SECRET_KEY, LOG_FORMAT: 'json',
    TRUSTED_PROXIES: '127.0.0.0/8', COOKIE_SECURE: 'false',
    RATE_LIMIT_LOGIN: LIMIT, RATE_LIMIT_AUTH: LIMIT, RATE_LIMIT_BOT: LIMIT, RATE_LIMIT_PUBLIC: LIMIT,
    RATE_LIMIT_HEALTH: '0', // one address sends more than the setting can allow
    STORE_TIMEOUT_MS: '5000', // the load, or a neighbour, may keep the stores' core for a while
    RATE_LIMIT_ADMIN: '0', RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_EVENTS: '0', MESSAGE_RATE_CHAT: '0', MESSAGE_RATE: '0',
    MATCH_RECENT: '0', MATCH_GRACE: '3600', // the same people meet again; who has no socket is not missed while others are measured
  };
  await portalctl(stores, ['migrate'], base);
  const bot = await portalctl(stores, ['bot', 'register', '--name', 'bench', '--platform', 'discord', '--json'], base);
  return {
    stores,
    key: bot.api_key,
    async start(logging = false) {
      const port = await freePort();
      return start(logging ? 'portald, logging' : 'portald', [PORTALD], port, {
        env: { ...base, LISTEN: `127.0.0.1:${port}`, LOG_LEVEL: logging ? 'info' : 'warn' },
        ready: '/readyz', stderr: logging ? 'read' : 'file',
      });
    },
  };
}
