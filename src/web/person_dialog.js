// A person in a chat, and what one may do about them: kick, ban, mute, warn, time out, block. The server
// decides who may; what it would refuse in any case is not offered.
import { get, post } from './api.js';
import { avatar, badge, button, dialog, field, form, h, select, toast } from './dom.js';
import { state } from './store.js';

const minutes = [[300, '5 minutes'], [3600, '1 hour'], [86400, '1 day']];
const days = [[3600, '1 hour'], [86400, '1 day'], [604800, '7 days'], [2592000, '30 days']];
const forever = [0, 'For ever'];
const acts = {
  kick: { text: 'Kick', help: 'Out of this chat, on every device. In an open chat they may come back.' },
  mute: { text: 'Mute', help: 'May read, not write.', durations: [...minutes, [0, 'Until lifted']] },
  unmute: { text: 'Unmute', help: 'May write again.' },
  ban: { text: 'Ban', help: 'Out of this chat, and not back in.', durations: [forever, ...days] },
  warn: { text: 'Warn', help: 'A notification, on their record.', level: 1 },
  timeout: { text: 'Time out', help: 'Off the whole platform for a while.', durations: days, level: 1 },
};

export function personDialog(room, user) {
  const { me } = state;
  const owns = room.chat.owner?.id === me.id;
  const above = me.permission_level > (user.permission_level ?? 0) || (me.permission_level === 3 && user.permission_level === 3);
  const direct = room.chat.visibility === 'direct';
  const offered = user.id === me.id || direct ? [] : Object.entries(acts).filter(([, a]) => (a.level ? above && me.permission_level >= a.level : owns || above));
  return dialog(user.username, (close) => {
    const act = (name) => {
      const a = acts[name];
      const reason = h('input', { maxlength: '500' });
      const duration = a.durations && select(a.durations, a.durations[0][0]);
      dialog(`${a.text}: ${user.username}`, (closeAct) => form(async () => {
        const path = `/v1/portal/chats/${room.id}/${name}`;
        await post(path, { user_id: user.id, reason: reason.value.trim(), ...(duration && { duration: Number(duration.value) }) });
        closeAct();
        close();
        toast(`${a.text}: ${user.username}. Done.`, 'success');
      }, h('p', a.help), duration && field('How long', duration), field('Reason', reason, 'They may read it. May stay empty.'), h('div.actions', h('button.button.danger', a.text))));
    };
    const blocking = h('div.actions.start');
    const drawBlock = async () => {
      const blocked = (await get('/v1/users/me/blocks')).some((u) => u.id === user.id);
      blocking.replaceChildren(button(blocked ? 'Unblock' : 'Block from matching', async () => {
        await post(`/v1/users/${user.id}/${blocked ? 'unblock' : 'block'}`);
        toast(blocked ? `${user.username} is no longer blocked.` : `You will not be put together with ${user.username}.`, 'success');
        await drawBlock();
      }));
    };
    if (user.id !== me.id) drawBlock().catch(() => {}); // what cannot be known is not offered
    return h('div', h('div.person-card', avatar(user, 'large'), h('div', h('strong', user.username), h('p.hint', `Number ${user.id}`)), badge(user.permission_level)),
      offered.length ? h('div.actions.start', offered.map(([name, a]) => button(a.text, () => act(name), name === 'ban' || name === 'kick' ? 'danger' : ''))) : null,
      blocking);
  });
}
