// Contract section 8, subscriptions: grants, the one Trial, the end without a job, the history, and what
// Premium opens and closes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, startPortal, until } from './harness.js';

const DAY = 86_400_000;
const [TRIAL, PREMIUM, LIFETIME] = [1, 2, 3];

let portal;
let admin;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0' });
  admin = await portal.withLevel('admin');
});
after(() => portal.stop());

const grant = (person, level, more = {}) =>
  admin.post('/v1/admin/subscriptions/grant', { user_id: person.id, level, ...(level === PREMIUM && { duration_days: 30 }), ...more });
const revoke = (person, reason = 'over') => admin.post('/v1/admin/subscriptions/revoke', { user_id: person.id, reason });
const of = async (person) => (await person.get('/v1/users/me/subscription')).body;
const history = async (person) => (await of(person)).history.map((h) => [h.old_level, h.new_level, h.reason, h.granted_by_id]);
const endsIn = (r) => (Date.parse(r.body.user.subscription_expires_at) - Date.now()) / DAY;
const endNow = (person, when = "now() - interval '1 ms'") =>
  portal.db.query(`UPDATE users SET subscription_expires_at = ${when} WHERE id = $1`, [person.id]);

test('Premium lasts as long as granted, Lifetime for ever, a Trial 7 days', async () => {
  const person = await portal.signIn();
  const trial = await grant(person, TRIAL, { duration_days: 300 });
  assert.ok(Math.abs(endsIn(trial) - 7) < 0.01, trial.text);
  for (const days of [1, 3650]) assert.ok(Math.abs(endsIn(await grant(person, PREMIUM, { duration_days: days })) - days) < 0.01);
  const ever = await grant(person, LIFETIME, { reason: 'thanks' });
  assert.equal(ever.body.user.subscription_expires_at, null);
  assert.equal(ever.body.user.subscription_granted_by, admin.id);
  assert.deepEqual(await history(person),
    [[2, 3, 'thanks', admin.id], [2, 2, '', admin.id], [1, 2, '', admin.id], [0, 1, '', admin.id]]);
  const { subscription_level, expires_at, is_active } = await of(person);
  assert.deepEqual([subscription_level, expires_at, is_active], [LIFETIME, null, true]);
});

test('fields', async () => {
  const person = await portal.signIn();
  for (const [body, field] of [
    [{ level: 0 }, 'level'], [{ level: 4 }, 'level'], [{ level: undefined }, 'level'], [{ level: PREMIUM, duration_days: 0 }, 'duration_days'],
    [{ level: PREMIUM, duration_days: 3651 }, 'duration_days'], [{ level: PREMIUM, duration_days: null }, 'duration_days'], [{ level: LIFETIME, reason: 'x'.repeat(501) }, 'reason'],
  ]) assertError(await admin.post('/v1/admin/subscriptions/grant', { user_id: person.id, ...body }), 400, 'ERR_INVALID_REQUEST', new RegExp(`^${field} `));
  for (const reason of [undefined, null, '']) assertError(await admin.post('/v1/admin/subscriptions/revoke', { user_id: person.id, reason }), 400, 'ERR_INVALID_REQUEST', /^reason /);
  assert.deepEqual(await history(person), []);
});

test('one Trial a person, also when ten are granted at once, also after it was taken away', async () => {
  const person = await portal.signIn();
  const answers = await Promise.all(Array.from({ length: 10 }, () => grant(person, TRIAL)));
  assert.equal(answers.filter((r) => r.status === 200).length, 1);
  for (const r of answers.filter((a) => a.status !== 200)) assertError(r, 409, 'ERR_TRIAL_USED');
  assert.equal((await revoke(person)).status, 200);
  assertError(await grant(person, TRIAL), 409, 'ERR_TRIAL_USED');
  assert.equal((await history(person)).length, 2);
  assert.equal((await admin.get(`/v1/admin/users/${person.id}`)).body.trial_used, true);
});

test('an expired one counts as Basic from that second on, with no job', async () => {
  const person = await portal.signIn();
  await grant(person, PREMIUM);
  await endNow(person, "now() + interval '1500 ms'");
  const levels = async () => [(await of(person)).subscription_level, (await person.get('/v1/users/me')).body.subscription_level,
    (await portal.get(`/v1/users/${person.id}`)).body.subscription_level, (await admin.get(`/v1/admin/users?q=${person.id}`)).body.users.find((u) => u.id === person.id).subscription_level];
  assert.deepEqual(await levels(), [2, 2, 2, 2]);
  const { rows: [{ ends }] } = await portal.db.query('SELECT subscription_expires_at AS ends FROM users WHERE id = $1', [person.id]);
  await until(async () => (await of(person)).subscription_level === 0, 'the end');
  assert.ok(Date.now() >= ends.getTime());
  assert.deepEqual(await levels(), [0, 0, 0, 0]);
  const { is_active, expires_at } = await of(person);
  assert.deepEqual([is_active, Date.parse(expires_at)], [false, ends.getTime()]);
  await grant(person, LIFETIME);
  assert.deepEqual((await history(person))[0], [0, 3, '', admin.id], 'from Basic');
});

test('revoking: back to Basic, with a reason; nothing to take away is nothing to tell', async () => {
  const person = await portal.signIn();
  await grant(person, LIFETIME);
  const r = await revoke(person, 'refunded');
  assert.deepEqual([r.status, r.body.user.subscription_level, r.body.user.subscription_granted_by], [200, 0, null]);
  assert.equal((await revoke(person)).status, 200);
  assert.deepEqual(await history(person), [[3, 0, 'refunded', admin.id], [0, 3, '', admin.id]]);
  const { rows } = await portal.db.query('SELECT event_type, data FROM audit_log WHERE target_id = $1 ORDER BY id', [person.id]);
  assert.deepEqual(rows.map((e) => [e.event_type, e.data.old_level, e.data.new_level, e.data.reason]),
    [['subscription.grant', 0, 3, ''], ['subscription.revoke', 3, 0, 'refunded']]);
});

test('what Premium opens and closes: chats of one\'s own', async () => {
  const person = await portal.signIn();
  const make = () => person.post('/v1/portal/chats', { name: 'mine' });
  assertError(await make(), 403, 'ERR_PREMIUM_REQUIRED');
  await grant(person, TRIAL);
  assertError(await make(), 403, 'ERR_PREMIUM_REQUIRED');
  await grant(person, PREMIUM);
  const made = await make();
  assert.ok(made.status < 300, made.text);
  await endNow(person);
  assertError(await make(), 403, 'ERR_PREMIUM_REQUIRED');
  assert.equal((await person.get(`/v1/portal/chats/${made.body.id}`)).status, 200, 'what is there stays');
  assert.equal((await person.post(`/v1/portal/chats/${made.body.id}/config/update`, { name: 'still mine' })).status, 200);
  await grant(person, LIFETIME);
  assert.ok((await make()).status < 300);
  await revoke(person);
  assertError(await make(), 403, 'ERR_PREMIUM_REQUIRED');
});

test('the active ones, those that end first before the others, in pages', async () => {
  const list = async (query = '') => (await admin.get(`/v1/admin/subscriptions/active${query}`)).body;
  const before = (await list()).total;
  const people = await Promise.all(Array.from({ length: 4 }, () => portal.signIn()));
  const [ever, late, soon, over] = people;
  await grant(ever, LIFETIME);
  await grant(late, PREMIUM, { duration_days: 40 });
  await grant(soon, PREMIUM, { duration_days: 1 });
  await grant(over, PREMIUM);
  await endNow(over);
  const { subscriptions, total, limit } = await list('?limit=100');
  assert.deepEqual([total, limit], [before + 3, 100]);
  const mine = subscriptions.filter((s) => people.some((p) => p.id === s.user.id));
  assert.deepEqual(mine.map((s) => [s.user.id, s.subscription_level, s.granted_by_id]), [[soon.id, 2, admin.id], [late.id, 2, admin.id], [ever.id, 3, admin.id]]);
  assert.equal(mine[2].expires_at, null);
  const page = await list(`?offset=${total - 1}&limit=1`);
  assert.deepEqual([page.subscriptions.length, page.total], [1, total]);
  assert.equal((await list('?offset=9000')).total, total);
});
