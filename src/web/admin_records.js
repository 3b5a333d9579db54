// What the platform keeps of itself: the audit log, for Moderators and above, and how the server is.
import { get } from './api.js';
import { dateTime, field, h } from './dom.js';
import { listing } from './listing.js';

// ---- audit ----

const events = ['announcement.create', 'announcement.delete', 'audit.prune', 'bot.create', 'bot.delete', 'bot.regenerate', 'bot.reset', 'bot.update', 'chat.ban', 'chat.create', 'chat.delete', 'chat.kick', 'chat.mute', 'chat.transfer', 'chat.unban', 'chat.unmute', 'chat.update', 'notification.send', 'platform.ban', 'platform.hard_mute', 'platform.hard_unmute', 'platform.restore', 'platform.timeout', 'platform.unban', 'platform.warn', 'subscription.grant', 'subscription.revoke', 'user.permission'];
const dataLine = (data) => Object.entries(data).filter(([, v]) => v !== null && v !== '').map(([k, v]) => `${k.replaceAll('_', ' ')}: ${typeof v === 'object' ? JSON.stringify(v) : v}`).join(' · ');

export function audit() {
  const event = h('input', { list: 'audit-events', placeholder: 'any', maxlength: '64', autocapitalize: 'none', spellcheck: 'false' });
  const number = () => h('input', { type: 'number', min: '1', placeholder: 'any', inputmode: 'numeric' });
  const [actor, target] = [number(), number()];
  const [from, to] = [h('input', { type: 'datetime-local' }), h('input', { type: 'datetime-local' })];
  const time = (input) => input.value && new Date(input.value).toISOString();
  const filters = h('div.filters', field('Event', event), field('By (number)', actor), field('On (number)', target), field('From', from), field('To', to), h('datalist', { id: 'audit-events' }, events.map((e) => h('option', { value: e }))));
  return listing('/v1/admin/audit', 'items', (i) => h('li', h('div.grow', h('strong', i.event_type), h('p.hint', `by ${i.actor_name ?? i.actor_id ?? 'the command line'}${i.target_id ? ` · on ${i.target_name ?? 'number'} ${i.target_name ? `(${i.target_id})` : i.target_id}` : ''}${i.chat_id ? ` · chat ${i.chat_id}` : ''}`), h('p.hint', dataLine(i.data))), h('span.hint', dateTime(i.created_at))), {
    controls: [filters],
    params: () => ({ event_type: event.value.trim(), actor_id: actor.value, target_id: target.value, from: time(from), to: time(to) }),
    none: ['Nothing recorded', 'No entry fits what you ask for.'],
  }).node;
}

// ---- health ----

const REFRESH_MS = 10_000;
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const facts = (rows) => h('dl.facts', rows.map(([k, v]) => [h('dt', k), h('dd', String(v))]));
const card = (name, rows) => h('section.card', { 'aria-label': name }, h('h2', name), facts(rows));

// 503 has the same body, of a server that is not well.
const figures = () => get('/v1/admin/health').catch((error) => (error.body?.status ? error.body : Promise.reject(error)));

export async function health(load, ends) {
  const timer = setTimeout(load, REFRESH_MS);
  ends(() => clearTimeout(timer));
  const f = await figures();
  return h('div.cards.two',
    card('Server', [['State', f.status], ['Version', `${f.version} (${f.commit})`], ['Running since', dateTime(f.started_at)], ['Loop behind', `${f.loop.lag_ms} ms, at most ${f.loop.lag_max_ms} ms`], ...f.errors.map((e) => ['Trouble', e])]),
    card('Stores', [['Database', `${f.database}, ${f.database_statistics.latency_ms ?? '–'} ms`], ['Cache', `${f.cache}, ${f.cache_statistics.latency_ms ?? '–'} ms`], ['Connections', `${f.pool.database_up} of ${f.pool.database}`], ['Waiting', `${f.queue.database} for the database, ${f.queue.cache} for the cache`]]),
    card('People', [['Sockets', f.pool.sockets], ['People', f.pool.people], ['Rooms', f.pool.rooms], ['Connections', f.pool.clients], ['Requests', `${f.queue.requests}, ${f.queue.tasks} tasks`]]),
    card('Memory', [['Resident', mib(f.memory.resident_bytes)], ['At most so far', mib(f.memory.peak_bytes)], ['Heap', mib(f.memory.heap_bytes)], ['Descriptors', `${f.memory.descriptors ?? '–'} of ${f.memory.max_descriptors}`]]));
}
