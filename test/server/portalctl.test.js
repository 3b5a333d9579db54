// The operator's command line: what it prints, how it ends, what running servers see of it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { connect, makeStores, portalctl, PORTALCTL, SECRET_KEY, startPortal } from './harness.js';

let portal;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0' });
});
after(() => portal.stop());

// Runs it to its end whatever that is: {code, stdout, stderr}.
function run(args, env = {}) {
  return new Promise((resolve) => {
    execFile(PORTALCTL, args, {
      env: { PATH: process.env.PATH, DATABASE_URL: portal.stores.databaseUrl, REDIS_URL: portal.stores.redisUrl, SECRET_KEY, ...env },
      timeout: 20_000,
    }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })).stdin.end();
  });
}

test('the first Owner is made with it; a demotion of the last one is refused', async () => {
  const person = await portal.signIn();
  const up = await portal.ctl(['user', 'promote', String(person.id), '--level', 'owner', '--json']);
  assert.deepEqual(up, { id: person.id, old_level: 'user', new_level: 'owner' });
  assert.equal((await person.get('/v1/users/me')).body.permission_level, 3);
  const down = await run(['user', 'promote', person.username, '--level', 'user']);
  assert.equal(down.code, 1);
  assert.match(down.stderr, /last owner/i);
  const { rows } = await portal.db.query('SELECT old_level, new_level, actor_id FROM permission_history WHERE user_id = $1', [person.id]);
  assert.deepEqual(rows, [{ old_level: 0, new_level: 3, actor_id: null }]);
});

test('people by id, by name and by part of it; tables and JSON', async () => {
  const person = await portal.signIn();
  const listed = await portal.ctl(['user', 'list', '--search', person.username.slice(2), '--json']);
  assert.deepEqual(listed.map((u) => u.id), [person.id]);
  for (const who of [String(person.id), person.username, `@${person.username.toUpperCase()}`]) {
    assert.equal((await portal.ctl(['user', 'show', who, '--json'])).username, person.username);
  }
  const table = await portal.ctl(['user', 'list', '--search', person.username]);
  const [head, row] = table.split('\n');
  assert.equal(head.indexOf('username'), row.indexOf(person.username), 'columns stand under their heading');
  assert.ok(!table.includes('\x1b'), 'no colours in a pipe');
  assert.equal((await run(['user', 'show', 'no.such.person'])).code, 1);
});

test('sessions: listed without secrets, ended one by one or all; destructive ones want --yes', async () => {
  const person = await portal.signIn();
  const second = await portal.signIn({ id: person.platform_user_id });
  const list = await portal.ctl(['session', 'list', String(person.id), '--json']);
  assert.deepEqual(list.map((s) => s.suffix), [second.token.slice(-6), person.token.slice(-6)]);
  const asked = await run(['session', 'end', '--user', String(person.id), '--all']);
  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /--yes/);
  assert.equal((await run(['session', 'end', '--user', String(person.id), '--all', '--json'])).code, 2, '--json is no consent');
  assert.deepEqual(await portal.ctl(['session', 'end', '--user', String(person.id), '--suffix', person.token.slice(-6), '--yes', '--json']), { ended: 1 });
  assert.equal((await person.get('/v1/users/me')).status, 401, 'at once');
  assert.equal((await second.get('/v1/users/me')).status, 200);
  const gone = await run(['session', 'end', '--user', String(person.id), '--suffix', person.token.slice(-6), '--yes']);
  assert.deepEqual([gone.code, gone.stderr], [1, 'portalctl: Session not found\n']);
  const all = await run(['session', 'end', '--user', String(person.id), '--all', '--yes']);
  assert.equal(all.code, 0, all.stderr);
  assert.equal((await second.get('/v1/users/me')).status, 401);
});

test('subscriptions: granted, once a trial, revoked with a reason', async () => {
  const person = await portal.signIn();
  const grant = (...more) => run(['subscription', 'grant', String(person.id), ...more]);
  assert.equal((await grant('--level', 'trial')).code, 0);
  const left = Date.parse((await person.get('/v1/users/me')).body.subscription_expires_at) - Date.now();
  assert.ok(left > 6.9 * 86_400_000 && left < 7.1 * 86_400_000, 'a trial is 7 days');
  const again = await grant('--level', 'trial');
  assert.equal(again.code, 1);
  assert.match(again.stderr, /one trial/);
  assert.equal((await grant('--level', 'premium', '--days', '3651')).code, 1);
  assert.equal((await grant('--level', 'lifetime')).code, 0);
  assert.equal((await person.get('/v1/users/me')).body.subscription_expires_at, null);
  assert.equal((await run(['subscription', 'revoke', String(person.id), '--yes'])).code, 2, 'a reason is needed');
  assert.equal((await run(['subscription', 'revoke', String(person.id), '--reason', 'refunded', '--yes'])).code, 0);
  const { body } = await person.get('/v1/users/me/subscription');
  assert.equal(body.subscription_level, 0);
  assert.equal(body.history.length, 3);
});

test('a bot\'s new key kills the old one', async () => {
  const bot = await portal.ctl(['bot', 'register', '--name', 'rekeyed', '--platform', 'discord', '--json']);
  assert.match(bot.api_key, /^hbot_/);
  const fresh = await portal.ctl(['bot', 'regenerate-key', String(bot.bot.id), '--yes', '--json']);
  assert.equal((await portal.get('/v1/bot/me', { key: bot.api_key })).status, 401);
  assert.equal((await portal.get('/v1/bot/me', { key: fresh.api_key })).status, 200);
  assert.equal((await run(['bot', 'register', '--name', 'x', '--platform', 'discord'])).code, 1);
  assert.equal((await run(['bot', 'register', '--name', 'fine', '--platform', 'irc'])).code, 1);
  assert.ok((await portal.ctl(['bot', 'list', '--json'])).some((b) => b.name === 'rekeyed'));
});

test('chats: made, listed, shown, destroyed under the eyes of who is inside', async () => {
  const owner = await portal.signIn();
  const made = await portal.ctl(['chat', 'create', '--name', 'The Lobby', '--owner', owner.username, '--slug', 'the-lobby', '--json']);
  assert.equal(made.visibility, 'public');
  const secret = await portal.ctl(['chat', 'create', '--name', 'Back Room', '--owner', String(owner.id), '--json']);
  assert.equal(secret.visibility, 'private');
  const listed = await portal.ctl(['chat', 'list', '--search', 'lobby', '--json']);
  assert.deepEqual(listed.map((c) => [c.id, c.slug, c.owner]), [[made.id, 'the-lobby', owner.username]]);
  for (const [words, sentence] of [
    [['--name', 'x'], /--name/], [['--name', 'fine', '--slug', 'Bad!'], /--slug/], [['--name', 'fine', '--slug', 'api'], /--slug/],
    [['--name', 'fine', '--slug', 'the-lobby'], /taken/],
  ]) {
    const r = await run(['chat', 'create', '--owner', owner.username, ...words]);
    assert.equal(r.code, 1, words.join(' '));
    assert.match(r.stderr, sentence);
  }
  const inside = await connect(portal, owner);
  assert.ok((await inside.ask('room:join', { chat_id: made.id })).ok);
  const shown = await portal.ctl(['chat', 'show', String(made.id), '--json']);
  assert.equal(shown.online, 1);
  assert.deepEqual(shown.members.map((m) => [m.username, m.owner, m.online]), [[owner.username, true, true]]);
  assert.equal((await run(['chat', 'delete', String(made.id)])).code, 2, 'wants --yes');
  assert.deepEqual(await portal.ctl(['chat', 'delete', String(made.id), '--yes', '--json']), { deleted: made.id, name: 'The Lobby' });
  assert.deepEqual(await inside.next('room:destroyed'), { chat_id: made.id, name: 'The Lobby' });
  inside.close();
  assert.equal((await owner.get(`/v1/portal/chats/${made.id}`)).status, 404);
  assert.equal((await run(['chat', 'show', String(made.id)])).code, 1);
});

test('migrate: twice is once, a changed file is refused', async () => {
  const stores = await makeStores();
  const early = await run(['user', 'list'], { DATABASE_URL: stores.databaseUrl });
  assert.equal(early.code, 1);
  assert.match(early.stderr, /^portalctl: a store refused it; portalctl doctor/);
  assert.ok((await portalctl(stores, ['migrate', '--json'])).applied > 0);
  assert.equal((await portalctl(stores, ['migrate', '--json'])).applied, 0);
  await stores.db.query("UPDATE schema_migrations SET hash = 'other'");
  await assert.rejects(portalctl(stores, ['migrate']), /was changed after it was applied/);
  await stores.db.query("INSERT INTO schema_migrations (name, hash) VALUES ('9999_future.sql', 'x')");
  await assert.rejects(portalctl(stores, ['migrate']), /newer than this program/);
  await stores.release();
});

test('doctor says what is wrong and how to mend it', async () => {
  const fine = await portal.ctl(['doctor', '--json']);
  assert.ok(fine.length > 8);
  assert.ok(fine.every((f) => f.result !== 'FAILED'), JSON.stringify(fine));
  const away = await run(['doctor', '--json'], { REDIS_URL: 'redis://127.0.0.1:1/0' });
  assert.equal(away.code, 1);
  const redis = JSON.parse(away.stdout).find((f) => f.check === 'Redis');
  assert.equal(redis.result, 'FAILED');
  assert.match(redis.mend, /REDIS_URL/);
  const gone = await run(['user', 'list'], { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' });
  assert.equal(gone.code, 3);
  assert.match(gone.stderr, /PostgreSQL \(DATABASE_URL\) does not answer/);
});
