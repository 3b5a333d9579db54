// Starts the real portald on real stores for one test file, and speaks HTTP to it.
//
//   const portal = await startPortal();            // own database, own Redis database, own port
//   const alice = await portal.signIn();           // a new person, by a web code that a bot fetches
//   const r = await alice.get('/v1/users/me');     // r.status, r.body, r.headers
//   await portal.stop();                           // asserts a clean exit: code 0, loop empty
//
// Needs DATABASE_URL and REDIS_URL of stores that may be written to (the Makefile starts them), and
// PORTALD, PORTALCTL (default: build/test/).
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Redis from 'ioredis';
import pg from 'pg';
import { io } from 'socket.io-client';
import { Agent, request } from 'undici';

const run = promisify(execFile);
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const PORTALD = process.env.PORTALD ?? path.join(root, 'build/test/portald');
export const PORTALCTL = process.env.PORTALCTL ?? path.join(root, 'build/test/portalctl');
export const SECRET_KEY = 'a secret key of the tests, long enough';

// DATABASE_URL is a libpq URL whose host may be a socket directory in the query.
export function pgOptions(url, database) {
  const u = new URL(url.replace(/^postgres(ql)?:\/\/(?=\/)/, 'postgresql://localhost'));
  const host = u.searchParams.get('host') ?? decodeURIComponent(u.hostname);
  return {
    host,
    port: Number(u.searchParams.get('port') ?? (u.port || 5432)),
    user: u.searchParams.get('user') ?? (decodeURIComponent(u.username) || 'postgres'),
    password: decodeURIComponent(u.password) || undefined,
    database: database ?? (u.pathname.slice(1) || 'postgres'),
  };
}

export function pgUrl(options) {
  const q = new URLSearchParams({ host: options.host, port: String(options.port), user: options.user });
  return `postgresql:///${options.database}?${q}`;
}

export function redisOptions(url, db) {
  const u = new URL(url);
  if (u.protocol === 'unix:') return { path: u.pathname, db: db ?? Number(u.searchParams.get('db') ?? 0) };
  return { host: u.hostname, port: Number(u.port || 6379), password: u.password || undefined, db: db ?? Number(u.pathname.slice(1) || 0) };
}

export function redisUrl(options) {
  return options.path ? `unix://${options.path}?db=${options.db}` : `redis://${options.host}:${options.port}/${options.db}`;
}

// Waits for `check` to give something true; for states that no event tells of. Bounded.
export async function until(check, what, ms = 10_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

export const randomAddress = () => `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`;
export const randomPlatformId = () => String(randomInt(10 ** 11, 10 ** 12)) + String(randomInt(10 ** 6));

const base = {
  SECRET_KEY,
  LISTEN: '127.0.0.1:0',
  TRUSTED_PROXIES: '127.0.0.0/8', // so that tests can come from any address by X-Forwarded-For
  COOKIE_SECURE: 'false',
  LOG_FORMAT: 'json',
  STORE_TIMEOUT_MS: '5000', // the machine may be busy; tests about time-outs set their own
};

export async function makeStores() {
  const admin = pgOptions(process.env.DATABASE_URL);
  const database = `t_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client(admin);
  await client.connect();
  await client.query(`CREATE DATABASE ${database}`);
  await client.end();
  const pgo = { ...admin, database };
  const db = new pg.Pool({ ...pgo, max: 4 });
  db.on('error', () => {}); // tests kill the server on purpose
  // Each file claims a Redis database of its own.
  const lobby = new Redis(redisOptions(process.env.REDIS_URL, 0));
  let n = 0;
  while (!n) {
    for (let i = 1; i < 1024 && !n; i++) {
      if (await lobby.set(`test:claim:${i}`, process.pid, 'EX', 900, 'NX')) n = i;
    }
  }
  const ro = redisOptions(process.env.REDIS_URL, n);
  const redis = new Redis(ro);
  redis.on('error', () => {});
  await redis.flushdb();
  return {
    db,
    redis,
    databaseUrl: pgUrl(pgo),
    redisUrl: redisUrl(ro),
    async release() {
      await redis.flushdb();
      await redis.quit();
      await lobby.del(`test:claim:${n}`);
      await lobby.quit();
      await db.end();
      const last = new pg.Client(admin);
      await last.connect();
      await last.query(`DROP DATABASE ${database} WITH (FORCE)`);
      await last.end();
    },
  };
}

export async function portalctl(stores, args, env = {}) {
  const { stdout } = await run(PORTALCTL, args, {
    env: { ...process.env, ...base, DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl, ...env },
  });
  return args.includes('--json') ? JSON.parse(stdout) : stdout;
}

// Starts one process; resolves when it is ready (or, with ready: false, when it listens).
// `wrap`: a command that runs portald, for a limit of its own. `log`: a stream that gets its lines, which are not kept then.
export async function startProcess(stores, env = {}, { ready = true, wrap, log } = {}) {
  const [command, ...args] = wrap ?? [PORTALD];
  const child = spawn(command, args, {
    env: { ...process.env, ...base, DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl, ...env },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const logs = [];
  const waiting = new Set();
  let rest = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (chunk) => {
    rest += chunk;
    const lines = rest.split('\n');
    rest = lines.pop();
    for (const line of lines) {
      let entry;
      try {
        entry = JSON.parse(line);
      } catch {
        entry = { message: line, raw: true };
        process.stderr.write(`portald: ${line}\n`); // sanitizers, panics
      }
      if (log) log.write(`${line}\n`);
      else logs.push(entry);
      for (const w of waiting) w(entry);
    }
  });
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  const logged = (match, ms = 20_000, from = 0) => {
    const old = logs.slice(from).find(match);
    if (old) return Promise.resolve(old);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(new Error('the line was not logged')), ms);
      const seen = (entry) => match(entry) && done(null, entry);
      const done = (error, entry) => {
        clearTimeout(timer);
        waiting.delete(seen);
        error ? reject(error) : resolve(entry);
      };
      waiting.add(seen);
      exited.then(() => done(new Error(`portald exited: ${logs.map((l) => l.message).slice(-5).join(' | ')}`)));
    });
  };
  const listening = await logged((l) => l.message === 'listening');
  const unix = listening.address.startsWith('unix:') ? listening.address.slice(5) : undefined;
  const url = unix ? 'http://localhost' : `http://127.0.0.1:${listening.port}`;
  const agent = new Agent({ connections: 256, pipelining: 1, keepAliveTimeout: 5000, connect: unix ? { socketPath: unix } : {} });
  const process_ = { child, logs, logged, exited, url, agent };
  // From another address each time: the pages have a limit.
  if (ready) await until(async () => (await send(process_, 'GET', '/readyz', { from: randomAddress() })).status === 200, 'readyz');
  return process_;
}

export async function stopProcess(p, signal = 'SIGTERM') {
  await p.agent.destroy();
  if (p.child.exitCode === null) p.child.kill(signal);
  const { code } = await p.exited;
  if (signal !== 'SIGKILL') assert.equal(code, 0, 'portald ends with 0: no handle is left on its loop, no leak');
}

export async function send(p, method, target, { body, headers = {}, cookie, key, from } = {}) {
  const h = { ...headers };
  if (cookie) h.cookie = `psession=${cookie}`;
  if (key) h['x-api-key'] = key;
  if (from) h['x-forwarded-for'] = from;
  let payload = body;
  if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)) {
    payload = JSON.stringify(body);
    h['content-type'] ??= 'application/json';
  }
  const r = await request(p.url + target, { method, headers: h, body: payload, dispatcher: p.agent });
  const text = await r.body.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: r.statusCode, headers: r.headers, text, body: json };
}

export function sessionOf(response) {
  const set = [response.headers['set-cookie']].flat().find((c) => c?.startsWith('psession='));
  return set?.match(/^psession=([^;]*)/)[1];
}

// A socket of a person with the stock client: its events are in `events` ({name, data}), in order.
//   const s = await connect(portal, alice);  await s.ask('room:join', {chat_id});  await s.next('chat:status');
// Rejects with the CONNECT_ERROR. `by: 'auth'`: the token as auth.session, not as a cookie.
export async function connect(p, person, { by = 'cookie', wait = true, ...options } = {}) {
  const s = io(p.url, {
    transports: ['websocket'], forceNew: true, reconnection: false,
    ...(by === 'cookie' ? { extraHeaders: { cookie: `psession=${person.token}`, 'x-forwarded-for': person.from ?? '10.0.0.1' } }
      : by === 'auth' ? { auth: { session: person.token } } : {}),
    ...options,
  });
  const waiting = new Set();
  s.events = [];
  s.onAny((name, data) => {
    s.events.push({ name, data, at: Date.now() });
    for (const w of waiting) w();
  });
  s.ask = (name, data, ms = 10_000) => s.timeout(ms).emitWithAck(name, data);
  // The first event of this name (that fits) from `from` on; waits for it.
  s.next = (name, fits = () => true, { from = 0, ms = 10_000 } = {}) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(new Error(`no ${name}; seen: ${s.events.map((e) => e.name).join(' ')}`)), ms);
    const look = () => {
      const found = s.events.slice(from).find((e) => e.name === name && fits(e.data));
      if (found) done(null, found.data);
    };
    const done = (error, data) => {
      clearTimeout(timer);
      waiting.delete(look);
      error ? reject(error) : resolve(data);
    };
    waiting.add(look);
    look();
  });
  s.gone = new Promise((resolve) => s.once('disconnect', resolve));
  if (wait) {
    await new Promise((resolve, reject) => {
      const refused = (e) => (s.close(), reject(e));
      s.once('connect_error', refused);
      s.once('connect', () => (s.off('connect_error', refused), resolve())); // later ones are the client's to get over
    });
  }
  return s;
}

// `stores`: those of makeStores or ownStores, with a schema; else fresh ones.
export async function startPortal(env = {}, { stores } = {}) {
  if (!stores) {
    stores = await makeStores();
    await portalctl(stores, ['migrate']);
  }
  const p = await startProcess(stores, env);
  const portal = {
    ...p,
    stores,
    db: stores.db,
    redis: stores.redis,
    env,
    bots: {},
    get: (target, o) => send(p, 'GET', target, o),
    post: (target, body, o) => send(p, 'POST', target, { body, ...o }),
    send: (method, target, o) => send(p, method, target, o),
    ctl: (args) => portalctl(stores, args, env),

    // A login bot of the platform, registered by the command line: {key, id}.
    async bot(platform = 'discord') {
      if (!portal.bots[platform]) {
        const made = await portal.ctl(['bot', 'register', '--name', `${platform} bot`, '--platform', platform, '--json']);
        portal.bots[platform] = { key: made.api_key, id: made.bot.id };
      }
      return portal.bots[platform];
    },

    // The newest web code of an identity, as its bot sees it.
    async fetchCode(platform, platform_user_id, name = 'someone') {
      const bot = await portal.bot(platform);
      const r = await portal.post('/v1/authentication/bot/login-code', {
        platform, platform_user_id, platform_username: name, platform_avatar_url: '',
      }, { key: bot.key });
      assert.equal(r.status, 200, r.text);
      return r.body.code;
    },

    // Signs in by a web code and gives a person: {id, username, token, from, get, post, …}.
    async signIn({ platform = 'discord', id = randomPlatformId(), from = randomAddress(), name } = {}) {
      const asked = await portal.post('/v1/authentication/request', { platform, platform_user_id: id }, { from });
      assert.equal(asked.status, 200, asked.text);
      const code = await portal.fetchCode(platform, id, name);
      const r = await portal.post('/v1/authentication/verify', { code }, { from });
      assert.equal(r.status, 200, r.text);
      return portal.person(r, { platform, platform_user_id: id, from });
    },

    person(r, more = {}) {
      const token = sessionOf(r);
      assert.ok(token, 'a session cookie is set');
      return {
        ...more, ...r.body, token,
        get: (target, o) => send(p, 'GET', target, { cookie: token, from: more.from, ...o }),
        post: (target, body, o) => send(p, 'POST', target, { cookie: token, from: more.from, body, ...o }),
      };
    },

    // A person with a permission level; the level is set as an operator would.
    async withLevel(level, o) {
      const person = await portal.signIn(o);
      await portal.ctl(['user', 'promote', String(person.id), '--level', level]);
      return person;
    },

    async stop() {
      await stopProcess(p);
      await stores.release();
    },
  };
  return portal;
}

// Runs `start`, by which a task of that name gets a fault (X-Portal-Fault), until the task has ended: {result, steps}, how
// many operations it had.
export async function faulted(portal, task, start) {
  const from = portal.logs.length;
  const result = await start();
  const line = await until(() => portal.logs.slice(from).find((l) => l.message === 'a task with a fault ended' && l.task === task), `the end of ${task}`);
  return { result, steps: line.steps };
}

// Every error body has the three fields and nothing internal.
export function assertError(r, status, code, sentence) {
  assert.equal(r.status, status, r.text);
  assert.equal(r.body?.code, code, r.text);
  if (sentence instanceof RegExp) assert.match(r.body.error, sentence);
  else if (sentence) assert.equal(r.body.error, sentence);
  assert.match(r.body.correlation_id, /^[0-9a-f-]{36}$/i);
  assert.equal(r.headers['x-correlation-id'], r.body.correlation_id);
}
