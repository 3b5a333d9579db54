// A chat's dialogs: the key to compare; settings, invites, members and activity for its managers.
import { get, post } from './api.js';
import { avatar, button, copy, dateTime, dialog, empty, failure, field, form, h, select, spinner, sure, toast, valueOf } from './dom.js';
import { listing } from './listing.js';
import { personDialog } from './person_dialog.js';
import { go } from './go.js';
import { fingerprint } from './keys.js';
import { state } from './store.js';

export function fingerprintDialog(room) {
  return dialog('Compare keys', () => h('div',
    h('p', 'Read these numbers to each other over a call, or side by side. If they are the same, nobody stands between you, the server included.'),
    h('p.fingerprint', fingerprint(room.id, room.epoch, room.key()).map((g) => h('span', g))),
    h('p.hint', `Key number ${room.epoch} of this chat. It changes when someone is put out or messages are wiped.`)));
}

export const wipes = [['off', 'Never'], ['1m', '1 minute'], ['15m', '15 minutes'], ['1h', '1 hour'], ['4h', '4 hours'], ['24h', '24 hours']];

export function settingsDialog(room) {
  const { chat } = room;
  const path = `/v1/portal/chats/${room.id}`;
  const { me } = state;
  const owns = chat.owner?.id === me.id;
  const manages = Boolean(chat.config);
  return dialog(chat.name, (close) => {
    const panel = h('div.panel', { role: 'tabpanel' });
    const tabs = [['About', about], manages && ['Settings', settings], manages && chat.visibility === 'private' && ['Invites', invites], ['Members', members], manages && ['Activity', activity]].filter(Boolean);
    const buttons = tabs.map(([name, draw]) => h('button.tab', { type: 'button', role: 'tab', 'aria-selected': 'false', onclick: (e) => pick(e.currentTarget, draw) }, name));
    function pick(chosen, draw) {
      for (const b of buttons) {
        b.setAttribute('aria-selected', String(b === chosen));
        b.tabIndex = b === chosen ? 0 : -1;
      }
      chosen.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      panel.replaceChildren(spinner());
      Promise.resolve(draw()).then((node) => panel.replaceChildren(node), (error) => panel.replaceChildren(failure(error, () => pick(chosen, draw))));
    }

    function arrows(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const to = buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length];
      to.focus();
      to.click();
    }

    function about() {
      const leave = button('Leave this chat', async () => {
        if (!(await sure('Leave?', `You will need an invite to come back to “${chat.name}”.`, 'Leave'))) return;
        await post(`${path}/leave`);
        close();
        go('/');
      }, 'danger');
      const mine = button('Delete my messages', async () => {
        const { deleted } = await post(`${path}/messages/delete-mine`);
        toast(`${deleted} of your messages deleted.`, 'success');
      });
      const many = field('Delete the newest', h('input', { type: 'number', min: '1', max: '100', value: '10' }));
      const newest = room.mayModerate() && form(async () => {
        const { deleted } = await post(`${path}/messages/delete-last`, { count: Number(valueOf(many)) });
        toast(`${deleted} messages deleted, for everyone.`, 'success');
      }, { count: many }, h('div.inline', many, h('button.button.danger', 'Delete')));
      return h('div', h('p', chat.description || 'No description.'), h('dl.facts',
        h('dt', 'Kind'), h('dd', chat.visibility), h('dt', 'Owner'), h('dd', chat.owner?.username ?? 'none'), h('dt', 'Since'), h('dd', dateTime(chat.created_at)),
        chat.slug && [h('dt', 'Address'), h('dd', `${location.origin}/c/${chat.slug}`)]),
      h('div.actions.start', mine, chat.visibility === 'private' && !owns && leave), newest);
    }

    function settings() {
      const name = field('Name', h('input', { maxlength: '64', value: chat.name }));
      const description = field('Description', h('textarea', { rows: '3', maxlength: '500', value: chat.description ?? '' }));
      const slug = field('Address', h('input', { maxlength: '32', value: chat.slug ?? '', autocapitalize: 'none', spellcheck: 'false' }), 'With an address the chat is public; without, private.');
      const wipe = field('Messages are wiped after', select(wipes, chat.config.wipe_preset));
      const history = h('input', { type: 'checkbox', checked: chat.config.history_visible });
      const save = form(async () => {
        const body = { name: valueOf(name), description: valueOf(description), wipe_preset: valueOf(wipe), history_visible: history.checked };
        if (valueOf(slug) !== (chat.slug ?? '')) body.slug = valueOf(slug) || null;
        await post(`${path}/config/update`, body);
        toast('Saved.', 'success');
        close();
      }, { name, description, slug }, name, description, chat.visibility !== 'official' && slug, wipe, h('label.check', history, 'Those who join may read what was said before'), h('div.actions', h('button.button.primary', 'Save')));
      const clear = button('Clear all messages', async () => {
        if (await sure('Clear?', 'All messages go, for everyone.', 'Clear')) await post(`${path}/clear`);
      }, 'danger');
      const destroy = button('Delete this chat', async () => {
        if (!(await sure('Delete?', `“${chat.name}” and everything in it goes, for everyone.`, 'Delete'))) return;
        await post(`${path}/delete`);
        close();
        go('/');
      }, 'danger');
      return h('div', save, h('div.zone', (owns || me.permission_level >= 2) && clear, (owns || me.permission_level === 3) && destroy));
    }

    async function invites() {
      const { invites: live } = await get(`${path}/invites`);
      const uses = select([['', 'Any number of people'], ['1', 'One person'], ['10', 'Ten people']], '');
      const ends = select([['', 'Never expires'], ['3600', 'Expires in an hour'], ['86400', 'Expires in a day'], ['604800', 'Expires in a week']], '86400');
      const again = () => pick(buttons.find((b) => b.textContent === 'Invites'), invites);
      const make = form(async () => {
        await post(`${path}/invites`, { max_uses: uses.value ? Number(uses.value) : null, expires_at: ends.value ? new Date(Date.now() + ends.value * 1000).toISOString() : null });
        again();
      }, h('div.row-fields', field('For', uses), field('How long', ends)), h('div.actions', h('button.button.primary', 'Make an invite')));
      const rows = live.map((i) => {
        const address = `${location.origin}/c/${i.code}`;
        return h('li', h('div.grow', h('code.clip', address), h('p.hint', `${i.uses} of ${i.max_uses ?? 'any number'} used${i.expires_at ? `, until ${dateTime(i.expires_at)}` : ''}`)),
          h('div.actions', button('Copy', () => copy(address)), button('Revoke', async () => (await post(`${path}/invites/${i.code}/delete`), again()), 'danger')));
      });
      return h('div', make, rows.length ? h('ul.rows', rows) : empty('No live invites', 'Make one, and send its address to whom you want here.'));
    }

    function members() {
      return listing(`${path}/members`, 'members', (m) => h('li', avatar(m.user), h('div.grow', h('button.link.clip', { type: 'button', onclick: () => personDialog(room, m.user) }, m.user.username), m.is_owner && h('p.hint', 'Owner of the chat')), h('span.hint', m.is_online ? 'here' : 'away'))).node;
    }

    async function activity() {
      const { events } = await get(`${path}/activity?limit=50`);
      const unban = (e) => e.action === 'ban' && button('Unban', () => post(`${path}/unban`, { user_id: e.user.id }).then(() => toast('Unbanned.', 'success')));
      return events.length ? h('ul.rows', events.map((e) => h('li', avatar(e.user), h('span.grow', h('strong', e.user.username), ` · ${e.action}${e.method ? ` (${e.method})` : ''}`), h('span.hint', dateTime(e.created_at)), unban(e)))) : empty('Nothing has happened yet');
    }

    pick(buttons[0], about);
    return h('div', h('div.tabs-row', { role: 'tablist', onkeydown: arrows }, buttons), panel);
  }, { wide: true });
}
