// A chat: messages, the line to write in, who is here; the list of chats beside it where there is room.
// What it shows is held by room.js. In a direct chat the matcher's bar stands above (view_match.js).
import { avatar, badge, busy, clockTime, count, dayName, empty, emptyPage, h, icon, keyed, say, spinner, toast } from './dom.js';
import { fits } from './keys.js';
import { idBefore, openRoom } from './room.js';
import { on, state } from './store.js';
import { settingsDialog, fingerprintDialog } from './chat_dialogs.js';
import { personDialog } from './person_dialog.js';
import { chatList } from './view_lobby.js';
import { listing } from './listing.js';
import { meetBar } from './meet_bar.js';

const GROUP_MS = 5 * 60_000; // messages of one person closer than this stand together
const NEAR = 120; // px from an end that count as there
const drafts = new Map(); // what was begun to be written, by person and chat

export function show(place, id) {
  const room = openRoom(Number(id));
  const draftName = `${state.me.id} ${id}`;
  const side = h('aside.chat-side', { 'aria-label': 'Chats' });
  const title = h('h1.clip', 'Chat');
  const about = h('p.chat-about.clip');
  const lock = h('button.plain', { type: 'button', 'aria-label': 'Compare keys', title: 'Compare keys', onclick: () => fingerprintDialog(room) }, icon('lock'));
  const peopleButton = h('button.plain.with-count', { type: 'button', 'aria-label': 'Who is here', 'aria-expanded': 'false', onclick: togglePeople }, icon('people'));
  const more = h('button.plain', { type: 'button', 'aria-label': 'Chat settings', disabled: true, onclick: () => settingsDialog(room) }, icon('more'));
  const list = h('ol.messages', { 'aria-label': 'Messages' });
  const scroller = h('div.scroller', { tabindex: '0', 'aria-label': 'Messages, scroll for older ones', role: 'region' }, spinner(), list);
  const newer = h('button.newer', { type: 'button', hidden: true, onclick: () => toEnd(true) }, icon('down'), 'New messages');
  const typing = h('p.typing', { 'aria-live': 'polite' });
  const input = h('textarea', { rows: '1', 'aria-label': 'Message', placeholder: 'Message', maxlength: '2900', enterkeyhint: 'send' });
  const send = h('button.send', { type: 'submit', 'aria-label': 'Send' }, icon('send'));
  const note = h('p.write-note', { role: 'status' });
  const writer = h('form.writer', { onsubmit: submit }, h('div.write-box', input, send), note);
  const people = h('aside.people', { 'aria-label': 'Who is here' });
  const bar = h('div.meet-slot');
  const body = h('div.chat-body', scroller, newer);
  const chat = h('section.chat', { 'aria-label': 'Chat' },
    h('header.chat-head', h('a.plain.back', { href: '/', 'aria-label': 'Back to the chats' }, icon('back')), h('div.chat-title', title, about), lock, peopleButton, more),
    bar, body, typing, writer);
  place.append(h('div.chat-page', side, chat, people));

  let met = false; // the chat is known: the writer has had the focus
  let drawn = null; // messages of others already told to screen readers
  let lifts; // timer: when a mute ends
  let atEnd = true;
  let loading = false;

  // ---- messages ----

  function messageNode(m, joined) {
    if (m.type === 'system') return h('li.system', { 'data-id': m.id }, h('span', m.text), h('time', { datetime: m.timestamp }, clockTime(m.timestamp)));
    const mine = m.sender?.id === state.me.id;
    const who = h('button.who', { type: 'button', onclick: () => m.sender && personDialog(room, m.sender) }, m.sender?.username ?? 'Deleted account', badge(m.permission_level));
    return h(`li.message${mine ? '.mine' : ''}${joined ? '.joined' : ''}`, { 'data-id': m.id },
      joined || mine ? h('span.avatar-space') : avatar(m.sender),
      h('div.message-in', joined || mine ? h('span.unseen', `${mine ? 'You' : m.sender?.username}: `) : who,
        h('div.bubble', h('p', m.text), h('time', { datetime: m.timestamp }, clockTime(m.timestamp))),
        (mine || room.mayModerate()) && h('button.remove', { type: 'button', 'aria-label': 'Delete this message', onclick: (e) => busy(e.currentTarget, () => room.remove([m.id])) }, icon('close'))));
  }
  function sendingNode(s) {
    const failed = s.failed && h('span.retry', h('span.problem', s.failed), h('button.link', { type: 'button', onclick: () => room.again(s.client_id) }, 'Try again'), h('button.link', { type: 'button', onclick: () => room.discard(s.client_id) }, 'Discard'));
    return h('li.message.mine.sending', h('span.avatar-space'), h('div.message-in', h('div.bubble', h('p', s.text), !failed && h('span.sending-state', state.link === 'up' ? 'sending' : 'waiting')), failed));
  }

  // What stands in the list: a key each, which changes when the line would look otherwise, and what makes it.
  function rows() {
    const out = [];
    const seen = seenBy();
    let before = null;
    let sealed = 0;
    for (const m of room.messages) {
      if (m.text === null) { // what cannot be read is one line, however many messages it is
        if (!sealed++) out.push([`sealed ${m.id}`, () => h('li.sealed', icon('lock'), h('span', 'Earlier messages cannot be read here'))]);
        continue;
      }
      sealed = 0;
      if (!before || dayName(before.timestamp) !== dayName(m.timestamp)) {
        out.push([`day ${m.id} ${dayName(m.timestamp)}`, () => h('li.day', h('span', dayName(m.timestamp)))]);
        before = null;
      }
      const joined = before?.type === 'user' && before.sender?.id === m.sender?.id && new Date(m.timestamp) - new Date(before.timestamp) < GROUP_MS;
      out.push([`${m.id} ${joined} ${room.mayModerate()}`, () => messageNode(m, joined)]);
      if (m.id === seen?.id) out.push([`reads ${m.id} ${seen.names}`, () => h('li.reads', `Seen by ${seen.names}`)]);
      before = m;
    }
    for (const s of room.sending) out.push([`${s.client_id} ${s.failed} ${state.link}`, () => sendingNode(s)]);
    return out;
  }
  // Who has read the newest of one's own messages.
  function seenBy() {
    const last = room.messages.findLast((m) => m.type === 'user' && m.sender?.id === state.me.id);
    const seen = last ? [...room.reads].filter(([user, at]) => user !== state.me.id && !idBefore(at, last.id)).map(([user]) => room.nameOf(user)) : [];
    return seen.length > 0 && { id: last.id, names: `${seen.slice(0, 3).join(', ')}${seen.length > 3 ? ` and ${seen.length - 3} more` : ''}` };
  }

  const fillList = keyed(list);
  function drawMessages() {
    if (!room.joined && !room.messages.length && !room.sending.length) return;
    // What one reads stays where it is, whatever comes above or below.
    const kept = !atEnd && [...list.querySelectorAll('[data-id]')].find((li) => li.offsetTop + li.offsetHeight > scroller.scrollTop);
    const from = kept && kept.offsetTop - scroller.scrollTop;
    const { id } = kept?.dataset ?? {};
    scroller.querySelector('.loading')?.remove();
    scroller.querySelector('.empty')?.remove();
    fillList(rows());
    if (!room.messages.length && !room.sending.length) scroller.append(empty('Nothing said yet', 'What is written here is encrypted on your device. Begin.'));
    const now = id && list.querySelector(`[data-id="${id}"]`);
    if (atEnd) toEnd();
    else if (now) scroller.scrollTop = now.offsetTop - from;
    announce();
  }
  function announce() {
    const fresh = room.messages.filter((m) => m.type === 'user' && m.text !== null && m.sender?.id !== state.me.id);
    const last = fresh.at(-1);
    if (!last || (drawn && !idBefore(drawn, last.id))) return;
    if (drawn) {
      say(`${last.sender?.username}: ${last.text}`);
      if (!atEnd) newer.hidden = false;
    }
    drawn = last.id;
  }
  function toEnd(smooth = false) {
    scroller.scrollTo({ top: scroller.scrollHeight, behavior: smooth ? 'smooth' : 'instant' });
    newer.hidden = true;
    if (document.visibilityState === 'visible') room.tellRead();
  }
  async function scrolled() {
    atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    if (atEnd) toEndRead();
    if (scroller.scrollTop > NEAR || loading || !room.more || !room.joined) return;
    loading = true;
    await room.older().catch((error) => toast(error.message, 'error'));
    loading = false;
  }
  const toEndRead = () => {
    newer.hidden = true;
    if (document.visibilityState === 'visible') room.tellRead();
  };
  // ---- the rest ----

  function drawHead() {
    const c = room.chat;
    if (!c) return;
    if (!met && matchMedia('(pointer: fine)').matches) input.focus();
    met = true;
    const direct = c.visibility === 'direct';
    const peer = direct && (room.users().find((u) => u.id !== state.me.id)?.username ?? state.match?.chat?.peer?.user?.username);
    title.textContent = peer || c.name;
    document.title = `${peer || c.name} · Portal`;
    about.textContent = direct ? 'You were put together. Only you two can read this.' : c.description || `${c.visibility[0].toUpperCase()}${c.visibility.slice(1)} chat`;
    input.placeholder = `Message ${peer || c.name}`;
    more.hidden = direct;
    more.disabled = false;
  }
  const here = h('h2');
  const hereList = h('ul');
  const fillPeople = keyed(hereList);
  let crowd; // the list of members, where there are too many to be told of each
  people.append(h('div.people-head', here, h('button.plain', { type: 'button', 'aria-label': 'Close', onclick: togglePeople }, icon('close'))), hereList);
  function drawPeople() {
    const users = room.users();
    const online = room.crowded ? room.online : users.length;
    peopleButton.replaceChildren(icon('people'), h('span', String(online)));
    peopleButton.setAttribute('aria-label', `Who is here: ${online}`);
    here.textContent = count(online, 'person here', 'people here');
    if (room.crowded) crowd ??= listing(`/v1/portal/chats/${room.id}/members`, 'members', (m) => h('li', personButton(m.user))).node;
    else if (crowd) crowd = crowd.remove();
    fillPeople(room.crowded ? [] : users.map((u) => [`${u.id} ${u.username} ${u.permission_level}`, () => h('li', personButton(u))]));
    if (crowd && !crowd.isConnected) people.append(crowd);
  }
  const personButton = (u) => h('button.person', { type: 'button', onclick: () => room.chat && personDialog(room, u) }, avatar(u), h('span.clip', u.username, u.id === state.me.id ? ' (you)' : ''), badge(u.permission_level));
  function drawTyping() {
    const names = [...room.typing.keys()].map((userId) => room.nameOf(userId));
    typing.textContent = !names.length ? '' : names.length < 3 ? `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing…` : 'Several people are typing…';
  }
  function drawWriter() {
    const until = (m) => (m.until ? ` until ${clockTime(m.until)}` : ' until this is lifted');
    clearTimeout(lifts);
    const muted = [state.hardMuted, room.muted].find((m) => m && (!m.until || new Date(m.until) > Date.now()));
    if (muted?.until) lifts = setTimeout(drawWriter, Math.min(new Date(muted.until) - Date.now() + 500, 2 ** 31 - 1));
    const stopped = room.out ?? (muted ? `You are muted${until(muted)}: you may read, not write.` : '');
    const secret = room.joined && !room.key();
    note.textContent = stopped || (secret ? 'Waiting for the key of this chat…' : '');
    input.disabled = send.disabled = Boolean(stopped);
    lock.classList.toggle('on', Boolean(room.key()));
    lock.disabled = !room.key();
    writer.dataset.kind = stopped ? 'stopped' : secret ? 'waiting' : '';
  }
  function drawOut() {
    if (!room.out) return;
    scroller.querySelector('.loading')?.remove();
    if (!room.chat) {
      chat.replaceChildren(h('div.narrow', emptyPage('Not open to you', room.out, h('a.button.primary', { href: '/' }, 'To the chats'))));
      return;
    }
    say(room.out);
    drawWriter();
  }
  function togglePeople() {
    const open = place.firstChild.classList.toggle('with-people');
    peopleButton.setAttribute('aria-expanded', String(open));
    if (open && matchMedia('(max-width: 1100px)').matches) people.querySelector('button')?.focus();
    else if (!open) peopleButton.focus();
  }

  // ---- writing ----

  function submit(event) {
    event?.preventDefault();
    const text = input.value.trim();
    if (!text || input.disabled) return;
    if (!fits(text)) {
      note.textContent = 'That is too long for one message.';
      return;
    }
    atEnd = true;
    input.value = '';
    grow();
    room.tellTyping(false);
    room.send(text);
  }
  function grow() {
    input.style.height = 'auto';
    input.style.height = `${Math.min(input.scrollHeight, 160)}px`;
  }
  input.addEventListener('input', () => {
    grow();
    drawWriter();
    room.tellTyping(input.value.trim() !== '');
  });
  input.addEventListener('keydown', (e) => {
    if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
    e.preventDefault();
    submit();
  });
  scroller.addEventListener('scroll', scrolled, { passive: true });
  const seen = () => atEnd && document.visibilityState === 'visible' && room.tellRead();
  document.addEventListener('visibilitychange', seen);
  const resized = new ResizeObserver(() => atEnd && toEnd());
  resized.observe(scroller);

  const draws = { messages: [drawMessages], chat: [drawHead, drawPeople, drawMessages], people: [drawPeople, drawHead], typing: [drawTyping], reads: [drawMessages], key: [drawWriter], muted: [drawWriter], out: [drawOut] };
  const bars = meetBar(bar, room);
  const ends = [
    room.on((what) => (draws[what] ?? []).forEach((draw) => draw())),
    on('link hardMuted', () => (drawWriter(), room.sending.length && drawMessages())),
    chatList(side, room.id),
    bars,
    () => document.removeEventListener('visibilitychange', seen),
    () => resized.disconnect(),
    () => clearTimeout(lifts),
    room.close,
  ];
  input.value = drafts.get(draftName) ?? '';
  grow();
  if (room.joined) for (const what of ['chat', 'people', 'key', 'muted']) draws[what].forEach((draw) => draw()); // it was still sending
  return () => {
    if (input.value) drafts.set(draftName, input.value);
    else drafts.delete(draftName);
    ends.forEach((end) => end());
  };
}
