// Administration of people: the search, a person's record and what may be done about them, subscriptions.
import { get, post } from './api.js';
import { ago, avatar, badge, button, dateTime, dialog, field, form, h, levels, select, sure, tiers, toast, valueOf } from './dom.js';
import { listing, personRow, searchBox } from './listing.js';
import { state } from './store.js';

const spans = [['3600', '1 hour'], ['86400', '1 day'], ['604800', '7 days'], ['2592000', '30 days']];
const forever = [['0', 'For ever'], ...spans];
const levelNames = ['User', ...levels.slice(1)];

// ---- the search ----

export function people() {
  const { input, node: box } = searchBox('Search people by name or number');
  const standing = select([['', 'Any standing'], ['active', 'Active'], ['timeout', 'Timed out'], ['banned', 'Banned']], '');
  const level = select([['', 'Any level'], ...levelNames.map((name, i) => [String(i), name])], '');
  standing.setAttribute('aria-label', 'Standing');
  level.setAttribute('aria-label', 'Level');
  return listing('/v1/admin/users', 'users', (u, reload) => h('li', avatar(u), h('div.grow', h('strong', u.username), ' ', badge(u.permission_level), u.state !== 'active' && h('span.badge.off', u.state), h('p.hint', `Number ${u.id} · ${tiers[u.subscription_level]} · ${u.last_activity_at ? `active ${ago(u.last_activity_at)}` : 'never active'}`)),
    h('div.actions', button('Open', () => openRecord(u.id).then(reload)))), { controls: [box, standing, level], params: () => ({ q: input.value.trim(), state: standing.value, level: level.value }) }).node;
}

// ---- a person's record ----

// An act that wants a reason, and perhaps a time: a button that opens its dialog.
function act(user, text, path, { durations, body = {}, done, kind = '', help, needed = false }) {
  return button(text, () => dialog(`${text}: ${user.username}`, (close) => {
    const reason = field('Reason', h('input', { maxlength: '500' }), needed ? 'For the record.' : 'For the record, and for them. May stay empty.');
    const duration = durations && field('How long', select(durations, durations[0][0]));
    return form(async () => {
      if (needed && !valueOf(reason)) {
        reason.fail('A reason is needed.');
        return;
      }
      await post(path, { ...body, reason: valueOf(reason), ...(duration && { duration: Number(valueOf(duration)) }) });
      close();
      toast(`${text}: ${user.username}. Done.`, 'success');
      done();
    }, duration ? { reason, duration } : { reason }, help && h('p', help), duration, reason, h('div.actions', h('button.button.danger', text)));
  }), kind);
}

async function openRecord(id) {
  const box = h('div');
  const draw = async () => box.replaceChildren(record(await get(`/v1/admin/users/${id}`), () => draw().catch((error) => toast(error.message, 'error'))));
  await draw();
  return dialog(box.querySelector('.person-card strong').textContent, () => box, { wide: true });
}

function record(u, again) {
  const path = `/v1/admin/users/${u.id}`;
  const restricted = u.state !== 'active' && `${u.state}${u.restricted_until ? ` until ${dateTime(u.restricted_until)}` : ' for ever'}${u.restriction_reason ? `: ${u.restriction_reason}` : ''}`;
  const muted = u.hard_mute && `${u.hard_mute.expires_at ? `until ${dateTime(u.hard_mute.expires_at)}` : 'until lifted'}${u.hard_mute.reason ? `: ${u.hard_mute.reason}` : ''}`;
  const facts = [['State', restricted || u.state], muted && ['Muted everywhere', muted], ['Subscription', `${tiers[u.subscription_level]}${u.subscription_expires_at ? ` until ${dateTime(u.subscription_expires_at)}` : ''}${u.trial_used ? ', trial used' : ''}`], ['Created', dateTime(u.created_at)], ['Active', u.last_activity_at ? ago(u.last_activity_at) : 'never'], ['Platforms', u.linked_platforms.map((p) => `${p.platform} ${p.platform_user_id}`).join(', ') || 'none'], ['Chats', u.chats.map((c) => `${c.name}${c.is_owner ? ' (owner)' : ''}`).join(', ') || 'none'], ['Bots', u.bots.map((b) => b.name).join(', ') || 'none']].filter(Boolean);
  return h('div', h('div.person-card', avatar(u, 'large'), h('div', h('strong', u.username), h('p.hint', `Number ${u.id}`)), badge(u.permission_level)),
    h('dl.facts', facts.map(([k, v]) => [h('dt', k), h('dd', v)])),
    u.id !== state.me.id && [
      h('div.actions.start', act(u, 'Warn', `${path}/warn`, { done: again }),
        u.hard_mute ? act(u, 'Unmute everywhere', '/v1/portal/hard-unmute', { body: { user_id: u.id }, done: again }) : act(u, 'Mute everywhere', '/v1/portal/hard-mute', { body: { user_id: u.id }, durations: [...spans, ['0', 'Until lifted']], done: again }),
        act(u, 'Time out', `${path}/timeout`, { durations: spans, done: again }),
        act(u, 'Ban', `${path}/ban`, { durations: forever, kind: 'danger', done: again }),
        u.state !== 'active' && act(u, 'Lift', `${path}/unban`, { done: again })),
      rank(u, again), subscription(u, again)],
    history(u));
}

function rank(u, again) {
  const level = field('Permission', select(levelNames.slice(0, Math.max(state.me.permission_level, u.permission_level + 1)).map((name, i) => [i, name]), u.permission_level));
  if (u.permission_level >= state.me.permission_level && state.me.permission_level < 3) return null;
  return form(async () => {
    const to = Number(valueOf(level));
    if (!(await sure('Change the level?', `${u.username} becomes ${levelNames[to]}.`, 'Change'))) return;
    await post(`/v1/admin/users/${u.id}/permission`, { level: to });
    toast('Saved.', 'success');
    again();
  }, { level }, h('div.inline', level, h('button.button', 'Set')));
}

function subscription(u, again) {
  const level = field('Grant', select([['1', 'Trial, 7 days'], ['2', 'Premium'], ['3', 'Lifetime']], '2'));
  const days = field('Days', h('input', { type: 'number', min: '1', max: '3650', value: '30' }));
  const reason = field('Reason', h('input', { maxlength: '500' }));
  level.addEventListener('change', () => (days.hidden = valueOf(level) !== '2'));
  return h('section.zone-part', h('h3', 'Subscription'), form(async () => {
    const chosen = Number(valueOf(level));
    await post('/v1/admin/subscriptions/grant', { user_id: u.id, level: chosen, reason: valueOf(reason), ...(chosen === 2 && { duration_days: Number(valueOf(days)) }) });
    toast('Granted.', 'success');
    again();
  }, { level, duration_days: days, reason }, h('div.row-fields', level, days), h('div.inline', reason, h('button.button', 'Grant'))),
  u.subscription_level > 0 && h('div.actions.start', revoke(u, again)));
}
const revoke = (u, done) => act(u, 'Revoke the subscription', '/v1/admin/subscriptions/revoke', { body: { user_id: u.id }, kind: 'danger', needed: true, help: 'It ends now. Their chats stay.', done });

function history(u) {
  const part = (name, list, row) => list?.length > 0 && h('details.more', h('summary', `${name} (${list.length})`), h('ul.rows', list.map((item) => h('li', h('div.grow', row(item)), h('span.hint', dateTime(item.created_at))))));
  const by = (actor) => (actor ? ` by number ${actor}` : '');
  return h('div.histories',
    part('Moderation', u.moderation, (m) => [h('strong', m.action_type.replaceAll('_', ' ').toLowerCase()), h('p.hint', [m.reason, m.is_lifted ? 'lifted' : m.expires_at && `until ${dateTime(m.expires_at)}`, by(m.actor_id).trim()].filter(Boolean).join(' · '))]),
    part('Subscriptions', u.subscription_history, (s) => [h('strong', `${tiers[s.old_level]} → ${tiers[s.new_level]}`), h('p.hint', `${s.reason}${by(s.granted_by_id)}`)]),
    part('Levels', u.permission_history, (p) => [h('strong', `${levelNames[p.old_level]} → ${levelNames[p.new_level]}`), h('p.hint', by(p.actor_id).trim())]),
    part('Sessions', u.sessions, (s) => [h('strong', s.client_ip), h('p.hint', `${s.user_agent.slice(0, 80)} · ${s.ended_at ? `${s.end_reason ?? 'ended'} ${ago(s.ended_at)}` : 'live'}`)]));
}

// ---- subscriptions ----

export function subscriptions() {
  return listing('/v1/admin/subscriptions/active', 'subscriptions', (s, reload) => personRow(s.user, `${tiers[s.subscription_level]} · ${s.expires_at ? `until ${dateTime(s.expires_at)}` : 'for ever'}`, s.user.id !== state.me.id && revoke(s.user, reload)), { none: ['No subscriptions', 'Those that count now stand here, what ends first before the others.'] }).node;
}
