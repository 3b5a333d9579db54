// Keys (contract 3.3). A session has one X25519 pair however many tabs it has: made under a Web Lock,
// kept in IndexedDB with the chat keys of all epochs seen and what is not sent yet, and forgotten when the session ends.
//
//   await pair()                       the session's pair, made when there is none
//   chatKey(chat, epoch)               32 bytes or undefined
//   seal / unseal                      a chat key for one session: crypto_box behind a fresh nonce
//   encrypt / decrypt                  a message: CiphertextV2
const nacl = globalThis.nacl;
const TEXT_MAX = 2900; // bytes of a message, so that its bundle stays under 4096 characters

export const b64 = (bytes) => btoa(String.fromCharCode(...bytes));
export const raw = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

// ---- IndexedDB ----------------------------------------------------------------------------------

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open('portal', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('keys');
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
async function stored(mode, work) {
  const transaction = (await opened).transaction('keys', mode);
  const request = work(transaction.objectStore('keys'));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
  });
}
const read = (name) => stored('readonly', (s) => s.get(name));
const write = (name, value) => stored('readwrite', (s) => s.put(value, name));

// ---- the session's pair -------------------------------------------------------------------------

let mine;
export function pair(userId) {
  mine ??= navigator.locks.request('portal-keys', async () => {
    const kept = await read('pair');
    if (kept?.userId === userId) return kept;
    await stored('readwrite', (s) => s.clear());
    const made = { userId, ...nacl.box.keyPair() };
    await write('pair', made);
    return made;
  });
  return mine;
}

// At sign-in and when a session ends: a new session has a new pair.
export async function forgetKeys() {
  mine = undefined;
  cache.clear();
  await navigator.locks.request('portal-keys', () => stored('readwrite', (s) => s.clear()));
}

// ---- chat keys ----------------------------------------------------------------------------------

const cache = new Map();
const nameOf = (chat, epoch) => `chat:${chat}:${epoch}`;

export const chatKey = (chat, epoch) => cache.get(nameOf(chat, epoch));

export async function keepChatKey(chat, epoch, key) {
  cache.set(nameOf(chat, epoch), key);
  await write(nameOf(chat, epoch), key);
}

// Reads what other visits and tabs have kept of a chat.
export async function loadChatKeys(chat) {
  const range = IDBKeyRange.bound(`chat:${chat}:`, `chat:${chat};`);
  const names = await stored('readonly', (s) => s.getAllKeys(range));
  const values = await stored('readonly', (s) => s.getAll(range));
  names.forEach((name, i) => cache.set(name, values[i]));
}

// ---- what is not sent yet, as long as the session lives ----

export const keepUnsent = (chat, list) => stored('readwrite', (s) => (list.length ? s.put(list, `unsent:${chat}`) : s.delete(`unsent:${chat}`)));
export const loadUnsent = async (chat) => (await read(`unsent:${chat}`)) ?? [];
// The chats that still have something to send.
export async function unsentChats() {
  const names = await stored('readonly', (s) => s.getAllKeys(IDBKeyRange.bound('unsent:', 'unsent;')));
  const chats = await Promise.all(names.map(async (name) => ((await read(name)) ?? []).some((s) => !s.failed) && Number(name.slice(7))));
  return chats.filter(Boolean);
}

// ---- sealing ----

export const newChatKey = () => nacl.randomBytes(32);

export function seal(key, theirPublic, secret) {
  const nonce = nacl.randomBytes(24);
  return b64([...nonce, ...nacl.box(key, nonce, raw(theirPublic), secret)]);
}
export function unseal(blob, fromPublic, secret) {
  try {
    const bytes = raw(blob);
    return nacl.box.open(bytes.subarray(24), bytes.subarray(0, 24), raw(fromPublic), secret);
  } catch {
    return null;
  }
}

// ---- messages -----------------------------------------------------------------------------------

export const fits = (text) => new TextEncoder().encode(text).length <= TEXT_MAX;

export function encrypt(key, epoch, text) {
  const nonce = nacl.randomBytes(24);
  const ct = b64([...nonce, ...nacl.secretbox(new TextEncoder().encode(text), nonce, key)]);
  return JSON.stringify({ v: 2, epoch, ct });
}
export function decrypt(key, content) {
  try {
    const bytes = raw(JSON.parse(content).ct);
    const plain = nacl.secretbox.open(bytes.subarray(24), bytes.subarray(0, 24), key);
    return plain && new TextDecoder().decode(plain);
  } catch {
    return null;
  }
}

// What two people compare: six groups of five digits of a hash of the chat's key.
export function fingerprint(chat, epoch, key) {
  const head = new TextEncoder().encode(`portal fingerprint ${chat} ${epoch} `);
  const hash = nacl.hash(new Uint8Array([...head, ...key]));
  return Array.from({ length: 6 }, (_, i) => {
    const n = hash.subarray(i * 5, i * 5 + 5).reduce((sum, byte) => sum * 256 + byte, 0);
    return String(n % 100000).padStart(5, '0');
  });
}
