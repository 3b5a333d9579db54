// The account: name and picture, devices, platforms, standing, blocked people, export, deletion.
import { ApiError, get, openPost, post, serverSettings } from './api.js';
import { ago, avatar, badge, button, dateTime, dialog, failure, field, form, h, select, skeleton, sure, tiers, toast, valueOf } from './dom.js';
import { findPerson, personRow } from './listing.js';
import { signOut, signedOut } from './session.js';
import { set, state } from './store.js';

const title = (platform) => platform[0].toUpperCase() + platform.slice(1);
const section = (name, ...children) => h('section.card', { 'aria-label': name }, h('h2', name), children);

function deviceName(agent) {
  const browser = [['Edg/', 'Edge'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']].find(([mark]) => agent.includes(mark))?.[1];
  const system = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'Linux'].find((s) => agent.includes(s));
  return browser ? `${browser}${system ? ` on ${system}` : ''}` : agent.slice(0, 60) || 'Unknown device';
}

export function show(place) {
  const box = h('div.cards', skeleton(6));
  place.append(h('div.page', h('div.page-head', h('h1', 'Account'), button('Sign out', signOut)), box));
  let left = false;

  function profile(me) {
    const name = field('Name', h('input', { value: me.username, maxlength: '32', autocapitalize: 'none', spellcheck: 'false', autocomplete: 'username' }), 'Letters, digits and . _ -');
    const sources = [['', 'The earliest linked platform'], ...me.linked_platforms.map((p) => [p.platform, title(p.platform)]), ...[0, 1, 2, 3, 4, 5].map((i) => [`discord_${i}`, `Plain picture ${i + 1}`])];
    const picture = field('Picture from', select(sources, me.avatar_source));
    return section('You', h('div.person-card', avatar(me, 'large'), h('div', h('strong', me.username), h('p.hint', `Number ${me.id}, since ${dateTime(me.created_at)}`)), badge(me.permission_level)),
      form(async () => {
        name.fail('');
        picture.fail('');
        const { user, errors } = await post('/v1/users/me/update', { username: valueOf(name), avatar_source: valueOf(picture) });
        set({ me: user });
        if (errors?.username) name.fail(errors.username);
        if (errors?.avatar_source) picture.fail(errors.avatar_source);
        if (!errors) {
          toast('Saved.', 'success');
          load();
        }
      }, name, picture, h('div.actions', h('button.button.primary', 'Save'))));
  }

  function devices({ sessions, history }) {
    const end = (s) => button('End this session', async () => {
      await post(`/v1/users/me/sessions/${s.token_suffix}/destroy`);
      load();
    }, 'danger');
    const others = button('End all others', async () => {
      const { destroyed } = await post('/v1/users/me/sessions/destroy-others');
      toast(`${destroyed} ended.`, 'success');
      load();
    });
    return section('Devices', h('ul.rows', sessions.map((s) => h('li', h('div.grow', h('strong', deviceName(s.user_agent)), h('p.hint', `${s.client_ip} · signed in ${ago(s.created_at)} · until ${dateTime(s.expires_at)}`)), s.is_current ? h('span.badge.here', 'This device') : end(s)))),
      sessions.length > 1 && h('div.actions', others),
      history.length > 0 && h('details.more', h('summary', 'Earlier sign-ins'), h('ul.rows', history.map((s) => h('li', h('div.grow', h('strong', deviceName(s.user_agent)), h('p.hint', s.client_ip)), h('span.hint', dateTime(s.created_at)))))));
  }

  function platforms(me, all) {
    const free = all.filter((p) => !me.linked_platforms.some((l) => l.platform === p));
    const unlink = (p) => button('Unlink', async () => {
      if (!(await sure('Unlink?', `You will not be able to sign in with ${title(p.platform)}.`, 'Unlink'))) return;
      await post(`/v1/users/me/platforms/${p.platform}/unlink`);
      load();
    }, 'danger');
    return section('Linked platforms', h('ul.rows', me.linked_platforms.map((p) => h('li', h(`span.platform-mark.${p.platform}`), h('div.grow', h('strong', title(p.platform)), h('p.hint', `${p.platform_username || p.platform_user_id} · linked ${ago(p.linked_at)}`)), me.linked_platforms.length > 1 && unlink(p)))),
      free.length > 0 && h('div.actions.start', free.map((p) => button(`Link ${title(p)}`, () => link(p)))));
  }
  function link(platform) {
    return dialog(`Link ${title(platform)}`, (close) => {
      const id = field('Your id there', h('input', { maxlength: '64', autocomplete: 'off' }));
      const code = field('Code', h('input.code', { maxlength: '8', autocomplete: 'one-time-code', autocapitalize: 'none', spellcheck: 'false' }), 'The bot sends it to you.');
      code.hidden = true;
      return form(async () => {
        try {
          if (code.hidden) {
            await openPost('/v1/authentication/request', { platform, platform_user_id: valueOf(id) });
            code.hidden = false;
            code.querySelector('input').focus();
            return;
          }
          await post('/v1/users/me/platforms/link', { code: valueOf(code) });
          close();
          load();
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          (code.hidden ? id : code).fail(error.message);
        }
      }, id, code, h('div.actions', h('button.button.primary', 'Continue')));
    });
  }

  function record(punishments, subscription) {
    return section('Standing', h('dl.facts', h('dt', 'Subscription'), h('dd', tiers[subscription.subscription_level], subscription.expires_at && `, until ${dateTime(subscription.expires_at)}`)),
      punishments.length ? h('ul.rows', punishments.map((p) => h('li', h('div.grow', h('strong', p.action_type.replace('_', ' ').toLowerCase()), h('p.hint', [p.reason, p.is_lifted ? 'lifted' : p.expires_at && `until ${dateTime(p.expires_at)}`].filter(Boolean).join(' · '))), h('span.hint', ago(p.created_at))))) : h('p.hint', 'Nothing was ever held against you.'));
  }

  function blocked(people) {
    const change = (u, what) => post(`/v1/users/${u.id}/${what}`).then(load);
    return section('Blocked people', h('p.hint', 'You are never put together with them, and they do not learn of it.'),
      people.length > 0 && h('ul.rows', people.map((u) => personRow(u, `Number ${u.id}`, button('Unblock', () => change(u, 'unblock'))))),
      findPerson('Find someone to block', 'Block', (u) => change(u, 'block')));
  }

  function data() {
    const save = button('Export everything', async () => {
      const all = await get('/v1/users/me/export');
      const url = URL.createObjectURL(new Blob([JSON.stringify(all, null, 2)], { type: 'application/json' }));
      h('a', { href: url, download: `portal-${state.me.username}.json` }).click();
      URL.revokeObjectURL(url);
    });
    const remove = button('Delete my account', () => dialog('Delete your account', (close) => {
      const name = field(`Type your name, ${state.me.username}`, h('input', { autocomplete: 'off', autocapitalize: 'none' }));
      return form(async () => {
        const username = valueOf(name);
        if (username !== state.me.username) {
          name.fail('That is not your name.');
          return;
        }
        await post('/v1/users/me/delete', { username });
        close();
        await signedOut('Your account was deleted.');
      }, h('p', 'Your sessions end, your chats are destroyed for everyone in them, and your platforms are free for another account. This cannot be taken back.'), name, h('div.actions', h('button.button.danger', 'Delete for ever')));
    }), 'danger');
    return section('Your data', h('p', 'Messages are not in the export: the server cannot read them.'), h('div.actions.start', save, remove));
  }

  async function load() {
    try {
      const [me, sessions, punishments, subscription, blocks, { platforms: all }] = await Promise.all([get('/v1/users/me'), get('/v1/users/me/sessions'), get('/v1/users/me/punishments'), get('/v1/users/me/subscription'), get('/v1/users/me/blocks'), serverSettings()]);
      if (left) return;
      set({ me });
      box.replaceChildren(profile(me), devices(sessions), platforms(me, all), record(punishments, subscription), blocked(blocks), data());
    } catch (error) {
      if (!left) box.replaceChildren(failure(error, load));
    }
  }
  load();
  return () => {
    left = true;
  };
}
