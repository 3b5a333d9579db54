// Lists that are searched and paged: of people, chats, what was done. Each loads as one types, says when
// there is nothing, and shows more on demand.
import { get, query } from './api.js';
import { avatar, badge, busy, button, count, empty, failure, h, icon, skeleton } from './dom.js';

const PAGE = 50;
const TYPED_MS = 250;

// path: GET {…, total}; key: the list in its answer; row(item, reload): an element; controls: fields whose
// change loads anew, params() what they ask for. Gives {node, load}.
export function listing(path, key, row, { controls = [], params = () => ({}), none = ['Nothing found'] } = {}) {
  const box = h('div', { 'aria-live': 'off' }, skeleton(3));
  let items = [];
  let turn = 0;
  let timer;

  async function load(more = false) {
    const mine = ++turn;
    try {
      const page = await get(`${path}?${query({ ...params(), limit: PAGE, offset: more ? items.length : 0 })}`);
      if (mine !== turn) return;
      items = more ? [...items, ...page[key]] : page[key];
      const rest = page.total - items.length;
      box.replaceChildren(items.length ? h('ul.rows', items.map((item) => row(item, () => load()))) : empty(...none));
      if (rest > 0) box.append(button(`Show more of ${page.total}`, () => load(true), 'full'));
    } catch (error) {
      if (mine === turn) box.replaceChildren(failure(error, () => load()));
    }
  }
  const tools = controls.length > 0 && h('div.list-tools', {
    role: 'search',
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => load(), TYPED_MS);
    },
  }, controls);
  load();
  return { node: h('div', tools, h('div.card.list', box)), load };
}

export const searchBox = (label, more = {}) => {
  const input = h('input.search', { type: 'search', placeholder: label, 'aria-label': label, maxlength: '64', ...more });
  return { input, node: h('div.search-box', icon('search'), input) };
};

// Finding a person by name or number. `act`: what the button at each says; `done(person)` what it does.
export function findPerson(label, act, done) {
  const results = h('div', { role: 'status' });
  const { input, node } = searchBox(label, { maxlength: '50', autocapitalize: 'none', spellcheck: 'false' });
  let timer;
  let turn = 0;
  async function look() {
    const mine = ++turn;
    const q = input.value.trim();
    const found = q ? await get(`/v1/users/search?${query({ q, limit: 8 })}`).catch((error) => ({ error })) : null;
    if (mine !== turn) return;
    if (!found) results.replaceChildren();
    else if (found.error) results.replaceChildren(h('p.problem', found.error.message));
    else if (!found.users.length) results.replaceChildren(h('p.hint', `Nobody is called “${q}”.`));
    else {
      results.replaceChildren(h('ul.rows', found.users.map((u) => personRow(u, `Number ${u.id}`, button(act, async () => {
        await done(u);
        input.value = '';
        results.replaceChildren();
      })))), found.total > found.users.length && h('p.hint', `${count(found.total, 'person', 'people')} in all; write more of the name.`) || '');
    }
  }
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => busy(null, look), TYPED_MS);
  });
  return h('div.find', node, results);
}

export const personRow = (u, about, ...actions) =>
  h('li', avatar(u), h('div.grow', h('strong', u.username), ' ', badge(u.permission_level), h('p.hint', about)), h('div.actions', actions));
