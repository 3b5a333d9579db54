// A backup is taken while people talk, brought back into other stores, and served from there.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { talker } from './chatter.js';
import { makeStores, portalctl, PORTALCTL, SECRET_KEY, startPortal, stopProcess, until } from './harness.js';

const FREE = { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0' };
const schema = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../schema');
let dir;
let portal; // what is backed up
let alice, bob, open, closed, kept;
let file;

function run(stores, args) {
  return new Promise((resolve) => {
    execFile(PORTALCTL, args, {
      env: { PATH: process.env.PATH, DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl, SECRET_KEY, STORE_TIMEOUT_MS: '5000' },
      timeout: 60_000,
    }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })).stdin.end();
  });
}

const history = async (person, chat) => (await person.get(`/v1/portal/chats/${chat}/history`)).body.map((m) => [m.id, m.content, m.epoch, m.sender?.id ?? null]);

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'backup-'));
  portal = await startPortal(FREE);
  [alice, bob] = await Promise.all([portal.signIn(), portal.signIn()]);
  await portal.ctl(['user', 'promote', String(alice.id), '--level', 'owner']);
  const chat = async (body) => {
    const r = await alice.post('/v1/portal/chats', body);
    assert.equal(r.status, 201, r.text);
    return r.body.id;
  };
  open = await chat({ name: 'Open "chat" \\.', slug: 'open-chat', description: '\\.\n\ta\\b\n' });
  closed = await chat({ name: 'Closed' });
  const invite = (await alice.post(`/v1/portal/chats/${closed}/invites`, {})).body.code;
  assert.equal((await bob.post(`/v1/portal/resolve/${invite}`)).status, 200);
  const a = await talker(portal, alice);
  const b = await talker(portal, bob);
  for (const id of [open, closed]) {
    await a.join(id);
    await b.join(id);
    for (let i = 0; i < 4; i++) assert.ok((await (i % 2 ? a : b).say(id)).id);
  }
  kept = { open: await history(alice, open), closed: await history(alice, closed) };
  assert.ok(kept.open.length >= 4);

  // Taken while they go on talking, and before what follows.
  const taken = portal.ctl(['backup', dir, '--json']);
  const talk = (async () => {
    for (let i = 0; i < 6; i++) await a.say(open);
  })();
  const r = await taken;
  await talk;
  file = r.file;
  assert.equal(r.bytes, (await stat(file)).size);
  assert.ok(r.messages >= kept.open.length + kept.closed.length && r.chats === 2, JSON.stringify(r));

  // What happened afterwards is lost: epochs and ids that were handed out must not come again.
  for (let i = 0; i < 3; i++) assert.equal((await alice.post(`/v1/portal/chats/${open}/clear`)).status, 200);
  assert.equal((await alice.post(`/v1/portal/chats/${closed}/kick`, { user_id: bob.id })).status, 200);
  portal.late = { chat: await chat({ name: 'Late', slug: 'late' }), person: await portal.signIn() };
  portal.epochs = Number(await portal.redis.get(`portal:chat:${open}:epoch`));
  a.close();
  b.close();
});
after(async () => {
  await portal.stop();
  await rm(dir, { recursive: true });
});

test('the file is private, whole, and never written over', async () => {
  assert.deepEqual(await readdir(dir), [path.basename(file)], 'nothing is left beside it');
  assert.match(path.basename(file), /^portal-\d{8}-\d{6}\.backup$/);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const text = await readFile(file, 'utf8');
  assert.ok(!text.includes(alice.token), 'no token is in it');
  const again = await run(portal.stores, ['backup', file]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /exists/);
  assert.equal((await run(portal.stores, ['backup', path.join(dir, 'no', 'where')])).code, 1);
});

test('interrupted, it leaves nothing behind and says so', async () => {
  const stores = await makeStores();
  await portalctl(stores, ['migrate']);
  await stores.db.query("INSERT INTO users (username) SELECT 'crowd_' || g FROM generate_series(1, 200000) g");
  const env = { PATH: process.env.PATH, DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl, SECRET_KEY };
  const child = spawn(PORTALCTL, ['backup', path.join(dir, 'broken')], { env });
  let said = '';
  child.stderr.on('data', (d) => {
    said += d;
  });
  const exited = once(child, 'exit');
  await until(async () => (await readdir(dir)).includes('broken.part'), 'the file under its other name');
  child.kill('SIGINT');
  assert.deepEqual(await exited, [1, null]);
  assert.equal(said, 'portalctl: interrupted\n');
  assert.deepEqual(await readdir(dir), [path.basename(file)]);
  await stores.release();
});

test('restored into fresh stores: people sign in, read and go on; nothing is handed out twice', async () => {
  const stores = await makeStores();
  const r = await portalctl(stores, ['restore', file, '--json']);
  assert.ok(r.messages >= kept.open.length + kept.closed.length);
  assert.equal(r.sessions_kept, false);
  const second = await startPortal(FREE, { stores });
  second.bots = portal.bots; // the keys of bots are as they were
  assert.equal((await second.get('/v1/users/me', { cookie: alice.token })).status, 401, 'sessions have ended');

  const back = await second.signIn({ id: alice.platform_user_id });
  assert.deepEqual([back.id, back.username, back.user_created, back.permission_level], [alice.id, alice.username, false, 3]);
  const bobBack = await second.signIn({ id: bob.platform_user_id });
  assert.deepEqual((await history(back, open)).slice(0, kept.open.length), kept.open, 'cleared later, here it is');
  assert.deepEqual(await history(bobBack, closed), kept.closed, 'a member again: the kick came later');
  const { body } = await back.get(`/v1/portal/chats/${open}`);
  assert.deepEqual([body.name, body.description], ['Open "chat" \\.', '\\.\n\ta\\b\n']);
  assert.equal((await back.get(`/v1/portal/chats/${portal.late.chat}`)).status, 404);
  assert.ok(Number(await stores.redis.zscore('portal:wipes', open)) > Date.now(), 'messages will be wiped when they were to be');

  const a = await talker(second, back);
  await a.join(open);
  assert.ok(a.room(open).epoch > portal.epochs, `${a.room(open).epoch} is above all that was used`);
  const sent = await a.say(open);
  assert.ok(sent.id > kept.open.at(-1)[0]);
  a.close();
  const made = (await back.post('/v1/portal/chats', { name: 'New' })).body;
  assert.ok(made.id > portal.late.chat, 'ids of what is lost are not used again');
  assert.ok((await second.signIn()).id > portal.late.person.id);

  const { rows } = await stores.db.query("SELECT data FROM audit_log WHERE event_type = 'platform.restore'");
  assert.equal(rows.length, 1);
  assert.equal((await portalctl(stores, ['audit', 'verify', '--json'])).whole, true);
  assert.equal((await run(stores, ['doctor'])).code, 0, 'the schema is this version\'s');

  // Its triggers are as migrations make them.
  const triggers = 'SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2';
  assert.deepEqual((await stores.db.query(triggers)).rows, (await portal.db.query(triggers)).rows);
  await assert.rejects(stores.db.query('DELETE FROM audit_log'), /append-only/);

  // Refused while a server runs; then asks; then everything that was there is gone.
  const running = await run(stores, ['restore', file, '--yes']);
  assert.equal(running.code, 1);
  assert.match(running.stderr, /portald is at work/);
  await stopProcess(second);
  const asked = await run(stores, ['restore', file]);
  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /--yes/);
  await stores.redis.set('other:key', 'stays');
  const over = await run(stores, ['restore', file, '--yes', '--keep-sessions']);
  assert.equal(over.code, 0, over.stderr);
  assert.equal(await stores.redis.get('other:key'), 'stays');
  const third = await startPortal(FREE, { stores });
  assert.equal((await third.get(`/v1/portal/chats/${made.id}`, { cookie: alice.token })).status, 404);
  assert.equal((await third.get('/v1/users/me', { cookie: alice.token })).status, 200, 'signed in as before');
  assert.equal((await third.get('/v1/users/me', { cookie: back.token })).status, 401);
  await third.stop();
});

test('what is no whole backup is refused before anything is touched', async () => {
  const stores = await makeStores();
  const whole = await readFile(file);
  const flipped = Buffer.from(whole);
  flipped[Math.floor(whole.length / 2)] ^= 1;
  for (const [name, bytes, sentence] of [
    ['flipped', flipped, /damaged/], ['cut', whole.subarray(0, whole.length - 100), /damaged/], ['other', Buffer.from('SELECT 1;\n'), /no backup/],
    ['empty', Buffer.alloc(0), /no backup/],
  ]) {
    await writeFile(path.join(dir, name), bytes);
    const r = await run(stores, ['restore', path.join(dir, name), '--yes']);
    assert.equal(r.code, 1, name);
    assert.match(r.stderr, sentence, name);
    await rm(path.join(dir, name));
  }
  assert.equal((await run(stores, ['restore', path.join(dir, 'none')])).code, 1);
  assert.equal((await stores.db.query("SELECT count(*)::int AS n FROM pg_class WHERE relnamespace = 'public'::regnamespace")).rows[0].n, 0);
  await stores.db.query('CREATE TABLE theirs (x integer)');
  assert.match((await run(stores, ['restore', file, '--yes'])).stderr, /not Portal's/);
  await stores.release();
});

test('a backup of an older schema comes back as this version\'s; one of a newer is refused', async () => {
  const old = await makeStores();
  const { rows } = await portal.db.query('SELECT name, hash FROM schema_migrations ORDER BY name');
  await old.db.query("CREATE TABLE schema_migrations (name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())");
  for (const { name, hash } of rows.slice(0, 3)) {
    await old.db.query(await readFile(path.join(schema, name), 'utf8'));
    await old.db.query('INSERT INTO schema_migrations VALUES ($1, $2)', [name, hash]);
  }
  const { rows: [{ id }] } = await old.db.query("INSERT INTO users (username) VALUES ('old.hand') RETURNING id");
  const older = path.join(dir, 'older');
  await portalctl(old, ['backup', older]);
  const stores = await makeStores();
  await portalctl(stores, ['migrate']); // an empty schema is no obstacle
  await portalctl(stores, ['restore', older]);
  assert.equal((await portalctl(stores, ['user', 'show', 'old.hand', '--json'])).id, Number(id));
  assert.equal((await portalctl(stores, ['migrate', '--json'])).applied, 0);

  await old.db.query("INSERT INTO schema_migrations VALUES ('9999_future.sql', 'x')");
  const newer = path.join(dir, 'newer');
  await portalctl(old, ['backup', newer]);
  const refused = await run(stores, ['restore', newer, '--yes']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /newer version/);
  assert.equal((await portalctl(stores, ['user', 'show', 'old.hand', '--json'])).id, Number(id), 'untouched');
  await old.release();
  await stores.release();
});
