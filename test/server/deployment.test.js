// What is deployed with: compose.yaml, the Dockerfile, the unit of systemd. Names in them are held against what they
// name, and the settings and the Redis of compose.yaml are put to use. (Proxies: proxy.test.js. The images themselves:
// make image-test.)
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { talker } from './chatter.js';
import { makeStores, portalctl, PORTALD, startPortal, until } from './harness.js';

const run = promisify(execFile);
const root = path.resolve(path.dirname(new URL(import.meta.url).pathname), '../..');
const read = (name) => readFileSync(path.join(root, name), 'utf8');
const compose = parse(read('compose.yaml'), { merge: true });
const services = Object.entries(compose.services);
const dockerfile = read('Dockerfile').split('\n').filter((l) => l && !l.startsWith('#')).map((l) => l.split(/ (.*)/s).slice(0, 2));
const server = dockerfile.slice(dockerfile.findLastIndex(([k]) => k === 'FROM'));
const settings = new Map([...read('src/base/config.def').matchAll(/^X\(\w+, "(\w+)", \w+, "[^"]*", \d+, \d+, (true|false)/gm)].map((m) => [m[1], { secret: m[2] === 'true' }]));
const lines = (name) => read(name).split('\n').filter((l) => /^\w+=/.test(l)).map((l) => l.split(/=(.*)/s).slice(0, 2));

let dir;
before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'portal-deployment-'));
});
after(() => rm(dir, { recursive: true }));

// NAME is a setting, or NAME_FILE of a secret one.
function assertSetting(key, where) {
  assert.ok(settings.has(key) || settings.get(key.replace(/_FILE$/, ''))?.secret, `${where} names ${key}, which is no setting`);
  assert.ok(!settings.get(key)?.secret, `${where} holds the secret ${key} itself`);
}

test('what compose.yaml, the Dockerfile and the unit set are settings', () => {
  assert.ok(settings.size > 40, 'the settings were found');
  const bots = execFileSync('cat', ['portal.js', 'telegram.js', 'discord.js'].map((f) => path.join(root, 'src/bots', f)), { encoding: 'utf8' });
  const seen = { portal: 0, 'portal-bots': 0 };
  for (const [name, s] of services) {
    for (const key of Object.keys(s.environment ?? {})) {
      seen[s.image]++;
      if (s.image === 'portal') assertSetting(key, name);
      else if (s.image === 'portal-bots') assert.match(bots, new RegExp(`['.]${key.replace(/_FILE$/, '')}\\b`), `${name} names ${key}`);
      else if (name === 'caddy') assert.ok(read('docs/operations/Caddyfile').includes(`{$${key}:`), `the Caddyfile knows ${key}`);
    }
  }
  assert.ok(seen.portal >= 4 && seen['portal-bots'] >= 8, JSON.stringify(seen));
  for (const [keyword, rest] of server) if (keyword === 'ENV') assertSetting(rest.split('=')[0], 'the Dockerfile');
  for (const [key, value] of lines('docs/operations/portald@.service')) if (key === 'Environment') assertSetting(value.split('=')[0], 'the unit');
  for (const [key] of lines('docs/operations/portald.env')) assert.ok(settings.has(key), `portald.env names ${key}`);
});

test('the services of compose.yaml are hardened, watched and restarted', () => {
  for (const [name, s] of services) {
    assert.equal(s.read_only, true, name);
    assert.deepEqual(s.cap_drop, ['ALL'], name);
    assert.deepEqual(s.security_opt, ['no-new-privileges:true'], name);
    assert.equal(s.restart, name === 'migrate' ? 'no' : 'unless-stopped', name);
    assert.ok(s.build || /:[\w.-]+$/.test(s.image), `${name} has an image with a tag`);
    assert.ok(s.healthcheck || s.image.startsWith('portal'), `${name} is watched`);
    for (const port of s.ports ?? []) assert.match(port, /^(80|443):/, 'nothing but the proxy is published');
  }
  const drain = settings.has('DRAIN_TIMEOUT') && 10;
  assert.ok(parseInt(compose.services['portald-1'].stop_grace_period, 10) > drain);
});

test('what compose.yaml names is there', () => {
  const used = { secrets: new Set(), volumes: new Set(), networks: new Set() };
  for (const [name, s] of services) {
    for (const other of Array.isArray(s.depends_on) ? s.depends_on : Object.keys(s.depends_on ?? {})) assert.ok(compose.services[other], `${name} depends on ${other}`);
    for (const n of Array.isArray(s.networks) ? s.networks : Object.keys(s.networks)) used.networks.add(n);
    for (const secret of s.secrets ?? []) used.secrets.add(secret);
    for (const [key, value] of Object.entries(s.environment ?? {})) {
      if (key.endsWith('_FILE')) assert.ok(s.secrets.includes(path.basename(value)), `${name} is given what ${key} names`);
    }
    for (const v of s.volumes ?? []) {
      if (v.startsWith('./')) assert.ok(existsSync(path.join(root, v.split(':')[0])), v);
      else used.volumes.add(v.split(':')[0]);
    }
    const stage = s.build && (s.build.target ?? 'server');
    if (stage && stage !== 'server') assert.ok(dockerfile.some(([k, rest]) => k === 'FROM' && rest.endsWith(` AS ${stage}`)), `the Dockerfile has a stage ${stage}`);
  }
  for (const [kind, names] of Object.entries(used)) assert.deepEqual([...names].sort(), Object.keys(compose[kind]).sort(), kind);
});

test('Caddy leads to both portald, and it alone is trusted', () => {
  const listen = server.find(([k, rest]) => k === 'ENV' && rest.startsWith('LISTEN='))[1].split(':')[1];
  const both = services.filter(([, s]) => s.image === 'portal' && !s.command).map(([name]) => `${name}:${listen}`);
  assert.equal(both.length, 2);
  assert.equal(compose.services.caddy.environment.PORTALD, both.join(' '));
  assert.equal(compose.services['portald-1'].environment.TRUSTED_PROXIES, compose.services.caddy.networks.front.ipv4_address);
});

test('the image: a user of its own, a health check without a shell, steps that exist', () => {
  const one = (keyword) => server.find(([k]) => k === keyword)?.[1];
  assert.equal(one('FROM'), 'scratch');
  assert.match(one('USER'), /^[1-9]\d*:[1-9]\d*$/);
  assert.match(one('HEALTHCHECK'), / CMD \["\/usr\/local\/bin\/portalctl", "health"\]$/);
  assert.match(one('ENTRYPOINT'), /^\["/);
  const makefile = read('Makefile');
  for (const [keyword, rest] of dockerfile) {
    if (keyword === 'RUN' && rest.startsWith('make ')) {
      for (const target of rest.split(' ').slice(1).filter((w) => !w.includes('='))) assert.match(makefile, new RegExp(`^[\\w/ -]*${target}( |:)`, 'm'), target);
    }
    if (keyword === 'COPY' && !rest.startsWith('--from')) {
      for (const source of rest.split(' ').slice(0, -1)) assert.ok(existsSync(path.join(root, source)), source);
    }
  }
});

test('settings, secrets and Redis of compose.yaml carry a whole Portal', async () => {
  await run(path.join(root, 'docs/operations/secrets.sh'), [dir]);
  const secrets = path.join(dir, 'secrets');
  const needed = services.filter(([, s]) => !s.profiles).flatMap(([, s]) => s.secrets ?? []);
  assert.deepEqual((await readdir(secrets)).sort(), [...new Set(needed)].sort());
  assert.equal((await stat(secrets)).mode & 0o777, 0o700);
  await assert.rejects(run(path.join(root, 'docs/operations/secrets.sh'), [dir]), 'they are made once');
  assert.match(await readFile(path.join(secrets, 'database_url'), 'utf8'), new RegExp(`:${await readFile(path.join(secrets, 'database_password'), 'utf8')}@postgres/portal$`));

  const free = net.createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address();
  free.close();
  const [command, ...args] = compose.services.redis.command.map((w) => w.replace('/run/secrets', secrets));
  const redis = spawn(command, [...args, '--port', String(port), '--bind', '127.0.0.1', '--dir', dir], { stdio: 'ignore' });
  const gone = once(redis, 'exit');
  const ping = async () => (await run(compose.services.redis.healthcheck.test[1], ['-p', String(port), 'ping'])).stdout;
  const stores = await makeStores();
  let portal;
  try {
    await until(() => ping().catch(() => ''), 'the health check of Redis');
    assert.match(await ping(), /NOAUTH/, 'nobody comes in without a password');

    const own = compose.services['portald-1'].environment;
    const redisFile = path.join(dir, 'redis_url');
    await writeFile(redisFile, (await readFile(path.join(secrets, 'redis_url'), 'utf8')).replace('@redis:6379', `@127.0.0.1:${port}`));
    const env = {
      ...own, SECRET_KEY: undefined, SECRET_KEY_FILE: path.join(secrets, path.basename(own.SECRET_KEY_FILE)),
      DATABASE_URL_FILE: undefined, REDIS_URL: undefined, REDIS_URL_FILE: redisFile, TRUSTED_PROXIES: '127.0.0.0/8',
    };
    await portalctl(stores, ['migrate'], env);
    portal = await startPortal(env, { stores: { ...stores, release: async () => {} } });
    const people = [await portal.signIn(), await portal.signIn()];
    const chat = await portal.ctl(['chat', 'create', '--name', 'Lobby', '--slug', 'lobby', '--owner', people[0].username, '--official', '--json']);
    const id = (chat.chat ?? chat).id;
    const [anna, bert] = [await talker(portal, people[0]), await talker(portal, people[1])];
    await anna.join(id);
    await bert.join(id);
    await anna.keyed(id);
    assert.ok((await anna.say(id)).ok);
    await bert.heard(id, 'message:new');
    await people[0].post('/v1/portal/match', { interest: 'chess' });
    const match = await people[1].post('/v1/portal/match', { interest: 'chess' });
    assert.equal(match.body.state, 'matched', match.text);
    assert.equal((await portal.ctl(['match', 'status', '--json'])).direct_chats, 1);
    const health = await portal.ctl(['doctor', '--json']);
    for (const check of health) if (/^Redis/.test(check.check)) assert.equal(check.result, 'ok', JSON.stringify(check));
    await portal.ctl(['backup', path.join(dir, 'backup')]);
    for (const t of [anna, bert]) t.close();
    assert.deepEqual(portal.logs.filter((l) => /refused a command/.test(l.message)), [], 'the user of Redis may all that is asked');
    await portal.stop();
    await portalctl(stores, ['restore', path.join(dir, 'backup'), '--yes'], env);
  } finally {
    portal?.child.kill('SIGKILL');
    redis.kill('SIGTERM');
    await gone;
    await stores.release();
  }
});

test('the settings of portald.env are valid', async () => {
  const env = Object.fromEntries(lines('docs/operations/portald.env'));
  assert.equal(env.SECRET_KEY, '', 'everybody makes one');
  await portalctl({ databaseUrl: env.DATABASE_URL, redisUrl: env.REDIS_URL }, ['config', 'check'], { ...env, SECRET_KEY: 'x'.repeat(32), LISTEN: '127.0.0.1:8081' });
});

const analyze = spawnable('systemd-analyze');
function spawnable(command) {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
test('systemd takes the unit, and finds little to blame', { skip: !analyze && 'there is no systemd-analyze' }, async () => {
  const unit = path.join(dir, 'portald@8081.service');
  await writeFile(unit, read('docs/operations/portald@.service').replace('/usr/local/bin/portald', PORTALD).replace(/^Documentation=.*\n/m, ''));
  const { stderr } = await run('systemd-analyze', ['verify', '--recursive-errors=no', unit]);
  assert.equal(stderr, '');
  await run('systemd-analyze', ['security', '--offline=yes', '--threshold=15', unit]);
});
