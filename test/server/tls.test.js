// TLS without a proxy (TLS_CERT, TLS_KEY): https, sockets by WebSocket and by polling, a reload under way,
// and who speaks something else or nothing.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { Agent } from 'undici';
import { connect, makeStores, portalctl, PORTALD, send, sessionOf, startProcess, stopProcess, until } from './harness.js';

const run = promisify(execFile);
let dir, stores, p, ca, person;
const at = (name) => path.join(dir, name);

// A certificate for 127.0.0.1 and localhost, signed by the test's own authority through one in between.
async function certify(name, newkey) {
  const extensions = at(`${name}.ext`);
  await writeFile(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n');
  await run('openssl', ['req', '-new', '-nodes', ...newkey, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`]);
  await run('openssl', ['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('between.pem'), '-CAkey', at('between.key'), '-CAcreateserial',
    '-days', '30', '-extfile', extensions, '-out', at(`${name}.pem`)]);
  await writeFile(at(`${name}.chain`), (await readFile(at(`${name}.pem`), 'utf8')) + (await readFile(at('between.pem'), 'utf8')));
  await chmod(at(`${name}.key`), 0o640);
}
const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

async function use(name) {
  await copyFile(at(`${name}.chain`), at('cert'));
  await copyFile(at(`${name}.key`), at('key'));
}

// Resolves when the line is logged for the first time since the call.
function loggedNext(match) {
  const seen = p.logs.length;
  return p.logged((l) => p.logs.indexOf(l) >= seen && match(l));
}

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'portal-tls-'));
  await run('openssl', ['req', '-x509', '-nodes', ...P256, '-keyout', at('root.key'), '-out', at('root.pem'), '-subj', '/CN=root', '-days', '30']);
  await run('openssl', ['req', '-new', '-nodes', ...P256, '-keyout', at('between.key'), '-out', at('between.csr'), '-subj', '/CN=between']);
  await writeFile(at('between.ext'), 'basicConstraints=critical,CA:TRUE\n');
  await run('openssl', ['x509', '-req', '-in', at('between.csr'), '-CA', at('root.pem'), '-CAkey', at('root.key'), '-CAcreateserial',
    '-days', '30', '-extfile', at('between.ext'), '-out', at('between.pem')]);
  await certify('first', P256);
  await certify('second', ['-newkey', 'rsa:2048']);
  await use('first');
  ca = await readFile(at('root.pem'));
  stores = await makeStores();
  await portalctl(stores, ['migrate']);
  p = await startProcess(stores, { TLS_CERT: at('cert'), TLS_KEY: at('key'), COOKIE_SECURE: 'true' }, { ready: false });
  await p.agent.destroy();
  p.port = Number(new URL(p.url).port);
  p.url = `https://127.0.0.1:${p.port}`;
  p.agent = new Agent({ connect: { ca } });
  await until(async () => (await send(p, 'GET', '/readyz')).status === 200, 'readyz');
});
after(async () => {
  await stopProcess(p);
  await stores.release();
  await rm(dir, { recursive: true });
});

const livez = async () => (await send(p, 'GET', '/livez')).status;

// A TLS connection of its own; its certificate's subject in `shown`.
async function secure(options = {}) {
  const s = tls.connect({ host: '127.0.0.1', port: p.port, ca, ...options });
  await once(s, 'secureConnect');
  s.shown = s.getPeerCertificate().subject.CN;
  return s;
}

// The head of the answer.
function ask(s, target) {
  let text = '';
  return new Promise((resolve, reject) => {
    const done = (end, value) => {
      s.off('data', part);
      s.off('close', closed);
      end(value);
    };
    const part = (d) => (text += d).includes('\r\n\r\n') && done(resolve, text);
    const closed = () => done(reject, new Error('closed'));
    s.on('data', part);
    s.on('close', closed);
    s.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  });
}

test('curl trusts the chain, and gets HTTP/1.1', async () => {
  const { stdout } = await run('curl', ['-sS', '--cacert', at('root.pem'), '-w', '%{http_code} %{http_version} %{ssl_verify_result}', '-o', '/dev/null', `${p.url}/livez`]);
  assert.equal(stdout, '200 1.1 0');
});

test('openssl s_client: 1.2 only, ephemeral keys, no renegotiation, tickets', async () => {
  const client = async (args, line) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${p.port}`, '-CAfile', at('root.pem'), ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (d) => (out += d));
    child.stderr.on('data', (d) => (out += d));
    if (line) {
      await until(() => out.includes('Verify return code'), 'the handshake');
      child.stdin.write(line);
    } else {
      child.stdin.end();
    }
    await once(child, 'close');
    return out;
  };
  const good = await client(['-alpn', 'h2,http/1.1']);
  assert.match(good, /Verification: OK/);
  assert.match(good, /New, TLSv1\.2, Cipher is ECDHE-ECDSA-CHACHA20-POLY1305/);
  assert.match(good, /ALPN protocol: http\/1\.1/);
  assert.match(good, /Secure Renegotiation IS supported/);
  assert.match(good, /TLS session ticket lifetime hint/);
  assert.match(await client(['-tls1_3']), /alert|error/i);
  assert.match(await client(['-tls1_1', '-cipher', 'ALL@SECLEVEL=0']), /Cipher is \(NONE\)/);
  assert.match(await client(['-tls1_2', '-cipher', 'AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA']), /Cipher is \(NONE\)/);
  assert.match(await client(['-tls1_2'], 'R\n'), /no renegotiation/);
});

test('a session is resumed by its ticket', async () => {
  const agent = new https.Agent({ ca, maxCachedSessions: 1, keepAlive: false });
  const get = () => new Promise((resolve, reject) => {
    https.get(`${p.url}/livez`, { agent }, (r) => {
      const reused = r.socket.isSessionReused();
      r.resume().on('end', () => resolve({ status: r.statusCode, reused }));
    }).on('error', reject);
  });
  assert.deepEqual(await get(), { status: 200, reused: false });
  assert.deepEqual(await get(), { status: 200, reused: true });
});

test('people sign in: the cookie is Secure; sockets by WebSocket and by polling', async () => {
  const bot = await portalctl(stores, ['bot', 'register', '--name', 'the bot', '--platform', 'discord', '--json']);
  const identity = { platform: 'discord', platform_user_id: '123456789012345678' };
  assert.equal((await send(p, 'POST', '/v1/authentication/request', { body: identity })).status, 200);
  const code = await send(p, 'POST', '/v1/authentication/bot/login-code', { body: { ...identity, platform_username: 'anna', platform_avatar_url: '' }, key: bot.api_key });
  const r = await send(p, 'POST', '/v1/authentication/verify', { body: { code: code.body.code } });
  assert.equal(r.status, 200, r.text);
  assert.match([r.headers['set-cookie']].flat()[0], /Secure; SameSite=None/);
  person = { token: sessionOf(r), id: r.body.id };
  const made = await portalctl(stores, ['chat', 'create', '--name', 'Lobby', '--slug', 'lobby', '--owner', r.body.username, '--official', '--json']);
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    const s = await connect(p, person, { transports, ca });
    if (transports.length === 2 && s.io.engine.transport.name !== 'websocket') await new Promise((done) => s.io.engine.once('upgrade', done));
    assert.equal(s.io.engine.transport.name, transports.at(-1));
    const joined = await s.ask('room:join', { chat_id: (made.chat ?? made).id });
    assert.equal(joined.ok, true, JSON.stringify(joined));
    s.close();
  }
});

test('pipelined requests and large bodies, both ways', async () => {
  const s = await secure();
  s.setEncoding('latin1');
  let text = '';
  s.on('data', (d) => (text += d));
  s.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100));
  s.end('GET /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await once(s, 'close');
  assert.equal(text.match(/HTTP\/1\.1 200 OK/g).length, 101);
  assert.ok(JSON.parse(text.slice(text.lastIndexOf('\r\n\r\n') + 4)).paths, 'the document came whole');
  const big = await send(p, 'POST', '/v1/authentication/verify', { body: { code: 'x'.repeat(60_000) } });
  assert.equal(big.status, 400);
  const bigger = await send(p, 'POST', '/v1/authentication/verify', { body: { code: 'x'.repeat(200_000) } });
  assert.equal(bigger.status, 413);
});

test('portalctl health finds the port alive', async () => {
  const said = await portalctl(stores, ['health'], { LISTEN: `127.0.0.1:${p.port}`, TLS_CERT: at('cert'), TLS_KEY: at('key') });
  assert.match(said, /livez +ok/);
});

test('plain HTTP is told so and closed; other bytes are closed', async () => {
  const { stdout } = await run('curl', ['-sS', '-w', '%{http_code}', `http://127.0.0.1:${p.port}/livez`]);
  assert.equal(stdout, 'This port speaks https only.\n400');
  for (const bytes of ['\0\0\0\0\0\0\0\0', '\x16\x03\x01\x40\x00garbage'.padEnd(20_000, 'x')]) {
    const s = net.connect(p.port, '127.0.0.1');
    s.on('error', () => {});
    s.resume();
    s.write(bytes, 'latin1');
    await once(s, 'close');
  }
  assert.equal(await livez(), 200);
});

test('200 half-open handshakes keep nobody out, and end', async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const s = net.connect(p.port, '127.0.0.1');
    s.on('error', () => {});
    s.resume();
    await once(s, 'connect');
    if (i % 2) s.write(Buffer.from('1603010200010001fc0303', 'hex')); // the beginning of a hello
    return s;
  }));
  const begun = Date.now();
  for (let i = 0; i < 5; i++) (await secure()).end();
  assert.equal(await livez(), 200);
  assert.ok(Date.now() - begun < 9000, 'before the others were given up');
  await Promise.all(sockets.map((s) => s.closed || once(s, 'close')));
  assert.ok(Date.now() - begun > 5000, 'they had their time');
});

test('a storm of handshakes: those connected are served meanwhile', async () => {
  const old = await secure();
  const storm = Promise.all(Array.from({ length: 60 }, () => secure({ session: undefined })));
  let served = 0;
  let over = false;
  storm.then(() => (over = true));
  while (!over) {
    assert.match(await ask(old, '/livez'), /^HTTP\/1\.1 (200|429)/);
    served++;
  }
  assert.ok(served > 3, `${served} answers`);
  for (const s of await storm) s.destroy();
  old.destroy();
});

test('SIGHUP: newcomers see the new certificate, those connected stay', async () => {
  const old = await secure();
  assert.equal(old.shown, 'first');
  const socket = await connect(p, person, { ca });
  await use('second');
  const loaded = loggedNext((l) => l.message === 'certificate');
  p.child.kill('SIGHUP');
  assert.match((await loaded).subject, /CN=second/);
  const fresh = await secure();
  assert.equal(fresh.shown, 'second');
  assert.match(fresh.getCipher().name, /^ECDHE-RSA-/);
  assert.match(await ask(old, '/livez'), /^HTTP\/1\.1 (200|429)/);
  assert.equal((await socket.ask('room:join', { chat_id: 999999 })).code, 'ERR_CHAT_NOT_FOUND');

  await writeFile(at('cert'), 'not a certificate');
  const stays = loggedNext((l) => l.message === 'the certificate in use stays');
  p.child.kill('SIGHUP');
  assert.match((await stays).reason, /TLS_CERT/);
  const later = await secure();
  assert.equal(later.shown, 'second');
  for (const s of [old, fresh, later]) s.destroy();
  socket.close();
});

test('a start with files that do not fit is refused by name; config check says the same', async () => {
  const env = { PATH: process.env.PATH, DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl, LISTEN: '127.0.0.1:0' };
  await writeFile(at('open.key'), await readFile(at('first.key')));
  await chmod(at('open.key'), 0o644);
  const cases = [
    [{ TLS_CERT: at('first.chain') }, /TLS_KEY/],
    [{ TLS_KEY: at('first.key') }, /TLS_CERT/],
    [{ TLS_CERT: at('none'), TLS_KEY: at('first.key') }, /TLS_CERT.*No such file/],
    [{ TLS_CERT: at('first.chain'), TLS_KEY: at('second.key') }, /TLS_KEY.*not the key/],
    [{ TLS_CERT: at('first.chain'), TLS_KEY: at('open.key') }, /TLS_KEY.*0644.*chmod/],
  ];
  for (const [files, sentence] of cases) {
    const failed = await run(PORTALD, [], { env: { ...env, ...files }, timeout: 10_000 }).catch((e) => e);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, sentence);
    assert.equal(failed.stderr.trim().split('\n').length, 1, failed.stderr);
    await assert.rejects(portalctl(stores, ['config', 'check'], files), (e) => sentence.test(e.stderr + e.stdout));
  }
  const fine = await portalctl(stores, ['config', 'check'], { TLS_CERT: at('first.chain'), TLS_KEY: at('first.key') });
  assert.ok(fine);
  assert.ok(new X509Certificate(await readFile(at('first.pem'))).checkIP('127.0.0.1'));
});
