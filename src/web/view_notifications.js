// Notifications, newest first, and the announcements that hold now.
import { get, openGet, post } from './api.js';
import { ago, button, busy, empty, failure, h, skeleton } from './dom.js';
import { listen } from './socket.js';
import { set } from './store.js';

const PAGE = 50;

export function show(place) {
  const box = h('div', skeleton());
  const all = button('Mark all as read', async () => {
    await post('/v1/notifications/read-all');
    await load();
  });
  all.hidden = true;
  place.append(h('div.page', h('div.page-head', h('h1', 'Notices'), all), box));
  let items = [];
  let total = 0;

  function item(n) {
    const node = h(`li.notice.${n.type}${n.read_at === null ? '.unread' : ''}`, h('div.grow', h('strong', n.title), n.body && h('p', n.body), h('p.hint', ago(n.created_at))));
    if (n.read_at === null) {
      const read = h('button.link', { type: 'button', onclick: () => busy(read, async () => {
        await post(`/v1/notifications/${n.id}/read`);
        await load();
      }) }, 'Mark as read');
      node.append(read);
    }
    return node;
  }
  async function load(more = false) {
    try {
      const [page, { announcements }] = await Promise.all([get(`/v1/notifications?limit=${PAGE}&offset=${more ? items.length : 0}`), openGet('/v1/announcements')]);
      items = more ? [...items, ...page.notifications] : page.notifications;
      total = page.total;
      set({ unread: page.unread });
      all.hidden = page.unread === 0;
      box.replaceChildren(...[
        announcements.length && h('section', { 'aria-label': 'Announcements' }, h('h2.group-name', 'Announcements'), h('ul.notices', announcements.map((a) => h(`li.notice.${a.type}`, h('div.grow', h('strong', a.title), a.body && h('p', a.body), h('p.hint', ago(a.created_at))))))),
        items.length ? h('ul.notices', items.map(item)) : empty('All quiet', 'What concerns you is told here.'),
        items.length < total && h('button.button.full', { type: 'button', onclick: () => load(true) }, 'Show older ones'),
      ].filter(Boolean));
    } catch (error) {
      box.replaceChildren(failure(error, () => load()));
    }
  }
  load();
  return listen('notification:new', () => load());
}
