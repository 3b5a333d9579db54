// Administration of bots: register (the key is shown once), change, new key, figures, delete.
import { get, post, serverSettings } from './api.js';
import { ago, avatar, button, copy, count, dialog, empty, field, form, h, select, sure, toast, valueOf } from './dom.js';
import { findPerson } from './listing.js';
import { state } from './store.js';

const kinds = { 1: 'official', 2: 'verified', 3: 'community' };

function showKey(title, key) {
  return dialog(title, (close) => h('div', h('p', 'This is the bot’s key. It is shown here and never again: put it where the bot reads it.'), h('p.secret', h('code', key)),
    h('div.actions', button('Copy', () => copy(key)), h('button.button.primary', { type: 'button', onclick: close }, 'I have kept it'))));
}

const perHour = (n) => field('Calls an hour', h('input', { type: 'number', min: '1', max: '100000', value: String(n) }), 'For its figures and for looking people up.');

function register(platforms, load) {
  return dialog('Register a bot', (close) => {
    const name = field('Name', h('input', { maxlength: '32' }));
    const platform = field('Platform', select(platforms.map((p) => [p, p]), platforms[0]));
    const limit = perHour(1000);
    return form(async () => {
      const made = await post('/v1/admin/bots', { name: valueOf(name), platform: valueOf(platform), rate_limit_per_hour: Number(valueOf(limit)) });
      close();
      await showKey(`${made.bot.name} is registered`, made.api_key);
      load();
    }, { name, rate_limit_per_hour: limit }, name, platform, limit, h('div.actions', h('button.button.primary', 'Register')));
  });
}

function change(bot, load) {
  return dialog(`Change ${bot.name}`, (close) => {
    const name = field('Name', h('input', { maxlength: '32', value: bot.name }));
    const kind = field('Kind', select(Object.values(kinds).map((k) => [k, k]), kinds[bot.bot_type]), 'People see official and verified ones marked.');
    const limit = perHour(bot.rate_limit_per_hour);
    const after = (text) => {
      close();
      toast(text, 'success');
      load();
    };
    return h('div', form(async () => {
      await post(`/v1/admin/bots/${bot.id}/update`, { name: valueOf(name), bot_type: valueOf(kind), rate_limit_per_hour: Number(valueOf(limit)) });
      after('Saved.');
    }, { name, bot_type: kind, rate_limit_per_hour: limit }, name, kind, limit, h('div.actions', h('button.button.primary', 'Save'))),
    h('section.zone-part', h('h3', 'Owner'), findPerson('Give it to another person', 'Give it to them', async (u) => {
      await post(`/v1/admin/bots/${bot.id}/update`, { owner_id: u.id });
      after(`${bot.name} is ${u.username}’s now.`);
    })),
    h('div.zone', button('Set its figures to zero', async () => {
      await post(`/v1/admin/bots/${bot.id}/reset-stats`);
      after('Set to zero.');
    }),
    button('Delete this bot', async () => {
      if (!(await sure('Delete?', `${bot.name} is removed, and its key is dead.`, 'Delete'))) return;
      await post(`/v1/admin/bots/${bot.id}/delete`);
      after(`${bot.name} is removed.`);
    }, 'danger')));
  });
}

export async function bots(load) {
  const [{ bots: list }, { platforms }] = await Promise.all([get('/v1/admin/bots?limit=100'), serverSettings()]);
  const flip = (bot, body, text) => button(text, async () => {
    await post(`/v1/admin/bots/${bot.id}/update`, body);
    load();
  });
  const row = (bot) => h('li', avatar({ ...bot, username: bot.name }), h('div.grow', h('strong', bot.name), ' ', h('span.badge', bot.platform), bot.bot_type < 3 && h('span.badge.level2', kinds[bot.bot_type]), bot.login && h('span.badge.here', 'login'), !bot.is_active && h('span.badge.off', 'disabled'),
    h('p.hint', `${count(bot.groups, 'group')} · ${count(bot.users, 'person', 'people')} · ${bot.last_activity_at ? `seen ${ago(bot.last_activity_at)}` : 'never seen'}`)),
  h('div.actions', flip(bot, { is_active: !bot.is_active }, bot.is_active ? 'Disable' : 'Enable'),
    state.me.permission_level === 3 && flip(bot, { login: !bot.login }, bot.login ? 'No login' : 'Allow login'),
    button('New key', async () => {
      if (!(await sure('New key?', `The old key of ${bot.name} is dead at once.`, 'Make a new key'))) return;
      const { api_key } = await post(`/v1/admin/bots/${bot.id}/regenerate-key`);
      await showKey(`New key of ${bot.name}`, api_key);
    }),
    button('Change', () => change(bot, load))));
  return h('div', h('div.actions.start', button('Register a bot', () => register(platforms, load), 'primary')), h('div.card.list', list.length ? h('ul.rows', list.map(row)) : empty('No bots yet', 'A bot hands out login codes on its platform.')));
}
