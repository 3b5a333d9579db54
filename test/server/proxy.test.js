// The proxies of docs/operations/ in front of two portald: each is started from its very file there, ports and paths
// put in. Clients come from addresses of their own (127.1.…); only 127.0.0.1, the proxy, is trusted.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { connect, makeStores, portalctl, sessionOf, send, startProcess, stopProcess, until } from './harness.js';
import { freePort, proxies } from './proxies.js';

const run = promisify(execFile);
let dir, ca, stores, nodes, person, chat;
const at = (name) => path.join(dir, name);
let hosts = 0;
const newHost = () => `127.1.${++hosts >> 8}.${hosts & 255}`;

const addressOf = (node) => new URL(node.url).host;
const startNode = (listen = '127.0.0.1:0') => startProcess(stores, {
  LISTEN: listen, TRUSTED_PROXIES: '127.0.0.1', COOKIE_SECURE: 'true', RATE_LIMIT_LOGIN: '20', RATE_LIMIT_HEALTH: '0', RATE_LIMIT_PUBLIC: '0', MAX_SOCKETS_PER_SESSION: '100',
});

// Signs in at a process itself.
async function signIn(node) {
  const from = `10.0.0.${randomInt(1, 255)}`;
  const bot = await portalctl(stores, ['bot', 'register', '--name', 'the bot', '--platform', 'discord', '--json']);
  const identity = { platform: 'discord', platform_user_id: '123456789012345678' };
  assert.equal((await send(node, 'POST', '/v1/authentication/request', { body: identity, from })).status, 200);
  const code = await send(node, 'POST', '/v1/authentication/bot/login-code', {
    body: { ...identity, platform_username: 'anna', platform_avatar_url: '' }, key: bot.api_key,
  });
  const r = await send(node, 'POST', '/v1/authentication/verify', { body: { code: code.body.code }, from });
  assert.equal(r.status, 200, r.text);
  return { token: sessionOf(r), username: r.body.username };
}

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'portal-proxy-'));
  await run('openssl', ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '30', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', at('key.pem'), '-out', at('cert.pem')]);
  ca = await readFile(at('cert.pem'));
  stores = await makeStores();
  await portalctl(stores, ['migrate']);
  nodes = await Promise.all([startNode(), startNode()]);
  person = await signIn(nodes[0]);
  const made = await portalctl(stores, ['chat', 'create', '--name', 'Lobby', '--slug', 'lobby', '--owner', person.username, '--official', '--json']);
  chat = (made.chat ?? made).id;
});
after(async () => {
  await Promise.all(nodes.map((n) => stopProcess(n)));
  await stores.release();
  await rm(dir, { recursive: true });
});

for (const [name, configure] of Object.entries(proxies)) {
  describe(name, () => {
    let child, url, plain;
    before(async () => {
      const port = await freePort();
      plain = await freePort();
      const [command, ...args] = await configure(at, port, plain, nodes.map(addressOf));
      let said = '';
      child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: dir } });
      child.stderr.on('data', (d) => (said += d));
      child.done = once(child, 'exit');
      url = `https://localhost:${port}`;
      await until(async () => {
        assert.equal(child.exitCode, null, said);
        return (await ask('/readyz').catch(() => ({}))).status === 200;
      }, name);
    });
    after(async () => {
      child.kill('SIGTERM');
      await child.done;
      nodes = await Promise.all(nodes.map((n) => (n.agent.destroyed ? startNode(addressOf(n)) : n)));
    });

    // A request on a connection of its own, from an address of the client's.
    function ask(target, { method = 'GET', from = '127.0.0.1', headers = {}, body, to = url } = {}) {
      return new Promise((resolve, reject) => {
        const q = https.request(to + target, {
          method, ca, localAddress: from, agent: false, family: 4, headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
        }, async (r) => {
          let text = '';
          for await (const part of r.setEncoding('utf8')) text += part;
          resolve({ status: r.statusCode, headers: r.headers, text });
        });
        q.on('error', reject);
        q.end(body);
      });
    }

    // Without kept connections: where one is lost between two requests, the XMLHttpRequest of Node's client never ends.
    const socket = (transports, { from = newHost(), ...more } = {}) =>
      connect({ url }, person, { by: 'auth', transports, ca, agent: new https.Agent({ ca, localAddress: from, family: 4 }), ...more });
    const works = async (s) => assert.equal((await s.ask('room:join', { chat_id: chat })).ok, true);
    const socketsOf = async (node) => Number((await send(node, 'GET', '/metrics')).text.match(/^portal_sockets_open (\d+)/m)[1]);

    test('the address of the client counts, whatever it forges', async () => {
      const [busy, other] = [newHost(), newHost()];
      const verify = (from, headers) => ask('/v1/authentication/verify', { method: 'POST', from, headers, body: '{"code":"AAAAAAAA"}' });
      const seen = [];
      for (let i = 0; i < 21; i++) seen.push((await verify(busy, { 'X-Forwarded-For': `9.9.9.${i}`, Forwarded: `for=9.9.9.${i}`, 'X-Real-IP': `9.9.9.${i}` })).status);
      assert.equal(seen.at(-1), 429, seen.join(' '));
      assert.ok(!seen.slice(0, 9).includes(429), seen.join(' '));
      assert.equal((await verify(other, { 'X-Forwarded-For': busy })).status, 400, 'a wrong code, not too many');
      assert.equal((await ask('/metrics', { headers: { 'X-Forwarded-For': '127.0.0.1' } })).status, 404);
    });

    test('a page of the site itself may post with the cookie, another may not', async () => {
      const post = (origin) => ask('/v1/portal/match', { method: 'POST', headers: { cookie: `psession=${person.token}`, origin }, body: '{}' });
      assert.equal((await post(url)).status, 400, 'the empty body was looked at');
      assert.equal((await post(url.replace('https', 'http'))).status, 403);
      assert.equal((await post('https://evil.example')).status, 403);
    });

    test('plain http is sent to https', async () => {
      const r = await fetch(`http://localhost:${plain}/docs?a=1`, { redirect: 'manual' });
      assert.ok([301, 308].includes(r.status), String(r.status));
      assert.match(r.headers.get('location'), /^https:\/\/localhost.*\/docs\?a=1$/);
    });

    test('bodies up to the limit pass, longer ones are told so', async () => {
      const post = (n) => ask('/v1/authentication/verify', { method: 'POST', from: newHost(), body: JSON.stringify({ code: 'x'.repeat(n) }) });
      const long = await post(65_000);
      assert.equal(long.status, 400);
      assert.equal(JSON.parse(long.text).code, 'ERR_INVALID_REQUEST');
      assert.equal((await post(200_000)).status, 413);
      const pages = await ask('/openapi.json');
      assert.ok(JSON.parse(pages.text).paths, 'a large answer comes whole');
    });

    test('sockets by polling, by WebSocket, and by an upgrade; clients without cookies too', async () => {
      for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
        const all = await Promise.all(Array.from({ length: 3 }, () => socket(transports)));
        for (const s of all) {
          if (transports.length === 2 && s.io.engine.transport.name !== 'websocket') await once(s.io.engine, 'upgrade');
          assert.equal(s.io.engine.transport.name, transports.at(-1));
        }
        for (let i = 0; i < 3; i++) await Promise.all(all.map(works));
        for (const s of all) s.close();
        await Promise.all(all.map((s) => s.gone));
      }
    });

    test('a browser keeps its process when its address changes', async () => {
      const first = await ask('/socket.io/?EIO=4&transport=polling', { from: newHost() });
      assert.equal(first.status, 200);
      const { sid } = JSON.parse(first.text.slice(1));
      const cookie = [first.headers['set-cookie']].flat().find((c) => c?.startsWith('portal_node='));
      assert.match(cookie, /Secure/i);
      const pong = async (headers) => (await ask(`/socket.io/?EIO=4&transport=polling&sid=${sid}`, {
        method: 'POST', from: newHost(), headers: { ...headers, 'content-type': 'text/plain' }, body: '3',
      })).status;
      const statuses = { with: new Set(), without: new Set() };
      for (let i = 0; i < 16; i++) {
        statuses.with.add(await pong({ cookie: cookie.split(';')[0] }));
        statuses.without.add(await pong({}));
      }
      assert.deepEqual([...statuses.with], [200]);
      assert.ok(statuses.without.has(400), 'without it, addresses are spread');
    });

    test('a process that stops: no request fails; one that is killed: its sockets come back on the other', async () => {
      const open = [];
      const old = await Promise.all(nodes.map(socketsOf)); // that earlier tests have left
      let spread;
      do {
        open.push(await socket([['polling'], ['websocket']][open.length % 2], { reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 500 }));
        spread = (await Promise.all(nodes.map(socketsOf))).map((n, i) => n - old[i]);
      } while (spread.some((n) => n < 2) && open.length < 32);
      assert.ok(spread.every((n) => n >= 2), `both have some: ${spread}`);
      // SIGTERM while requests come.
      let stop = false;
      const statuses = new Map();
      const asking = Promise.all(Array.from({ length: 2 }, async () => {
        while (!stop) {
          const { status } = await ask('/livez', { from: newHost() });
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }));
      await stopProcess(nodes[0]);
      nodes[0] = await startNode(addressOf(nodes[0]));
      stop = true;
      await asking;
      assert.deepEqual([...statuses.keys()], [200], JSON.stringify([...statuses]));

      // SIGKILL of the other.
      await until(async () => open.every((s) => s.connected), 'sockets after the first', 30_000);
      await until(async () => (await ask('/readyz')).status === 200, 'readyz');
      await stopProcess(nodes[1], 'SIGKILL');
      await until(async () => open.every((s) => s.connected) && (await socketsOf(nodes[0])) >= open.length, 'all of them on the one that is left', 30_000);
      await Promise.all(open.map(works));
      for (const s of open) s.close();
    });
  });
}
