// The matcher (contract section 5): its calls, and the interests this browser last used.
import { get, post } from './api.js';
import { ask, whenUp } from './socket.js';
import { set, state } from './store.js';

const call = (name, body) => post(`/v1/portal/match/${name}`, body);

export const TAG = /^[a-z0-9]{3,12}$/;
export const TAGS_MAX = 3;

export const lastInterests = () => (localStorage.getItem('interests') ?? '').split(' ').filter((t) => TAG.test(t)).slice(0, TAGS_MAX);

export const refreshMatch = async () => set({ match: await get('/v1/portal/match/status') });

// A direct chat is held by being in its room, whichever page is open.
whenUp(async () => {
  await refreshMatch().catch(() => {}); // its page tells when it cannot be known
  if (state.match?.state === 'matched') await ask('room:join', { chat_id: state.match.chat.chat.id }).catch(() => {});
});

// None: anybody.
export async function search(interests) {
  localStorage.setItem('interests', interests.join(' '));
  set({ match: await call('enqueue', interests.length ? { interests } : { interest: 'any' }) });
}
export const stopSearch = async () => set({ match: await call('dequeue') });
export async function leaveMatch() {
  try {
    set({ match: await call('leave') });
  } catch (error) {
    if (error.code !== 'ERR_MATCH_NO_ACTIVE_DIRECT') throw error;
    set({ match: { state: 'idle' } });
  }
}
