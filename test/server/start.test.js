// Starting and stopping: what is refused with a sentence, what a signal does.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { makeStores, portalctl, PORTALD, send, startProcess, stopProcess } from './harness.js';

let stores;
let dir;
before(async () => {
  stores = await makeStores();
  await portalctl(stores, ['migrate']);
  dir = await mkdtemp(path.join(os.tmpdir(), 'portal-start-'));
});
after(async () => {
  await stores.release();
  await rm(dir, { recursive: true });
});

// Runs portald with just this environment until it ends by itself.
function start(env, args = []) {
  return new Promise((resolve) => {
    execFile(PORTALD, args, { env: { PATH: process.env.PATH, DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl, ...env }, timeout: 10_000 },
      (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
  });
}

const refused = [
  ['LISTEN outside loopback without SECRET_KEY', { LISTEN: '0.0.0.0:0' }, 'SECRET_KEY'],
  ['a short SECRET_KEY', { LISTEN: '0.0.0.0:0', SECRET_KEY: 'short' }, 'SECRET_KEY'],
  ['a loopback LISTEN behind a proxy that is not named', { COOKIE_DOMAIN: '.example.org', SECRET_KEY: 'x'.repeat(40) }, 'TRUSTED_PROXIES'],
  ['a number that is none', { RATE_LIMIT_LOGIN: 'many' }, 'RATE_LIMIT_LOGIN'],
  ['a number out of range', { MAX_SESSIONS_PER_USER: '0' }, 'MAX_SESSIONS_PER_USER'],
  ['a proxy that is no network', { TRUSTED_PROXIES: '10.0.0.0/40' }, 'TRUSTED_PROXIES'],
  ['an origin with a path', { ALLOWED_ORIGINS: 'https://a.example/x', SECRET_KEY: 'x'.repeat(40), TRUSTED_PROXIES: 'none' }, 'ALLOWED_ORIGINS'],
  ['a DATABASE_URL that cannot be read', { DATABASE_URL: 'mysql://x' }, 'DATABASE_URL'],
  ['no DATABASE_URL', { DATABASE_URL: '' }, 'DATABASE_URL'],
  ['no REDIS_URL', { REDIS_URL: '' }, 'REDIS_URL'],
  ['a secret file that is not there', { SECRET_KEY_FILE: '/nonexistent/key' }, 'SECRET_KEY_FILE'],
  ['a settings file that is not there', { PORTAL_CONFIG: '/nonexistent/portal.conf' }, 'PORTAL_CONFIG'],
];
for (const [what, env, key] of refused) {
  test(`refuses to start: ${what}`, async () => {
    const r = await start(env);
    assert.notEqual(r.code, 0);
    assert.match(r.stderr, new RegExp(key));
    assert.equal(r.stderr.trim().split('\n').length, 1, `one sentence: ${r.stderr}`);
  });
}

test('a settings file: unknown keys stop the start, the environment wins, secrets come from files', async () => {
  const file = path.join(dir, 'portal.conf');
  await writeFile(file, '# comment\nMAX_SESSIONS_PER_USER=3\nNO_SUCH_KEY=1\n');
  const bad = await start({ PORTAL_CONFIG: file });
  assert.notEqual(bad.code, 0);
  assert.match(bad.stderr, /NO_SUCH_KEY/);
  await writeFile(file, '# comment\nMAX_SESSIONS_PER_USER=3\nRATE_LIMIT_BOT=77\n');
  const key = path.join(dir, 'key');
  await writeFile(key, 'a key that stands in a file of its own\n');
  const r = await start({ PORTAL_CONFIG: file, RATE_LIMIT_BOT: '78', SECRET_KEY_FILE: key }, ['--print-config']);
  assert.equal(r.code, 0, r.stderr);
  assert.match(r.stdout, /^MAX_SESSIONS_PER_USER=3$/m);
  assert.match(r.stdout, /^RATE_LIMIT_BOT=78$/m);
  assert.match(r.stdout, /^SECRET_KEY=\*+$/m);
  assert.ok(!r.stdout.includes('a key that stands'));
});

test('a port that is taken is told in one sentence', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const r = await start({ LISTEN: `127.0.0.1:${server.address().port}` });
  assert.notEqual(r.code, 0);
  assert.match(r.stderr, /LISTEN|in use|taken/i);
  server.close();
});

test('serves on a Unix socket, whose peers count as a proxy', async () => {
  const p = await startProcess(stores, { LISTEN: `unix:${path.join(dir, 'portal.sock')}`, TRUSTED_PROXIES: '' });
  const r = await send(p, 'POST', '/v1/authentication/lookup', { body: { username: 'nobody' }, from: '10.9.8.7' });
  assert.equal(r.headers['ratelimit-remaining'], '19');
  const s = await send(p, 'POST', '/v1/authentication/lookup', { body: { username: 'nobody' }, from: '10.9.8.8' });
  assert.equal(s.headers['ratelimit-remaining'], '19');
  await stopProcess(p);
});

test('SIGTERM: what runs is finished, new connections are refused, the exit is clean', async () => {
  const p = await startProcess(stores, { HEADER_TIMEOUT: '5' });
  const port = Number(new URL(p.url).port);
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const body = '{"username":"nobody"}';
  socket.write(`POST /v1/authentication/lookup HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
  await send(p, 'GET', '/livez');
  p.child.kill('SIGTERM');
  await p.logged((l) => /drain|stopping/i.test(l.message));
  await delay(100); // many looks at whether it may end: half a request is one that runs
  socket.write(body.slice(5));
  socket.setEncoding('utf8');
  let text = '';
  socket.on('data', (d) => (text += d));
  await once(socket, 'close');
  assert.match(text, /^HTTP\/1\.1 404/);
  assert.match(text, /Connection: close/i);
  assert.deepEqual(await p.exited, { code: 0, signal: null });
  await p.agent.destroy();
});

test('an idle client does not hold up the stop', async () => {
  const p = await startProcess(stores, {});
  await send(p, 'GET', '/livez'); // leaves a kept connection
  const begun = Date.now();
  p.child.kill('SIGINT');
  assert.deepEqual(await p.exited, { code: 0, signal: null });
  assert.ok(Date.now() - begun < 5_000);
  await p.agent.destroy();
});

test('--print-config lists every setting with help; --version; unknown options', async () => {
  const r = await start({}, ['--print-config']);
  assert.equal(r.code, 0);
  for (const key of ['LISTEN=127.0.0.1:8080', 'MAX_SESSIONS_PER_USER=5', 'RATE_LIMIT_LOGIN=20']) assert.ok(r.stdout.split('\n').includes(key), key);
  assert.match((await start({}, ['--version'])).stdout, /^portald \d+\.\d+\.\d+/);
  const bad = await start({}, ['--frobnicate']);
  assert.notEqual(bad.code, 0);
  assert.match(bad.stderr, /--frobnicate/);
});

test('portalctl health: whether the server of these settings answers, and is ready', async () => {
  const p = await startProcess(stores);
  const health = (args, env) => portalctl(stores, ['health', ...args], env);
  assert.match(await health(['--url', p.url]), /livez +ok/);
  assert.match(await health(['--ready'], { LISTEN: `127.0.0.1:${new URL(p.url).port}` }), /readyz +ok/);
  await stopProcess(p);
  const failed = await health(['--url', p.url]).catch((e) => e);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /livez: Connection refused/);
  const away = await startProcess({ databaseUrl: 'postgresql://127.0.0.1:1/none', redisUrl: stores.redisUrl }, {}, { ready: false });
  assert.match(await health(['--url', away.url]), /livez +ok/);
  assert.match((await health(['--ready', '--url', away.url]).catch((e) => e)).stderr, /it answers 503/);
  await stopProcess(away);
});

test('SIGHUP without TLS: it serves on', async () => {
  const p = await startProcess(stores);
  p.child.kill('SIGHUP');
  await p.logged((l) => l.message === 'there is no certificate to read again');
  assert.equal((await send(p, 'GET', '/livez')).status, 200);
  await stopProcess(p);
});
