// A Discord of one bot, on loopback: the part of its REST interface and of its gateway that the bot uses.
import { createServer } from 'node:http';
import { randomInt } from 'node:crypto';
import { WebSocketServer } from 'ws';
import { randomPlatformId, until } from './harness.js';

export const TOKEN = 'MTIzNDU2Nzg5.fake.token-of-the-fake';
const ID = '123456789012345678';
const USER = { id: ID, username: 'portal', discriminator: '0', avatar: '0123456789abcdef0123456789abcdef', bot: true };
const DISPATCH = 0, HEARTBEAT = 1, IDENTIFY = 2, RESUME = 6, HELLO = 10, HEARTBEAT_ACK = 11;
const EPHEMERAL = 64, CHANNEL_WITH_SOURCE = 5;

export async function startDiscord() {
  const fake = {
    tokens: { DISCORD_TOKEN: TOKEN },
    closed: new Set(), // who takes no direct messages
    wrong: 'MTIzNDU2Nzg5.fake.another-token', // refused
    sent: [], // {to, text, marked: what is shown as code, public: in a server, ephemeral}
    commands: [], // the bot's, as it has registered them
    limit: 0, // so many messages get 429 first
    stalled: null, // a promise: messages wait for it
    resumed: 0,
  };
  const guilds = [1, 2].map((n) => ({ id: randomPlatformId(), people: 10 * n }));
  const channels = new Map(); // id: person
  const interactions = new Map(); // token: {to, public, ephemeral}
  let gateway, sequence = 0; // gateway: the newest connection that is open
  const send = (socket, op, d, more) => socket.send(JSON.stringify({ op, d, ...more }));
  const dispatch = (t, d, socket = gateway) => send(socket, DISPATCH, d, { t, s: ++sequence });

  // ---- REST: a row a call, [method, path, what it does with (body, parts of the path)]
  const marked = (text) => text.match(/`(\w+)`/)?.slice(1) ?? [];
  const refused = (status, code, more) => ({ status, body: { code, message: 'refused', ...more } });
  const rows = [
    ['GET', /^\/gateway\/bot$/, () => ({
      url: fake.gateway, shards: 1, session_start_limit: { total: 1000, remaining: 999, reset_after: 1000, max_concurrency: 1 },
    })],
    ['PUT', /^\/applications\/\d+\/commands$/, (body) => {
      fake.commands = body;
      return body.map((c) => ({ ...c, id: randomPlatformId(), application_id: ID, version: '1', type: 1 }));
    }],
    ['POST', /^\/users\/@me\/channels$/, ({ recipient_id }) => {
      const id = randomPlatformId();
      channels.set(id, recipient_id);
      return { id, type: 1, recipients: [{ id: recipient_id, username: 'someone', discriminator: '0', avatar: null }] };
    }],
    ['POST', /^\/channels\/(\d+)\/messages$/, async ({ content }, channel) => {
      await fake.stalled;
      const to = channels.get(channel);
      if (!to) return refused(404, 10003);
      if (fake.closed.has(to)) return refused(403, 50007);
      if (fake.limit > 0) {
        fake.limit--;
        return { status: 429, headers: { 'retry-after': '1' }, body: { message: 'limited', retry_after: 1, global: false } };
      }
      fake.sent.push({ to, text: content, marked: marked(content), public: false });
      return message(channel, content);
    }],
    ['POST', /^\/interactions\/\d+\/([^/]+)\/callback$/, ({ type, data }, token) => {
      if (type !== CHANNEL_WITH_SOURCE) return refused(400, 50035);
      interactions.get(token).ephemeral = (data.flags & EPHEMERAL) !== 0;
      return undefined;
    }],
    ['PATCH', /^\/webhooks\/\d+\/([^/]+)\/messages\/@original$/, ({ content }, token) => {
      fake.sent.push({ ...interactions.get(token), text: content, marked: marked(content) });
      return message('1', content);
    }],
  ];
  const message = (channel_id, content) => ({
    id: randomPlatformId(), channel_id, content, author: USER, type: 0, timestamp: new Date().toISOString(), edited_timestamp: null,
    attachments: [], embeds: [], mentions: [], mention_roles: [], components: [], pinned: false, tts: false, mention_everyone: false,
  });

  const server = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    const path = decodeURIComponent(req.url.replace(/^\/v10/, '').replace(/\?.*/, ''));
    const open = /^\/(interactions|webhooks)\//.test(path); // these carry a token of their own
    const row = rows.find(([method, pattern]) => method === req.method && pattern.test(path));
    let answer = { status: 404, body: { code: 0, message: `${req.method} ${path}` } };
    if (!open && req.headers.authorization !== `Bot ${TOKEN}`) answer = { status: 401, body: { code: 0, message: '401: Unauthorized' } };
    else if (row) {
      const result = await row[2](body ? JSON.parse(body) : {}, ...path.match(row[1]).slice(1));
      answer = result?.status ? result : { status: result === undefined ? 204 : 200, body: result };
    }
    if (answer.body === undefined) return res.writeHead(answer.status).end();
    res.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    return res.end(JSON.stringify(answer.body));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  fake.gateway = `ws://127.0.0.1:${port}`;
  fake.tokens.DISCORD_API_URL = `http://127.0.0.1:${port}`;

  // ---- the gateway
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    gateway = socket;
    socket.on('close', () => {
      gateway = [...sockets.clients].findLast((other) => other.readyState === other.OPEN);
    });
    send(socket, HELLO, { heartbeat_interval: 500 });
    socket.on('message', (data) => {
      const { op, d } = JSON.parse(data);
      if (op === HEARTBEAT) send(socket, HEARTBEAT_ACK, null);
      if ((op === IDENTIFY || op === RESUME) && d.token !== TOKEN) socket.close(4004, 'Authentication failed');
      else if (op === RESUME) {
        fake.resumed++;
        dispatch('RESUMED', {}, socket);
      } else if (op === IDENTIFY) {
        dispatch('READY', {
          v: 10, user: USER, session_id: 'a-session', resume_gateway_url: fake.gateway, shard: [0, 1],
          application: { id: ID, flags: 0 }, guilds: guilds.map(({ id }) => ({ id, unavailable: true })),
        }, socket);
        for (const { id, people } of guilds) {
          dispatch('GUILD_CREATE', {
            id, name: 'a server', owner_id: '1', member_count: people, unavailable: false, large: false, joined_at: new Date().toISOString(),
            channels: [], threads: [], roles: [{ id, name: '@everyone', permissions: '0', position: 0, color: 0, flags: 0 }],
            members: [], emojis: [], stickers: [], features: [], presences: [], voice_states: [],
          }, socket);
        }
      }
    });
  });

  const ask = (person, text, more, alone) => {
    const token = `interaction-${randomInt(1e12)}`;
    const user = { id: person.id, username: person.name, discriminator: '0', avatar: null };
    interactions.set(token, { to: person.id, public: !alone });
    dispatch('INTERACTION_CREATE', {
      id: randomPlatformId(), application_id: ID, type: 2, token, version: 1, channel_id: '1', channel: { id: '1', type: alone ? 1 : 0 },
      locale: 'en-US', entitlements: [], authorizing_integration_owners: {}, app_permissions: '0', attachment_size_limit: 1,
      data: { id: '1', name: text.slice(1), type: 1 }, ...more(user),
    });
  };
  fake.say = (person, text) => ask(person, text, (user) => ({ context: 1, user }), true);
  fake.sayInGroup = (person, text) => ask(person, text, (user) => ({
    context: 0, guild_id: guilds[0].id, member: { user, roles: [], permissions: '0', joined_at: new Date().toISOString(), deaf: false, mute: false, flags: 0 },
  }), false);
  fake.next = (fits) => until(() => fake.sent.find(fits), 'a message on Discord');
  fake.cut = () => gateway.terminate();
  fake.end = (code) => gateway.close(code);
  fake.stop = () => new Promise((done) => {
    for (const client of sockets.clients) client.terminate();
    server.close(done);
    server.closeAllConnections();
  });
  return fake;
}
