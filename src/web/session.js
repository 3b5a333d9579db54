// Signing in and out, in this tab and the others of the browser.
import { get, post } from './api.js';
import { go } from './go.js';
import { forgetKeys } from './keys.js';
import { connectSocket, disconnectSocket } from './socket.js';
import { set, state } from './store.js';

const tabs = new BroadcastChannel('portal'); // signing in or out in one tab is so in all
tabs.onmessage = () => location.reload();

// fresh: a code was verified just now; else the cookie was there.
export async function signedIn(me, { fresh = false } = {}) {
  if (fresh) {
    await forgetKeys();
    tabs.postMessage('in');
  }
  set({ me, ended: null });
  connectSocket(signedOut);
  get('/v1/notifications/unread-count').then(({ unread }) => set({ unread }), () => {});
}

// `why`: a sentence for the person.
export async function signedOut(why) {
  if (!state.me) return;
  disconnectSocket();
  set({ me: null, ended: why, chats: [], match: null, unread: 0, hardMuted: null });
  await forgetKeys();
  go('/auth');
}

export async function signOut() {
  await post('/v1/authentication/logout');
  await signedOut('You signed out.');
  tabs.postMessage('out');
}
