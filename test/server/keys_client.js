// A client that really encrypts: what a front end does with keys (contract 3.3), with tweetnacl.
//
//   const c = await connectKeys(portal, person);   // socket, key pair, key posted
//   await c.join(chat); await c.keyed(chat);
//   await c.send(chat, 'hello');                    // encrypted; tries again in a new epoch
//   c.rooms.get(chat).read                          // plaintexts that it could open, in order
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { io } from 'socket.io-client';
import nacl from 'tweetnacl';
import { until } from './harness.js';

const b64 = (bytes) => Buffer.from(bytes).toString('base64');
const raw = (text) => new Uint8Array(Buffer.from(text, 'base64'));

export function seal(key, theirs, mine) {
  const nonce = nacl.randomBytes(24);
  return b64(Buffer.concat([nonce, nacl.box(key, nonce, raw(theirs), mine)]));
}

export function unseal(blob, from, mine) {
  const bytes = raw(blob);
  return nacl.box.open(bytes.subarray(24), bytes.subarray(0, 24), raw(from), mine);
}

export function encrypt(key, epoch, text) {
  const nonce = nacl.randomBytes(24);
  const ct = b64(Buffer.concat([nonce, nacl.secretbox(Buffer.from(text), nonce, key)]));
  return JSON.stringify({ v: 2, epoch, ct });
}

export function decrypt(key, content) {
  const bytes = raw(JSON.parse(content).ct);
  const plain = nacl.secretbox.open(bytes.subarray(24), bytes.subarray(0, 24), key);
  return plain && Buffer.from(plain).toString();
}

// Where a client is: the keys that it has had by epoch, what it read, and how long it was ever without
// the key of the epoch (ms) while it was in.
class Room {
  constructor() {
    Object.assign(this, { joined: false, epoch: 0, keys: new Map(), read: [], unread: [], since: 0, longest: 0 });
  }

  get key() {
    return this.keys.get(this.epoch);
  }

  // Called behind every change: keeps the clock of the keyless.
  clock() {
    const waits = this.joined && !this.key;
    if (waits && !this.since) this.since = Date.now();
    if (!waits && this.since) {
      this.longest = Math.max(this.longest, Date.now() - this.since);
      this.since = 0;
    }
  }
}

// honest: false never shares; lies: shares blobs that do not open. `reuse`: another socket of the same
// session, with its key pair. `heard`: told of each message:new, which is not kept in `events` then.
export async function connectKeys(portal, person, { process = portal, honest = true, lies = false, reuse, post = true, heard } = {}) {
  const pair = reuse?.pair ?? nacl.box.keyPair();
  const c = { person, pair, get publicKey() { return b64(c.pair.publicKey); }, rooms: new Map(), asked: [], events: [], honest, lies, errors: [] };
  c.socket = io(process.url, { transports: ['websocket'], auth: { session: person.token }, forceNew: true, reconnection: false });
  const call = (event, data) => c.socket.timeout(8000).emitWithAck(event, data);
  const room = (chat) => c.rooms.get(chat) ?? c.rooms.set(chat, new Room()).get(chat);
  c.call = call;

  const take = (chat, epoch, blob, from) => {
    const r = room(chat);
    if (epoch < r.epoch) return undefined;
    r.epoch = epoch;
    const key = unseal(blob, from, c.pair.secretKey);
    if (key) r.keys.set(epoch, key);
    r.clock();
    return key ? undefined : call('room:key_request', { chat_id: chat, epoch }).catch(() => {});
  };
  const share = async (d, key) => {
    const theirs = (k) => (c.lies ? b64(nacl.randomBytes(72)) : seal(key, k, c.pair.secretKey));
    const keys = d.recipients.map((p) => ({
      session_id: p.session_id,
      blob: p.session_id === c.sessionId ? seal(key, p.public_key, c.pair.secretKey) : theirs(p.public_key),
    }));
    return call('room:key_share', { chat_id: d.chat_id, epoch: d.epoch, keys });
  };
  c.share = share;
  const needed = async (d) => {
    const r = room(d.chat_id);
    if (!c.honest || (!d.make_key && !r.keys.get(d.epoch))) return;
    if (!d.make_key) {
      await share(d, r.keys.get(d.epoch));
      return;
    }
    if (r.keys.get(d.epoch)) return; // another was quicker
    const key = nacl.randomBytes(32);
    const ack = await share(d, key);
    if (ack.ok && ack.stored > 0 && d.epoch === r.epoch && !r.key) {
      r.keys.set(d.epoch, key);
      r.clock();
    }
  };

  c.socket.onAny((event, d) => {
    if (event === 'message:new' && heard) heard(d);
    else c.events.push([event, d]);
    const r = d?.chat_id && room(d.chat_id);
    if (event === 'room:key') take(d.chat_id, d.epoch, d.blob, d.from_public_key);
    if (event === 'room:epoch_changed' && d.epoch > r.epoch) {
      r.epoch = d.epoch;
      r.clock();
    }
    if (event === 'room:key_needed') {
      c.asked.push(d);
      needed(d).catch((e) => c.errors.push(e));
    }
    if (event === 'room:kicked') {
      r.joined = false;
      r.clock();
    }
    if (event === 'message:new' && d.type === 'user') {
      const key = r.keys.get(d.epoch);
      const text = key && decrypt(key, d.content);
      if (text) r.read.push(text);
      else r.unread.push(d);
    }
  });
  await new Promise((resolve, reject) => {
    c.socket.once('connect', resolve);
    c.socket.once('connect_error', reject);
  });

  c.postKey = async () => {
    const r = await person.post('/v1/portal/keys', { public_key: c.publicKey });
    assert.equal(r.status, 200, r.text);
    return r.body.status;
  };
  if (post) await c.postKey();

  // As a page that was opened anew: nothing is left of the old pair and its keys.
  c.forget = () => {
    c.pair = nacl.box.keyPair();
    for (const r of c.rooms.values()) r.keys.clear();
  };

  c.join = async (chat) => {
    const ack = await call('room:join', { chat_id: chat });
    if (!ack.ok) return ack;
    const r = room(chat);
    c.sessionId = ack.session_id;
    r.joined = true;
    r.epoch = Math.max(r.epoch, ack.epoch);
    r.clock();
    if (ack.key) await take(chat, ack.epoch, ack.key.blob, ack.key.from_public_key);
    return ack;
  };
  c.leave = async (chat) => {
    const ack = await call('room:leave', { chat_id: chat });
    room(chat).joined = false;
    room(chat).clock();
    return ack;
  };
  c.keyed = (chat, ms) => until(() => room(chat).key, `a key of chat ${chat} for ${person.username}`, ms);
  c.send = async (chat, text) => {
    const client_id = randomUUID();
    const end = Date.now() + 10_000;
    for (;;) {
      const r = room(chat);
      const ack = r.key
        ? await call('message:send', { chat_id: chat, content: encrypt(r.key, r.epoch, text), client_id })
        : { code: 'ERR_NO_ROOM_KEY' };
      if (ack.ok) return ack;
      if (!['ERR_EPOCH_MISMATCH', 'ERR_NO_ROOM_KEY'].includes(ack.code) || Date.now() > end) return ack;
      await new Promise((done) => setTimeout(done, 20));
    }
  };
  c.close = () => {
    c.socket.disconnect();
    c.events.length = 0;
    for (const r of c.rooms.values()) {
      r.joined = false;
      r.clock();
    }
  };
  return c;
}
