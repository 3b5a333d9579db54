// Meeting someone: name interests, wait, be put together. The chat itself is a chat (view_chat.js).
import { button, failure, field, form, h, spinner } from './dom.js';
import { go } from './go.js';
import { TAG, TAGS_MAX, lastInterests, refreshMatch, search, stopSearch } from './match.js';
import { on, state } from './store.js';

const ideas = ['music', 'films', 'games', 'code', 'books', 'travel', 'food', 'space', 'art', 'sport'];
const why = { expired: 'Nobody came in ten minutes. Try again, or with other interests.', grace: 'The other person did not come back.', left: 'The chat has ended.', gone: 'The other person is no longer here.' };

export function show(place) {
  const box = h('div.meet', { 'aria-live': 'polite' }, spinner());
  place.append(box);
  let timer;
  let drawn;

  function choosing() {
    const chosen = new Set(lastInterests());
    const chips = h('div.chips', { role: 'group', 'aria-label': 'Interests' });
    const begin = button('', () => search([...chosen]), 'primary');
    const own = h('input', { maxlength: '12', autocapitalize: 'none', autocomplete: 'off', spellcheck: 'false', placeholder: 'something else' });
    const ownField = field('Add your own', own);
    function draw() {
      chips.replaceChildren(...[...new Set([...chosen, ...ideas])].map((tag) => h('button.chip', {
        type: 'button', 'aria-pressed': String(chosen.has(tag)), disabled: !chosen.has(tag) && chosen.size === TAGS_MAX,
        onclick: () => {
          if (!chosen.delete(tag)) chosen.add(tag);
          draw();
          [...chips.children].find((c) => c.textContent === tag)?.focus();
        },
      }, tag)));
      begin.textContent = chosen.size ? `Meet someone who likes ${[...chosen].join(', ')}` : 'Meet anyone';
    }
    const add = form(() => {
      const tag = own.value.trim().toLowerCase();
      ownField.fail(TAG.test(tag) ? chosen.size === TAGS_MAX && !chosen.has(tag) ? 'Three are enough.' : '' : 'Three to twelve letters or digits.');
      if (ownField.classList.contains('bad')) return;
      chosen.add(tag);
      own.value = '';
      draw();
    }, h('div.inline', ownField, h('button.button', 'Add')));
    draw();
    const ended = why[state.match?.ended ?? state.match?.reason];
    return [h('h1', 'Meet someone'), ended && h('p.note', ended), h('p', 'Up to three things you like to talk about. You are put together with someone who named one of them, in a chat that only you two can read and that is gone when one leaves.'), chips, add, begin];
  }

  function waiting() {
    const left = h('p.hint');
    const tick = () => {
      const s = Math.max(0, Math.round((new Date(state.match.expires_at) - Date.now()) / 1000));
      left.textContent = state.match.expires_at ? `Searching for another ${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}` : '';
    };
    tick();
    timer = setInterval(tick, 1000);
    const tags = (state.match.interests ?? []).filter((t) => t !== 'any');
    return [h('div.meet-wait', { 'aria-hidden': 'true' }, h('i'), h('i'), h('i')), h('h1', 'Looking for someone'), h('p', tags.length ? 'who likes ' : 'whoever it is', tags.map((t) => h('span.tag', t))), left, h('p.hint', 'You can look around meanwhile; you are told when someone is found.'), button('Stop searching', stopSearch)];
  }

  function matched() {
    const peer = state.match.chat?.peer?.user;
    return [h('h1', 'You are in a chat'), h('p', peer ? `with ${peer.username}.` : 'with someone.'), h('a.button.primary', { href: `/#/chat/${state.match.chat?.chat?.id}` }, 'Back to it')];
  }

  function draw() {
    const now = state.match?.state;
    const looks = `${now} ${now === 'searching' ? state.match.interests : ''}`;
    if (!now || looks === drawn) return;
    if (drawn?.startsWith('searching') && now === 'matched') {
      go(`/#/chat/${state.match.chat.chat.id}`);
      return;
    }
    drawn = looks;
    clearInterval(timer);
    box.replaceChildren(...{ idle: choosing, searching: waiting, matched }[now]().filter(Boolean));
  }
  const load = () => refreshMatch().catch((error) => box.replaceChildren(failure(error, load)));
  const end = on('match', draw);
  load();
  return () => {
    clearInterval(timer);
    end();
  };
}
