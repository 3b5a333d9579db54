// The lobby: one's own chats, official and public ones, a search; readable signed out. The list stands
// beside an open chat too (view_chat.js).
import { get, openGet, post, query } from './api.js';
import { avatar, count, dialog, empty, failure, field, form, h, icon, skeleton, valueOf } from './dom.js';
import { go } from './go.js';
import { listen } from './socket.js';
import { on, set, state } from './store.js';

const PAGE = 50;
export const hrefOf = (chat) => (chat.slug ? `/c/${chat.slug}` : `/#/chat/${chat.id}`);
const kinds = { official: 'Official', public: 'Public', private: 'Private', direct: 'Direct' };

// A direct chat is called by the other's name.
const nameOf = (chat) => (chat.id === state.match?.chat?.chat.id ? state.match.chat.peer.user.username : chat.name);

function row(chat, current) {
  const name = nameOf(chat);
  return h('a.chat-row', { href: hrefOf(chat), 'aria-current': chat.id === current && 'page' },
    avatar({ ...chat, username: name }, 'square'),
    h('span.chat-row-text', h('span.chat-row-name', chat.visibility === 'official' && icon('star'), chat.visibility === 'private' && icon('lock'), h('span.clip', name), chat.label && h('span.badge', chat.label)),
      h('span.chat-row-about', chat.description || kinds[chat.visibility])),
    h('span.chat-row-side', chat.online > 0 ? h('span.live', `${chat.online}`, h('span.unseen', ' online')) : ''));
}
const group = (name, chats, current) => chats.length && h('section.group', { 'aria-label': name }, h('h2.group-name', name), chats.map((c) => row(c, current)));

// The list with its search; gives back what ends it.
export function chatList(place, current) {
  const box = h('div.chat-groups', { 'aria-live': 'off' }, skeleton());
  const input = h('input.search', { type: 'search', placeholder: 'Search chats', 'aria-label': 'Search chats', maxlength: '64' });
  const tools = h('div.list-tools', h('div.search-box', icon('search'), input), state.me && h('button.plain.bordered', { type: 'button', 'aria-label': 'New chat', onclick: create }, icon('plus')));
  place.append(tools, box);
  let found = null; // of the directory; null: not here yet
  let total = 0;
  let turn = 0;

  async function load(more = false) {
    const mine = ++turn;
    try {
      const page = await openGet(`/v1/portal/directory?${query({ q: input.value.trim(), limit: PAGE, offset: more ? found.length : 0 })}`);
      if (mine !== turn) return;
      found = more ? [...found, ...page.chats] : page.chats;
      total = page.total;
      draw();
    } catch (error) {
      if (mine === turn) box.replaceChildren(failure(error, () => load()));
    }
  }
  function draw() {
    const q = input.value.trim().toLowerCase();
    const own = state.chats.filter((c) => ['private', 'direct'].includes(c.visibility) && nameOf(c).toLowerCase().includes(q));
    const parts = [group('Your chats', own, current), group('Official', found.filter((c) => c.visibility === 'official'), current), group('Public', found.filter((c) => c.visibility === 'public'), current)].filter(Boolean);
    if (found.length < total) parts.push(h('button.button.full', { type: 'button', onclick: () => load(true) }, `Show more of ${total}`));
    box.replaceChildren(...(parts.length ? parts : [q ? empty('Nothing found', `No chat has “${q}” in its name or address.`) : empty('No chats yet', 'When someone opens one, it stands here.')]));
  }
  let timer;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => load(), 200);
  });
  load();
  // One's own: those of the connect, and what has come or gone since.
  const own = () => state.me && get('/v1/portal/chats?limit=100').then((chats) => set({ chats }), () => {});
  own();
  const ends = [on('chats match', () => found && draw()), listen('chat:list', () => load()), listen('match:ended', own), listen('room:destroyed', () => (own(), load()))];
  return () => {
    clearTimeout(timer);
    turn++;
    ends.forEach((end) => end());
  };
}

function create() {
  const { me } = state;
  if (me.subscription_level < 2 && me.permission_level < 2) {
    dialog('New chat', () => h('p', 'Making chats needs a Premium or Lifetime subscription. You can join any official or public chat, come into a private one by invite, or meet someone new.'));
    return;
  }
  dialog('New chat', (close) => {
    const name = field('Name', h('input', { maxlength: '64', autocomplete: 'off' }));
    const about = field('Description', h('textarea', { maxlength: '500', rows: '3' }), 'What it is about. May stay empty.');
    const slug = field('Address', h('input', { maxlength: '32', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', placeholder: 'night-owls' }), 'Makes the chat public at /c/…; left empty, it is private and people come by invite.');
    return form(async () => {
      const chat = await post('/v1/portal/chats', { name: valueOf(name), description: valueOf(about), slug: valueOf(slug) || null });
      close();
      go(hrefOf(chat));
    }, { name, description: about, slug }, name, about, slug, h('div.actions', h('button.button.primary', 'Create chat')));
  });
}

// What is announced now, until this browser was told that it is read.
async function announced(box) {
  const read = new Set((localStorage.getItem('announced') ?? '').split(' '));
  const { announcements } = await openGet('/v1/announcements');
  box.replaceChildren(...announcements.filter((a) => !read.has(String(a.id))).map((a) => {
    const node = h(`div.notice.${a.type}`, h('div.grow', h('strong', a.title), a.body && h('p', a.body)), h('button.plain', {
      type: 'button', 'aria-label': `Close: ${a.title}`,
      onclick: () => {
        localStorage.setItem('announced', [...read.add(String(a.id))].slice(-50).join(' ').trim());
        node.remove();
      },
    }, icon('close')));
    return node;
  }));
}

export function show(place) {
  const list = h('div.lobby-list');
  const news = h('div.notices', { role: 'region', 'aria-label': 'Announcements' });
  const meet = h('a.meet-card', { href: state.me ? '/#/meet' : '/auth' }, h('span.meet-rings', { 'aria-hidden': 'true' }, h('i'), h('i')), h('span.meet-text', h('strong', 'Meet someone new'), h('span', 'Name what you like to talk about, and be put together with someone who does too.')));
  place.append(h('div.lobby', h('div.lobby-head', h('h1', state.me ? `Hello, ${state.me.username}` : 'Come in'), h('p', state.me ? 'Pick a chat, or meet someone.' : 'Look around. To talk, sign in with a code: no password, no form.')), news, meet, list));
  const look = () => announced(news).catch(() => {}); // the page is of use without
  look();
  const figures = h('p.figures');
  place.firstChild.append(figures);
  openGet('/v1/statistics/users').then((s) => (figures.textContent = `${count(s.online_count, 'person', 'people')} online · ${count(s.total_count, 'account')}`), () => {});
  const ends = [chatList(list), listen('announcement:new', look)];
  return () => ends.forEach((end) => end());
}
