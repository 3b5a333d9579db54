// People who talk: sockets of the stock client, in a room, with keys and blobs that nobody opens.
//
//   const alice = await talker(portal, await portal.signIn());
//   await alice.join(chat);                    // room:join, and the key of the epoch, made or received
//   await alice.say(chat, { client_id: 'a' }); // message:send: its ack
//   alice.items(chat)                          // message:new as it came, in order
//   alice.silent = true;                       // from now on it is asked for keys in vain
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { io } from 'socket.io-client';
import { until } from './harness.js';

export const bundle = (epoch, bytes = 48) => JSON.stringify({ v: 2, epoch, ct: randomBytes(bytes).toString('base64') });

export async function talker(portal, person, { url = portal.url } = {}) {
  person.public_key ??= randomBytes(32).toString('base64'); // of the session, whichever socket comes back
  const socket = io(url, { auth: { session: person.token }, transports: ['websocket'], forceNew: true });
  const rooms = new Map(); // chat -> {epoch, key, events}
  const room = (chat) => {
    if (!rooms.has(chat)) rooms.set(chat, { epoch: 0, keyed: 0, events: [] });
    return rooms.get(chat);
  };
  const ask = (name, data) => socket.timeout(10_000).emitWithAck(name, data);
  socket.onAny((name, data) => {
    if (!data?.chat_id) return;
    const r = room(data.chat_id);
    r.events.push({ name, data });
    if (data.epoch && name !== 'message:new') r.epoch = Math.max(r.epoch, data.epoch);
    if (name === 'room:key') r.keyed = data.epoch;
    if (name === 'room:key_needed' && !me.silent) share(data).catch((error) => assert.ok(socket.disconnected, error)); // a test may end meanwhile
  });
  async function share({ chat_id, epoch, recipients }) {
    const blob = randomBytes(72).toString('base64');
    const keys = recipients.map((x) => ({ session_id: x.session_id, blob }));
    if (!keys.some((k) => k.session_id === me.session_id)) keys.push({ session_id: me.session_id, blob });
    const r = await ask('room:key_share', { chat_id, epoch, keys: keys.slice(0, 64) });
    if (r.ok) room(chat_id).keyed = epoch;
  }
  const me = {
    ...person, socket, ask, room, silent: false,
    async join(chat, after) {
      const r = await ask('room:join', { chat_id: chat, after });
      assert.ok(r.ok, JSON.stringify(r));
      me.session_id = r.session_id;
      const state = room(chat);
      state.epoch = Math.max(state.epoch, r.epoch);
      if (r.key) state.keyed = r.epoch;
      await me.keyed(chat);
      return r;
    },
    keyed: (chat) => until(() => room(chat).keyed === room(chat).epoch, 'the key of the epoch'),
    say: (chat, { epoch = room(chat).epoch, content = bundle(epoch), client_id } = {}) =>
      ask('message:send', { chat_id: chat, content, client_id }),
    items: (chat) => room(chat).events.filter((e) => e.name === 'message:new').map((e) => e.data),
    heard: (chat, name, check = () => true) =>
      until(() => room(chat).events.find((e) => e.name === name && check(e.data))?.data, name),
    close: () => socket.close(),
  };
  await new Promise((done, failed) => {
    socket.once('connect', done);
    socket.once('connect_error', failed);
  });
  const r = await person.post('/v1/portal/keys', { public_key: person.public_key });
  assert.equal(r.status, 200, r.text);
  return me;
}

// ---- who is where ----

// Does the person's session stand in the room, as Redis knows it?
export const isPresent = async (portal, chat, person) =>
  (await portal.redis.zrange(`portal:room:${chat}:joined`, 0, -1)).some((m) => m.startsWith(`${person.id}:`));

// Does what is told to the room reach the talker? The person is told behind it, so that a silence is seen.
let marks = 0;
export async function hears(portal, t, chat) {
  const mark = ++marks;
  let [room, self] = [false, false];
  const seen = (name, data) => {
    if (name === 'test:room' && data.mark === mark) room = true;
    if (name === 'test:person' && data.mark === mark) self = true;
  };
  t.socket.onAny(seen);
  await portal.redis.publish(`portal:room:${chat}`, `r test:room - -\n{"chat_id":${chat},"mark":${mark}}`);
  await portal.redis.publish(`portal:user:${t.id}`, `r test:person - -\n{"mark":${mark}}`);
  await until(() => self, 'the mark');
  t.socket.offAny(seen);
  return room;
}

// The bus, the socket's own account and Redis are of one mind: it is in the room, or it is not.
export async function assertPresent(portal, t, chat, expected) {
  assert.equal(await hears(portal, t, chat), expected, 'hears the room');
  assert.equal((await t.ask('room:read', { chat_id: chat, id: '1-1' })).ok ?? false, expected, 'is in it by its own account');
  await until(async () => (await isPresent(portal, chat, t)) === expected, `Redis to have the person ${expected ? 'in' : 'out'}`);
}
