// A Telegram of one bot, on loopback: the methods that the bot may use, and no other.
import { createServer } from 'node:http';
import { randomInt } from 'node:crypto';
import { until } from './harness.js';

export const TOKEN = '123456789:AAtest-token_of_the_fake';
const BOT = { id: 123456789, is_bot: true, first_name: 'Portal', username: 'portal_test_bot' };

export async function startTelegram() {
  const updates = [];
  const asked = new Map(); // group: who has asked there
  const waiting = new Set(); // polls
  let last = randomInt(1e6);
  const fake = {
    tokens: { TELEGRAM_TOKEN: TOKEN },
    closed: new Set(), // who has blocked the bot
    groups: new Map(), // id: people
    wrong: '123456789:AAanother-token_of_the_fake', // refused
    sent: [], // {to, text, marked: what is shown as code, public: in a group}
    methods: [], // what was called
    limit: 0, // so many messages get 429 first
    stalled: null, // a promise: messages wait for it
    conflict: false, // another program polls
  };

  const refuse = (code, description, parameters) => ({ ok: false, error_code: code, description, parameters });
  const methods = {
    getMe: () => BOT,
    deleteWebhook: () => true,
    setMyCommands: () => true,
    getChatMemberCount: ({ chat_id }) => fake.groups.get(String(chat_id)) ?? refuse(403, 'Forbidden: bot is not a member of the group chat'),
    async sendMessage({ chat_id, text, entities }) {
      await fake.stalled;
      const to = String(chat_id);
      if (fake.limit > 0) {
        fake.limit--;
        return refuse(429, 'Too Many Requests: retry after 1', { retry_after: 1 });
      }
      if (fake.closed.has(to)) return refuse(403, 'Forbidden: bot was blocked by the user');
      const marked = (entities ?? []).map((e) => text.slice(e.offset, e.offset + e.length));
      fake.sent.push({ to: asked.get(to) ?? to, text, marked, public: to.startsWith('-') });
      return { message_id: ++last, date: 0, chat: { id: chat_id, type: 'private' }, text };
    },
    async getUpdates({ offset = 0, timeout = 0 }, gone) {
      if (fake.conflict) return refuse(409, 'Conflict: terminated by other getUpdates request');
      while (updates[0]?.update_id < offset) updates.shift(); // these are confirmed
      if (!updates.length && timeout) {
        await Promise.race([gone, new Promise((done) => {
          waiting.add(done);
        })]);
      }
      return updates;
    },
  };

  const server = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    const [, token, method] = req.url.match(/^\/bot([^/]+)\/(\w+)$/) ?? [];
    let answer = refuse(404, 'Not Found');
    if (token !== TOKEN) answer = refuse(401, 'Unauthorized');
    else if (methods[method]) {
      const gone = new Promise((done) => {
        res.on('close', done);
      });
      const result = await methods[method](body ? JSON.parse(body) : {}, gone);
      answer = result?.ok === false ? result : { ok: true, result };
    }
    fake.methods.push(method);
    res.writeHead(answer.error_code ?? 200, { 'content-type': 'application/json' });
    res.end(JSON.stringify(answer));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  fake.tokens.TELEGRAM_API_URL = `http://127.0.0.1:${server.address().port}`;

  fake.update = (update) => {
    updates.push({ update_id: ++last, ...update });
    for (const done of waiting) done();
    waiting.clear();
  };
  const message = (person, chat, text) => ({
    message: {
      message_id: ++last, date: Math.floor(Date.now() / 1000), chat, text,
      from: { id: Number(person.id), is_bot: false, first_name: person.name, username: person.name },
      entities: [{ type: 'bot_command', offset: 0, length: text.split(' ')[0].length }],
    },
  });
  fake.say = (person, text) => fake.update(message(person, { id: Number(person.id), type: 'private', first_name: person.name }, text));
  const groupId = () => `-100${randomInt(1e9, 1e10)}`;
  fake.sayInGroup = (person, text) => {
    const id = groupId();
    asked.set(id, person.id);
    fake.update(message(person, { id: Number(id), type: 'supergroup', title: 'a group' }, text));
  };
  fake.join = (people, status = 'member', id = groupId()) => {
    fake.groups.set(id, people);
    fake.update({
      my_chat_member: {
        chat: { id: Number(id), type: 'supergroup', title: 'a group' }, date: 0, from: { id: 1, is_bot: false, first_name: 'a' },
        old_chat_member: { user: BOT, status: 'left' }, new_chat_member: { user: BOT, status },
      },
    });
    return id;
  };
  fake.next = (fits) => until(() => fake.sent.find(fits), 'a message on Telegram');
  fake.stop = () => new Promise((done) => {
    server.close(done);
    server.closeAllConnections();
  });
  return fake;
}
