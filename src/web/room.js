// One chat, live: joined, keyed, its messages opened, its people. Views draw what it holds and are told
// of changes: room.on(what => …) with what one of: messages, people, typing, reads, key, chat, muted, out, peer.
//
//   const room = openRoom(chatId);   … room.close()
//   room.send(text)                  kept as `sending` until the server has it, through reconnects and epochs
//
// Keys follow contract 3.3: a blob that opens is kept; asked as maker or holder we share; a message refused
// for its epoch is encrypted anew and sent with the same client_id.
import { get, post } from './api.js';
import { chatKey, decrypt, encrypt, keepChatKey, loadChatKeys, newChatKey, pair, seal, unseal } from './keys.js';
import { ask, listen, whenUp } from './socket.js';
import { state } from './store.js';

const PAGE = 50;
const RETRY_MS = 250;
const TYPING_MS = 5000;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const numbers = (id) => id.split('-').map(Number);
// Message ids are "ms-n".
export function idBefore(a, b) {
  const [x, i] = numbers(a);
  const [y, j] = numbers(b);
  return x < y || (x === y && i < j);
}

export function openRoom(chatId) {
  const listeners = new Set();
  const room = {
    id: chatId,
    chat: null,
    epoch: 0,
    sessionId: null,
    joined: false,
    messages: [], // {id, sender, text|null, type, timestamp, client_id, epoch, content}
    sending: [], // {client_id, text, failed}
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
      if (item.sender?.id === state.me?.id) room.sending = room.sending.filter((s) => s.client_id !== item.client_id);
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

  async function join() {
    const last = room.messages.at(-1)?.id;
    let ack;
    try {
      ack = await ask('room:join', last ? { chat_id: chatId, after: last } : { chat_id: chatId });
    } catch (error) {
      if (closed || error.code === 'ERR_OFFLINE') return;
      if (error.code === 'ERR_RATE_LIMITED') setTimeout(() => !closed && join(), 2000);
      else leave(error.code === 'ERR_BANNED' ? 'You are banned from this chat.' : error.code === 'ERR_CHAT_NOT_FOUND' ? 'This chat is not there, or not open to you.' : error.message);
      return;
    }
    if (closed) return;
    await loadChatKeys(chatId);
    Object.assign(room, { joined: true, chat: ack.chat, online: ack.chat.online, epoch: Math.max(room.epoch, ack.epoch), sessionId: ack.session_id, muted: ack.muted, out: null });
    room.crowded = ack.members === null;
    room.people = new Map((ack.members ?? []).map((m) => [m.session_id, m]));
    if (ack.gap) room.messages = [];
    if (!last || ack.gap) room.more = ack.messages.length > 0;
    take(ack.messages);
    if (ack.more && last && !ack.gap) await catchUp();
    for (const what of ['chat', 'people', 'muted', 'key']) tell(what);
    if (ack.key) await takeKey(ack.epoch, ack.key.blob, ack.key.from_public_key);
    flush();
  }
  async function catchUp() {
    for (let items = [0]; items.length; ) {
      items = await get(`/v1/portal/chats/${chatId}/history?limit=500&after=${room.messages.at(-1).id}`);
      take(items);
    }
    room.messages.sort((a, b) => (idBefore(a.id, b.id) ? -1 : 1));
    tell('messages');
  }
  function leave(why) {
    room.joined = false;
    room.out = why;
    for (const what of ['out', 'people']) tell(what);
  }

  // ---- sending ----

  room.send = (text) => {
    room.sending.push({ client_id: crypto.randomUUID(), text, failed: null });
    tell('messages');
    flush();
  };
  room.again = (client_id) => {
    const s = room.sending.find((x) => x.client_id === client_id);
    if (s) s.failed = null;
    tell('messages');
    flush();
  };
  room.discard = (client_id) => {
    room.sending = room.sending.filter((s) => s.client_id !== client_id);
    tell('messages');
  };
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
  }
  async function sendOne(s, key) {
    try {
      await ask('message:send', { chat_id: chatId, content: encrypt(key, room.epoch, s.text), client_id: s.client_id });
      room.sending = room.sending.filter((x) => x !== s); // its message:new comes, or has come
    } catch (error) {
      if (error.code === 'ERR_EPOCH_MISMATCH') room.epoch = Math.max(room.epoch, error.body.epoch ?? 0);
      else if (['ERR_MESSAGE_RATE', 'ERR_RATE_LIMITED'].includes(error.code)) await wait((error.body.retry_after ?? 1) * 1000);
      else if (!['ERR_OFFLINE', 'ERR_NO_ROOM_KEY', 'ERR_UNAVAILABLE'].includes(error.code)) s.failed = error.message;
      if (!s.failed) await wait(RETRY_MS);
    }
    tell('messages');
  }

  // ---- what the view tells the others ----

  let typed = 0;
  room.tellTyping = (typing) => {
    if (!room.joined || (typing && Date.now() - typed < 1200) || (!typing && !typed)) return;
    typed = typing ? Date.now() : 0;
    ask('room:typing', { chat_id: chatId, typing }).catch(() => {});
  };
  let readUpTo;
  room.tellRead = () => {
    const last = room.messages.at(-1)?.id;
    if (!last || last === readUpTo || !room.joined) return;
    readUpTo = last;
    ask('room:read', { chat_id: chatId, id: last }).catch(() => (readUpTo = undefined));
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
  const ends = Object.entries(events).map(([name, f]) => listen(name, (data) => data.chat_id === chatId && f(data)));
  ends.push(whenUp(join));

  room.end = leave;
  // Own messages, or those of others for moderators.
  room.remove = (ids) => post(`/v1/portal/chats/${chatId}/messages/delete`, { ids });
  room.key = () => chatKey(chatId, room.epoch);
  room.nameOf = (userId) => {
    for (const { user } of room.people.values()) if (user.id === userId) return user.username;
    return room.messages.findLast((m) => m.sender?.id === userId)?.sender.username ?? 'Someone';
  };
  // One entry a person.
  room.users = () => [...new Map([...room.people.values()].map((m) => [m.user.id, m.user])).values()].sort((a, b) => a.username.localeCompare(b.username));
  room.close = () => {
    closed = true;
    ends.forEach((end) => end());
    for (const timer of room.typing.values()) clearTimeout(timer);
    // Out of a direct chat it would count as gone: it is left with match/leave alone.
    if (room.chat?.visibility !== 'direct') ask('room:leave', { chat_id: chatId }).catch(() => {});
  };
  return room;
}
