// The Telegram bot, on grammY: long polling, nothing listens.
//
// It never asks for files or pictures: their URLs hold the token. Telegram lists neither a bot's groups nor
// their people: the groups are those it was told of, kept by Portal over a restart, and some of them are
// counted each time Portal is told.
import { setTimeout as sleep } from 'node:timers/promises';
import { Bot, GrammyError } from 'grammy';
import { greeting, main, Stop, told, Undelivered } from './portal.js';

const COUNTED = 20; // groups looked at for one report
const REPLY_MS = 30_000; // an answer to a person, waits for Telegram's limits included

main('telegram', { token: 'TELEGRAM_TOKEN', api: ['TELEGRAM_API_URL', 'https://api.telegram.org'] }, (portal, me) => {
  const { token, api } = portal.settings;
  const bot = new Bot(token, { client: { apiRoot: api, timeoutSeconds: 60 } });
  const groups = new Map(me.group_ids.map((id) => [id, 0])); // id: people; the longest uncounted first
  let polling;

  async function send(id, { text, code }, ms) {
    const end = Date.now() + ms;
    const entities = code ? [{ type: 'code', offset: text.indexOf(code), length: code.length }] : [];
    for (;;) {
      try {
        const more = { entities, link_preview_options: { is_disabled: true } };
        return await bot.api.sendMessage(id, text, more, AbortSignal.timeout(end - Date.now()));
      } catch (e) {
        const after = 1000 * e.parameters?.retry_after;
        if (!(Date.now() + after < end)) throw e;
        await sleep(after, undefined, { signal: portal.stopping });
      }
    }
  }

  async function deliver(id, message, ms) {
    try {
      await send(id, message, ms);
    } catch (e) {
      if (e.error_code === 403) throw new Undelivered('direct messages are closed');
      if (e.error_code === 400) throw new Undelivered('the person has not written to the bot yet');
      throw new Undelivered(e instanceof GrammyError ? `Telegram refused (${e.error_code})` : 'Telegram does not answer');
    }
  }

  // Polling hands out one update after the other: whoever waits for Portal must not keep the others waiting.
  const reply = (ctx, message) => portal.track(message.then((m) => send(ctx.chat.id, m, REPLY_MS)));
  const login = (ctx) => reply(ctx, portal.login({
    id: String(ctx.from.id), name: ctx.from.username ?? ctx.from.first_name, avatar: '',
  }));

  bot.use((ctx, next) => {
    if (!ctx.chat || ctx.chat.type === 'private') return next();
    const [id, moved] = [String(ctx.chat.id), ctx.message?.migrate_to_chat_id];
    const gone = moved || ['left', 'kicked'].includes(ctx.myChatMember?.new_chat_member.status);
    if (gone) groups.delete(id);
    else if (!groups.has(id)) groups.set(id, 0);
    if (moved) groups.set(String(moved), 0);
    return next();
  });
  const alone = bot.chatType('private');
  alone.command(['login', 'otp'], login);
  alone.command('start', (ctx) => (ctx.match === 'login' ? login(ctx) : reply(ctx, Promise.resolve(greeting(portal.site)))));
  bot.chatType(['group', 'supergroup']).command(['login', 'otp'], (ctx) => reply(ctx, Promise.resolve({
    text: `Codes are for you alone. Ask me in private: https://t.me/${ctx.me.username}?start=login`,
  })));
  bot.catch((e) => portal.log('warn', 'an update failed', told(e.error)));

  // A group that cannot be counted any more is one that the bot is not in.
  async function count(id) {
    groups.delete(id);
    try {
      groups.set(id, await bot.api.getChatMemberCount(id));
    } catch (e) {
      if (![400, 403].includes(e.error_code)) groups.set(id, 0);
    }
  }

  // A token that is refused, and a second program that polls with it, do not get better by waiting.
  function lasting(e) {
    if (e.error_code === 401 || e.error_code === 404) return new Stop('TELEGRAM_TOKEN is refused by Telegram');
    if (e.error_code === 409) return new Stop('another program polls Telegram with this TELEGRAM_TOKEN');
    return e;
  }

  return {
    deliver,
    async start() {
      await bot.init(portal.stopping).catch((e) => {
        throw lasting(e);
      });
      const commands = [{ command: 'login', description: 'Get a login code' }, { command: 'otp', description: 'The same' }];
      portal.track(bot.api.setMyCommands(commands));
      await new Promise((onStart, failed) => {
        polling = bot.start({ allowed_updates: ['message', 'my_chat_member'], onStart });
        polling.catch((e) => failed(lasting(e)));
      });
      this.ended = polling.catch((e) => {
        throw lasting(e);
      });
    },
    async report() {
      for (const id of [...groups.keys()].slice(0, COUNTED)) await count(id);
      const began = performance.now();
      await bot.api.getMe();
      return {
        group_ids: [...groups.keys()],
        users: [...groups.values()].reduce((sum, n) => sum + n, 0),
        latency_ms: Math.min(10_000, Math.round(performance.now() - began)),
        avatar_url: '',
      };
    },
    stop: () => bot.stop().catch((e) => portal.log('warn', 'Telegram was not told where to go on', told(e))),
  };
});
