// The one socket of this tab. The session's public key is posted on every connect, before rooms are
// joined; `state.link` tells how it is.
//
//   ask('room:join', {…})      the ack; a refusal is thrown as an ApiError
//   listen('message:new', f)   returns what ends it
//   whenUp(f)                  after each connect, once the key is known to the server
import { io } from './socket.io.esm.min.js';
import { ApiError, get, post } from './api.js';
import { b64, pair } from './keys.js';
import { set, state } from './store.js';

const ACK_MS = 12_000;
const ended = {
  evicted: 'You signed in on another device, and this session was the oldest.',
  logout: 'You signed out.',
  destroyed: 'This session was ended from another of your devices.',
  banned: 'This account was banned.',
  timeout: 'This account was timed out.',
  expired: 'Your session has expired.',
  deleted: 'This account was deleted.',
};
const ups = new Set();
const listeners = new Map();
let socket;

export function whenUp(f) {
  ups.add(f);
  if (state.link === 'up') f();
  return () => ups.delete(f);
}

export function listen(name, f) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(f);
  return () => listeners.get(name).delete(f);
}

export async function ask(name, data) {
  if (state.link !== 'up') throw new ApiError(0, { error: 'Not connected', code: 'ERR_OFFLINE' });
  let ack;
  try {
    ack = await socket.timeout(ACK_MS).emitWithAck(name, data);
  } catch {
    throw new ApiError(0, { error: 'The server did not answer', code: 'ERR_OFFLINE' });
  }
  if (!ack.ok) throw new ApiError(403, ack);
  return ack;
}

// The key goes first. When it cannot be posted now the transport is opened anew.
async function connected() {
  const keys = await pair(state.me.id).catch(() => null);
  if (!keys) {
    disconnectSocket();
    set({ ended: 'This browser does not let Portal keep keys, so chats cannot be opened. Is this a private window?' });
    return;
  }
  try {
    await post('/v1/portal/keys', { public_key: b64(keys.publicKey) });
    const { muted } = await get('/v1/portal/status?limit=1');
    set({ hardMuted: muted });
  } catch (error) {
    if (error.status !== 401) setTimeout(() => socket?.connected && socket.disconnect().connect(), 2000);
    return;
  }
  if (!socket?.connected) return;
  set({ link: 'up' });
  for (const f of ups) f();
}

function refused(error) {
  const code = error.data?.code;
  if (code === 'ERR_AUTH_REQUIRED') signedOut('Your session is over.');
  else if (code === 'ERR_TOO_MANY_SOCKETS') set({ link: 'off', ended: 'Portal is open in too many tabs of this browser. Close some, then reload.' });
  else set({ link: 'lost' });
}

let signedOut = () => {};
// `over(sentence)` is called when the session is no more.
export function connectSocket(over) {
  signedOut = over;
  disconnectSocket();
  set({ link: 'connecting' });
  socket = io({ transports: ['websocket', 'polling'], tryAllTransports: true, reconnectionDelay: 400, reconnectionDelayMax: 5000 });
  socket.on('connect', connected);
  socket.on('connect_error', refused);
  socket.on('disconnect', () => socket && set({ link: 'lost' }));
  socket.onAny((name, data) => {
    if (name === 'session:ended') signedOut(ended[data.reason] ?? 'Your session is over.');
    for (const f of listeners.get(name) ?? []) f(data);
  });
}

// Back on the network, or awake again: not after the pause that the client makes between its tries.
function tryNow() {
  if (socket && !socket.connected && state.link === 'lost' && document.visibilityState === 'visible') socket.disconnect().connect();
}
addEventListener('online', tryNow);
document.addEventListener('visibilitychange', tryNow);

export function disconnectSocket() {
  const old = socket;
  socket = undefined;
  old?.disconnect();
  set({ link: 'off' });
}
