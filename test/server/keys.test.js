// Contract section 3.3: public keys, blobs, epochs, and who is asked for keys; with clients that
// really encrypt (keys_client.js).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { assertError, startPortal, until } from './harness.js';
import { connectKeys } from './keys_client.js';

const env = { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_PUBLIC: '0', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0' };
let portal;
before(async () => {
  portal = await startPortal(env);
});
after(() => portal.stop());

let serial = 0;
async function makeChat(owner, members = [], { visibility = 'private', history = true } = {}) {
  const slug = visibility === 'public' ? `keys-${(serial += 1)}` : null;
  const { rows } = await portal.db.query(
    'INSERT INTO chats (name, slug, visibility, owner_id, history_visible) VALUES ($1, $2, $3, $4, $5) RETURNING id::int',
    ['a chat', slug, visibility, owner.id, history]);
  for (const p of [owner, ...members])
    await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [rows[0].id, p.id]);
  return rows[0].id;
}
const people = (n) => Promise.all(Array.from({ length: n }, () => portal.signIn()));
const goodKey = () => Buffer.concat([Buffer.from([9]), randomBytes(30), Buffer.from([1])]).toString('base64');
const putKey = (person, public_key) => person.post('/v1/portal/keys', { public_key });

// Clients of `persons` in a chat, joined one after the other, each with the key.
async function gathered(chat, persons, options = []) {
  const clients = [];
  for (const [i, p] of persons.entries()) {
    const c = await connectKeys(portal, p, options[i]);
    const ack = await c.join(chat);
    assert.ok(ack.ok, JSON.stringify(ack));
    clients.push(c);
  }
  return clients;
}
const close = (...clients) => clients.forEach((c) => c.close());
const read = (c, chat, text) => until(() => c.rooms.get(chat).read.includes(text), `"${text}" at ${c.person.username}`);

test('a session registers its public key', async () => {
  const [a] = await people(1);
  const key = goodKey();
  const first = await putKey(a, key);
  assert.deepEqual([first.status, first.body], [200, { status: 'registered' }]);
  assert.deepEqual((await putKey(a, key)).body, { status: 'unchanged' });
  assert.deepEqual((await putKey(a, goodKey())).body, { status: 'registered' });
  assert.deepEqual((await putKey(a, key)).body, { status: 'registered' });
});

test('keys that are none, or of low order, are refused', async () => {
  const [a] = await people(1);
  for (const key of [Buffer.alloc(32), Buffer.alloc(32, 1).fill(0, 1), Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex'),
    Buffer.from('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'hex'), randomBytes(31), randomBytes(33), randomBytes(3)])
    assertError(await putKey(a, key.toString('base64')), 400, 'ERR_INVALID_REQUEST', /^public_key /);
  assertError(await putKey(a, goodKey().replace(/.$/, '!')), 400, 'ERR_INVALID_REQUEST', /^public_key /);
  assertError(await putKey(a, 7), 400, 'ERR_INVALID_REQUEST', /^public_key /);
  assertError(await a.post('/v1/portal/keys', {}), 400, 'ERR_INVALID_REQUEST', 'public_key is required');
  assertError(await portal.post('/v1/portal/keys', { public_key: goodKey() }), 401, 'ERR_AUTH_REQUIRED');
});

test('the epoch and the blob are read without a socket, by who may see the chat', async () => {
  const [owner, stranger] = await people(2);
  const chat = await makeChat(owner);
  const r = await owner.get(`/v1/portal/chats/${chat}/key`);
  assert.deepEqual([r.status, r.body], [200, { epoch: r.body.epoch, blob: null, from_public_key: null }]);
  assert.ok(r.body.epoch >= 1);
  assertError(await stranger.get(`/v1/portal/chats/${chat}/key`), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await owner.get('/v1/portal/chats/999999/key'), 404, 'ERR_CHAT_NOT_FOUND');
  const [c] = await gathered(chat, [owner]);
  await c.keyed(chat);
  const mine = (await owner.get(`/v1/portal/chats/${chat}/key`)).body;
  assert.equal(mine.from_public_key, c.publicKey);
  assert.equal(Buffer.from(mine.blob, 'base64').length, 72);
  close(c);
});

test('the first who is present makes the key, the others get it, and they talk', async () => {
  const persons = await people(3);
  const chat = await makeChat(persons[0], persons.slice(1));
  const [a, b, c] = await gathered(chat, persons);
  for (const x of [a, b, c]) await x.keyed(chat, 2000);
  assert.deepEqual(a.asked.filter((d) => d.make_key).length, 1);
  assert.deepEqual([b, c].map((x) => x.asked.filter((d) => d.make_key).length), [0, 0]);
  const said = `plain-${randomBytes(12).toString('hex')}`;
  assert.ok((await b.send(chat, said)).ok);
  for (const x of [a, b, c]) await read(x, chat, said);
  const stream = JSON.stringify(await portal.redis.xrange(`portal:chat:${chat}:stream`, '-', '+'));
  assert.ok(stream.includes('"c"') && !stream.includes(said));
  close(a, b, c);
});

test('a member who is away gets the key of whoever is asked', async () => {
  const [owner, away] = await people(2);
  const chat = await makeChat(owner, [away]);
  await putKey(away, goodKey());
  const [a] = await gathered(chat, [owner]);
  await a.keyed(chat);
  const r = await until(async () => {
    const { body } = await away.get(`/v1/portal/chats/${chat}/key`);
    return body.blob && body;
  }, 'a blob of who is away');
  assert.equal(r.from_public_key, a.publicKey);
  close(a);
});

test('one socket of a session is asked, all its sockets in the room get the key', async () => {
  const [owner, other] = await people(2);
  const chat = await makeChat(owner, [other]);
  const [a] = await gathered(chat, [owner]);
  const a2 = await connectKeys(portal, owner, { reuse: a });
  await a2.join(chat);
  await a.keyed(chat);
  await a2.keyed(chat); // by the answer of the join, or by room:key
  const asked = a.asked.length + a2.asked.length;
  const [b] = await gathered(chat, [other]);
  await b.keyed(chat);
  assert.equal(a.asked.length + a2.asked.length, asked + 1);
  await portal.post(`/v1/portal/chats/${chat}/clear`, undefined, { cookie: owner.token });
  await until(() => a.rooms.get(chat).epoch > 1 && a.rooms.get(chat).key && a2.rooms.get(chat).key, 'the key of the new epoch at both');
  close(a, a2, b);
});

test('shares and requests are refused with the reason', async () => {
  const persons = await people(3);
  const chat = await makeChat(persons[0], persons.slice(1));
  const [a] = await gathered(chat, persons.slice(0, 1));
  await a.keyed(chat);
  const { epoch } = a.rooms.get(chat);
  const outside = await connectKeys(portal, persons[1]);
  const some = (n, blob = randomBytes(72).toString('base64')) => Array.from({ length: n }, () => ({ session_id: randomBytes(8).toString('hex'), blob }));
  const share = (c, o = {}) => c.call('room:key_share', { chat_id: chat, epoch, keys: some(1), ...o });
  assert.equal((await share(outside)).code, 'ERR_NOT_JOINED');
  assert.equal((await outside.call('room:key_request', { chat_id: chat, epoch })).code, 'ERR_NOT_JOINED');
  assert.equal((await share(outside, { chat_id: 999999 })).code, 'ERR_NOT_JOINED');
  const old = await share(a, { epoch: epoch + 1 });
  assert.deepEqual([old.code, old.epoch], ['ERR_EPOCH_MISMATCH', epoch]);
  assert.deepEqual(await share(a), { ok: true, stored: 0, skipped: 1 });
  for (const keys of [[], some(65), some(1, randomBytes(71).toString('base64')), some(1, '!'.repeat(96)), [{}], [7], 'x', undefined])
    assert.equal((await share(a, { keys })).code, 'ERR_INVALID_REQUEST');
  a.honest = false;
  const late = await connectKeys(portal, persons[2], { honest: false });
  await late.join(chat);
  assert.equal((await share(late)).code, 'ERR_NO_ROOM_KEY');
  for (let i = 0; i < 3; i++) assert.deepEqual(await late.call('room:key_request', { chat_id: chat, epoch }), { ok: true });
  const over = await late.call('room:key_request', { chat_id: chat, epoch });
  assert.equal(over.code, 'ERR_RATE_LIMITED');
  assert.ok(over.retry_after > 0 && over.retry_after <= 60);
  close(a, outside, late);
});

test('a holder who is silent is passed over after a second', async () => {
  const persons = await people(3);
  const chat = await makeChat(persons[0], persons.slice(1));
  const [a, b] = await gathered(chat, persons.slice(0, 2));
  await a.keyed(chat);
  await b.keyed(chat);
  const { epoch } = a.rooms.get(chat);
  a.honest = false;
  const [c] = await gathered(chat, persons.slice(2));
  await c.keyed(chat);
  c.rooms.get(chat).clock();
  assert.ok(c.rooms.get(chat).longest < 2000, `${c.rooms.get(chat).longest} ms`);
  assert.equal(c.rooms.get(chat).epoch, epoch);
  assert.ok(a.asked.some((d) => !d.make_key && d.recipients.some((r) => r.session_id === c.sessionId)));
  close(a, b, c);
});

test('without an honest holder the epoch rotates after 5 s and the next makes a key', async () => {
  const persons = await people(2);
  const chat = await makeChat(persons[0], persons.slice(1));
  const [a] = await gathered(chat, persons.slice(0, 1));
  await a.keyed(chat);
  const { epoch } = a.rooms.get(chat);
  a.honest = false;
  const [b] = await gathered(chat, persons.slice(1));
  await b.keyed(chat, 7000);
  const r = b.rooms.get(chat);
  assert.ok(r.longest > 4500 && r.longest < 6500, `${r.longest} ms`);
  assert.equal(r.epoch, epoch + 1);
  assert.ok(b.events.some(([e, d]) => e === 'room:epoch_changed' && d.reason === 'lost'));
  await a.keyed(chat, 2000); // the liar is served all the same
  close(a, b);
});

test('a blob that does not open is asked of another; with no other the epoch rotates', async () => {
  const persons = await people(3);
  const chat = await makeChat(persons[0], persons.slice(1));
  const [a, b] = await gathered(chat, persons.slice(0, 2));
  await a.keyed(chat);
  await b.keyed(chat);
  const { epoch } = a.rooms.get(chat);
  a.lies = true;
  const [c] = await gathered(chat, persons.slice(2));
  await c.keyed(chat, 3000);
  assert.equal(c.rooms.get(chat).epoch, epoch);
  const from = await persons[2].get(`/v1/portal/chats/${chat}/key`);
  assert.equal(from.body.from_public_key, b.publicKey);
  b.close();
  await c.call('room:key_request', { chat_id: chat, epoch });
  await until(() => c.rooms.get(chat).epoch === epoch + 1, 'a new epoch');
  close(a, c);
});

test('a new key drops the blob, its room hears of it, and the session gets another blob', async () => {
  const persons = await people(2);
  const chat = await makeChat(persons[0], persons.slice(1));
  const [a, b] = await gathered(chat, persons);
  await b.keyed(chat);
  const { epoch } = b.rooms.get(chat);
  b.forget();
  assert.equal(await b.postKey(), 'registered');
  await b.keyed(chat);
  assert.equal(b.rooms.get(chat).epoch, epoch);
  await until(() => a.events.some(([e]) => e === 'portal:key_added'), 'portal:key_added');
  const added = a.events.find(([e]) => e === 'portal:key_added')[1];
  assert.deepEqual(added, {
    chat_id: chat, user: { id: persons[1].id, username: persons[1].username, avatar_url: added.user.avatar_url, permission_level: 0 },
    session_id: b.sessionId, public_key: b.publicKey,
  });
  await persons[1].post('/v1/authentication/logout');
  await until(() => a.events.some(([e]) => e === 'portal:key_removed'), 'portal:key_removed');
  assert.deepEqual(a.events.find(([e]) => e === 'portal:key_removed')[1], { chat_id: chat, user_id: persons[1].id, session_id: b.sessionId });
  assert.equal(await portal.redis.hlen(`portal:e2ee:keys:${persons[1].id}`), 0);
  close(a, b);
});

test('who is put out opens nothing that is said later', async () => {
  const persons = await people(3);
  const chat = await makeChat(persons[0], persons.slice(1));
  const [a, b, c] = await gathered(chat, persons);
  for (const x of [a, b, c]) await x.keyed(chat);
  const spare = await connectKeys(portal, persons[2], { reuse: c });
  assert.ok((await a.send(chat, 'before')).ok);
  await read(c, chat, 'before');
  const kicked = await persons[0].post(`/v1/portal/chats/${chat}/kick`, { user_id: persons[2].id });
  assert.equal(kicked.status, 200, kicked.text);
  assert.ok((await a.send(chat, 'later')).ok);
  await read(b, chat, 'later');
  assert.equal((await spare.join(chat)).code, 'ERR_CHAT_NOT_FOUND');
  assertError(await persons[2].get(`/v1/portal/chats/${chat}/key`), 404, 'ERR_CHAT_NOT_FOUND');
  const { epoch } = a.rooms.get(chat);
  assert.deepEqual(Object.keys(await portal.redis.hgetall(`portal:e2ee:chatkey:${chat}:${epoch}`)).sort(),
    [`${persons[0].id}:${a.sessionId}`, `${persons[1].id}:${b.sessionId}`].sort());
  assert.ok(!c.rooms.get(chat).read.includes('later'));
  assert.ok(!a.asked.concat(b.asked).some((d) => d.epoch === epoch && d.recipients.some((r) => r.user_id === persons[2].id)));
  close(a, b, c, spare);
});
