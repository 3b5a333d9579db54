// The sweep: at each operation of each handler the client is dropped, the operation fails, or the
// deadline passes (the test build takes X-Portal-Fault: kind:k and tells X-Portal-Steps). Nothing may
// crash, hang or leak (sanitizers tell), every answer is the contract's, and what was cut short can be
// done again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, randomAddress, randomPlatformId, startPortal } from './harness.js';

let portal;
let alice;
let owner;
let bot;
before(async () => {
  portal = await startPortal({
    RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_BOT: '0',
    RATE_LIMIT_HEALTH: '0', MAX_SESSIONS_PER_USER: '100', BOT_LOGIN_WEB_REQUIRED_EVERY: '0',
  });
  alice = await portal.signIn();
  owner = await portal.withLevel('owner');
  bot = await portal.bot('discord');
});
after(() => portal.stop());

const identity = (id) => ({ platform: 'discord', platform_user_id: id, platform_username: 'n', platform_avatar_url: '' });
const webCode = async (from, id = randomPlatformId()) => {
  await portal.post('/v1/authentication/request', { platform: 'discord', platform_user_id: id }, { from });
  return portal.fetchCode('discord', id);
};
const newChat = async (body = {}) => (await owner.post('/v1/portal/chats', { name: 'swept', ...body })).body.id;
const newSlug = () => `swept-${randomPlatformId().slice(0, 20)}`;
const newInvite = async (id) => (await owner.post(`/v1/portal/chats/${id}/invites`, {})).body.code;
const newMember = async (id) => {
  const person = await portal.signIn();
  await person.post(`/v1/portal/resolve/${await newInvite(id)}`);
  return person;
};
let people = 0;
const newPerson = async (restriction = null) => (await portal.db.query(
  'INSERT INTO users (username, restriction, subscription_level) VALUES ($1, $2, 2) RETURNING id::int', [`swept.${++people}`, restriction])).rows[0];
const newBot = async () => (await owner.post('/v1/admin/bots', { name: 'swept', owner_id: owner.id, platform: 'discord', rate_limit_per_hour: 10 })).body;
const newNotification = async () => (await portal.db.query("SELECT notify($1, 't', 'b', 'info', NULL) AS id", [alice.id])).rows[0].id;
const newAnnouncement = async () => (await owner.post('/v1/admin/announcements', { title: 't', body: 'b' })).body.announcement.id;
let tags = 0;
const newSearch = async (interest = `swept${++tags}`) => {
  const person = await portal.signIn();
  await person.post('/v1/portal/match', { interest });
  return person;
};
// Two people in a direct chat: {chat, people}.
const newPair = async () => {
  const interest = `swept${++tags}`;
  const two = [await newSearch(interest), await newSearch(interest)];
  return { people: two, chat: (await two[0].get('/v1/portal/match/status')).body.chat.chat.id };
};
const inPair = async (method, path, body) => {
  const { people: [person], chat } = await newPair();
  return [method, `/v1/portal/chats/${chat}${path}`, { cookie: person.token, body }];
};

// Each gives a fresh request that would succeed: [method, target, options].
const calls = {
  lookup: async () => ['POST', '/v1/authentication/lookup', { body: { username: alice.username } }],
  request: async () => ['POST', '/v1/authentication/request', { body: { platform: 'discord', platform_user_id: randomPlatformId() }, from: randomAddress() }],
  verify: async () => {
    const from = randomAddress();
    return ['POST', '/v1/authentication/verify', { body: { code: await webCode(from) }, from }];
  },
  'verify by bot code': async () => {
    const { body } = await portal.post('/v1/authentication/bot/send-code', identity(alice.platform_user_id), { key: bot.key });
    return ['POST', '/v1/authentication/verify', { body: { code: body.code }, from: randomAddress() }];
  },
  'send-code': async () => ['POST', '/v1/authentication/bot/send-code', { body: identity(alice.platform_user_id), key: bot.key }],
  'login-code': async () => ['POST', '/v1/authentication/bot/login-code', { body: identity(randomPlatformId()), key: bot.key }],
  logout: async () => ['POST', '/v1/authentication/logout', { cookie: (await portal.signIn()).token }],
  me: async () => ['GET', '/v1/users/me', { cookie: alice.token }],
  'me, forgotten by Redis': async () => {
    await portal.redis.flushdb();
    return ['GET', '/v1/users/me', { cookie: alice.token }];
  },
  update: async () => ['POST', '/v1/users/me/update', { cookie: alice.token, body: { username: alice.username, avatar_source: 'discord_1' } }],
  sessions: async () => ['GET', '/v1/users/me/sessions', { cookie: alice.token }],
  destroy: async () => {
    const second = await portal.signIn({ id: alice.platform_user_id });
    return ['POST', `/v1/users/me/sessions/${second.token.slice(-6)}/destroy`, { cookie: alice.token }];
  },
  'destroy-others': async () => ['POST', '/v1/users/me/sessions/destroy-others', { cookie: alice.token }],
  punishments: async () => ['GET', '/v1/users/me/punishments', { cookie: alice.token }],
  subscription: async () => ['GET', '/v1/users/me/subscription', { cookie: alice.token }],
  chats: async () => ['GET', '/v1/users/me/chats', { cookie: alice.token }],
  preferences: async () => ['GET', '/v1/users/me/preferences', { cookie: alice.token }],
  'set preferences': async () => ['POST', '/v1/users/me/preferences', { cookie: alice.token, body: { theme: 'dark' } }],
  link: async () => {
    const person = await portal.signIn({ platform: 'telegram' });
    return ['POST', '/v1/users/me/platforms/link', { cookie: person.token, from: person.from, body: { code: await webCode(person.from) } }];
  },
  unlink: async () => {
    const person = await portal.signIn({ platform: 'telegram' });
    const code = await webCode(person.from);
    await person.post('/v1/users/me/platforms/link', { code });
    return ['POST', '/v1/users/me/platforms/discord/unlink', { cookie: person.token }];
  },
  export: async () => ['GET', '/v1/users/me/export', { cookie: alice.token }],
  delete: async () => {
    const person = await portal.signIn();
    return ['POST', '/v1/users/me/delete', { cookie: person.token, body: { username: person.username } }];
  },
  user: async () => ['GET', `/v1/users/${alice.id}`, { cookie: alice.token }],
  profile: async () => ['GET', `/v1/users/profile/${alice.username}`, {}],
  search: async () => ['GET', '/v1/users/search?q=user', { cookie: alice.token }],
  notifications: async () => ['GET', '/v1/notifications', { cookie: alice.token }],
  unread: async () => ['GET', '/v1/notifications/unread-count', { cookie: alice.token }],
  'unread, kept by nobody': async () => {
    await portal.redis.del(`portal:unread:${alice.id}`);
    return ['GET', '/v1/notifications/unread-count', { cookie: alice.token }];
  },
  'read one': async () => ['POST', `/v1/notifications/${await newNotification()}/read`, { cookie: alice.token }],
  'read all': async () => ['POST', '/v1/notifications/read-all', { cookie: alice.token }],
  notify: async () => ['POST', '/v1/admin/notifications', { cookie: owner.token, body: { user_ids: [alice.id], title: 't', body: 'b' } }],
  'notify everyone': async () => ['POST', '/v1/admin/notifications', { cookie: owner.token, body: { user_ids: 'all', title: 't', body: 'b' } }],
  announcements: async () => ['GET', '/v1/announcements', {}],
  announce: async () => ['POST', '/v1/admin/announcements', { cookie: owner.token, body: { title: 't', body: 'b' } }],
  'take an announcement back': async () => ['POST', `/v1/admin/announcements/${await newAnnouncement()}/delete`, { cookie: owner.token }],
  bots: async () => ['GET', '/v1/bots', {}],
  'search bots': async () => ['GET', '/v1/bots/search?q=bot', { cookie: alice.token }],
  'one bot': async () => ['GET', `/v1/bots/${bot.id}`, { cookie: owner.token }],
  'bot me': async () => ['GET', '/v1/bot/me', { key: bot.key }],
  'bot update': async () => ['POST', '/v1/bot/me/update', { key: bot.key, body: { users: 3, latency_ms: 12 } }],
  'bot user': async () => ['GET', `/v1/bot/users/${alice.platform_user_id}`, { key: bot.key }],
  'make a bot': async () => ['POST', '/v1/admin/bots', { cookie: owner.token, body: { name: 'swept', owner_id: owner.id, platform: 'discord', rate_limit_per_hour: 10 } }],
  'list bots': async () => ['GET', '/v1/admin/bots', { cookie: owner.token }],
  'update a bot': async () => ['POST', `/v1/admin/bots/${(await newBot()).bot.id}/update`, { cookie: owner.token, body: { name: 'renamed' } }],
  'regenerate a key': async () => ['POST', `/v1/admin/bots/${(await newBot()).bot.id}/regenerate-key`, { cookie: owner.token }],
  'reset a bot': async () => ['POST', `/v1/admin/bots/${(await newBot()).bot.id}/reset-stats`, { cookie: owner.token }],
  'delete a bot': async () => ['POST', `/v1/admin/bots/${(await newBot()).bot.id}/delete`, { cookie: owner.token }],
  directory: async () => ['GET', '/v1/portal/directory?q=swept', { cookie: alice.token }],
  'all chats': async () => ['GET', '/v1/portal/chats', { cookie: owner.token }],
  'make a chat': async () => ['POST', '/v1/portal/chats', { cookie: owner.token, body: { name: 'swept', slug: newSlug() } }],
  'one chat': async () => ['GET', `/v1/portal/chats/${await newChat()}`, { cookie: owner.token }],
  members: async () => ['GET', `/v1/portal/chats/${await newChat()}/members`, { cookie: owner.token }],
  activity: async () => ['GET', `/v1/portal/chats/${await newChat()}/activity`, { cookie: owner.token }],
  status: async () => ['GET', '/v1/portal/status', { cookie: owner.token }],
  'open a chat': async () => ['POST', `/v1/portal/chats/${await newChat()}/config/update`, { cookie: owner.token, body: { slug: newSlug(), wipe_preset: '1h' } }],
  'close a chat': async () => ['POST', `/v1/portal/chats/${await newChat({ slug: newSlug() })}/config/update`, { cookie: owner.token, body: { slug: null } }],
  'destroy a chat': async () => ['POST', `/v1/portal/chats/${await newChat()}/delete`, { cookie: owner.token }],
  'leave a chat': async () => {
    const id = await newChat();
    return ['POST', `/v1/portal/chats/${id}/leave`, { cookie: (await newMember(id)).token }];
  },
  'make an invite': async () => ['POST', `/v1/portal/chats/${await newChat()}/invites`, { cookie: owner.token, body: { max_uses: 2 } }],
  invites: async () => ['GET', `/v1/portal/chats/${await newChat()}/invites`, { cookie: owner.token }],
  'revoke an invite': async () => {
    const id = await newChat();
    return ['POST', `/v1/portal/chats/${id}/invites/${await newInvite(id)}/delete`, { cookie: owner.token }];
  },
  resolve: async () => ['GET', `/v1/portal/resolve/${await newInvite(await newChat())}`, { cookie: alice.token }],
  join: async () => ['POST', `/v1/portal/resolve/${await newInvite(await newChat())}`, { cookie: alice.token }],
  'chats of all': async () => ['GET', '/v1/admin/chats', { cookie: owner.token }],
  'official chat': async () => ['POST', '/v1/admin/chats', { cookie: owner.token, body: { name: 'swept', slug: newSlug() } }],
  'update any chat': async () => ['POST', `/v1/admin/chats/${await newChat()}/update`, { cookie: owner.token, body: { label: 'l' } }],
  'destroy any chat': async () => ['POST', `/v1/admin/chats/${await newChat()}/delete`, { cookie: owner.token }],
  'kick from any chat': async () => {
    const id = await newChat();
    return ['POST', `/v1/admin/chats/${id}/kick`, { cookie: owner.token, body: { user_id: (await newMember(id)).id } }];
  },
  'transfer a chat': async () => ['POST', `/v1/admin/chats/${await newChat()}/transfer`, { cookie: owner.token, body: { user_id: alice.id } }],
  statistics: async () => ['GET', '/v1/statistics/app', {}],
  people: async () => ['GET', '/v1/admin/users?q=user&state=active', { cookie: owner.token }],
  'record of a person': async () => ['GET', `/v1/admin/users/${alice.id}`, { cookie: owner.token }],
  'set a level': async () => ['POST', `/v1/admin/users/${(await newPerson()).id}/permission`, { cookie: owner.token, body: { level: 1 } }],
  'make an Admin': async () => {
    const person = await portal.signIn();
    return ['POST', `/v1/admin/users/${person.id}/permission`, { cookie: owner.token, body: { level: 2 } }];
  },
  warn: async () => ['POST', `/v1/admin/users/${(await newPerson()).id}/warn`, { cookie: owner.token, body: { reason: 'swept' } }],
  'time out': async () => ['POST', `/v1/admin/users/${(await newPerson()).id}/timeout`, { cookie: owner.token, body: { duration: 60 } }],
  ban: async () => ['POST', `/v1/admin/users/${(await portal.signIn()).id}/ban`, { cookie: owner.token, body: {} }],
  unban: async () => ['POST', `/v1/admin/users/${(await newPerson('banned')).id}/unban`, { cookie: owner.token, body: {} }],
  'grant a subscription': async () => ['POST', '/v1/admin/subscriptions/grant', { cookie: owner.token, body: { user_id: (await newPerson()).id, level: 3 } }],
  'revoke a subscription': async () => ['POST', '/v1/admin/subscriptions/revoke', { cookie: owner.token, body: { user_id: (await newPerson()).id, reason: 'swept' } }],
  'active subscriptions': async () => ['GET', '/v1/admin/subscriptions/active', { cookie: owner.token }],
  'audit log': async () => ['GET', `/v1/admin/audit?actor_id=${owner.id}`, { cookie: owner.token }],
  search: async () => ['POST', '/v1/portal/match', { cookie: (await portal.signIn()).token, body: { interest: `swept${++tags}` } }],
  'search and find': async () => {
    const interest = `swept${++tags}`;
    await newSearch(interest);
    return ['POST', '/v1/portal/match', { cookie: (await portal.signIn()).token, body: { interest } }];
  },
  'where the search stands': async () => ['GET', '/v1/portal/match/status', { cookie: alice.token }],
  'end a search': async () => ['POST', '/v1/portal/match/dequeue', { cookie: (await newSearch()).token }],
  'leave a direct chat': async () => ['POST', '/v1/portal/match/leave', { cookie: (await newPair()).people[0].token }],
  'a direct chat': () => inPair('GET', ''),
  'its members': () => inPair('GET', '/members'),
  'its history': () => inPair('GET', '/history'),
  'the chats of who is in one': async () => ['GET', '/v1/portal/chats?limit=2', { cookie: (await newPair()).people[0].token }],
  'delete an account in one': async () => {
    const { people: [person] } = await newPair();
    return ['POST', '/v1/users/me/delete', { cookie: person.token, body: { username: person.username } }];
  },
  block: async () => ['POST', `/v1/users/${(await newPerson()).id}/block`, { cookie: alice.token }],
  unblock: async () => ['POST', `/v1/users/${owner.id}/unblock`, { cookie: alice.token }],
  blocks: async () => ['GET', '/v1/users/me/blocks', { cookie: alice.token }],
  health: async () => ['GET', '/health', {}],
  'admin health': async () => ['GET', '/v1/admin/health', { cookie: owner.token }],
};

for (const [name, make] of Object.entries(calls)) {
  for (const kind of ['drop', 'fail', 'deadline']) {
    test(`${name}: ${kind} at each step`, async () => {
      let steps = Infinity;
      let k = 0;
      for (; k < steps && k < 30; k++) {
        const [method, target, options] = await make();
        const headers = { ...options.headers, 'x-portal-fault': `${kind}:${k}` };
        let r;
        try {
          r = await portal.send(method, target, { ...options, headers });
        } catch (error) {
          assert.equal(kind, 'drop', `${error}`);
        }
        if (r?.headers['x-portal-steps'] && r.status < 400) steps = Number(r.headers['x-portal-steps']);
        if (r && r.status >= 400) assertError(r, 503, 'ERR_UNAVAILABLE');
        // After each cut the same request, made afresh, is served.
        const [m, tgt, o] = await make();
        const again = await portal.send(m, tgt, o);
        assert.ok(again.status < 400, `${name} after ${kind}:${k}: ${again.text}`);
      }
      assert.ok(k > 0 && k < 30, `the sweep reached the end after ${k} steps`);
    });
  }
}
