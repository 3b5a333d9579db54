// /c/{slug or invite}: where it leads. A slug opens the chat; an invite shows what it is for and asks.
import { get, post } from './api.js';
import { busy, count, emptyPage, h, spinner } from './dom.js';
import { go } from './go.js';
import { show as showChat } from './view_chat.js';

export function show(place, code) {
  let end = () => {};
  let left = false;
  place.append(spinner());
  const open = (chat) => {
    place.replaceChildren();
    end = showChat(place, chat.id);
  };
  (async () => {
    try {
      const { chat, method } = await get(`/v1/portal/resolve/${encodeURIComponent(code)}`);
      if (left) return;
      if (method === 'vanity') {
        await post(`/v1/portal/resolve/${encodeURIComponent(code)}`);
        if (!left) open(chat);
        return;
      }
      const join = h('button.button.primary', {
        type: 'button',
        onclick: () => busy(join, async () => {
          await post(`/v1/portal/resolve/${encodeURIComponent(code)}`);
          go(`/#/chat/${chat.id}`, { replace: true });
        }),
      }, `Join ${chat.name}`);
      place.replaceChildren(h('div.narrow', emptyPage(`You are invited to ${chat.name}`, chat.description || `A private chat of ${count(chat.member_count + 1, 'person', 'people')}.`, join, h('a.button', { href: '/' }, 'Not now'))));
    } catch (error) {
      if (left) return;
      const text = error.code === 'ERR_INVITE_NOT_FOUND' ? 'This invite or address leads nowhere: it has expired, was used up, or never was.' : error.message;
      place.replaceChildren(h('div.narrow', emptyPage('No way in', text, h('a.button.primary', { href: '/' }, 'To the chats'))));
    }
  })();
  return () => {
    left = true;
    end();
  };
}
