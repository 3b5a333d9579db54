// The sweep of sockets: at each operation of each client event (contract 4.1) and of CONNECT to both
// namespaces the client is dropped, the operation fails, or the deadline passes. The test build takes the
// fault as `portal_fault: "kind:k"` in an event's data and as X-Portal-Fault of a handshake, and logs when
// the task that was hit has ended, and how many operations it had. What no client asks for:
// sweep_direct.test.js.
//
// What must hold behind each: the server lives; one ack, or none when the client was dropped; the socket,
// Redis and the bus agree on whether it is in the room; what was cut short can be done again.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { assertPresent, bundle, isPresent, talker } from './chatter.js';
import { connect, faulted, randomAddress, randomPlatformId, startPortal, until } from './harness.js';

const KINDS = ['drop', 'fail', 'deadline'];
const STEPS_MAX = 30;
const ACK = 3; // the type of a packet

let portal, alice, owner, target;
before(async () => {
  portal = await startPortal({
    RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_HANDSHAKE: '0',
    RATE_LIMIT_EVENTS: '0', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0',
  });
  [alice, owner, target] = [await portal.signIn(), await portal.signIn(), await portal.signIn()];
});
after(() => portal.stop());

let serial = 0;
async function newChat(by = owner, visibility = 'public') {
  const { rows } = await portal.db.query('INSERT INTO chats (name, visibility, slug, owner_id) VALUES ($1, $2, $3, $4) RETURNING id::int',
    ['swept', visibility, visibility === 'public' ? `swept-${process.pid}-${++serial}` : null, by.id]);
  return rows[0].id;
}

// ---- what each event is sent with ----

// A person's fresh socket, in a fresh chat with the key of its epoch, unless `inside` is false.
async function scene({ person = alice, inside = true, by } = {}) {
  const chat = await newChat(by);
  const s = await talker(portal, person);
  s.acks = []; // ids, of all acks that came
  s.socket.io.on('packet', (packet) => packet.type === ACK && s.acks.push(packet.id));
  if (inside) await s.join(chat);
  return { chat, s };
}
const blob = () => randomBytes(72).toString('base64');

// name -> a scene with `data`; `holds(ack, again)`: what else does, of the hit and of the repetition.
// `member`: is the socket in the room behind it? As a function of the ack; by default it was and is.
const events = {
  'room:join': async () => ({ ...(await scene({ inside: false })), data: {}, member: (ack) => ack.ok === true }),
  // Out at once, whatever Redis takes: it is told until it has heard.
  'room:leave': async () => ({ ...(await scene()), data: {}, member: () => false, member_again: false }),
  'room:typing': async () => ({ ...(await scene()), data: { typing: true } }),
  'room:read': async () => ({ ...(await scene()), data: { id: '1-1' } }),
  'message:send': async () => {
    const x = await scene();
    const client_id = `k${++serial}`;
    return {
      ...x,
      data: { content: bundle(x.s.room(x.chat).epoch), client_id },
      holds: async (ack, again) => {
        if (ack.ok) assert.equal(again.id, ack.id);
        const sent = (await owner.get(`/v1/portal/chats/${x.chat}/history`)).body.filter((m) => m.client_id === client_id);
        assert.deepEqual(sent.map((m) => m.id), [again.id], 'there once');
      },
    };
  },
  'room:key_share': async () => {
    const x = await scene();
    const other = await talker(portal, target);
    x.s.socket.offAny(); // shares by hand alone
    await other.ask('room:join', { chat_id: x.chat });
    const session = (await portal.redis.zrange(`portal:room:${x.chat}:joined`, -1, -1))[0].split(':')[1];
    return {
      ...x,
      others: [other],
      data: { epoch: 1, keys: [{ session_id: session, blob: blob() }] },
      holds: async (ack, again) => {
        if (ack.ok) assert.deepEqual([ack.stored, ack.skipped], [1, 0]);
        assert.equal(again.stored + again.skipped, 1);
        if (ack.ok) assert.equal(again.stored, 0, 'not twice');
        await other.keyed(x.chat);
      },
    };
  },
  'room:key_request': async () => {
    const person = await portal.signIn(); // 3 in a minute
    const x = await scene({ person });
    return { ...x, person, data: { epoch: x.s.room(x.chat).epoch }, again: ['ERR_EPOCH_MISMATCH'] }; // the first may have rotated it
  },
  'room:kick': async () => {
    const x = await scene({ person: owner });
    const other = await talker(portal, target);
    await other.join(x.chat);
    return {
      ...x,
      person: owner,
      others: [other],
      data: { user_id: target.id, reason: 'swept' },
      holds: async () => {
        await other.heard(x.chat, 'room:kicked');
        await until(async () => !(await isPresent(portal, x.chat, target)), 'the person to be out');
        const { rows } = await portal.db.query(`SELECT count(*)::int AS n FROM moderation_actions WHERE chat_id = $1 AND action_type = 'CHAT_KICK'`, [x.chat]);
        assert.ok(rows[0].n === 1 || rows[0].n === 2, 'one for each that was done');
      },
    };
  },
};

test('every event of clients is swept', async () => {
  const { channels } = JSON.parse(await readFile(new URL('../../docs/asyncapi.json', import.meta.url)));
  const names = Object.entries(channels.socket.messages).filter(([key]) => key.startsWith('client.')).map(([, m]) => m.name);
  assert.deepEqual(Object.keys(events).sort(), names.sort());
});

// ---- hitting ----

const hit = (task, start) => faulted(portal, task, start);

async function cut(name, kind, k) {
  const x = await events[name]();
  const { chat, s, person = alice } = x;
  const data = { chat_id: chat, ...x.data };
  const id = s.socket.ids; // of the ack
  const { result: ack, steps } = await hit(name, () => new Promise((resolve) => {
    s.socket.once('disconnect', () => resolve(null));
    s.socket.emit(name, { ...data, portal_fault: `${kind}:${k}` }, resolve);
  }));
  let survivor = s;
  if (kind === 'drop' && k < steps) {
    assert.equal(ack, null, `${name}: the client was dropped, and answered`);
    s.close();
    await until(async () => !(await isPresent(portal, chat, person)), 'who was dropped to be out of the room');
    await until(async () => !(await portal.redis.exists(`portal:sockets:${person.id}`)), 'its seat to be free');
    survivor = await talker(portal, person);
    if (name !== 'room:join') await survivor.join(chat);
    if (data.content) data.content = bundle(survivor.room(chat).epoch);
    if (name === 'room:key_request') data.epoch = survivor.room(chat).epoch;
  } else {
    assert.ok(ack.ok || (k < steps && ack.code === 'ERR_UNAVAILABLE'), `${name} ${kind}:${k}: ${JSON.stringify(ack)}`);
    await s.ask('room:leave', { chat_id: 999999999 }); // an ack that came twice has come by now
    assert.equal(s.acks.filter((a) => a === id).length, 1, 'acked once');
    await assertPresent(portal, s, chat, x.member ? x.member(ack) : true);
  }
  const again = await survivor.ask(name, data);
  assert.ok(again.ok || x.again?.includes(again.code), `${name} after ${kind}:${k}: ${JSON.stringify(again)}`);
  await assertPresent(portal, survivor, chat, x.member_again ?? true);
  await x.holds?.(ack ?? {}, again);
  for (const t of [s, survivor, ...(x.others ?? [])]) t.close();
  await until(async () => !(await portal.redis.exists(`portal:sockets:${person.id}`)), 'all sockets to be gone');
  return steps;
}

for (const name of Object.keys(events)) {
  for (const kind of KINDS) {
    test(`${name}: ${kind} at each step`, async () => {
      let k = 0;
      while (k < STEPS_MAX && k < (await cut(name, kind, k))) k += 1;
      assert.ok(k < STEPS_MAX, 'the sweep reached the end');
    });
  }
}

test('what a kick that was cut short left due is done', () =>
  until(async () => (await portal.db.query('SELECT FROM room_changes')).rowCount === 0, 'nothing to be due', 20_000));

// ---- CONNECT ----

// Resolves with the socket when it is connected, else with the reason: a CONNECT_ERROR's, or null for the
// end of the transport.
async function tryConnect(url, headers, transports) {
  const s = await connect({ ...portal, url }, {}, { by: 'none', wait: false, transports, extraHeaders: headers });
  return new Promise((resolve) => {
    s.once('connect', () => resolve({ s }));
    s.once('connect_error', (e) => resolve({ s, refused: e.data ?? null }));
    s.once('disconnect', () => resolve({ s, refused: null }));
  });
}

async function sweepConnect(kind, transports, { url, headers, task, gone, good }) {
  let k = 0;
  for (let missed = false; !missed; k++) {
    assert.ok(k < STEPS_MAX, 'the sweep reached the end');
    const { result, steps } = await hit(task, () => tryConnect(url, { ...headers, 'x-portal-fault': `${kind}:${k}` }, transports));
    missed = k >= steps;
    // The transport closes, so that the client comes back.
    assert.equal(result.refused, missed ? undefined : null, `${kind}:${k} of ${steps}`);
    result.s.close();
    await gone();
    const { s, refused } = await tryConnect(url, headers, transports);
    assert.equal(refused, undefined, `after ${kind}:${k}`);
    await good(s);
    s.close();
    await gone();
  }
  assert.ok(k > 2, `only ${k} steps`);
}

for (const kind of KINDS) {
  for (const transports of [['websocket'], ['polling']]) {
    test(`CONNECT by ${transports}: ${kind} at each step`, () => sweepConnect(kind, transports, {
      url: portal.url,
      headers: { cookie: `psession=${alice.token}` },
      task: 'connect',
      gone: () => until(async () => !(await portal.redis.exists(`portal:sockets:${alice.id}`)) && (await portal.redis.zscore('portal:online', alice.id)) === null, 'no seat to be taken'),
      good: (s) => s.next('chat:list'),
    }));
  }
  test(`CONNECT to /bot: ${kind} at each step`, async () => {
    const bot = await portal.bot('discord');
    await sweepConnect(kind, ['websocket'], {
      url: `${portal.url}/bot`,
      headers: { 'x-api-key': bot.key },
      task: 'bot check',
      gone: async () => {},
      good: async (s) => {
        // One that did not come in is not asked; this one is.
        s.on('login:code', (data, ack) => ack({ delivered: true }));
        const id = randomPlatformId();
        const r = await portal.post('/v1/authentication/request', { platform: 'discord', platform_user_id: id }, { from: randomAddress() });
        assert.equal(r.status, 200, r.text);
        await s.next('login:code', (d) => d.platform_user_id === id);
      },
    });
  });
}
