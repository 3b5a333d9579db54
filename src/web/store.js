// What all views share: who is signed in, how the connection is, chats, unread notifications, the
// matcher's state. Views listen for the names of what they show; nothing else is kept here.
const listeners = new Map();

export const state = {
  me: null, // GET /v1/users/me; null: signed out
  link: 'off', // off connecting up lost: the socket
  online: navigator.onLine,
  ended: null, // why the session ended, a sentence
  hardMuted: null, // {until}
  unread: 0,
  chats: [], // chat:list
  match: null, // the body of match/status
};

// Sets values and tells those who listen for any of them.
export function set(values) {
  Object.assign(state, values);
  const told = new Set();
  for (const name of Object.keys(values)) {
    for (const listener of listeners.get(name) ?? []) told.add(listener);
  }
  for (const listener of told) listener(state);
}

// on('me link', f): calls f now and on each change of these; returns what ends it.
export function on(names, listener) {
  for (const name of names.split(' ')) {
    if (!listeners.has(name)) listeners.set(name, new Set());
    listeners.get(name).add(listener);
  }
  listener(state);
  return () => names.split(' ').forEach((name) => listeners.get(name).delete(listener));
}
