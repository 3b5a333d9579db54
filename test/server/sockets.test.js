// Contract section 4: sockets of people with the stock client, against real processes.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { connect, randomAddress, send, sessionOf, startPortal, startProcess, stopProcess, until } from './harness.js';

let portal, other;
const limits = {
  RATE_LIMIT_LOGIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_AUTH: '0',
  RATE_LIMIT_HANDSHAKE: '0', BOT_LOGIN_WEB_REQUIRED_EVERY: '0', ALLOWED_ORIGINS: 'https://front.example.org',
  MESSAGE_RATE_CHAT: '0', MESSAGE_RATE: '0', RATE_LIMIT_EVENTS: '60',
};
before(async () => {
  portal = await startPortal(limits);
  other = await startProcess(portal.stores, limits);
});
after(async () => {
  await stopProcess(other);
  await portal.stop();
});

async function login(person) {
  const bot = await portal.bot('discord');
  const { body } = await portal.post('/v1/authentication/bot/send-code', {
    platform: 'discord', platform_user_id: person.platform_user_id, platform_username: 'n', platform_avatar_url: '',
  }, { key: bot.key });
  const r = await portal.post('/v1/authentication/verify', { code: body.code }, { from: randomAddress() });
  return { ...person, token: sessionOf(r) };
}

// A public chat that belongs to nobody who matters here.
let slugs = 0;
async function publicChat(visibility = 'public', more = {}) {
  const { rows } = await portal.db.query(
    'INSERT INTO chats (name, visibility, slug, history_visible) VALUES ($1, $2, $3, $4) RETURNING id',
    [`room ${++slugs}`, visibility, visibility === 'public' ? `room-${process.pid}-${slugs}` : null, more.history_visible ?? true]);
  return Number(rows[0].id);
}

const close = (...sockets) => sockets.forEach((s) => s.close());
const refused = async (promise, code, message) => {
  await assert.rejects(promise, (e) => {
    assert.equal(e.data?.code, code, `${e.message} ${JSON.stringify(e.data)}`);
    if (message) assert.equal(e.message, message);
    return true;
  });
};

test('connects by cookie and by auth.session; chat:list comes first', async () => {
  const alice = await portal.signIn();
  const room = await publicChat();
  for (const by of ['cookie', 'auth']) {
    const s = await connect(portal, alice, { by });
    const list = await s.next('chat:list');
    assert.equal(s.events[0].name, 'chat:list');
    assert.ok(list.chats.some((c) => c.id === room), JSON.stringify(list));
    close(s);
  }
});

test('chat:list tells the configuration to those who manage a chat, whoever else asks at that moment', async () => {
  const [owner, admin, user] = [await portal.signIn(), await portal.withLevel('admin'), await portal.signIn()];
  const room = await publicChat();
  await portal.db.query('UPDATE chats SET owner_id = $2 WHERE id = $1', [room, owner.id]);
  const sockets = await Promise.all([owner, user, admin, user].map((person) => connect(portal, person)));
  const lists = await Promise.all(sockets.map((s) => s.next('chat:list')));
  const config = { wipe_preset: '24h', history_visible: true };
  assert.deepEqual(lists.map(({ chats }) => chats.find((c) => c.id === room).config), [config, undefined, config, undefined]);
  close(...sockets);
});

test('connects over long-polling and upgrades', async () => {
  const alice = await portal.signIn();
  const s = await connect(portal, alice, { transports: ['polling', 'websocket'] });
  await until(() => s.io.engine.transport.name === 'websocket', 'upgrade');
  assert.equal((await s.ask('room:join', { chat_id: await publicChat() })).ok, true);
  close(s);
});

test('refusals that last are CONNECT_ERROR', async () => {
  const alice = await portal.signIn();
  await refused(connect(portal, { token: '' }, { by: 'auth' }), 'ERR_AUTH_REQUIRED', 'Authentication required');
  await refused(connect(portal, { token: 'x'.repeat(43) }, { by: 'auth' }), 'ERR_AUTH_REQUIRED');
  await refused(connect(portal, { token: 'x'.repeat(43) }, { auth: { session: alice.token } }), 'ERR_AUTH_REQUIRED');
  await refused(connect(portal, alice, { by: 'none' }), 'ERR_AUTH_REQUIRED');
});

test('a handshake from a foreign origin is 403, one of a front end has CORS headers', async () => {
  const q = '/socket.io/?EIO=4&transport=polling';
  const bad = await portal.get(q, { headers: { origin: 'https://evil.example' } });
  assert.equal(bad.status, 403);
  assert.equal(typeof bad.body.message, 'string');
  const good = await portal.get(q, { headers: { origin: 'https://front.example.org' } });
  assert.equal(good.status, 200);
  assert.equal(good.headers['access-control-allow-origin'], 'https://front.example.org');
  assert.equal(good.headers['access-control-allow-credentials'], 'true');
  const wrong = await portal.get('/socket.io/?EIO=3&transport=polling');
  assert.deepEqual([wrong.status, Object.keys(wrong.body).sort()], [400, ['code', 'message']]);
});

test('handshakes are limited by address', async () => {
  const p = await startProcess(portal.stores, { ...limits, RATE_LIMIT_HANDSHAKE: '3' });
  const from = randomAddress();
  const q = '/socket.io/?EIO=4&transport=polling';
  const got = [];
  for (let i = 0; i < 5; i++) got.push((await send(p, 'GET', q, { from })).status);
  assert.deepEqual(got, [200, 200, 200, 400, 400]);
  assert.equal((await send(p, 'GET', q, { from: randomAddress() })).status, 200);
  await stopProcess(p);
});

test('the limit of handshakes holds over all processes, and who is over it comes back by itself', async () => {
  const env = { ...limits, RATE_LIMIT_HANDSHAKE: '2' };
  const [p, q] = [await startProcess(portal.stores, env), await startProcess(portal.stores, env)];
  const alice = await portal.signIn();
  const sockets = [await connect(p, alice), await connect(p, alice)];
  const s = await connect(q, alice, { wait: false });
  const refusals = [];
  s.on('connect_error', (e) => refusals.push(e.data)); // the stock client would stay away
  await new Promise((closed) => s.io.once('close', closed));
  assert.deepEqual(refusals, []);
  close(...sockets, s);
  await stopProcess(p);
  await stopProcess(q);
});

test('the eleventh socket of a session is refused, in all processes together', async () => {
  const alice = await portal.signIn();
  const sockets = [];
  for (let i = 0; i < 10; i++) sockets.push(await connect(i % 2 ? portal : other, alice));
  await refused(connect(portal, alice), 'ERR_TOO_MANY_SOCKETS', 'Too many sockets');
  await refused(connect(other, alice), 'ERR_TOO_MANY_SOCKETS');
  close(sockets.pop());
  await until(async () => {
    try {
      close(await connect(portal, alice));
      return true;
    } catch {
      return false;
    }
  }, 'a free place');
  close(...sockets);
});

test('join tells the room, and what there is to know; leave tells it too', async () => {
  const [alice, bob] = [await portal.signIn(), await portal.signIn()];
  const chat_id = await publicChat();
  const a = await connect(portal, alice);
  const b = await connect(other, bob);
  const one = await a.ask('room:join', { chat_id });
  assert.equal(one.ok, true, JSON.stringify(one));
  assert.equal(one.chat.id, chat_id);
  assert.equal(one.chat.online, 1);
  assert.equal(one.epoch, 1);
  assert.match(one.session_id, /^[0-9a-f]{16}$/);
  assert.deepEqual(one.members.map((m) => [m.user.id, m.session_id, m.public_key]), [[alice.id, one.session_id, null]]);
  assert.deepEqual([one.key, one.muted, one.messages, one.more, one.gap], [null, null, [], false, false]);
  const two = await b.ask('room:join', { chat_id });
  assert.deepEqual(two.members.map((m) => m.user.id), [alice.id, bob.id]);
  const joined = await a.next('room:member_joined', (d) => d.user.id === bob.id);
  assert.deepEqual(joined, { chat_id, user: two.members[1].user, session_id: two.session_id, public_key: null });
  assert.equal((await a.next('chat:status', (d) => d.online === 2)).chat_id, chat_id);
  // Again: the same, no event.
  const before_ = a.events.length;
  const again = await b.ask('room:join', { chat_id });
  assert.deepEqual({ ...again, members: again.members.length }, { ...two, members: 2 });
  assert.equal((await b.ask('room:leave', { chat_id })).ok, true);
  assert.deepEqual(await a.next('room:member_left'), { chat_id, user_id: bob.id, session_id: two.session_id });
  assert.ok(!a.events.slice(before_).some((e) => e.name === 'room:member_joined'));
  await a.next('chat:status', (d) => d.online === 1);
  assert.equal((await b.ask('room:leave', { chat_id })).ok, true);
  close(a, b);
});

test('who closes has left; two sockets of a session are one', async () => {
  const [alice, bob] = [await portal.signIn(), await portal.signIn()];
  const chat_id = await publicChat();
  const a = await connect(portal, alice);
  await a.ask('room:join', { chat_id });
  const b1 = await connect(portal, bob);
  const b2 = await connect(other, bob);
  await b1.ask('room:join', { chat_id });
  await b2.ask('room:join', { chat_id });
  close(b1);
  assert.equal((await a.ask('room:join', { chat_id })).members.length, 2);
  close(b2);
  await a.next('room:member_left', (d) => d.user_id === bob.id);
  assert.equal((await a.ask('room:join', { chat_id })).members.length, 1);
  assert.equal(a.events.filter((e) => e.name === 'room:member_joined' && e.data.user.id === bob.id).length, 1);
  assert.equal(a.events.filter((e) => e.name === 'room:member_left').length, 1);
  close(a);
});

test('two devices of a person are two sessions, one person', async () => {
  const alice = await portal.signIn();
  const phone = await login(alice);
  const chat_id = await publicChat();
  const a = await connect(portal, alice);
  const b = await connect(other, phone);
  await a.ask('room:join', { chat_id });
  const r = await b.ask('room:join', { chat_id });
  assert.equal(r.members.length, 2);
  assert.equal(r.chat.online, 1);
  assert.notEqual(r.members[0].session_id, r.members[1].session_id);
  close(a, b);
});

test('who may not come in', async () => {
  const alice = await portal.signIn();
  const s = await connect(portal, alice);
  const hidden = await publicChat('private');
  for (const chat_id of [hidden, 999999]) {
    const r = await s.ask('room:join', { chat_id });
    assert.deepEqual([r.error, r.code], ['Chat not found', 'ERR_CHAT_NOT_FOUND']);
    assert.match(r.correlation_id, /^[0-9a-f-]{36}$/);
  }
  const chat_id = await publicChat();
  await portal.db.query('INSERT INTO chat_bans (chat_id, user_id) VALUES ($1, $2)', [chat_id, alice.id]);
  assert.equal((await s.ask('room:join', { chat_id })).code, 'ERR_BANNED');
  await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [hidden, alice.id]);
  assert.equal((await s.ask('room:join', { chat_id: hidden })).ok, true);
  close(s);
});

test('bad events are answered and harm nobody', async () => {
  const alice = await portal.signIn();
  const s = await connect(portal, alice);
  const code = async (...args) => (await s.timeout(5000).emitWithAck(...args)).code;
  assert.equal(await code('room:join', {}), 'ERR_INVALID_REQUEST');
  assert.equal((await s.ask('room:join', { chat_id: 'x' })).error, 'chat_id must be an integer');
  assert.equal(await code('room:join', 'text'), 'ERR_INVALID_REQUEST');
  assert.equal(await code('room:join'), 'ERR_INVALID_REQUEST');
  assert.equal(await code('room:join', { chat_id: 1, after: 'zzz' }), 'ERR_INVALID_REQUEST');
  assert.equal(await code('nothing:known', {}), 'ERR_NOT_FOUND');
  assert.equal(await code('room:join', { chat_id: Buffer.from('x') }), 'ERR_INVALID_REQUEST');
  assert.equal(await code('room:typing', { chat_id: 1, typing: true }), 'ERR_NOT_JOINED');
  assert.ok(s.connected);
  close(s);
});

test('typing and read marks go to the others, typing once a second', async () => {
  const [alice, bob] = [await portal.signIn(), await portal.signIn()];
  const chat_id = await publicChat();
  const [a, b] = [await connect(portal, alice), await connect(other, bob)];
  await a.ask('room:join', { chat_id });
  await b.ask('room:join', { chat_id });
  for (const typing of [true, false, true]) assert.equal((await a.ask('room:typing', { chat_id, typing })).ok, true);
  assert.equal((await a.ask('room:read', { chat_id, id: '5-0' })).ok, true);
  assert.deepEqual(await b.next('room:read'), { chat_id, user_id: alice.id, id: '5-0' });
  assert.deepEqual(b.events.filter((e) => e.name === 'room:typing').map((e) => e.data), [{ chat_id, user_id: alice.id, typing: true }]);
  assert.ok(!a.events.some((e) => e.name === 'room:typing' || e.name === 'room:read'));
  close(a, b);
});

// Makes the person's session the holder of the chat's key (the blob is no real one).
async function holder(s, person, chat_id) {
  const r = await portal.post('/v1/portal/keys', { public_key: randomBytes(32).toString('base64') }, { cookie: person.token });
  assert.equal(r.status, 200, r.text);
  const joined = await s.ask('room:join', { chat_id });
  const need = await s.next('room:key_needed', (d) => d.chat_id === chat_id);
  assert.equal(need.make_key, true);
  const keys = [{ session_id: joined.session_id, blob: randomBytes(72).toString('base64') }];
  const shared = await s.ask('room:key_share', { chat_id, epoch: need.epoch, keys });
  assert.equal(shared.stored, 1, JSON.stringify(shared));
  return { epoch: need.epoch, content: JSON.stringify({ v: 2, epoch: need.epoch, ct: randomBytes(48).toString('base64') }) };
}
const heard = (s, chat_id) => s.events.filter((e) => e.name === 'message:new' && e.data.chat_id === chat_id).map((e) => e.data.id);

test('a join in the middle of a stream has each message once, in order', async () => {
  const [alice, bob] = [await portal.signIn(), await portal.signIn()];
  const chat_id = await publicChat();
  const a = await connect(portal, alice);
  const { content } = await holder(a, alice, chat_id);
  const sent = [];
  let stop = false;
  const talking = (async () => {
    while (!stop) {
      const r = await a.ask('message:send', { chat_id, content });
      assert.equal(r.ok, true, JSON.stringify(r));
      sent.push(r.id);
      await new Promise((done) => setTimeout(done, 120));
    }
  })();
  let last;
  const got = [];
  for (let i = 0; i < 8; i++) {
    const b = await connect(i % 2 ? portal : other, bob);
    const r = await b.ask('room:join', { chat_id, after: last });
    assert.equal(r.gap, false);
    got.push(...r.messages.map((m) => m.id));
    await new Promise((done) => setTimeout(done, 300));
    b.close();
    got.push(...heard(b, chat_id));
    last = got.at(-1);
  }
  stop = true;
  await talking;
  assert.deepEqual(got, sent.slice(0, got.length));
  assert.ok(got.length > 10);
  close(a);
});

test('what is said while the bus is away comes when it is back, once, in order', async () => {
  const [alice, bob] = [await portal.signIn(), await portal.signIn()];
  const chat_id = await publicChat();
  const a = await connect(portal, alice);
  const { content } = await holder(a, alice, chat_id);
  const b = await connect(other, bob);
  await b.ask('room:join', { chat_id });
  const sent = [];
  for (let i = 0; i < 40; i++) {
    if (i % 10 === 5) await portal.redis.client('KILL', 'TYPE', 'pubsub');
    const r = await a.ask('message:send', { chat_id, content });
    assert.equal(r.ok, true, JSON.stringify(r));
    sent.push(r.id);
  }
  await b.next('message:new', (d) => d.id === sent.at(-1));
  await a.next('message:new', (d) => d.id === sent.at(-1));
  assert.deepEqual(heard(b, chat_id), sent);
  assert.deepEqual(heard(a, chat_id), sent);
  close(a, b);
});

const ends = {
  logout: (person) => portal.post('/v1/authentication/logout', undefined, { cookie: person.token }),
  destroyed: async (person) => {
    const laptop = await login(person);
    return portal.post(`/v1/users/me/sessions/${person.token.slice(-6)}/destroy`, undefined, { cookie: laptop.token });
  },
  evicted: async (person) => {
    for (let i = 0; i < 5; i++) await login(person);
    return { status: 200 };
  },
};
for (const [reason, end] of Object.entries(ends)) {
  test(`session:ended (${reason}) within 100 ms, in both processes and transports, and nothing after it`, async (t) => {
    const alice = await portal.signIn();
    const chat_id = await publicChat();
    const sockets = [await connect(portal, alice), await connect(other, alice), await connect(portal, alice, { transports: ['polling'] })];
    for (const s of sockets) await s.ask('room:join', { chat_id });
    const r = await end(alice);
    const answered = Date.now();
    assert.equal(r.status, 200, r.text);
    for (const s of sockets) {
      assert.deepEqual(await s.next('session:ended'), { reason });
      assert.equal(await s.gone, 'io server disconnect');
      const event = s.events.at(-1);
      assert.equal(event.name, 'session:ended');
      t.diagnostic(`session:ended ${event.at - answered} ms behind the answer`);
      assert.ok(event.at - answered < 500, `${event.at - answered} ms`); // the machine may be busy
    }
    await refused(connect(portal, alice), 'ERR_AUTH_REQUIRED');
  });
}

test('a session that expires while connected ends', async () => {
  const alice = await portal.signIn();
  const { rows } = await portal.db.query("UPDATE sessions SET expires_at = now() + interval '2 seconds' WHERE user_id = $1 RETURNING encode(token_hash, 'hex') AS hash", [alice.id]);
  await portal.redis.del(`portal:session:${rows[0].hash}`, `portal:sessions:${alice.id}`);
  const s = await connect(portal, alice);
  assert.deepEqual(await s.next('session:ended'), { reason: 'expired' });
  assert.equal(await s.gone, 'io server disconnect');
});

test('a flood is refused, then dropped', async () => {
  const alice = await portal.signIn();
  const s = await connect(portal, alice);
  const acks = await Promise.all(Array.from({ length: 70 }, () => s.ask('room:leave', { chat_id: 1 })));
  assert.deepEqual(acks.map((a) => a.ok ?? a.code), [...Array(60).fill(true), ...Array(10).fill('ERR_RATE_LIMITED')]);
  assert.ok(acks.at(-1).retry_after >= 1);
  for (let i = 0; i < 60; i++) s.emit('room:leave', { chat_id: 1 });
  assert.equal(await s.gone, 'transport close');
});

test('events of a socket are served in their order', async () => {
  const alice = await portal.signIn();
  const s = await connect(portal, alice);
  const chat_id = await publicChat();
  const answers = await Promise.all(['room:join', 'room:leave', 'room:join', 'room:typing', 'room:leave', 'room:typing']
    .map((name) => s.ask(name, { chat_id, typing: true })));
  assert.deepEqual(answers.map((a) => a.ok ?? a.code), [true, true, true, true, true, 'ERR_NOT_JOINED']);
  close(s);
});

test('a socket that goes in the middle of a join leaves nothing behind', async () => {
  const chat_id = await publicChat();
  const alice = await portal.signIn();
  for (let i = 0; i < 30; i++) {
    const s = await connect(portal, alice);
    s.emit('room:join', { chat_id });
    if (i % 3) await new Promise((done) => setTimeout(done, i % 7));
    s.disconnect();
  }
  // The room is empty now and then before the last join is over.
  await until(async () => (await portal.redis.exists(`portal:sockets:${alice.id}`)) === 0, 'no sockets');
  await until(async () => /^portal_tasks_alive 1$/m.test((await portal.get('/metrics')).text), 'nothing under way but this question');
  const left = async () => [await portal.redis.zcard(`portal:room:${chat_id}:joined`), await portal.redis.hlen(`portal:room:${chat_id}:present`),
    await portal.redis.hlen(`portal:room:${chat_id}:people`)];
  await until(async () => (await left()).every((n) => n === 0), 'an empty room');
});

test('a socket that goes while another of its session comes in does not take that one out of the room', async () => {
  const chat_id = await publicChat();
  const alice = await portal.signIn();
  let old = await connect(portal, alice);
  const { session_id } = await old.ask('room:join', { chat_id });
  for (let i = 0; i < 40; i++) {
    const s = await connect(portal, alice);
    const joined = s.ask('room:join', { chat_id });
    if (i % 4) await new Promise((done) => setTimeout(done, i % 4));
    old.disconnect();
    assert.ok((await joined).ok);
    await until(async () => Object.values(await portal.redis.hgetall(`portal:sockets:${alice.id}`))[0] === '1', 'the old one gone');
    assert.notEqual(await portal.redis.zscore(`portal:room:${chat_id}:joined`, `${alice.id}:${session_id}`), null, `time ${i}`);
    old = s;
  }
  close(old);
});

test('a process that dies is swept: its people leave', async () => {
  const p = await startProcess(portal.stores, limits);
  const [alice, bob] = [await portal.signIn(), await portal.signIn()];
  const chat_id = await publicChat();
  const a = await connect(portal, alice);
  await a.ask('room:join', { chat_id });
  const b = await connect(p, bob);
  await b.ask('room:join', { chat_id });
  await stopProcess(p, 'SIGKILL');
  await a.next('room:member_left', (d) => d.user_id === bob.id, { ms: 25_000 });
  await a.next('chat:status', (d) => d.online === 1);
  assert.equal(await portal.redis.exists(`portal:sockets:${bob.id}`), 0);
  close(a);
});

test('a process that stops says so, closes the transports, and clients come back by themselves', async () => {
  const p = await startProcess(portal.stores, limits);
  const alice = await portal.signIn();
  const sockets = [await connect(p, alice), await connect(p, alice, { transports: ['polling'] })];
  const stopped = stopProcess(p);
  for (const s of sockets) assert.ok((await s.next('server:restarting')).retry_ms > 0);
  assert.equal(await sockets[0].gone, 'transport close');
  assert.match(await sockets[1].gone, /^transport (close|error)$/); // its next poll comes before the end, or behind it
  await stopped;
});

test('after the connections to Redis were cut, sockets stay and rooms go on', async () => {
  const [alice, bob] = [await portal.signIn(), await portal.signIn()];
  const chat_id = await publicChat();
  const [a, b] = [await connect(portal, alice), await connect(other, bob)];
  await a.ask('room:join', { chat_id });
  await b.ask('room:join', { chat_id });
  await portal.redis.client('KILL', 'TYPE', 'pubsub');
  await until(async () => (await portal.get('/readyz')).status === 200 && (await send(other, 'GET', '/readyz')).status === 200, 'readyz');
  await until(async () => a.events.some((e) => e.name === 'room:epoch_changed'), 'the room has caught up');
  assert.ok(a.connected && b.connected);
  const c = await connect(other, await portal.signIn());
  await c.ask('room:join', { chat_id });
  await a.next('room:member_joined', (d) => d.session_id !== undefined && d.user.id !== bob.id && d.user.id !== alice.id);
  close(a, b, c);
});

test('when Redis came back empty the transports close', async () => {
  const alice = await portal.signIn();
  const chat_id = await publicChat();
  const s = await connect(portal, alice, { reconnection: true, reconnectionDelay: 50 });
  await s.ask('room:join', { chat_id });
  await portal.redis.flushdb();
  await portal.redis.client('KILL', 'TYPE', 'pubsub');
  assert.equal(await s.gone, 'transport close');
  await until(() => s.connected, 'coming back');
  // Whose lease is missing counts as dead: the process has one before anybody is back.
  const [held] = Object.keys(await portal.redis.hgetall(`portal:sockets:${alice.id}`));
  assert.notEqual(await portal.redis.zscore('portal:processes', held.split(':')[1]), null);
  assert.equal((await s.ask('room:join', { chat_id })).ok, true);
  close(s);
});
