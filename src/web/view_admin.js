// Administration: bots (the key is shown once), people, chats, notices, the audit log.
import { get, post, query, serverSettings } from './api.js';
import { ago, avatar, badge, button, dateTime, dialog, empty, failure, field, form, h, select, skeleton, sure, toast } from './dom.js';
import { state } from './store.js';

const sections = { bots: ['Bots', bots], people: ['People', people], chats: ['Chats', chats], notices: ['Notices', notices], audit: ['Audit log', audit] };
const value = (f) => f.querySelector('input, textarea, select').value.trim();
const tiers = ['Basic', 'Trial', 'Premium', 'Lifetime'];
const spans = [['3600', '1 hour'], ['86400', '1 day'], ['604800', '7 days'], ['2592000', '30 days']];

export function show(place, name) {
  const box = h('div');
  const current = sections[name] ? name : 'bots';
  place.append(h('div.page.wide', h('div.page-head', h('h1', 'Administration')),
    h('nav.tabs-row', { 'aria-label': 'Administration' }, Object.entries(sections).map(([key, [text]]) => h('a.tab', { href: `/#/admin/${key}`, 'aria-current': key === current && 'page' }, text))), box));
  const load = async () => {
    box.replaceChildren(skeleton());
    try {
      box.replaceChildren(await sections[current][1](load));
    } catch (error) {
      box.replaceChildren(failure(error, load));
    }
  };
  load();
}

// A list behind a search, which loads as one types.
function searched(placeholder, fetchRows) {
  const list = h('div', skeleton());
  let timer;
  let turn = 0;
  const input = h('input', { type: 'search', placeholder, 'aria-label': placeholder, maxlength: '64' });
  const load = async () => {
    const mine = ++turn;
    try {
      const rows = await fetchRows(input.value.trim());
      if (mine === turn) list.replaceChildren(rows.length ? h('ul.rows', rows) : empty('Nothing found'));
    } catch (error) {
      if (mine === turn) list.replaceChildren(failure(error, load));
    }
  };
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(load, 250);
  });
  load();
  return { node: h('div', h('div.list-tools', input), list), load };
}

// ---- bots ----

function showKey(title, key) {
  return dialog(title, (close) => h('div', h('p', 'This is the bot’s key. It is shown here and never again: put it where the bot reads it.'), h('p.secret', h('code', key)),
    h('div.actions', button('Copy', async () => (await navigator.clipboard.writeText(key), toast('Copied.', 'success'))), h('button.button.primary', { type: 'button', onclick: close }, 'I have kept it'))));
}
async function bots(load) {
  const [{ bots: list }, { platforms }] = await Promise.all([get('/v1/admin/bots?limit=100'), serverSettings()]);
  const register = () => dialog('Register a bot', (close) => {
    const name = field('Name', h('input', { maxlength: '32' }));
    const platform = field('Platform', select(platforms.map((p) => [p, p]), platforms[0]));
    return form(async () => {
      try {
        const made = await post('/v1/admin/bots', { name: value(name), platform: value(platform) });
        close();
        await showKey(`${made.bot.name} is registered`, made.api_key);
        load();
      } catch (error) {
        name.fail(error.message);
      }
    }, name, platform, h('div.actions', h('button.button.primary', 'Register')));
  });
  const change = (bot, body, text) => button(text, async () => {
    await post(`/v1/admin/bots/${bot.id}/update`, body);
    load();
  });
  const row = (bot) => h('li', avatar({ ...bot, username: bot.name }), h('div.grow', h('strong', bot.name), ' ', h('span.badge', bot.platform), bot.login && h('span.badge.here', 'login'), !bot.is_active && h('span.badge.off', 'disabled'),
    h('p.hint', `${bot.groups} groups · ${bot.users} people · ${bot.last_activity_at ? `seen ${ago(bot.last_activity_at)}` : 'never seen'}`)),
  h('div.actions', change(bot, { is_active: !bot.is_active }, bot.is_active ? 'Disable' : 'Enable'),
    state.me.permission_level === 3 && change(bot, { login: !bot.login }, bot.login ? 'No login' : 'Allow login'),
    button('New key', async () => {
      if (!(await sure('New key?', `The old key of ${bot.name} is dead at once.`, 'Make a new key'))) return;
      const { api_key } = await post(`/v1/admin/bots/${bot.id}/regenerate-key`);
      await showKey(`New key of ${bot.name}`, api_key);
    }),
    button('Delete', async () => {
      if (!(await sure('Delete?', `${bot.name} is removed.`, 'Delete'))) return;
      await post(`/v1/admin/bots/${bot.id}/delete`);
      load();
    }, 'danger')));
  return h('div', h('div.actions.start', button('Register a bot', register, 'primary')), list.length ? h('ul.rows', list.map(row)) : empty('No bots yet', 'A bot hands out login codes on its platform.'));
}

// ---- people ----

function people() {
  const view = searched('Search people by name or number', async (q) => {
    const { users } = await get(`/v1/admin/users?${query({ q, limit: 50 })}`);
    return users.map((u) => h('li', avatar(u), h('div.grow', h('strong', u.username), ' ', badge(u.permission_level), u.state !== 'active' && h('span.badge.off', u.state), h('p.hint', `Number ${u.id} · ${tiers[u.subscription_level]} · ${u.last_activity_at ? `active ${ago(u.last_activity_at)}` : 'never active'}`)), button('Open', () => personRecord(u.id).then(view.load))));
  });
  return view.node;
}
async function personRecord(id) {
  const u = await get(`/v1/admin/users/${id}`);
  const facts = [['State', u.state], ['Subscription', tiers[u.subscription_level]], ['Created', dateTime(u.created_at)], ['Platforms', u.linked_platforms.map((p) => `${p.platform} ${p.platform_user_id}`).join(', ') || 'none'], ['Chats', u.chats.map((c) => c.name).join(', ') || 'none'], ['Bots', u.bots.map((b) => b.name).join(', ') || 'none']];
  return dialog(u.username, (close) => {
    const act = (name, text, durations) => button(text, () => dialog(`${text}: ${u.username}`, (closeAct) => {
      const reason = field('Reason', h('input', { maxlength: '500' }));
      const duration = durations && field('How long', select(durations, durations[0][0]));
      return form(async () => {
        await post(`/v1/admin/users/${id}/${name}`, { reason: value(reason), ...(duration && { duration: Number(value(duration)) }) });
        closeAct();
        close();
        toast(`${text}: ${u.username}. Done.`, 'success');
      }, duration, reason, h('div.actions', h('button.button.danger', text)));
    }), name === 'ban' ? 'danger' : '');
    const level = field('Permission', select([[0, 'User'], [1, 'Moderator'], [2, 'Admin'], [3, 'Owner']], u.permission_level));
    const grant = field('Grant', select([['1', 'Trial, 7 days'], ['2', 'Premium, 30 days'], ['3', 'Lifetime']], '2'));
    return h('div', h('div.person-card', avatar(u, 'large'), h('div', h('strong', u.username), h('p.hint', `Number ${u.id}`)), badge(u.permission_level)),
      h('dl.facts', facts.map(([k, v]) => [h('dt', k), h('dd', v)])),
      h('div.actions.start', act('warn', 'Warn'), act('timeout', 'Time out', spans), act('ban', 'Ban', [['0', 'For ever'], ...spans]), u.state !== 'active' && act('unban', 'Lift')),
      form(async () => {
        await post(`/v1/admin/users/${id}/permission`, { level: Number(value(level)) });
        toast('Saved.', 'success');
      }, h('div.inline', level, h('button.button', 'Set'))),
      form(async () => {
        const chosen = Number(value(grant));
        await post('/v1/admin/subscriptions/grant', { user_id: id, level: chosen, reason: 'granted in the web client', ...(chosen === 2 && { duration_days: 30 }) });
        toast('Granted.', 'success');
      }, h('div.inline', grant, h('button.button', 'Grant'))),
      u.moderation.length > 0 && h('ul.rows', u.moderation.slice(0, 20).map((m) => h('li', h('div.grow', h('strong', m.action_type.replace('_', ' ').toLowerCase()), h('p.hint', m.reason)), h('span.hint', m.is_lifted ? 'lifted' : ago(m.created_at))))));
  }, { wide: true });
}

// ---- chats ----

function chats() {
  const view = searched('Search chats', async (q) => {
    const { chats: list } = await get(`/v1/admin/chats?${query({ q, limit: 50 })}`);
    return list.map((c) => h('li', avatar({ ...c, username: c.name }), h('div.grow', h('strong', c.name), ' ', h('span.badge', c.visibility), h('p.hint', `${c.online} online · owner ${c.owner?.username ?? 'none'} · ${ago(c.last_activity_at)}`)),
      button('Delete', async () => {
        if (!(await sure('Delete?', `“${c.name}” and everything in it goes.`, 'Delete'))) return;
        await post(`/v1/admin/chats/${c.id}/delete`);
        view.load();
      }, 'danger')));
  });
  const create = button('New official chat', () => dialog('New official chat', (close) => {
    const name = field('Name', h('input', { maxlength: '64' }));
    const slug = field('Address', h('input', { maxlength: '32', autocapitalize: 'none' }), 'At /c/…; may stay empty.');
    const about = field('Description', h('textarea', { rows: '3', maxlength: '500' }));
    return form(async () => {
      try {
        await post('/v1/admin/chats', { name: value(name), slug: value(slug) || null, description: value(about) });
        close();
        view.load();
      } catch (error) {
        (error.code === 'ERR_SLUG_TAKEN' || error.body?.field === 'slug' ? slug : name).fail(error.message);
      }
    }, name, slug, about, h('div.actions', h('button.button.primary', 'Create')));
  }), 'primary');
  return h('div', h('div.actions.start', create), view.node);
}

// ---- notices and audit ----

function notices() {
  const make = (heading, path, more) => {
    const title = field('Title', h('input', { maxlength: '100' }));
    const text = field('Text', h('textarea', { rows: '3', maxlength: '1000' }));
    const type = field('Kind', select([['info', 'Information'], ['success', 'Good news'], ['warning', 'Warning'], ['error', 'Trouble']], 'info'));
    return h('section.card', h('h2', heading), form(async () => {
      title.fail('');
      if (!value(title)) return title.fail('A title is needed.');
      await post(path, { title: value(title), body: value(text), type: value(type), ...more });
      for (const f of [title, text]) f.querySelector('input, textarea').value = '';
      toast('Sent.', 'success');
      return undefined;
    }, title, text, type, h('div.actions', h('button.button.primary', 'Send'))));
  };
  return h('div.cards', make('Announce to everyone, signed in or not', '/v1/admin/announcements', {}), make('Notify every account', '/v1/admin/notifications', { user_ids: 'all' }));
}
async function audit() {
  const { items } = await get('/v1/admin/audit?limit=100');
  return items.length ? h('ul.rows', items.map((i) => h('li', h('div.grow', h('strong', i.event_type), h('p.hint', `by ${i.actor_name ?? i.actor_id ?? 'the command line'}${i.target_id ? ` · on ${i.target_name ?? i.target_id}` : ''}`)), h('span.hint', dateTime(i.created_at))))) : empty('Nothing recorded yet');
}
