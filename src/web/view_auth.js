// Signing in: a name, then one of its platforms, then the code that the bot sent. Who is new starts with
// the platform; who asked the bot for a code starts with that.
import { ApiError, openPost, serverSettings } from './api.js';
import { avatar, field, form, h, logo } from './dom.js';
import { go } from './go.js';
import { signedIn } from './session.js';
import { state } from './store.js';

const title = (platform) => platform[0].toUpperCase() + platform.slice(1);
const finding = {
  discord: 'In Discord: Settings → Advanced → Developer Mode, then right-click your name → Copy User ID.',
  telegram: 'In Telegram: send /id to the Portal bot; it answers with your number.',
};

export function show(place) {
  const card = h('section.card.sign', { 'aria-live': 'polite' });
  place.append(h('div.sign-page', h('div.sign-hello', logo(), h('h1', 'Chats that only the people in them can read.'), h('p', 'No password: a bot on a platform you already use sends you a code.')), card));
  const step = (...children) => {
    card.replaceChildren(...children.filter(Boolean));
    card.querySelector('input')?.focus();
  };
  const link = (text, onclick) => h('button.link', { type: 'button', onclick }, text);
  const foot = (...links) => h('div.sign-foot', links);

  function start() {
    const name = field('Your username', h('input', { name: 'username', autocomplete: 'username', maxlength: '32', autocapitalize: 'none', spellcheck: 'false' }));
    step(h('h2', 'Sign in'), state.ended && h('p.note', state.ended), form(async () => {
      name.fail('');
      const username = name.querySelector('input').value.trim();
      try {
        choose(await openPost('/v1/authentication/lookup', { username }));
      } catch (error) {
        name.fail(error.code === 'ERR_USER_NOT_FOUND' ? `Nobody here is called ${username}.` : error.message);
      }
    }, name, h('button.button.primary.full', 'Continue')), foot(link('New here: choose a platform', newcomer), link('I already have a code', () => enter())));
  }

  function choose(person) {
    const problem = h('p.problem', { role: 'alert' });
    step(h('div.sign-who', avatar(person, 'large'), h('div', h('h2', `Hello, ${person.username}`), h('p', 'Where shall the code go?'))),
      person.platforms.length ? h('div.platforms', person.platforms.map((p) => h('button.platform', { type: 'button', onclick: () => request(p.platform, p.platform_user_id, (e) => (problem.textContent = e.message)) }, h(`span.platform-mark.${p.platform}`), h('span', title(p.platform))))) : h('p', 'No platform is linked to this account.'),
      problem, foot(link('Another name', start), link('I already have a code', () => enter())));
  }

  async function newcomer() {
    const { platforms } = await serverSettings();
    const picked = h('fieldset.platforms', h('legend.unseen', 'Platform'), platforms.map((p, i) => h('label.platform', h('input', { type: 'radio', name: 'platform', value: p, checked: i === 0 }), h(`span.platform-mark.${p}`), h('span', title(p)))));
    const platform = () => picked.querySelector('input:checked').value;
    const id = field('Your id there', h('input', { name: 'id', inputmode: 'numeric', autocomplete: 'off', maxlength: '64', spellcheck: 'false' }), finding[platforms[0]]);
    picked.addEventListener('change', () => (id.querySelector('.hint').textContent = finding[platform()] ?? ''));
    step(h('h2', 'New here'), h('p', 'Choose where you are already. The bot there sends you a code, and your account is made.'),
      form(() => request(platform(), id.querySelector('input').value.trim(), (e) => id.fail(e.message)), picked, id, h('button.button.primary.full', 'Send me a code')),
      foot(link('I have a username', start), link('I already have a code', () => enter())));
  }

  async function request(platform, platform_user_id, fail) {
    try {
      await openPost('/v1/authentication/request', { platform, platform_user_id });
      enter(platform);
    } catch (error) {
      fail(error.code === 'ERR_TOO_MANY_PENDING_CODES' ? new ApiError(429, { error: 'Five codes are waiting already. Use one, or try again in ten minutes.' }) : error);
    }
  }

  function enter(platform) {
    const code = field('Code', h('input.code', { name: 'code', autocomplete: 'one-time-code', maxlength: '8', autocapitalize: 'none', spellcheck: 'false', placeholder: '········' }), 'Eight letters and digits; capitals matter. Valid for ten minutes.');
    const input = code.querySelector('input');
    const entry = form(async () => {
      code.fail('');
      try {
        const { user_created, ...me } = await openPost('/v1/authentication/verify', { code: input.value.trim() });
        await signedIn(me, { fresh: true });
        const wanted = sessionStorage.getItem('wanted');
        sessionStorage.removeItem('wanted');
        go(wanted ?? (user_created ? '/#/account' : '/'), { replace: true });
      } catch (error) {
        code.fail(error.body?.reason ? `${error.message}: ${error.body.reason}` : error.message);
        input.select();
      }
    }, code, h('button.button.primary.full', 'Sign in'));
    input.addEventListener('input', () => input.value.trim().length === 8 && entry.requestSubmit());
    step(h('h2', platform ? 'Check your messages' : 'Enter your code'), platform ? h('p', `The bot has sent you a code on ${title(platform)}.`) : h('p', 'Send /login to the bot, and it answers with a code.'), entry, foot(link('Start again', start)));
  }

  if (state.me) go('/', { replace: true });
  else start();
}
