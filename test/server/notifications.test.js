// Contract section 7, POST notifications and announcements of section 8, and their events.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, connect, startPortal, startProcess, send, stopProcess } from './harness.js';

let portal;
let admin;
let anna;
before(async () => {
  portal = await startPortal({
    RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0',
  });
  admin = await portal.withLevel('admin');
  anna = await portal.signIn();
});
after(() => portal.stop());

const unread = async (person) => (await person.get('/v1/notifications/unread-count')).body.unread;
const list = async (person, query = '') => {
  const r = await person.get(`/v1/notifications${query}`);
  assert.equal(r.status, 200, r.text);
  return r.body;
};
const read = (person, id) => person.post(`/v1/notifications/${id}/read`);
const notify = async (user_ids, more = {}) => {
  const r = await admin.post('/v1/admin/notifications', { user_ids, title: 'A title', body: 'A body', ...more });
  assert.equal(r.status, 200, r.text);
  return r.body;
};
const newest = async (person) => (await list(person, '?limit=1')).notifications[0];
const audited = async (type) =>
  (await portal.db.query('SELECT * FROM audit_log WHERE event_type = $1 ORDER BY id DESC LIMIT 1', [type])).rows[0];

test('a new account is welcomed', async () => {
  const person = await portal.signIn();
  const { notifications, ...rest } = await list(person);
  assert.deepEqual(rest, { total: 1, unread: 1, offset: 0, limit: 50 });
  assert.deepEqual(Object.keys(notifications[0]), ['id', 'title', 'body', 'type', 'read_at', 'created_at', 'created_by']);
  assert.equal(notifications[0].title, 'Welcome to Portal');
  assert.deepEqual([notifications[0].type, notifications[0].read_at, notifications[0].created_by], ['success', null, null]);
  assert.equal(await unread(person), 1);
});

test('reading has three outcomes: the item, 404, 409', async () => {
  const [person, other] = [await portal.signIn(), await portal.signIn()];
  const [welcome] = (await list(person)).notifications;
  const r = await read(person, welcome.id);
  assert.equal(r.status, 200, r.text);
  const { read_at, ...rest } = r.body;
  assert.match(read_at, /Z$/);
  assert.deepEqual({ ...rest, read_at: null }, welcome);
  assert.equal(await unread(person), 0);
  assertError(await read(person, welcome.id), 409, 'ERR_NOTIFICATION_ALREADY_READ', 'Notification is already read');
  assertError(await read(other, welcome.id), 404, 'ERR_NOTIFICATION_NOT_FOUND', 'Notification not found');
  assertError(await read(person, 999999999), 404, 'ERR_NOTIFICATION_NOT_FOUND');
  assertError(await read(person, 'x'), 400, 'ERR_INVALID_REQUEST');
  assert.equal((await list(person)).notifications[0].read_at, read_at);
  assert.equal(await unread(other), 1);
});

test('one for everyone is one row, for those who were there', async () => {
  const early = await portal.signIn();
  const rows = async () => Number((await portal.db.query('SELECT count(*) FROM notifications')).rows[0].count);
  const before_ = await rows();
  assert.deepEqual(await notify('all', { title: 'To all', type: 'warning' }), { message: 'Notification sent', people: null });
  assert.equal(await rows(), before_ + 1);
  const late = await portal.signIn();
  assert.equal(await unread(early), 2);
  assert.equal(await unread(late), 1);
  const item = await newest(early);
  assert.deepEqual([item.title, item.type, item.created_by], ['To all', 'warning', admin.id]);
  assert.equal((await list(late)).notifications.some((n) => n.id === item.id), false);
  assertError(await read(late, item.id), 404, 'ERR_NOTIFICATION_NOT_FOUND');
  assert.equal((await read(early, item.id)).status, 200);
  assertError(await read(early, item.id), 409, 'ERR_NOTIFICATION_ALREADY_READ');
  assert.equal(await unread(early), 1);
});

test('those for everyone that are sent at once have one order', async () => {
  await Promise.all(Array.from({ length: 10 }, () => notify('all')));
  const { rows } = await portal.db.query('SELECT nr::int, id::int, created_at::text FROM notifications WHERE nr IS NOT NULL ORDER BY nr');
  assert.deepEqual(rows.map((r) => r.nr), rows.map((_, i) => i + 1));
  for (let i = 1; i < rows.length; i++) assert.ok(rows[i].id > rows[i - 1].id && rows[i].created_at > rows[i - 1].created_at);
});

test('read singly and out of order, then all; each keeps the time at which it was read', async () => {
  const person = await portal.signIn();
  for (const title of ['1', '2', '3', '4']) await notify('all', { title });
  await notify([person.id], { title: 'own' });
  const items = (await list(person)).notifications;
  assert.deepEqual(items.map((n) => n.title), ['own', '4', '3', '2', '1', 'Welcome to Portal']);
  assert.equal(await unread(person), 6);
  const third = (await read(person, items[2].id)).body;
  const first = (await read(person, items[4].id)).body;
  assert.equal(await unread(person), 4);
  assert.deepEqual((await list(person)).notifications.map((n) => n.read_at), [null, null, third.read_at, null, first.read_at, null]);

  assert.deepEqual((await person.post('/v1/notifications/read-all')).body, { read: 4 });
  assert.equal(await unread(person), 0);
  const then = (await list(person)).notifications;
  assert.ok(then.every((n) => n.read_at));
  assert.deepEqual([then[2].read_at, then[4].read_at], [third.read_at, first.read_at]);
  assert.deepEqual((await person.post('/v1/notifications/read-all')).body, { read: 0 });
  assertError(await read(person, items[1].id), 409, 'ERR_NOTIFICATION_ALREADY_READ');

  await notify('all', { title: '5' });
  assert.equal(await unread(person), 1);
  assert.deepEqual((await person.post('/v1/notifications/read-all')).body, { read: 1 });
  const last = (await list(person)).notifications;
  assert.deepEqual(last.slice(1), then, 'what was read before is as it was');
  assert.ok(last[0].read_at > then[0].read_at);
});

test('of any number of simultaneous readings one counts', async () => {
  const person = await portal.signIn();
  await notify('all');
  await notify('all');
  const items = (await list(person)).notifications;
  for (const item of items) {
    const answers = await Promise.all(Array.from({ length: 12 }, () => read(person, item.id)));
    assert.deepEqual(answers.map((r) => r.status).sort(), [200, ...Array(11).fill(409)]);
  }
  assert.equal(await unread(person), 0);
  await notify('all');
  const all = await Promise.all(Array.from({ length: 8 }, () => person.post('/v1/notifications/read-all')));
  assert.deepEqual(all.map((r) => r.body.read).sort(), [0, 0, 0, 0, 0, 0, 0, 1]);
});

test('pages: newest first, own ones and those for everyone in one order', async () => {
  const person = await portal.signIn();
  for (let i = 0; i < 6; i++) await notify(i % 2 ? 'all' : [person.id], { title: `n${i}` });
  const whole = await list(person);
  assert.deepEqual(whole.notifications.map((n) => n.title), ['n5', 'n4', 'n3', 'n2', 'n1', 'n0', 'Welcome to Portal']);
  for (let offset = 0; offset < 8; offset++) {
    const page = await list(person, `?offset=${offset}&limit=3`);
    assert.deepEqual(page, { notifications: whole.notifications.slice(offset, offset + 3), total: 7, unread: 7, offset, limit: 3 });
  }
  for (const query of ['?limit=0', '?limit=101', '?offset=-1', '?offset=10001']) assertError(await person.get(`/v1/notifications${query}`), 400, 'ERR_INVALID_REQUEST');
});

test('the number of unread ones is right behind each change, whichever process is asked', async () => {
  const other = await startProcess(portal.stores, portal.env);
  const person = await portal.signIn();
  const count = async () => {
    const all = await Promise.all([portal, other, portal, other].map((p) => send(p, 'GET', '/v1/notifications/unread-count', { cookie: person.token })));
    return all.map((r) => r.body.unread);
  };
  let expected = 1;
  for (const change of [() => notify('all'), () => notify([person.id]), () => notify('all'), () => newest(person).then((n) => read(person, n.id)), () => person.post('/v1/notifications/read-all'), () => notify('all')]) {
    // Counts that are under way while it happens must not outlive it.
    const [, ...during] = await Promise.all([change(), count(), count(), count()]);
    assert.equal(during.flat().filter((n) => typeof n === 'number').length, 12);
    expected = (await list(person)).unread;
    assert.deepEqual(await count(), Array(4).fill(expected));
    assert.deepEqual(await count(), Array(4).fill(expected), 'and what was kept of it');
  }
  assert.equal(expected, 1);
  await stopProcess(other);
});

test('the gate reads a kept number along: nothing is asked of PostgreSQL', async () => {
  const person = await portal.signIn();
  await unread(person);
  const r = await person.get('/v1/notifications/unread-count', { headers: { 'x-portal-fault': 'fail:9' } });
  assert.deepEqual(r.body, { unread: 1 });
  assert.equal(r.headers['x-portal-steps'], '1', 'one operation');
});

// ---- administration ----

test('who may notify, whom, and what is said', async () => {
  const moderator = await portal.withLevel('moderator');
  const body = { user_ids: [anna.id], title: 't', body: 'b' };
  for (const person of [anna, moderator]) {
    for (const call of ['notifications', 'announcements', 'announcements/1/delete']) {
      assertError(await person.post(`/v1/admin/${call}`, body), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
    }
  }
  assertError(await portal.post('/v1/admin/notifications', body), 401, 'ERR_AUTH_REQUIRED');
  for (const [bad, sentence] of [
    [{ user_ids: [] }, 'user_ids must have at least 1 item'], [{ user_ids: 'some' }, 'user_ids must be one of all'],
    [{ user_ids: undefined }, 'user_ids is required'], [{ user_ids: ['1'] }, 'user_ids must be a list of integers'],
    [{ user_ids: 7 }, 'user_ids must be a list'],
    [{ title: '' }, 'title is required'], [{ title: 'x'.repeat(101) }, 'title must be at most 100 characters'],
    [{ body: 'x'.repeat(1001) }, 'body must be at most 1000 characters'], [{ body: undefined }, 'body is required'],
    [{ type: 'fatal' }, 'type must be one of info, success, warning, error'],
  ]) {
    assertError(await admin.post('/v1/admin/notifications', { ...body, ...bad }), 400, 'ERR_INVALID_REQUEST', sentence);
  }
});

test('who is demoted meanwhile sends nothing any more', async () => {
  const { announcement } = (await admin.post('/v1/admin/announcements', { title: 'Stays', body: '' })).body;
  for (const [call, body] of [
    ['notifications', { user_ids: 'all', title: 'Too late', body: '' }], ['notifications', { user_ids: [anna.id], title: 'Too late', body: '' }],
    ['announcements', { title: 'Too late', body: '' }], [`announcements/${announcement.id}/delete`, {}],
  ]) {
    const late = await portal.withLevel('admin');
    assert.equal((await late.get('/v1/admin/health')).status, 200); // the promotion has dropped the session from Redis
    const from = portal.logs.length;
    // Behind the gate and the look at the level.
    const answer = late.post(`/v1/admin/${call}`, body, { headers: { 'x-portal-fault': 'hold:1' } });
    await portal.logged((l) => l.message === 'a task is held' && portal.logs.indexOf(l) >= from);
    await portal.ctl(['user', 'promote', String(late.id), '--level', 'moderator']);
    await portal.get('/livez', { headers: { 'x-portal-fault': 'release' } });
    assertError(await answer, 403, 'ERR_ACCESS_DENIED');
    const { rowCount } = await portal.db.query("SELECT FROM audit_log WHERE actor_id = $1", [late.id]);
    assert.equal(rowCount, 0);
  }
  assert.notEqual((await newest(anna)).title, 'Too late');
  assert.deepEqual((await portal.get('/v1/announcements')).body.announcements, [announcement]);
  await admin.post(`/v1/admin/announcements/${announcement.id}/delete`);
});

test('people by id: each once, all or nobody, with an audit entry', async () => {
  const [a, b] = [await portal.signIn(), await portal.signIn()];
  assertError(await admin.post('/v1/admin/notifications', { user_ids: [a.id, 999999999], title: 't', body: 'b' }), 404, 'ERR_USER_NOT_FOUND');
  assert.equal(await unread(a), 1);
  assert.deepEqual(await notify([a.id, b.id, a.id], { title: 'Both', body: 'two\nlines' }), { message: 'Notification sent', people: 2 });
  assert.deepEqual([await unread(a), await unread(b)], [2, 2]);
  const item = await newest(a);
  assert.deepEqual([item.title, item.body, item.type, item.created_by], ['Both', 'two\nlines', 'info', admin.id]);
  assert.notEqual(item.id, (await newest(b)).id);
  let entry = await audited('notification.send');
  assert.deepEqual([Number(entry.actor_id), entry.target_id, entry.data.title, entry.data.user_ids], [admin.id, null, 'Both', [a.id, b.id, a.id]]);
  await notify([a.id]);
  entry = await audited('notification.send');
  assert.equal(Number(entry.target_id), a.id);
  await notify('all');
  assert.equal((await audited('notification.send')).data.user_ids, null);

  await b.post('/v1/users/me/delete', { username: b.username });
  assertError(await admin.post('/v1/admin/notifications', { user_ids: [b.id], title: 't', body: 'b' }), 404, 'ERR_USER_NOT_FOUND');
});

test('notification:new reaches the sockets of the person, or everyone', async () => {
  const [a, b] = [await portal.signIn(), await portal.signIn()];
  const [first, second, others] = [await connect(portal, a), await connect(portal, a), await connect(portal, b)];
  await notify([a.id], { title: 'Just you "é"' });
  const item = await newest(a);
  assert.deepEqual(await first.next('notification:new'), item);
  assert.deepEqual(await second.next('notification:new'), item);
  await notify('all', { title: 'You all' });
  const all = await newest(b);
  assert.deepEqual(await first.next('notification:new', (n) => n.title === 'You all'), all);
  assert.deepEqual(await others.next('notification:new'), all, 'the other heard this one only');
  for (const s of [first, second, others]) s.close();
});

test('what was committed is in the list, whether it could be told or not', async () => {
  const person = await portal.signIn();
  const fault = (k) => admin.post('/v1/admin/notifications', { user_ids: [person.id], title: `k${k}`, body: '' }, { headers: { 'x-portal-fault': `fail:${k}` } });
  // The gate, the level, the transaction; then Redis.
  for (const k of [0, 1, 2]) assertError(await fault(k), 503, 'ERR_UNAVAILABLE');
  const r = await fault(3);
  assert.equal(r.status, 200, r.text);
  assert.equal((await newest(person)).title, 'k3');
});

test('a deleted account leaves nothing that it has read', async () => {
  const person = await portal.signIn();
  await notify('all');
  await read(person, (await newest(person)).id);
  await person.post('/v1/notifications/read-all');
  const rows = async () => (await portal.db.query(`SELECT FROM notification_marks WHERE user_id = $1
    UNION ALL SELECT FROM notification_reads WHERE user_id = $1 UNION ALL SELECT FROM notifications WHERE user_id = $1`, [person.id])).rowCount;
  assert.ok(await rows() >= 3);
  await person.post('/v1/users/me/delete', { username: person.username });
  assert.equal(await rows(), 0);
});

// ---- announcements ----

test('announcements: for everyone, signed in or not, while they live', async () => {
  const socket = await connect(portal, anna);
  const soon = new Date(Date.now() + 3600_000).toISOString();
  const make = (more) => admin.post('/v1/admin/announcements', { title: 'News', body: 'Of today', ...more });
  assertError(await make({ expires_at: new Date(Date.now() - 1000).toISOString() }), 400, 'ERR_INVALID_REQUEST', 'expires_at must be in the future');
  assertError(await make({ title: 'x'.repeat(101) }), 400, 'ERR_INVALID_REQUEST');
  const lasting = (await make({ type: 'error' })).body.announcement;
  const r = await make({ title: 'Passing', expires_at: soon });
  assert.equal(r.status, 200, r.text);
  const passing = r.body.announcement;
  assert.deepEqual([lasting.expires_at, lasting.type, lasting.created_by, lasting.read_at], [null, 'error', admin.id, null]);
  assert.equal(new Date(passing.expires_at).toISOString(), soon);
  assert.deepEqual(await socket.next('announcement:new', (a) => a.id === passing.id), passing);
  assert.deepEqual(await socket.next('announcement:new', (a) => a.id === lasting.id), lasting);

  const live = async (o) => (await portal.get('/v1/announcements', o)).body;
  assert.deepEqual(await live(), { announcements: [passing, lasting], total: 2, offset: 0, limit: 50 });
  assert.deepEqual(await live({ cookie: anna.token }), await live());
  assert.deepEqual((await portal.get('/v1/announcements?offset=1&limit=1')).body.announcements, [lasting]);
  assert.deepEqual((await portal.get('/v1/announcements?offset=2')).body, { announcements: [], total: 2, offset: 2, limit: 50 });

  // As if its time had come.
  await portal.db.query('UPDATE announcements SET expires_at = now() WHERE id = $1', [passing.id]);
  assert.deepEqual(await live(), { announcements: [lasting], total: 1, offset: 0, limit: 50 });

  assert.deepEqual((await admin.post(`/v1/admin/announcements/${lasting.id}/delete`)).body, { message: 'Announcement deleted' });
  assertError(await admin.post(`/v1/admin/announcements/${lasting.id}/delete`), 404, 'ERR_NOT_FOUND', 'Announcement not found');
  assert.deepEqual(await live(), { announcements: [], total: 0, offset: 0, limit: 50 });
  assert.equal((await audited('announcement.create')).data.title, 'Passing');
  assert.deepEqual((await audited('announcement.delete')).data, { id: lasting.id, title: 'News' });
  socket.close();
});

// ---- bounded work ----

test('counting and paging cost the same with ten thousand for everyone as with a few', async () => {
  const [few, many] = [await portal.signIn(), await portal.signIn()];
  const client = await portal.db.connect();
  // How many pages of tables and indexes a call looks at; planned and warm.
  const pages = async (call, person) => {
    let plan;
    for (let i = 0; i < 3; i++) plan = (await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT ${call}`, [])).rows[0]['QUERY PLAN'][0].Plan;
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  };
  const calls = (person) => [`notifications_unread(${person.id})`, `notifications_page(${person.id}, 0, 50)`, `notifications_page(${person.id}, 50, 50)`];
  for (let i = 0; i < 3; i++) await notify('all');
  const small = [];
  for (const call of calls(few)) small.push(await pages(call));
  await client.query(`INSERT INTO notifications (nr, title, body, type, created_at)
    SELECT notifications_last() + i, 'Many', 'of them', 'info', now() + i * interval '1 microsecond' FROM generate_series(1, 10000) i`);
  // This one has read half of them, one by one.
  await client.query(`INSERT INTO notification_reads (user_id, nr) SELECT $1, n.nr FROM notifications n WHERE n.nr % 2 = 0 AND n.nr > notifications_before($1)`, [many.id]);
  await client.query(`INSERT INTO notification_marks (user_id, up_to, beyond)
    SELECT $1, notifications_before($1), count(*) FROM notification_reads WHERE user_id = $1`, [many.id]);
  await client.query('VACUUM ANALYZE notifications, notification_reads, notification_marks');
  const large = [];
  for (const call of calls(many)) large.push(await pages(call));
  client.release();
  assert.ok(large[0] <= small[0] + 10, `unread: ${small[0]} pages with a few, ${large[0]} with many`);
  // A page has 50 items of which each may need a look into two indexes.
  for (const i of [1, 2]) assert.ok(large[i] <= 600, `page: ${small[i]} pages with a few, ${large[i]} with many`);
  const truth = await portal.db.query(`SELECT count(*) FROM notifications n WHERE (n.user_id = $1 AND n.read_at IS NULL)
    OR (n.nr > notifications_before($1) AND NOT EXISTS (SELECT FROM notification_reads r WHERE r.user_id = $1 AND r.nr = n.nr))`, [many.id]);
  assert.ok(truth.rows[0].count > 5000);
  assert.equal((await list(many)).unread, Number(truth.rows[0].count));
});
