// Contract section 8, warn, timeout, ban and unban: their effect on sessions, sockets and logins, and that
// none of it depends on a message that reaches the person.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { ownStores } from './own_stores.js';
import { assertError, connect, portalctl, randomAddress, send, sessionOf, startPortal, startProcess, stopProcess, until } from './harness.js';

let portal;
let admin;
let owner;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0' });
  admin = await portal.withLevel('admin');
  owner = await portal.withLevel('owner');
});
after(() => portal.stop());

const act = (person, call, target, body = {}) => person.post(`/v1/admin/users/${target.id}/${call}`, { ...(call === 'timeout' && { duration: 3600 }), ...body });
async function done(answer) {
  const r = await answer;
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.body, { ok: true });
}
async function login(person) {
  const from = randomAddress();
  await portal.post('/v1/authentication/request', { platform: person.platform, platform_user_id: person.platform_user_id }, { from });
  return portal.post('/v1/authentication/verify', { code: await portal.fetchCode(person.platform, person.platform_user_id) }, { from });
}
async function sendCode(person) {
  const bot = await portal.bot();
  return portal.post('/v1/authentication/bot/send-code',
    { platform: person.platform, platform_user_id: person.platform_user_id, platform_username: 'n', platform_avatar_url: '' }, { key: bot.key });
}
const records = async (person) => (await portal.db.query(`SELECT
  (SELECT json_agg(action_type || CASE WHEN lifted_at IS NULL THEN '' ELSE ' lifted' END ORDER BY id) FROM moderation_actions WHERE user_id = $1) AS actions,
  (SELECT json_agg(title || ': ' || body ORDER BY id) FROM notifications WHERE user_id = $1 AND title <> 'Welcome to Portal') AS notices,
  (SELECT json_agg(event_type ORDER BY id) FROM audit_log WHERE target_id = $1) AS entries`, [person.id])).rows[0];

test('a warning: a record, a notification, an entry, nothing else', async () => {
  const person = await portal.signIn();
  const s = await connect(portal, person);
  await done(act(admin, 'warn', person, { reason: 'mind your tone' }));
  assert.deepEqual(await records(person), { actions: ['PLATFORM_WARNING'], notices: ['You were warned: mind your tone'], entries: ['platform.warn'] });
  assert.equal((await s.next('notification:new')).body, 'mind your tone');
  assert.equal((await person.get('/v1/notifications/unread-count')).body.unread, 2);
  assert.equal(s.connected, true);
  s.disconnect();
});

for (const [call, state, reason] of [['timeout', 'timeout', 'timeout'], ['ban', 'banned', 'banned']]) {
  test(`${call}: every session and socket ends at once, logins are refused`, async () => {
    const person = await portal.signIn();
    const second = await portal.signIn({ id: person.platform_user_id });
    const sockets = [await connect(portal, person), await connect(portal, second), await connect(portal, second)];
    await done(act(admin, call, person, { reason: 'enough' }));
    for (const s of sockets) {
      assert.deepEqual(await s.next('session:ended'), { reason });
      await s.gone;
    }
    for (const session of [person, second]) assertError(await session.get('/v1/users/me'), 401, 'ERR_AUTH_REQUIRED');
    await assert.rejects(connect(portal, person), /Authentication required/);
    for (const r of [await login(person), await sendCode(person)]) {
      assertError(r, 403, call === 'ban' ? 'ERR_ACCOUNT_BANNED' : 'ERR_ACCOUNT_TIMEOUT');
      assert.equal(r.body.reason, 'enough');
      if (call === 'ban') assert.equal(r.body.expires_at, null, 'for ever');
      else assert.ok(Math.abs(Date.parse(r.body.expires_at) - Date.now() - 3600_000) < 60_000);
    }
    assert.equal((await admin.get(`/v1/admin/users/${person.id}`)).body.state, state);
    const { actions, notices, entries } = await records(person);
    assert.deepEqual([actions, entries], [[call === 'ban' ? 'PLATFORM_BAN' : 'PLATFORM_TIMEOUT'], [`platform.${call}`]]);
    assert.match(notices[0], /: enough$/);
    const { rows } = await portal.db.query('SELECT DISTINCT end_reason FROM sessions WHERE user_id = $1', [person.id]);
    assert.deepEqual(rows, [{ end_reason: reason }]);

    await done(act(admin, 'unban', person, { reason: 'forgiven' }));
    const back = await login(person);
    assert.equal(back.status, 200, back.text);
    const again = portal.person(back, person);
    const [shown] = (await again.get('/v1/users/me/punishments')).body;
    assert.deepEqual([shown.reason, shown.is_lifted], ['enough', true]);
    assert.equal((await again.get('/v1/users/me')).body.state, 'active');
    await done(act(admin, 'unban', person));
    assert.deepEqual((await records(person)).entries, [`platform.${call}`, 'platform.unban'], 'lifting nothing is no act');
  });
}

test('both end by themselves, to the second', async () => {
  for (const call of ['timeout', 'ban']) {
    const person = await portal.signIn();
    await done(act(admin, call, person, { duration: call === 'ban' ? 2 : 60 }));
    if (call === 'timeout') await portal.db.query("UPDATE users SET restricted_until = now() + interval '2 s' WHERE id = $1", [person.id]);
    const { rows: [{ ends }] } = await portal.db.query('SELECT restricted_until AS ends FROM users WHERE id = $1', [person.id]);
    const refused = await login(person);
    assert.equal(refused.status, 403, refused.text);
    assert.equal(Date.parse(refused.body.expires_at), ends.getTime());
    const back = await until(async () => {
      const before = Date.now();
      const r = await login(person);
      return r.status === 200 && before;
    }, 'the end', 20_000);
    assert.ok(Date.now() >= ends.getTime(), `not before its end: ${back} ${ends}`);
    assert.equal((await admin.get(`/v1/admin/users/${person.id}`)).body.state, 'active');
  }
});

test('a ban over a timeout and the other way round; a ban again has the new end; one lifting ends both', async () => {
  const person = await portal.signIn();
  const state = async () => (await admin.get(`/v1/admin/users/${person.id}`)).body;
  await done(act(admin, 'timeout', person));
  await done(act(admin, 'ban', person));
  await done(act(admin, 'timeout', person));
  assert.deepEqual([(await state()).state, (await state()).restricted_until], ['banned', null], 'a timeout does not touch a ban');
  await done(act(admin, 'ban', person, { duration: 60 }));
  assert.ok(Date.parse((await state()).restricted_until) < Date.now() + 120_000);
  await done(act(admin, 'unban', person));
  assert.equal((await state()).state, 'active');
  assert.deepEqual((await records(person)).actions,
    ['PLATFORM_TIMEOUT lifted', 'PLATFORM_BAN lifted', 'PLATFORM_TIMEOUT lifted', 'PLATFORM_BAN lifted']);
});

test('bounds of durations and reasons', async () => {
  const person = await portal.signIn();
  for (const [call, body, field] of [
    ['timeout', { duration: 59 }, 'duration'], ['timeout', { duration: 2592001 }, 'duration'], ['timeout', { duration: null }, 'duration'],
    ['ban', { duration: -1 }, 'duration'], ['ban', { duration: 'x' }, 'duration'], ['ban', { reason: 'x'.repeat(501) }, 'reason'], ['warn', { reason: 7 }, 'reason'],
  ]) assertError(await act(admin, call, person, body), 400, 'ERR_INVALID_REQUEST', new RegExp(`^${field} `));
  assert.deepEqual((await records(person)).actions, null);
});

test('a login and a ban at the same moment: no session is left', async () => {
  for (let i = 0; i < 8; i++) {
    const person = await portal.signIn();
    const from = randomAddress();
    await portal.post('/v1/authentication/request', { platform: person.platform, platform_user_id: person.platform_user_id }, { from });
    const code = await portal.fetchCode(person.platform, person.platform_user_id);
    const [r, ban] = await Promise.all([portal.post('/v1/authentication/verify', { code }, { from }), act(admin, 'ban', person)]);
    assert.equal(ban.status, 200, ban.text);
    if (r.status === 200) assertError(await portal.get('/v1/users/me', { cookie: sessionOf(r), from }), 401, 'ERR_AUTH_REQUIRED');
    else assertError(r, 403, 'ERR_ACCOUNT_BANNED');
    const { rows } = await portal.db.query('SELECT FROM sessions WHERE user_id = $1 AND ended_at IS NULL', [person.id]);
    assert.equal(rows.length, 0);
  }
});

test('cut short at any step: all of it or nothing, and no session outlives a ban', async () => {
  for (const kind of ['drop', 'fail', 'deadline']) {
    let steps = Infinity;
    for (let k = 0; k < steps && k < 20; k++) {
      const person = await portal.signIn();
      const s = await connect(portal, person);
      const r = await admin.post(`/v1/admin/users/${person.id}/ban`, { reason: 'x' }, { headers: { 'x-portal-fault': `${kind}:${k}` } })
        .catch((error) => assert.equal(kind, 'drop', `${error}`));
      if (r?.status === 200) steps = Number(r.headers['x-portal-steps']);
      else if (r) assertError(r, 503, 'ERR_UNAVAILABLE');
      const { rows: [{ banned }] } = await portal.db.query("SELECT restriction = 'banned' AS banned FROM users WHERE id = $1", [person.id]);
      // A request that was dropped or answered 503 may still commit a moment later.
      if (r?.status === 200) assert.equal(banned, true);
      if (!banned) {
        s.disconnect();
        continue;
      }
      const { actions, notices, entries } = await records(person);
      assert.deepEqual([actions, notices.length, entries], [['PLATFORM_BAN'], 1, ['platform.ban']], `${kind} at ${k}`);
      const { rowCount } = await portal.db.query('SELECT FROM sessions WHERE user_id = $1 AND ended_at IS NULL', [person.id]);
      assert.equal(rowCount, 0);
      s.disconnect();
    }
    assert.ok(steps < 20, `${kind}: ${steps} steps`);
  }
});

test('deleting the account while it is being banned: one order or the other', async () => {
  for (let i = 0; i < 6; i++) {
    const person = await portal.signIn();
    const [gone, ban] = await Promise.all([person.post('/v1/users/me/delete', { username: person.username }), act(owner, 'ban', person)]);
    assert.ok(gone.status === 200 || gone.status === 401, gone.text);
    assert.ok(ban.status === 200 || ban.status === 404, ban.text);
    assert.ok(gone.status === 200 || ban.status === 200);
    assertError(await person.get('/v1/users/me'), 401, 'ERR_AUTH_REQUIRED');
  }
});

// ---- when no message can reach anybody ----

// What a process or portalctl commits, and publishes nowhere.
async function committed(stores, person) {
  const client = new pg.Client({ host: stores.dir, user: 'postgres', database: 'postgres' });
  await client.connect();
  const { rows: [act_] } = await client.query("SELECT * FROM moderate('account_ban', NULL, NULL, $1, NULL, NULL, NULL, NULL, NULL, 0, 'enough')", [person.id]);
  await client.end();
  assert.equal(act_.outcome, 'ok');
  return act_;
}

test('a ban that nobody is told of: it holds in PostgreSQL, and is told when Redis is back, or by another process', async () => {
  const stores = await ownStores();
  const env = { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_PUBLIC: '0', STORE_TIMEOUT_MS: '1000' };
  const p = await startProcess(stores, env);
  const q = await startProcess(stores, env);
  try {
    const bot = await portalctl(stores, ['bot', 'register', '--name', 'a bot', '--platform', 'discord', '--json']);
    const signIn = async (id, from = randomAddress()) => {
      await send(p, 'POST', '/v1/authentication/request', { body: { platform: 'discord', platform_user_id: id }, from });
      const { body } = await send(p, 'POST', '/v1/authentication/bot/login-code',
        { body: { platform: 'discord', platform_user_id: id, platform_username: 'n', platform_avatar_url: '' }, key: bot.api_key });
      return send(p, 'POST', '/v1/authentication/verify', { body: { code: body.code }, from });
    };
    const r = await signIn('1001');
    assert.equal(r.status, 200, r.text);
    const person = { token: sessionOf(r), id: r.body.id };
    const second = await signIn('1002');
    const bystander = { token: sessionOf(second), id: second.body.id };
    const sockets = [await connect(p, person), await connect(q, person)];
    const others = [await connect(p, bystander), await connect(q, bystander)];
    const ready = (on) => until(async () => (await send(on, 'GET', '/readyz', { from: randomAddress() })).status === 200, 'readyz', 20_000);

    await stores.freezeRedis();
    await until(async () => (await send(p, 'GET', '/readyz', { from: randomAddress() })).status === 503, 'readyz to tell');
    const act_ = await committed(stores, person);
    assert.match(act_.gone, new RegExp(`^[0-9a-f]{64} ${person.id}$`));
    stores.thawRedis();

    for (const s of sockets) {
      assert.deepEqual(await s.next('session:ended', () => true, { ms: 20_000 }), { reason: 'banned' });
      await s.gone;
    }
    await Promise.all([ready(p), ready(q)]);
    for (const on of [p, q]) assert.equal((await send(on, 'GET', '/v1/users/me', { cookie: person.token })).status, 401);
    assertError(await signIn('1001'), 403, 'ERR_ACCOUNT_BANNED');
    for (const on of [p, q]) assert.equal((await send(on, 'GET', '/v1/users/me', { cookie: bystander.token })).status, 200);
    for (const s of others) assert.ok(!s.events.some((e) => e.name === 'session:ended'), 'nobody else');

    // A process that dies between its commit and Redis: another one tells what it has not told.
    await committed(stores, bystander);
    q.child.kill('SIGKILL');
    assert.deepEqual(await others[0].next('session:ended', () => true, { ms: 30_000 }), { reason: 'banned' });
    await others[0].gone;
    assert.equal((await send(p, 'GET', '/v1/users/me', { cookie: bystander.token })).status, 401);
  } finally {
    await Promise.all([stopProcess(p), stopProcess(q, 'SIGKILL')]);
    await stores.release();
  }
});
