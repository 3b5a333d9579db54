// portalctl top: figures of a running server, once and live on a terminal.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PORTALCTL, startPortal, startProcess, stopProcess, until } from './harness.js';
import { talker } from './chatter.js';

let portal;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0' });
});
after(() => portal.stop());

const run = (args, env = {}) => new Promise((resolve) => {
  execFile(PORTALCTL, args, { env: { PATH: process.env.PATH, ...env }, timeout: 30_000 },
    (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })).stdin.end();
});

// On a terminal of its own: what it shows, as it comes.
function terminal(args) {
  const command = [PORTALCTL, ...args].map((w) => `'${w}'`).join(' ');
  const child = spawn('script', ['-qefc', `${command}; echo "ended with $?"; stty -a`, '/dev/null'], { env: { PATH: process.env.PATH, TERM: 'xterm' } });
  const t = { child, text: '', exited: once(child, 'exit') };
  child.stdout.on('data', (d) => {
    t.text += d;
  });
  t.shows = (what, from = 0) => until(() => what.test(t.text.slice(from)), `${what} in ${JSON.stringify(t.text.slice(-400))}`, 20_000);
  return t;
}

test('once: the figures of a second, as JSON and as a list', async () => {
  const person = await portal.signIn();
  const { id } = (await portal.ctl(['chat', 'create', '--name', 'Busy', '--slug', 'busy', '--owner', person.username, '--json']));
  const a = await talker(portal, person);
  await a.join(id);
  const asked = run(['top', '--once', '--json', '--url', portal.url]);
  let over = false;
  asked.then(() => {
    over = true;
  });
  while (!over) await person.get('/v1/users/me');
  const r = await asked;
  assert.equal(r.code, 0, r.stderr);
  const f = JSON.parse(r.stdout);
  assert.deepEqual(Object.keys(f), ['requests', 'sockets', 'rooms', 'postgres', 'redis', 'loop', 'process']);
  for (const [group, all] of Object.entries(f)) for (const [name, value] of Object.entries(all)) assert.notEqual(value, null, `${group}.${name}: the metric is there`);
  assert.ok(f.requests.per_second > 1 && f.requests.p50_ms > 0 && f.requests.p99_ms >= f.requests.p50_ms, r.stdout);
  assert.deepEqual([f.sockets.open, f.sockets.people, f.rooms.open, f.rooms.memberships, f.postgres.up, f.redis.up, f.rooms.bus], [1, 1, 1, 1, 1, 1, 1]);
  assert.ok(f.loop.turns > 1 && f.process.cpu_percent > 0 && f.redis.commands > 1, r.stdout);
  a.close();
  const list = await run(['top', '--url', portal.url]);
  assert.match(list.stdout, /^sockets\.people +\d+$/m, 'without a terminal: once');
  assert.equal(list.code, 0);
});

test('live: each second anew, also across a restart; q and Ctrl-C give the terminal back', async () => {
  const socket = path.join(os.tmpdir(), `top-${process.pid}.sock`);
  const env = { LISTEN: `unix:${socket}` };
  let p = await startProcess(portal.stores, env);
  const t = terminal(['top', '--url', `unix:${socket}`]);
  await t.shows(/\x1b\[\?1049h/);
  await t.shows(/requests.*per_second.*\d+\.\d\d/);
  await stopProcess(p);
  await t.shows(/no answer: /);
  p = await startProcess(portal.stores, env);
  await t.shows(/requests[^]*postgres[^]*queries/, t.text.length);
  t.child.stdin.write('q');
  await t.shows(/\x1b\[\?1049l[^]*ended with 0[^]* icanon[^]* echo/);
  await t.exited;

  const other = terminal(['top', '--url', `unix:${socket}`]);
  await other.shows(/requests/);
  other.child.stdin.write('\x03');
  await other.shows(/\x1b\[\?1049l/);
  await other.exited;
  await stopProcess(p);
});

test('where LISTEN says, unless told otherwise; what does not answer is said', async () => {
  const settings = { DATABASE_URL: 'postgresql:///x', REDIS_URL: 'redis://127.0.0.1' };
  const r = await run(['top', '--json'], { ...settings, LISTEN: new URL(portal.url).host });
  assert.equal(r.code, 0, r.stderr);
  for (const [args, env, sentence] of [
    [[], { ...settings, LISTEN: '127.0.0.1:1' }, /127\.0\.0\.1:1: .*refused/], [[], {}, /DATABASE_URL/],
    [['--url', 'https://example.org'], {}, /http:\/\//], [['--url', 'unix:/no/such'], {}, /No such file/], [['--url', `${portal.url.replace('http', 'ftp')}`], {}, /http/],
    [['--url', 'http://host.invalid:1'], {}, /no address/],
  ]) {
    const bad = await run(['top', '--once', ...args], env);
    assert.equal(bad.code, 1, args.join(' '));
    assert.match(bad.stderr, sentence);
  }
  const stranger = createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const bad = await run(['top', '--once', '--url', `http://127.0.0.1:${stranger.address().port}`]);
  stranger.close();
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /not Portal/);
});
