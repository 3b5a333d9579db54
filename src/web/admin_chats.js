// Administration of chats: make official ones, change any, put a person out, give to another owner, delete.
import { get, post } from './api.js';
import { ago, avatar, button, dialog, field, form, h, select, sure, toast, valueOf } from './dom.js';
import { wipes } from './chat_dialogs.js';
import { findPerson, listing, searchBox } from './listing.js';

const slugField = (value, hint) => field('Address', h('input', { maxlength: '32', value, autocapitalize: 'none', spellcheck: 'false' }), hint);

function create(load) {
  return dialog('New official chat', (close) => {
    const name = field('Name', h('input', { maxlength: '64' }));
    const slug = slugField('', 'At /c/…; may stay empty.');
    const description = field('Description', h('textarea', { rows: '3', maxlength: '500' }));
    return form(async () => {
      await post('/v1/admin/chats', { name: valueOf(name), slug: valueOf(slug) || null, description: valueOf(description) });
      close();
      load();
    }, { name, slug, description }, name, slug, description, h('div.actions', h('button.button.primary', 'Create')));
  });
}

async function open(id, load) {
  const chat = await get(`/v1/admin/chats/${id}`);
  const path = `/v1/admin/chats/${id}`;
  return dialog(chat.name, (close) => {
    const after = (text) => {
      close();
      toast(text, 'success');
      load();
    };
    const name = field('Name', h('input', { maxlength: '64', value: chat.name }));
    const description = field('Description', h('textarea', { rows: '3', maxlength: '500', value: chat.description }));
    const slug = slugField(chat.slug ?? '', chat.visibility === 'official' ? 'At /c/…; may stay empty.' : 'With an address the chat is public; without, private.');
    const label = field('Label', h('input', { maxlength: '32', value: chat.label ?? '' }), 'Stands beside the name; may stay empty.');
    const wipe = field('Messages are wiped after', select(wipes, chat.config?.wipe_preset ?? '24h'));
    const history = h('input', { type: 'checkbox', checked: chat.config?.history_visible });
    const save = form(async () => {
      const body = { name: valueOf(name), description: valueOf(description), label: valueOf(label) || null };
      if (chat.config && valueOf(wipe) !== chat.config.wipe_preset) body.wipe_preset = valueOf(wipe);
      if (chat.config && history.checked !== chat.config.history_visible) body.history_visible = history.checked;
      if (valueOf(slug) !== (chat.slug ?? '')) body.slug = valueOf(slug) || null;
      await post(`${path}/update`, body);
      after('Saved.');
    }, { name, description, slug, label }, name, description, slug, label, chat.config && [wipe, h('label.check', history, 'Those who join may read what was said before')], h('div.actions', h('button.button.primary', 'Save')));
    return h('div', h('dl.facts', h('dt', 'Kind'), h('dd', chat.visibility), h('dt', 'Owner'), h('dd', chat.owner?.username ?? 'none'), h('dt', 'People'), h('dd', `${chat.online} online, ${chat.member_count} members`)), save,
      h('section.zone-part', h('h3', 'Owner'), findPerson('Give this chat to another person', 'Give it to them', async (u) => {
        if (!(await sure('Give it away?', `“${chat.name}” is ${u.username}’s from now on.`, 'Give it to them'))) return;
        await post(`${path}/transfer`, { user_id: u.id });
        after(`“${chat.name}” is ${u.username}’s now.`);
      })),
      h('section.zone-part', h('h3', 'Put a person out'), findPerson('Whom', 'Put out', async (u) => {
        await post(`${path}/kick`, { user_id: u.id });
        toast(`${u.username} was put out of “${chat.name}”.`, 'success');
      })),
      h('div.zone', button('Delete this chat', async () => {
        if (!(await sure('Delete?', `“${chat.name}” and everything in it goes.`, 'Delete'))) return;
        await post(`${path}/delete`);
        after(`“${chat.name}” was deleted.`);
      }, 'danger')));
  }, { wide: true });
}

export function chats() {
  const { input, node: box } = searchBox('Search chats by name or address');
  const { node, load } = listing('/v1/admin/chats', 'chats', (c, reload) => h('li', avatar({ ...c, username: c.name }, 'square'), h('div.grow', h('strong', c.name), ' ', h('span.badge', c.visibility), c.label && h('span.badge', c.label), h('p.hint', `${c.online} online · owner ${c.owner?.username ?? 'none'} · ${ago(c.last_activity_at)}`)),
    h('div.actions', button('Open', () => open(c.id, reload)))), { controls: [box], params: () => ({ q: input.value.trim() }) });
  return h('div', h('div.actions.start', button('New official chat', () => create(load), 'primary')), node);
}
