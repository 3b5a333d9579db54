// What the bots of all platforms share: settings, Portal's HTTP interface, its socket, start and stop.
//
// A platform's file calls main() with a function that opens the platform:
//
//   main('telegram', { token: 'TELEGRAM_TOKEN', api: ['TELEGRAM_API_URL', 'https://…'] }, (portal, me) => ({
//     start(),                        // signs in there; throws Stop when that can never work
//     ended,                          // a promise that rejects when the platform has given up for good
//     deliver(id, message, ms),       // a direct message, within that time; throws Undelivered(reason)
//     report(),                       // {group_ids, users, latency_ms, avatar_url} for bot/me/update
//     stop(),                         // what was under way has been answered
//   }));
//
// and asks portal.login(person) for the message that answers a person: {text, code?}. Where there is a
// code, the platform shows it to that person alone. A code is in no log, as is nothing that libraries
// say of their errors: Telegram's URLs hold the token.
//
// To add a platform: a file beside telegram.js, its package in package.json.
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';

const FETCH_MS = 5_000; // a request to Portal
const PERSON_MS = 90_000; // what a person waits for Portal's limits, which are a minute long
const AWAY_MS = 10_000; // what anybody waits for a Portal that is away
const PUSH_MS = 2_500; // a direct message that was pushed: after 3 s Portal asks another bot
const REFUSED_MS = 15_000; // until a socket that was refused is tried again
const STOP_MS = 10_000; // until a stop that hangs is ended
const MAX_GROUPS = 2_000; // that Portal takes

// Ends the bot; the message is for its operator.
export class Stop extends Error {}

// A direct message did not arrive. The reason goes to Portal.
export class Undelivered extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

// What Portal answered instead of 200; `code` is ERR_UNREACHABLE when it did not answer.
class Refused extends Error {
  constructor(status, body) {
    super(body?.code ?? 'ERR_UNREACHABLE');
    this.status = status;
    this.code = this.message;
    this.body = body;
  }
}

// ---- settings and log ---------------------------------------------------------------------------

// NAME, or the content of the file that NAME_FILE names.
function setting(name, otherwise) {
  const file = process.env[`${name}_FILE`];
  let value = process.env[name];
  if (!value && file) {
    try {
      value = readFileSync(file, 'utf8').trim();
    } catch (e) {
      throw new Stop(`${name}_FILE names a file that cannot be read (${e.code})`);
    }
  }
  value ||= otherwise;
  if (!value) throw new Stop(`${name} is not set (nor is ${name}_FILE)`);
  return value;
}

function urlSetting(name, otherwise) {
  const value = setting(name, otherwise).replace(/\/+$/, '');
  if (!URL.canParse(value) || !/^https?:/.test(value)) throw new Stop(`${name} is not a URL with http or https`);
  return value;
}

function readSettings({ token, api: [api, otherwise] }) {
  const seconds = Number(setting('UPDATE_SECONDS', '60'));
  if (!(seconds >= 1 && seconds <= 3600)) throw new Stop('UPDATE_SECONDS must be 1 to 3600');
  return {
    token: setting(token),
    key: setting('PORTAL_API_KEY'),
    url: new URL(urlSetting('PORTAL_URL')).origin,
    site: urlSetting('SITE_URL'),
    api: urlSetting(api, otherwise),
    updateMs: seconds * 1000,
  };
}

// A line of JSON each. What is secret is taken out, should it ever get in.
function logger(secrets = []) {
  return (level, message, more) => {
    let line = JSON.stringify({ time: new Date().toISOString(), level, message, ...more });
    for (const secret of secrets) line = line.replaceAll(secret, '[secret]');
    process.stderr.write(`${line}\n`);
  };
}

// What may be said of an error.
export const told = (e) => ({ error: e.reason ?? e.code ?? e.error_code ?? e.name, status: e.status });

// ---- what people read ----------------------------------------------------------------------------

const minutes = (expires_at) => Math.max(1, Math.floor((Date.parse(expires_at) - Date.now()) / 60_000));

function codeMessage(site, { code, expires_at, is_new_user }, asked) {
  const n = minutes(expires_at);
  const lines = [
    code,
    `is your Portal login code for the next ${n} ${n === 1 ? 'minute' : 'minutes'}.`,
    `Enter it at ${site} and nowhere else.`,
  ];
  if (is_new_user) lines.push('It makes your account.');
  if (!asked) lines.push('You did not ask for it? Then ignore it.');
  return { code, text: lines.join('\n') };
}

const pointers = {
  ERR_USER_NOT_FOUND: (site) => `There is no account for you yet, and no code is waiting. Sign up at ${site} first.`,
  ERR_WEB_LOGIN_REQUIRED: (site) => `It is time to sign in at ${site} once: ask for a code there. After that /login works here again.`,
  NO_CODE: (site) => `No code could be made just now. Sign in at ${site}.`,
};

function refusal(e) {
  const { reason, expires_at } = e.body ?? {};
  const state = { ERR_ACCOUNT_BANNED: 'banned', ERR_ACCOUNT_TIMEOUT: 'timed out' }[e.code];
  if (!state) return { text: 'Portal cannot be reached right now. Please try again in a minute.' };
  const until = expires_at ? ` until ${expires_at.slice(0, 16).replace('T', ' ')} UTC` : '';
  return { text: `Your account is ${state}${until}${reason ? `: ${reason}` : '.'}` };
}

export const greeting = (site) => ({ text: `I send the login codes of ${site}. Write /login to get one.` });

// ---- Portal -------------------------------------------------------------------------------------

class Portal {
  constructor(platform, settings, log, stopping) {
    Object.assign(this, { platform, log, stopping, site: settings.site, settings });
    this.notBefore = new Map(); // path: when Portal wants to hear of it again
    this.asking = new Map(); // person: the answer under way
    this.underway = new Set();
  }

  // POST with a body, else GET. Waits as long as Portal says on a 429, up to `budget` milliseconds in all,
  // and for AWAY_MS, longer each time, while it is away; throws Refused.
  async call(path, body, budget) {
    const began = Date.now();
    const end = began + budget;
    for (let delay = 500; ; delay = Math.min(2 * delay, 15_000)) {
      const pause = (this.notBefore.get(path) ?? 0) - Date.now();
      if (pause > 0) {
        if (Date.now() + pause > end) throw new Refused(429, { code: 'ERR_RATE_LIMITED' });
        await sleep(pause, undefined, { signal: this.stopping });
      }
      const refused = await this.once(path, body);
      if (!(refused instanceof Refused)) return refused;
      if (refused.status === 429) {
        this.notBefore.set(path, Date.now() + (refused.after ?? delay));
        this.log('warn', 'Portal wants less', { path, wait_ms: refused.after ?? delay });
        continue;
      }
      const wait = Math.max(refused.after ?? 0, delay * (0.5 + Math.random() / 2));
      if ((refused.status && refused.status < 500) || Date.now() + wait > began + AWAY_MS) throw refused;
      await sleep(wait, undefined, { signal: this.stopping });
    }
  }

  async once(path, body) {
    try {
      const r = await fetch(this.settings.url + path, {
        method: body ? 'POST' : 'GET',
        headers: { 'x-api-key': this.settings.key, ...(body && { 'content-type': 'application/json' }) },
        body: body && JSON.stringify(body),
        redirect: 'error', // the key goes to Portal only
        signal: AbortSignal.timeout(FETCH_MS),
      });
      const answer = await r.json().catch(() => undefined);
      if (r.ok && answer) return answer;
      const refused = new Refused(r.ok ? 502 : r.status, { code: `HTTP_${r.status}`, ...answer });
      const after = Number(r.headers.get('retry-after'));
      if (after > 0) refused.after = after * 1000;
      return refused;
    } catch {
      return new Refused(0);
    }
  }

  // The bot as Portal knows it. Waits for a Portal that is away; a key of no use ends the start.
  async introduce() {
    for (;;) {
      try {
        const me = await this.call('/v1/bot/me', undefined, PERSON_MS);
        if (me.platform !== this.platform) throw new Stop(`PORTAL_API_KEY is that of a bot for ${me.platform}, not for ${this.platform}`);
        if (!me.login) throw new Stop('PORTAL_API_KEY is that of a bot that may not send login codes');
        return me;
      } catch (e) {
        if (!(e instanceof Refused)) throw e;
        if (e.status === 401) throw new Stop('PORTAL_API_KEY is refused by Portal');
        this.log('warn', 'Portal does not answer yet', told(e));
      }
    }
  }

  // The answer to /login and /otp of {id, name, avatar}: a message. Asked again meanwhile, the same one.
  login(person) {
    let answer = this.asking.get(person.id);
    if (!answer) {
      answer = this.answer(person).catch((e) => {
        if (!e.code?.startsWith('ERR_ACCOUNT')) this.log('warn', 'a person got no code', told(e));
        return refusal(e);
      }).finally(() => this.asking.delete(person.id));
      this.asking.set(person.id, answer);
    }
    return answer;
  }

  // Quick login, then a web code that is pending, then a pointer to the website.
  async answer({ id, name, avatar }) {
    const who = { platform: this.platform, platform_user_id: id, platform_username: name, platform_avatar_url: avatar };
    let pointer = pointers.NO_CODE;
    try {
      const quick = await this.call('/v1/authentication/bot/send-code', who, PERSON_MS);
      if (quick.code) return codeMessage(this.site, quick, true);
    } catch (e) {
      pointer = pointers[e.code];
      if (!pointer) throw e;
    }
    const web = await this.call('/v1/authentication/bot/login-code', who, PERSON_MS);
    return web.code ? codeMessage(this.site, web, true) : { text: pointer(this.site) };
  }

  // Work that a stop waits for. Its errors are logged here.
  track(work) {
    const done = work.catch((e) => this.log('warn', 'an answer did not arrive', told(e))).finally(() => this.underway.delete(done));
    this.underway.add(done);
  }

  // The socket on which Portal pushes codes; it comes back by itself.
  listen(deliver) {
    const socket = io(`${this.settings.url}/bot`, {
      auth: { api_key: this.settings.key }, transports: ['websocket'], reconnectionDelayMax: 15_000,
    });
    // After a refusal the client stays away: the key may be good again later.
    const again = () => setTimeout(() => socket.connect(), REFUSED_MS).unref();
    socket.on('connect', () => this.log('info', 'connected to Portal'));
    socket.on('disconnect', (reason) => {
      if (this.stopping.aborted) return;
      this.log('warn', 'disconnected from Portal', { reason });
      if (!socket.active) again();
    });
    socket.on('connect_error', (e) => {
      this.log('warn', 'Portal takes no connection', { error: e.data?.code ?? 'ERR_UNREACHABLE' });
      if (!socket.active) again();
    });
    socket.on('login:code', (push, ack) => this.track(this.pass(deliver, push, ack)));
    this.stopping.addEventListener('abort', () => socket.disconnect());
  }

  // Passes a pushed code on and says whether it arrived.
  async pass(deliver, push, ack) {
    const late = new Promise((_, reject) => {
      setTimeout(reject, PUSH_MS, new Undelivered('no answer in time')).unref();
    });
    try {
      await Promise.race([deliver(push.platform_user_id, codeMessage(this.site, push, false), PUSH_MS), late]);
      ack({ delivered: true });
    } catch (e) {
      ack({ delivered: false, reason: e.reason ?? 'failed' });
      this.log('info', 'a pushed code was not delivered', told(e));
    }
  }

  // Tells Portal about the bot, once a minute until the stop.
  async reportOn(report) {
    while (!this.stopping.aborted) {
      try {
        const state = await report();
        await this.call('/v1/bot/me/update', { ...state, group_ids: state.group_ids.slice(0, MAX_GROUPS) }, this.settings.updateMs);
      } catch (e) {
        if (!this.stopping.aborted) this.log('warn', 'Portal was not told about the bot', told(e));
      }
      await sleep(this.settings.updateMs, undefined, { signal: this.stopping }).catch(() => {});
    }
  }
}

// ---- start and stop -------------------------------------------------------------------------------

async function serve(portal, open) {
  const { stopping, log } = portal;
  const stopped = new Promise((resolve) => {
    stopping.addEventListener('abort', resolve);
  });
  const me = await portal.introduce();
  const platform = open(portal, me);
  try {
    await Promise.race([platform.start(), stopped]);
    if (stopping.aborted) return;
    portal.listen(platform.deliver);
    portal.track(portal.reportOn(platform.report));
    log('info', 'ready', { platform: portal.platform });
    await Promise.race([stopped, platform.ended]);
  } finally {
    portal.stop();
    await Promise.all(portal.underway);
    await platform.stop();
    await Promise.all(portal.underway);
  }
}

export async function main(platform, names, open) {
  let log = logger();
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // everybody who waits
  const fail = (e) => {
    process.exitCode = 1;
    if (e instanceof Stop) log('error', e.message);
    else log('error', 'the bot failed', { ...told(e), stack: String(e.stack).split('\n').slice(1, 6).map((l) => l.trim()) });
  };
  const end = () => {
    stop.abort();
    setTimeout(() => process.exit(1), STOP_MS).unref();
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, end);
  process.on('uncaughtException', (e) => (fail(e), end()));
  try {
    const settings = readSettings(names);
    log = logger([settings.token, settings.key]);
    const portal = new Portal(platform, settings, log, stop.signal);
    portal.stop = end;
    await serve(portal, open);
  } catch (e) {
    if (!(stop.signal.aborted && e.name === 'AbortError')) fail(e);
  }
  if (!process.exitCode) log('info', 'stopped');
}
