// Notices: announcements to everyone who looks, which can be taken back; notifications to all accounts or some.
import { openGet, post } from './api.js';
import { ago, button, dateTime, empty, field, form, h, select, toast, valueOf } from './dom.js';
import { findPerson } from './listing.js';

const types = [['info', 'Information'], ['success', 'Good news'], ['warning', 'Warning'], ['error', 'Trouble']];
const spans = [['', 'Until taken back'], ['3600', 'For an hour'], ['86400', 'For a day'], ['604800', 'For a week']];

// Title, text and kind, with what else the caller has; send(body).
function notice(heading, more, send) {
  const title = field('Title', h('input', { maxlength: '100' }));
  const text = field('Text', h('textarea', { rows: '3', maxlength: '1000' }));
  const type = field('Kind', select(types, 'info'));
  return h('section.card', { 'aria-label': heading }, h('h2', heading), form(async () => {
    if (!valueOf(title)) {
      title.fail('A title is needed.');
      return;
    }
    await send({ title: valueOf(title), body: valueOf(text), type: valueOf(type) });
    for (const f of [title, text]) f.control.value = '';
    toast('Sent.', 'success');
  }, { title, body: text }, title, text, h('div.row-fields', type, more), h('div.actions', h('button.button.primary', 'Send'))));
}

export async function notices(load) {
  const { announcements } = await openGet('/v1/announcements?limit=100');
  const ends = field('Shown', select(spans, ''));
  const announce = notice('Announce to everyone, signed in or not', ends, async (body) => {
    const seconds = Number(valueOf(ends));
    await post('/v1/admin/announcements', { ...body, ...(seconds && { expires_at: new Date(Date.now() + seconds * 1000).toISOString() }) });
    load();
  });
  const chosen = new Map();
  const to = h('div');
  const drawTo = () => to.replaceChildren(chosen.size
    ? h('div.chips.start', [...chosen.values()].map((u) => h('button.chip', { type: 'button', 'aria-label': `Not ${u.username}`, onclick: () => (chosen.delete(u.id), drawTo()) }, u.username, ' ×')))
    : h('p.hint', 'Every account gets it. Or choose people:'));
  drawTo();
  const whom = h('div.field', h('strong.label', 'To'), to, findPerson('Add a person', 'Add', (u) => (chosen.set(u.id, u), drawTo())));
  const notify = notice('Notify every account, or some', null, async (body) => {
    await post('/v1/admin/notifications', { ...body, user_ids: chosen.size ? [...chosen.keys()] : 'all' });
    chosen.clear();
    drawTo();
  });
  notify.querySelector('.row-fields').after(whom);
  const live = h('section.card', { 'aria-label': 'Live announcements' }, h('h2', 'Live announcements'), announcements.length
    ? h('ul.rows', announcements.map((a) => h('li', h('div.grow', h('strong', a.title), a.body && h('p', a.body), h('p.hint', `${ago(a.created_at)}${a.expires_at ? `, until ${dateTime(a.expires_at)}` : ''}`)), h('div.actions', button('Take back', async () => (await post(`/v1/admin/announcements/${a.id}/delete`), load()), 'danger')))))
    : empty('None', 'What you announce stands here until it ends.'));
  return h('div.cards', announce, live, notify);
}
