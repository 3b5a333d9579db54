// Above a direct chat: what both like, a countdown while the other is gone, the end, and on to the next.
import { button, h, say } from './dom.js';
import { go } from './go.js';
import { lastInterests, leaveMatch, search } from './match.js';
import { listen } from './socket.js';
import { state } from './store.js';

const over = { left: 'The chat has ended.', grace: 'The other person did not come back.', expired: 'The chat has reached its end after a day.', gone: 'The other person is no longer here.' };

export function meetBar(place, room) {
  let ended = null;
  let timer;
  const next = () => button('Next', async () => {
    const interests = (state.match?.interests ?? lastInterests()).filter((t) => t !== 'any');
    if (!ended) await leaveMatch();
    await search(interests.length ? interests : lastInterests());
    go('/#/meet');
  }, 'primary');
  const leave = () => button('Leave', async () => {
    await leaveMatch();
    go('/#/meet');
  });

  function draw() {
    clearInterval(timer);
    if (room.chat && room.chat.visibility !== 'direct') return;
    if (!room.chat && !ended) return;
    const text = h('span.grow');
    const kind = ended ? 'ended' : room.peerLeft ? 'away' : '';
    if (ended) text.textContent = over[ended] ?? 'The chat has ended.';
    else if (room.peerLeft?.until === 0) text.textContent = 'The other person has left.';
    else if (room.peerLeft) {
      const tick = () => (text.textContent = `The other person is away. Waiting ${Math.max(0, Math.ceil((room.peerLeft.until - Date.now()) / 1000))} s for them…`);
      tick();
      timer = setInterval(tick, 500);
    } else {
      const tags = (state.match?.interests ?? []).filter((t) => t !== 'any');
      text.append(tags.length ? 'Matched on ' : 'Say hi!', tags.map((t) => h('span.tag', t)).reduce((all, t) => (all.append(t), all), h('span')));
    }
    place.replaceChildren(h(`div.meet-bar${kind ? `.${kind}` : ''}`, { role: 'group', 'aria-label': 'Your match' }, text, ended ? h('a.button', { href: '/#/meet' }, 'Done') : leave(), next()));
  }
  const ends = [
    room.on((what) => {
      if (what === 'peer') say(room.peerLeft ? 'The other person is away.' : 'The other person is back.');
      if (what === 'out' && room.chat?.visibility === 'direct') ended ??= 'left'; // it ended while we were away
      if (['peer', 'chat', 'out'].includes(what)) draw();
    }),
    listen('match:ended', ({ chat_id, reason }) => {
      if (room.chat?.visibility !== 'direct' || (chat_id && chat_id !== room.id)) return;
      ended = reason;
      room.end(over[reason] ?? 'The chat has ended.');
      draw();
    }),
  ];
  draw();
  return () => {
    clearInterval(timer);
    ends.forEach((end) => end());
  };
}
