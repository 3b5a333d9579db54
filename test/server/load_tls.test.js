// portal-load on what speaks TLS: portald's own listener, and nginx and Caddy in front of two processes; and whom it refuses to
// talk to, with what the operator is told.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Agent } from 'undici';
import { makeStores, portalctl, send, startProcess, stopProcess, until } from './harness.js';
import { checkHistory, loadTarget, NO_LIMITS, refusedLoad, startLoad } from './load.js';
import { freePort, proxies } from './proxies.js';

const run = promisify(execFile);
let dir, stores, secure, nodes, target, ca;
const at = (name) => path.join(dir, name);
const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

// Signed by the authority `by`, for these names.
async function certify(name, names, { by = 'root', days = 30 } = {}) {
  await writeFile(at(`${name}.ext`), `subjectAltName=${names}\nbasicConstraints=CA:FALSE\n`);
  await run('openssl', ['req', '-new', ...P256, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`]);
  await run('openssl', ['x509', '-req', '-in', at(`${name}.csr`), '-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`), '-CAcreateserial',
    '-days', String(days), '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`)]);
}

const authority = (name) => run('openssl', ['req', '-x509', ...P256, '-days', '30', '-subj', `/CN=${name}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]);

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'load-tls-'));
  await Promise.all([authority('root'), authority('stranger')]);
  await certify('cert', 'DNS:localhost,IP:127.0.0.1');
  await run('cp', [at('cert.key'), at('key.pem')]);
  ca = await readFile(at('root.pem'));
  stores = await makeStores();
  await portalctl(stores, ['migrate']);
  const settings = { ...NO_LIMITS, COOKIE_SECURE: 'true', TRUSTED_PROXIES: '127.0.0.1', MAX_SOCKETS_PER_SESSION: '100' };
  [secure, ...nodes] = await Promise.all([
    startProcess(stores, { ...settings, TLS_CERT: at('cert.pem'), TLS_KEY: at('cert.key') }, { ready: false }),
    startProcess(stores, settings), startProcess(stores, settings),
  ]);
  await secure.agent.destroy();
  secure.url = secure.url.replace('http:', 'https:');
  secure.agent = new Agent({ connect: { ca } });
  await until(async () => (await send(secure, 'GET', '/readyz')).status === 200, 'readyz');
  target = { ...(await loadTarget(stores, [secure])), trust: ['--ca', at('root.pem')] };
});
after(async () => {
  await Promise.all([secure, ...nodes].map((p) => stopProcess(p)));
  await stores.release();
  await rm(dir, { recursive: true });
});

// Each scenario, small; nothing may go wrong.
const scenarios = {
  login: [['--clients', 4], (m) => m.signed_in.count > 4],
  me: [['--clients', 8, '--rate', 100], (m) => m.answered.count >= 80],
  idle: [['--clients', 20, '--rooms', 2], (m) => m.joined.count === 20 && m.lost.count === 0],
  match: [['--clients', 10], (m) => m.found.count > 0],
  storm: [['--seconds', 2, '--clients', 20, '--rooms', 2, '--every', 3600, '--retry-ms', 100], (m) => m.storms.count === 1 && m.back.count === 20],
  mix: [['--clients', 30, '--rate', 60, '--rooms', 2], (m) => m.acked.count > 0 && m.answered.count > 0 && m.signed_in.count > 0],
};

function drives(where) {
  for (const [name, [args, fits]] of Object.entries(scenarios)) {
    test(name, async () => {
      const { result, told } = await startLoad(name, where(), ['--seconds', 1, '--sign-ins', 4, ...args]).ended();
      assert.ok(fits(result.meters), told);
      assert.deepEqual(result.errors, {}, told);
      assert.equal(result.tls.verified, true, told);
      assert.ok(result.tls.handshakes > 0, told);
    });
  }

  test('chat: long messages too, and each comes to everybody once', async () => {
    const history = at(`history.${Math.random()}`);
    const { result, told } = await startLoad('chat', where(), ['--clients', 20, '--rooms', 2, '--rate', 60, '--bytes', 2900, '--seconds', 1, '--sign-ins', 4, '--history', history]).ended();
    assert.equal(result.meters.acked.count, 60, told);
    await checkHistory(history, { told });
  });
}

describe("portald's own listener", () => {
  drives(() => target);

  test('connections go on with the ticket of an earlier one; the cost of the server is told', async () => {
    const { result, told } = await startLoad('me', target, ['--clients', 50, '--seconds', 1]).ended();
    assert.ok(result.tls.handshakes >= 50 && result.tls.resumed >= 40, told);
    assert.ok(result.server.cpu_ms > 0, told);
  });

  test('by its name, which may stand for an address where nobody listens', async () => {
    const url = secure.url.replace('127.0.0.1', 'localhost');
    const { result, told } = await startLoad('me', { ...target, portals: [{ url }] }, ['--clients', 2, '--rate', 20, '--seconds', 1]).ended();
    assert.ok(result.meters.answered.count >= 18, told);
  });
});

for (const name of ['nginx', 'caddy']) {
  describe(name, () => {
    let child, url;
    before(async () => {
      const port = await freePort();
      const [command, ...args] = await proxies[name](at, port, await freePort(), nodes.map((n) => new URL(n.url).host));
      let said = '';
      child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: dir } });
      child.stderr.on('data', (d) => (said += d));
      child.done = once(child, 'exit');
      url = `https://localhost:${port}`;
      await until(() => {
        assert.equal(child.exitCode, null, said);
        return answers(url);
      }, name);
    });
    after(async () => {
      child.kill('SIGTERM');
      await child.done;
    });
    drives(() => ({ ...target, portals: [{ url }] }));
  });
}

// Whether /livez is 200 there.
const answers = (url) => new Promise((resolve) => {
  https.get(`${url}/livez`, { ca, agent: false, family: 4 }, (r) => r.resume().on('end', () => resolve(r.statusCode === 200))).on('error', () => resolve(false));
});

describe('it refuses', () => {
  const ask = (url, more = []) => refusedLoad(['me', '--url', url, '--bot-key', 'hbot_x', ...more]);
  const trust = () => ['--ca', at('root.pem')];

  // A server that shows this certificate; `then` is given its port.
  async function shown(name, then) {
    const server = https.createServer({ key: await readFile(at(`${name}.key`)), cert: await readFile(at(`${name}.pem`)) }, (q, r) => r.end('ok'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      return await then(server.address().port);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('a certificate of an authority that is not trusted, by this system or by --ca', async () => {
    assert.match(await ask(secure.url), /https:\/\/127\.0\.0\.1:\d+: its certificate is signed by "CN=root", whom nothing here trusts; name .* by --ca/);
    assert.match(await ask(secure.url, ['--ca', at('stranger.pem')]), /signed by "CN=root", whom nothing here trusts/);
  });

  test('a certificate for another host, by name and by address', async () => {
    await certify('elsewhere', 'DNS:elsewhere.example,DNS:www.elsewhere.example,IP:127.0.0.2');
    await shown('elsewhere', async (port) => {
      assert.match(await ask(`https://localhost:${port}`, trust()), /not for "localhost" but for elsewhere\.example, www\.elsewhere\.example; name the host/);
      assert.match(await ask(`https://127.0.0.1:${port}`, trust()), /not for "127\.0\.0\.1" but for elsewhere\.example/);
    });
    await certify('named', 'DNS:localhost');
    await shown('named', async (port) => assert.match(await ask(`https://127.0.0.1:${port}`, trust()), /not for "127\.0\.0\.1" but for localhost/));
  });

  test('a certificate that has expired', async () => {
    await certify('old', 'DNS:localhost', { days: -1 });
    await shown('old', async (port) => assert.match(await ask(`https://localhost:${port}`, trust()), /its certificate has expired \(20\d\d-\d\d-\d\d\); it needs a new one/));
  });

  test('--insecure takes any, and says so', async () => {
    const load = startLoad('me', { ...target, trust: ['--insecure'] }, ['--clients', 2, '--rate', 20, '--seconds', 1]);
    const { result, told } = await load.ended();
    assert.match(load.lines[0], /^INSECURE: certificates are not verified/);
    assert.deepEqual([result.tls.verified, result.options.insecure], [false, 1], told);
    assert.ok(result.meters.answered.count >= 18, told);
  });

  test('https where nothing but HTTP is spoken, http where TLS is, and neither', async () => {
    assert.match(await ask(nodes[0].url.replace('http:', 'https:'), trust()), /it does not speak TLS there; is it http:\/\/\?/);
    assert.match(await ask(secure.url.replace('https:', 'http:')), /takes no plain HTTP; is it https:\/\/\?/);
    const port = await freePort();
    assert.match(await ask(`https://127.0.0.1:${port}`, trust()), /connection refused/);
    const mute = net.createServer((s) => s.once('data', () => s.destroy())).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    assert.match(await ask(`https://127.0.0.1:${mute.address().port}`, trust()), /closed the connection in the middle of the TLS handshake|connection reset/);
    mute.close();
  });

  test('what is no URL of a server, and files without a certificate', async () => {
    assert.match(await ask(`${secure.url}/v1`), /https:\/\/host\[:port\] is wanted, without a path/);
    assert.match(await ask(secure.url, ['--ca', at('none.pem')]), /--ca .*none\.pem: No such file/);
    assert.match(await ask(secure.url, ['--ca', at('cert.ext')]), /no certificate is in it; a PEM file is wanted/);
    assert.match(await ask('https://no-such-host.invalid'), /no-such-host\.invalid: /);
  });
});
