// One chat, live: joined, keyed, its messages opened, its people. Views draw what it holds and are told
// of changes: room.on(what => …) with what one of: messages, people, typing, reads, key, chat, muted, out, peer.
//
//   const room = openRoom(chatId);   … room.close()
//   room.send(text)                  kept as `sending` until the server has it, through reconnects, epochs,
//                                    other pages and reloads
//
// A room lives while a page shows it or it has something to send. Keys follow contract 3.3: a blob that opens is kept; asked as maker or holder we share; a message refused
// for its epoch is encrypted anew and sent with the same client_id.
import { get, post } from './api.js';
import { chatKey, decrypt, encrypt, keepChatKey, keepUnsent, loadChatKeys, loadUnsent, newChatKey, pair, seal, unseal, unsentChats } from './keys.js';
import { ask, listen, whenUp } from './socket.js';
import { on, state } from './store.js';

const PAGE = 50;
const LOOK_BACK = 100;
const RETRY_MS = 250;
const TYPING_MS = 5000;
const READ_MS = 500;
const STALE_MS = 9 * 60_000; // the server knows a repeated message for ten minutes
const REJOIN_MS = 30_000; // for a list of people that fell behind
// Refusals that pass by themselves.
const passing = new Set(['ERR_OFFLINE', 'ERR_NETWORK', 'ERR_UNAVAILABLE', 'ERR_INTERNAL', 'ERR_RATE_LIMITED']);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const numbers = (id) => id.split('-').map(Number);
// Message ids are "ms-n".
export function idBefore(a, b) {
  const [x, i] = numbers(a);
  const [y, j] = numbers(b);
  return x < y || (x === y && i < j);
}

const rooms = new Map(); // chat id -> room

on('me', ({ me }) => !me && rooms.forEach((room) => room.shut()));
// What an earlier visit could not send.
whenUp(async () => {
  for (const chatId of await unsentChats().catch(() => [])) openRoom(chatId, false);
});

export function openRoom(chatId, shown = true) {
  if (rooms.has(chatId)) return rooms.get(chatId).reopen(shown);
  const listeners = new Set();
  const room = {
    id: chatId,
    chat: null,
    epoch: 0,
    sessionId: null,
    joined: false,
    messages: [], // {id, sender, text|null, type, timestamp, client_id, epoch, content}
    sending: [], // {client_id, text, at: ms, failed: null or a sentence}
    more: true, // there is history before the first message
    people: new Map(), // session_id -> {user, public_key}
    crowded: false, // too many for a list of who is here
    online: 0,
    typing: new Map(), // user_id -> timer
    reads: new Map(), // user_id -> message id
    muted: null, // {until}
    out: null, // why we are out: a sentence
    peerLeft: null, // direct chats: grace_until_ms, 0 = gone
    on: (f) => (listeners.add(f), () => listeners.delete(f)),
  };
  const tell = (what) => listeners.forEach((f) => f(what));
  let closed = false;
  let sendingNow = false;
  let joins = 0;
  let joinedAt = 0; // ms
  let behind = 0; // how often in a row more people were counted than we know of: too many for a list by now
  let held = null; // while a join is under way: what was told meanwhile

  // ---- messages ----

  function opened(item) {
    const key = item.type === 'user' && chatKey(chatId, item.epoch);
    const text = item.type === 'system' ? item.content : key ? decrypt(key, item.content) : null;
    return { ...item, text };
  }
  function openAgain() {
    let changed = false;
    room.messages = room.messages.map((m) => {
      if (m.text !== null) return m;
      const again = opened(m);
      changed ||= again.text !== null;
      return again;
    });
    if (changed) tell('messages');
  }
  function take(items) {
    const known = new Set(room.messages.map((m) => m.id));
    for (const item of items) {
      if (known.has(item.id)) continue;
      room.messages.push(opened(item));
      if (item.sender?.id === state.me?.id) sent(item.client_id);
    }
    tell('messages');
  }
  const dropTyping = (userId) => {
    clearTimeout(room.typing.get(userId));
    if (room.typing.delete(userId)) tell('typing');
  };

  // History upward; true when there was any.
  room.older = async () => {
    const first = room.messages[0];
    if (!first || !room.more) return false;
    const items = await get(`/v1/portal/chats/${chatId}/history?limit=${PAGE}&before=${first.id}`);
    room.more = items.length === PAGE;
    room.messages = [...items.map(opened), ...room.messages];
    tell('messages');
    return items.length > 0;
  };

  // ---- keys ----

  async function takeKey(epoch, blob, from) {
    const { secretKey } = await pair(state.me.id);
    const key = unseal(blob, from, secretKey);
    if (!key) {
      await ask('room:key_request', { chat_id: chatId, epoch }).catch(() => {});
      return;
    }
    await haveKey(epoch, key);
  }
  async function haveKey(epoch, key) {
    await keepChatKey(chatId, epoch, key);
    room.epoch = Math.max(room.epoch, epoch);
    openAgain();
    tell('key');
    flush();
  }
  async function keyNeeded({ epoch, make_key, recipients }) {
    let key = chatKey(chatId, epoch);
    if (!key && !make_key) return;
    if (key && make_key) return; // another was quicker
    key ??= newChatKey();
    const { secretKey } = await pair(state.me.id);
    const keys = recipients.map((r) => ({ session_id: r.session_id, blob: seal(key, r.public_key, secretKey) }));
    const ack = await ask('room:key_share', { chat_id: chatId, epoch, keys }).catch(() => null);
    if (make_key && ack?.stored > 0 && epoch >= room.epoch && !chatKey(chatId, epoch)) await haveKey(epoch, key);
  }

  // ---- joining, again after each connect ----

  // What is told while a join is under way waits until its answer is taken in: events may overtake it. When that
  // fails it is dropped: the next join tells all of it, behind the last message that we have.
  async function join() {
    const turn = ++joins;
    const stands = () => !closed && turn === joins;
    held ??= [];
    const again = await enter(stands).then(() => false, (error) => stands() && notIn(error));
    if (!stands()) return;
    const events = again ? [] : held;
    held = again ? [] : null;
    for (const tellNow of events) tellNow();
    flush();
  }
  async function enter(stands) {
    const last = room.messages.at(-1)?.id;
    joinedAt = Date.now();
    const ack = await ask('room:join', last ? { chat_id: chatId, after: last } : { chat_id: chatId });
    await loadChatKeys(chatId);
    if (!last) await takeUnsent();
    if (!stands()) return;
    Object.assign(room, { joined: true, chat: ack.chat, online: ack.chat.online, epoch: Math.max(room.epoch, ack.epoch), sessionId: ack.session_id, muted: ack.muted, out: null });
    room.crowded = ack.members === null;
    room.people = new Map((ack.members ?? []).map((m) => [m.session_id, m]));
    if (ack.gap) room.messages = [];
    if (!last || ack.gap) room.more = ack.messages.length > 0;
    take(ack.messages);
    if (room.peerLeft && room.users().some((u) => u.id !== state.me.id)) events['room:peer_back']();
    for (const what of ['chat', 'people', 'muted', 'key']) tell(what);
    if (ack.key) await takeKey(ack.epoch, ack.key.blob, ack.key.from_public_key);
    if (last && !ack.gap) await dropDeleted(last);
    if (ack.more && last && !ack.gap) await catchUp(stands);
  }
  // What was deleted while we were away, of the newest that we had.
  async function dropDeleted(last) {
    const [ms, n] = numbers(last);
    const items = await get(`/v1/portal/chats/${chatId}/history?limit=${LOOK_BACK}&before=${ms}-${n + 1}`);
    const there = new Set(items.map((m) => m.id));
    const gone = (m) => !idBefore(last, m.id) && !there.has(m.id) && !(items.length === LOOK_BACK && idBefore(m.id, items[0].id));
    if (!room.messages.some(gone)) return;
    room.messages = room.messages.filter((m) => !gone(m));
    tell('messages');
  }
  // What was said while we were away, beyond what the join brought.
  async function catchUp(stands) {
    for (let items = [0]; items.length && stands(); ) {
      items = await get(`/v1/portal/chats/${chatId}/history?limit=500&after=${room.messages.at(-1).id}`);
      take(items);
    }
  }
  // True: it is tried again.
  function notIn(error) {
    if (passing.has(error.code)) {
      setTimeout(() => !closed && state.link === 'up' && join(), 2000);
      return true;
    }
    leave(error.code === 'ERR_BANNED' ? 'You are banned from this chat.' : error.code === 'ERR_CHAT_NOT_FOUND' ? 'This chat is not there, or not open to you.' : error.message);
    return false;
  }
  function leave(why) {
    room.joined = false;
    room.out = why;
    for (const s of room.sending) s.failed ??= why;
    changed();
    for (const what of ['out', 'people']) tell(what);
    settle();
  }

  // ---- sending ----

  function changed() {
    keepUnsent(chatId, room.sending).catch(() => {}); // not kept, it is sent all the same
    tell('messages');
  }
  function sent(client_id) {
    if (!room.sending.some((s) => s.client_id === client_id)) return;
    room.sending = room.sending.filter((s) => s.client_id !== client_id);
    changed();
  }
  async function takeUnsent() {
    const known = new Set(room.sending.map((s) => s.client_id));
    const kept = (await loadUnsent(chatId)).filter((s) => !known.has(s.client_id));
    for (const s of kept) if (Date.now() - s.at > STALE_MS) s.failed ??= 'Not sent';
    room.sending = [...kept, ...room.sending];
  }
  room.send = (text) => {
    room.sending.push({ client_id: crypto.randomUUID(), text, at: Date.now(), failed: null });
    changed();
    flush();
  };
  room.again = (client_id) => {
    const s = room.sending.find((x) => x.client_id === client_id);
    if (s) s.failed = room.out;
    changed();
    flush();
  };
  room.discard = sent;
  // In order, one at a time; what waits for a key or a connection is sent when that is there.
  async function flush() {
    if (sendingNow) return;
    sendingNow = true;
    for (;;) {
      const next = room.sending.find((s) => !s.failed);
      const key = chatKey(chatId, room.epoch);
      if (closed || !next || !key || !room.joined || state.link !== 'up') break;
      await sendOne(next, key);
    }
    sendingNow = false;
    settle();
  }
  async function sendOne(s, key) {
    try {
      await ask('message:send', { chat_id: chatId, content: encrypt(key, room.epoch, s.text), client_id: s.client_id });
      sent(s.client_id); // its message:new comes, or has come
    } catch (error) {
      if (error.code === 'ERR_EPOCH_MISMATCH') room.epoch = Math.max(room.epoch, error.body.epoch ?? 0);
      else if (['ERR_MESSAGE_RATE', 'ERR_RATE_LIMITED'].includes(error.code)) await wait((error.body.retry_after ?? 1) * 1000);
      else if (!['ERR_OFFLINE', 'ERR_NO_ROOM_KEY', 'ERR_UNAVAILABLE'].includes(error.code)) s.failed = error.message;
      if (!s.failed) await wait(RETRY_MS);
      changed();
    }
  }

  // ---- what the view tells the others ----

  let typed = 0;
  room.tellTyping = (typing) => {
    if (!room.joined || (typing && Date.now() - typed < 1200) || (!typing && !typed)) return;
    typed = typing ? Date.now() : 0;
    ask('room:typing', { chat_id: chatId, typing }).catch(() => {});
  };
  // However fast the others talk: a socket has 50 events in 5 s.
  let readUpTo;
  let reading; // timer
  room.tellRead = () => {
    reading ??= setTimeout(() => {
      reading = undefined;
      const last = room.messages.at(-1)?.id;
      if (!last || last === readUpTo || !room.joined) return;
      readUpTo = last;
      ask('room:read', { chat_id: chatId, id: last }).catch(() => (readUpTo = undefined));
    }, READ_MS);
  };

  // ---- what the server tells ----

  const events = {
    'message:new': (m) => {
      take([m]);
      if (m.sender) dropTyping(m.sender.id);
    },
    'message:bulk_deleted': ({ ids }) => {
      const gone = new Set(ids);
      room.messages = room.messages.filter((m) => !gone.has(m.id));
      tell('messages');
    },
    'portal:cleared': ({ epoch }) => {
      room.messages = [];
      room.more = false;
      room.epoch = Math.max(room.epoch, epoch);
      for (const what of ['messages', 'key']) tell(what);
    },
    'chat:status': ({ online }) => {
      room.online = online;
      behind = !room.crowded && online > room.users().length ? behind + 1 : 0;
      if (behind > 1 && Date.now() - joinedAt > REJOIN_MS) join();
      tell('people');
    },
    'room:member_joined': (m) => {
      room.people.set(m.session_id, m);
      tell('people');
    },
    'room:member_left': ({ session_id, user_id }) => {
      room.people.delete(session_id);
      dropTyping(user_id);
      tell('people');
    },
    'room:key': (k) => takeKey(k.epoch, k.blob, k.from_public_key),
    'room:key_needed': keyNeeded,
    'room:epoch_changed': ({ epoch }) => {
      room.epoch = Math.max(room.epoch, epoch);
      tell('key');
    },
    'room:config': (config) => {
      room.chat = { ...room.chat, ...config, id: chatId, config: room.chat?.config && { wipe_preset: config.wipe_preset, history_visible: config.history_visible } };
      tell('chat');
    },
    'room:typing': ({ user_id, typing }) => {
      dropTyping(user_id);
      if (typing) room.typing.set(user_id, setTimeout(() => dropTyping(user_id), TYPING_MS));
      tell('typing');
    },
    'room:read': ({ user_id, id }) => {
      room.reads.set(user_id, id);
      tell('reads');
    },
    'room:kicked': ({ reason }) => leave({ kick: 'You were put out of this chat.', ban: 'You were banned from this chat.', private: 'This chat has become private.' }[reason]),
    'room:destroyed': ({ name }) => leave(`“${name}” was deleted.`),
    'user:muted': ({ user_id, until }) => user_id === state.me?.id && ((room.muted = { until }), tell('muted')),
    'user:unmuted': ({ user_id }) => user_id === state.me?.id && ((room.muted = null), tell('muted')),
    'room:peer_left': ({ grace_until_ms }) => {
      room.peerLeft = { until: grace_until_ms };
      tell('peer');
    },
    'room:peer_back': () => {
      room.peerLeft = null;
      tell('peer');
    },
  };
  const ends = Object.entries(events).map(([name, f]) => listen(name, (data) => data.chat_id === chatId && (held ? held.push(() => f(data)) : f(data))));
  ends.push(whenUp(join));

  room.end = leave;
  // Own messages, or those of others for moderators.
  room.remove = (ids) => post(`/v1/portal/chats/${chatId}/messages/delete`, { ids });
  room.mayModerate = () => room.chat && room.chat.visibility !== 'direct' && (room.chat.owner?.id === state.me.id || state.me.permission_level >= 2 || (state.me.permission_level >= 1 && room.chat.visibility !== 'private'));
  room.key = () => chatKey(chatId, room.epoch);
  room.nameOf = (userId) => {
    for (const { user } of room.people.values()) if (user.id === userId) return user.username;
    return room.messages.findLast((m) => m.sender?.id === userId)?.sender.username ?? 'Someone';
  };
  // One entry a person.
  room.users = () => [...new Map([...room.people.values()].map((m) => [m.user.id, m.user])).values()].sort((a, b) => a.username.localeCompare(b.username));
  room.reopen = (again) => {
    shown ||= again;
    return room;
  };
  room.close = () => {
    shown = false;
    listeners.clear();
    if (!pending()) room.shut();
  };
  const pending = () => room.sending.some((s) => !s.failed);
  // Nobody looks, and nothing is left to send.
  function settle() {
    if (!shown && (room.joined || room.out) && !pending()) room.shut();
  }
  room.shut = () => {
    if (closed) return;
    closed = true;
    rooms.delete(chatId);
    ends.forEach((end) => end());
    clearTimeout(reading);
    for (const timer of room.typing.values()) clearTimeout(timer);
    // Out of a direct chat it would count as gone: it is left with match/leave alone.
    if (room.chat?.visibility !== 'direct') ask('room:leave', { chat_id: chatId }).catch(() => {});
  };
  rooms.set(chatId, room);
  return room;
}
