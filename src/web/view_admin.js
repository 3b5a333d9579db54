// Administration: the frame of its sections. Who may see which: `level`.
//
// To add a section: a module that exports a function which gives a node (or a promise of one), and a row here.
import { failure, h, skeleton } from './dom.js';
import { state } from './store.js';
import { bots } from './admin_bots.js';
import { chats } from './admin_chats.js';
import { notices } from './admin_notices.js';
import { people, subscriptions } from './admin_people.js';
import { audit, health } from './admin_records.js';

const sections = {
  bots: { text: 'Bots', draw: bots, level: 2 },
  people: { text: 'People', draw: people, level: 2 },
  subscriptions: { text: 'Subscriptions', draw: subscriptions, level: 2 },
  chats: { text: 'Chats', draw: chats, level: 2 },
  notices: { text: 'Notices', draw: notices, level: 2 },
  audit: { text: 'Audit log', draw: audit, level: 1 },
  health: { text: 'Health', draw: health, level: 2 },
};

export function show(place, name) {
  const mine = Object.entries(sections).filter(([, s]) => s.level <= state.me.permission_level);
  const box = h('div');
  place.append(h('div.page.wide', h('div.page-head', h('h1', 'Administration')), box));
  if (!mine.length) {
    box.append(failure({ message: 'This page is for Moderators and above.' }));
    return undefined;
  }
  const [current, section] = mine.find(([key]) => key === name) ?? mine[0];
  const tabs = h('nav.tabs-row', { 'aria-label': 'Administration' }, mine.map(([key, { text }]) => h('a.tab', { href: `/#/admin/${key}`, 'aria-current': key === current && 'page' }, text)));
  box.before(tabs);
  tabs.querySelector('[aria-current]').scrollIntoView({ block: 'nearest', inline: 'center' });
  let end = () => {};
  let left = false;
  const load = async () => {
    box.replaceChildren(skeleton());
    try {
      const node = await section.draw(load, (f) => (end = f));
      if (!left) box.replaceChildren(node);
    } catch (error) {
      if (!left) box.replaceChildren(failure(error, load));
    }
    if (left) end();
  };
  load();
  return () => {
    left = true;
    end();
  };
}
