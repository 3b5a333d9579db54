// The frame: header, tabs, the line that tells when the connection is away, and which view an address
// shows. `/`, `/auth` and `/c/{slug or invite}` are paths of the server; the rest of a signed-in
// person's pages stand behind a '#'.
//
// To add a view: a module that exports show(place, parameter) and gives back what ends it; a row in `pages`.
import { get, onSignedOut } from './api.js';
import { avatar, failure, h, icon, keyed, logo, toast } from './dom.js';
import { signedIn, signedOut } from './session.js';
import { listen } from './socket.js';
import { on, set, state } from './store.js';
import { go, onGo } from './go.js';
import { show as auth } from './view_auth.js';
import { show as lobby } from './view_lobby.js';
import { show as chat } from './view_chat.js';
import { show as match } from './view_match.js';
import { show as notifications } from './view_notifications.js';
import { show as account } from './view_account.js';
import { show as admin } from './view_admin.js';
import { show as way } from './view_way.js';

const pages = [
  { match: /^\/auth$/, show: auth, title: 'Sign in', name: 'auth' },
  { match: /^\/c\/([^/]+)$/, show: way, title: 'Chat', name: 'chat', signedIn: true },
  { match: /^\/#\/chat\/(\d+)$/, show: chat, title: 'Chat', name: 'chat', signedIn: true },
  { match: /^\/#\/meet$/, show: match, title: 'Meet', name: 'meet', signedIn: true },
  { match: /^\/#\/notifications$/, show: notifications, title: 'Notices', name: 'notifications', signedIn: true },
  { match: /^\/#\/account$/, show: account, title: 'Account', name: 'account', signedIn: true },
  { match: /^\/#\/admin(?:\/(\w+))?$/, show: admin, title: 'Administration', name: 'admin', signedIn: true },
  { match: /^/, show: lobby, title: 'Chats', name: 'lobby' },
];

const AGAIN_MS = 4000; // while the server is away
const main = document.getElementById('main');
let end = () => {};
let page;

function render() {
  const here = location.pathname + location.hash;
  const next = pages.find((p) => p.match.test(here));
  if (next.signedIn && !state.me) {
    sessionStorage.setItem('wanted', here);
    go('/auth');
    return;
  }
  end();
  page = next;
  document.title = `${page.title} · Portal`;
  document.body.dataset.page = page.name;
  main.replaceChildren();
  end = page.show(main, decodeURIComponent(here.match(page.match)[1] ?? '')) ?? (() => {});
  main.focus({ preventScroll: true });
  drawHeader();
}

// ---- header and tabs ----

function sections() {
  const list = [['/', 'lobby', 'Chats', 'chats'], ['/#/meet', 'meet', 'Meet', 'meet'], ['/#/notifications', 'notifications', 'Notices', 'bell'], ['/#/account', 'account', 'Account', 'person']];
  if (state.me?.permission_level >= 1) list.push(['/#/admin', 'admin', 'Admin', 'shield']);
  return list;
}
function link([href, name, text, picture]) {
  const unread = name === 'notifications' ? state.unread : 0;
  const current = page?.name === name ? 'page' : page?.name === 'chat' && name === 'lobby' && 'true';
  const me = name === 'account' && `${state.me.username} ${state.me.avatar_url}`;
  return [`${name} ${current} ${unread} ${me}`, () => h('a.section', { href, 'aria-current': current },
    h('span.section-icon', me ? avatar(state.me, 'small') : icon(picture), unread > 0 && h('span.dot', { 'aria-hidden': 'true' }, String(Math.min(unread, 99)))), h('span.section-text', text), unread > 0 && h('span.unseen', `, ${unread} unread`))];
}
const nav = h('nav.sections', { 'aria-label': 'Sections' });
const tabs = document.getElementById('tabs');
const signIn = h('a.button.primary', { href: '/auth' }, 'Sign in');
document.getElementById('header').append(h('a.brand', { href: '/' }, logo(), 'Portal'), nav, signIn);
const fills = [nav, tabs].map(keyed);
function drawHeader() {
  for (const fill of fills) fill(state.me ? sections().map(link) : []);
  nav.hidden = tabs.hidden = !state.me;
  signIn.hidden = state.me || page?.name === 'auth';
}

function drawStatus() {
  const text = !state.online ? 'You are offline. What you write is sent when you are back.'
    : !state.me ? '' : state.ended ?? (state.link === 'lost' ? 'Connection lost. Reconnecting…' : state.hardMuted ? 'You are muted everywhere: you may read, not write.' : '');
  const box = document.getElementById('status');
  box.hidden = !text;
  box.dataset.kind = state.ended ? 'ended' : state.online && state.link !== 'lost' ? 'muted' : 'lost';
  box.textContent = text;
}

// ---- start ----

listen('notification:new', (n) => {
  set({ unread: state.unread + 1 });
  toast(`${n.title}: ${n.body}`, n.type);
});
listen('announcement:new', (a) => toast(`${a.title}: ${a.body}`, a.type));
listen('chat:list', ({ chats }) => set({ chats }));
listen('user:hard_muted', ({ until }) => set({ hardMuted: { until } }));
listen('user:hard_unmuted', () => set({ hardMuted: null }));
listen('match:searching', ({ expires_at }) => set({ match: { ...state.match, state: 'searching', expires_at } }));
listen('match:idle', ({ reason }) => set({ match: { state: 'idle', reason } }));
listen('match:found', ({ chat: found, peer, interests }) => {
  set({ match: { state: 'matched', interests, chat: { chat: found, peer } } });
  go(`/#/chat/${found.id}`);
});
listen('match:ended', ({ reason }) => set({ match: { state: 'idle', ended: reason } }));
onSignedOut(() => signedOut('Your session is over.'));
for (const name of ['online', 'offline']) addEventListener(name, () => set({ online: navigator.onLine }));
on('me unread', drawHeader);
on('me online link ended hardMuted', drawStatus);

// Nothing is shown before it is known who looks; whoever goes elsewhere meanwhile lands there.
async function start() {
  try {
    signedIn(await get('/v1/users/me'));
  } catch (error) {
    if (error.status !== 401) {
      main.replaceChildren(failure(error, () => location.reload()));
      setTimeout(start, AGAIN_MS);
      return;
    }
  }
  onGo(render);
  render();
}
start();
