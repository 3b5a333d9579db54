// The page's pieces: elements, icons, times, pictures of people, toasts and dialogs. Text is always
// set as text; nothing here parses HTML.

// h('button.primary', {onclick, 'aria-label': …}, 'Send'): an element. Properties that are functions
// become listeners; false and null leave an attribute out; children may be nested lists.
export function h(what, props, ...children) {
  const [tag, ...classes] = what.split('.');
  const node = document.createElement(tag || 'div');
  if (classes.length) node.className = classes.join(' ');
  if (props && (props instanceof Node || typeof props !== 'object' || Array.isArray(props))) {
    children.unshift(props);
    props = null;
  }
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') node.addEventListener(name.slice(2), value);
    else if (name === 'value') node.value = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

// A list that is drawn again and again: fill([[key, make], …]). Lines whose key stays are left alone, so that
// focus, selection and what is read aloud stay, too.
export function keyed(list) {
  const nodes = new Map();
  return (wanted) => {
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, node] of nodes) if (!keys.has(key)) (node.remove(), nodes.delete(key));
    let at = list.firstChild;
    for (const [key, make] of wanted) {
      const node = nodes.get(key) ?? make();
      nodes.set(key, node);
      if (node === at) at = at.nextSibling;
      else list.insertBefore(node, at);
    }
  };
}

const paths = {
  chats: 'M4 5h16v11H9l-5 4z',
  meet: 'M9 17a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM15 17a5 5 0 1 0 0-10 5 5 0 0 0 0 10z',
  bell: 'M6 16V11a6 6 0 0 1 12 0v5l1.500 2h-15zM10 20.500h4',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20.500c1-4 4-5.500 7.500-5.500s6.500 1.500 7.500 5.500',
  shield: 'M12 3l7.500 3v5.500c0 4.500-3 7.800-7.500 9.500-4.500-1.700-7.500-5-7.500-9.500V6z',
  back: 'M14.500 5l-7 7 7 7',
  people: 'M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 19.500c.8-3.500 3.200-5 6.500-5s5.700 1.500 6.500 5M16 5a3.200 3.200 0 0 1 0 6.300M18 14.800c2 .7 3.100 2.300 3.600 4.700',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  send: 'M4.500 12h14M12.500 5.500l6.500 6.500-6.500 6.500',
  lock: 'M6.500 11h11v9h-11zM8.500 11V8a3.500 3.500 0 0 1 7 0v3',
  search: 'M11 17.500a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM16 16l4.500 4.500',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  down: 'M12 5v14M5.500 12.500L12 19l6.500-6.500',
  star: 'M12 4l2.400 5 5.600.8-4 3.900.9 5.500-4.900-2.600-4.900 2.600.9-5.500-4-3.900 5.600-.8z',
};
export function icon(name) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  const path = document.createElementNS(ns, 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', paths[name]);
  svg.append(path);
  return svg;
}

export function logo() {
  return h('img.logo', { src: new URL('portal.svg', import.meta.url).href, alt: '', width: '28', height: '28' });
}

// ---- words --------------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
export const clockTime = (time) => clock.format(new Date(time));
export const dayName = (time) => {
  const then = new Date(time);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(then).setHours(0, 0, 0, 0)) / 864e5);
  return days === 0 ? 'Today' : days === 1 ? 'Yesterday' : day.format(then);
};
export const dateTime = (time) => (time ? `${date.format(new Date(time))}, ${clockTime(time)}` : 'never');
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
export function ago(time) {
  const s = Math.min(0, (new Date(time) - Date.now()) / 1000);
  for (const [unit, size] of [['day', 86400], ['hour', 3600], ['minute', 60]]) {
    if (-s >= size) return relative.format(Math.round(s / size), unit);
  }
  return 'just now';
}
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

// ---- people -------------------------------------------------------------------------------------

// A picture, or the first letter on one of eight colours.
export function avatar(person, size = '') {
  const name = person?.username ?? person?.name ?? '?';
  const id = person?.id ?? 0;
  const box = h(`span.avatar.tone${id % 8}${size ? `.${size}` : ''}`, { 'aria-hidden': 'true' }, [...name][0]?.toUpperCase() ?? '?');
  if (person?.avatar_url) {
    const img = h('img', { src: person.avatar_url, alt: '', loading: 'lazy', referrerpolicy: 'no-referrer' });
    img.addEventListener('error', () => img.remove());
    box.append(img);
  }
  return box;
}
export const levels = ['', 'Moderator', 'Admin', 'Owner'];
export const tiers = ['Basic', 'Trial', 'Premium', 'Lifetime'];
export const badge = (level) => (level > 0 ? h(`span.badge.level${level}`, levels[level]) : null);

// ---- states -------------------------------------------------------------------------------------

export const spinner = (label = 'Loading') => h('div.loading', { role: 'status' }, h('span.ring'), h('span.unseen', label));
export const skeleton = (rows = 5) => h('div.skeletons', { role: 'status' }, h('span.unseen', 'Loading'), Array.from({ length: rows }, () => h('div.skeleton')));
const emptyUnder = (heading) => (title, text, ...actions) => h('div.empty', logo(), h(heading, title), text && h('p', text), actions.length ? h('div.actions', actions) : null);
export const empty = emptyUnder('h2');
export const emptyPage = emptyUnder('h1'); // where it is all there is
export const failure = (error, again) =>
  h('div.empty.failed', { role: 'alert' }, h('h2', 'That did not work'), h('p', error.message), again && h('div.actions', h('button.button', { type: 'button', onclick: again }, 'Try again')));

const TOASTS_MAX = 4;
export function toast(text, kind = 'info') {
  const node = h(`div.toast.${kind}`, h('span', text), h('button.plain', { type: 'button', 'aria-label': 'Close', onclick: () => node.remove() }, icon('close')));
  const box = document.getElementById('toasts');
  box.append(node);
  while (box.childElementCount > TOASTS_MAX) box.firstChild.remove();
  if (box.matches(':popover-open')) box.hidePopover(); // shown anew, it stands above a dialog
  box.showPopover();
  setTimeout(() => node.remove(), kind === 'error' ? 8000 : 5000);
}
// For screen readers only.
export const say = (text) => {
  const box = document.getElementById('said');
  box.append(h('p', text));
  while (box.childElementCount > 20) box.firstChild.remove();
};

// Runs what a button begins: the button waits, an error becomes a toast.
export async function busy(button, work) {
  if (button?.getAttribute('aria-busy') === 'true') return undefined;
  button?.setAttribute('aria-busy', 'true');
  try {
    return await work();
  } catch (error) {
    toast(error.message, 'error');
    return undefined;
  } finally {
    button?.removeAttribute('aria-busy');
    keepFocus();
  }
}
// Where what had the focus is gone, the keyboard goes on from the page, not from before the header.
const keepFocus = () => document.activeElement === document.body && document.getElementById('main').focus({ preventScroll: true });

export function button(text, onclick, kind = '') {
  const node = h(`button.button${kind ? `.${kind}` : ''}`, { type: 'button', onclick: () => busy(node, onclick) }, text);
  return node;
}

let fields = 0;
// A labelled input, select or textarea with a place for its error.
export function field(label, control, hint) {
  const id = `f${++fields}`;
  control.id = id;
  const note = h('p.hint', { id: `${id}n` }, hint ?? '');
  control.setAttribute('aria-describedby', note.id);
  const box = h('div.field', h('label', { for: id }, label), control, note);
  box.control = control;
  box.fail = (text) => {
    note.textContent = text || (hint ?? '');
    box.classList.toggle('bad', Boolean(text));
    control.setAttribute('aria-invalid', String(Boolean(text)));
    if (text) control.focus();
  };
  return box;
}
export const select = (options, value) => h('select', { value }, options.map(([v, text]) => h('option', { value: v, selected: String(v) === String(value) }, text)));
export const valueOf = (f) => f.control.value.trim();
// `fields`, when the first child is no element: by the names that the server gives them. What it finds wrong
// with one is said there.
export function form(work, ...children) {
  const fields = children[0] && Object.getPrototypeOf(children[0]) === Object.prototype ? children.shift() : {};
  const send = async (event) => {
    for (const f of Object.values(fields)) f.fail('');
    try {
      await work(event);
    } catch (error) {
      const f = fields[error.code === 'ERR_SLUG_TAKEN' ? 'slug' : error.body?.field];
      if (!f) throw error;
      f.fail(error.message);
    }
  };
  return h('form', {
    novalidate: true,
    onsubmit: (event) => {
      event.preventDefault();
      busy(event.submitter ?? event.target, () => send(event));
    },
  }, ...children);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied.', 'success');
  } catch {
    toast('This browser does not let Portal copy. Select it, and copy it by hand.');
  }
}

// A modal dialog; resolves when it is closed. The browser keeps the focus in it and gives it back.
export function dialog(title, build, { wide = false } = {}) {
  const box = h(`dialog.dialog${wide ? '.wide' : ''}`, { 'aria-label': title, onclick: (e) => e.target === box && box.close() });
  const close = () => box.close();
  box.append(h('div.dialog-in', h('div.dialog-head', h('h2', title), h('button.plain', { type: 'button', 'aria-label': 'Close', onclick: close }, icon('close'))), build(close)));
  document.body.append(box);
  box.showModal();
  return new Promise((done) => box.addEventListener('close', () => (box.remove(), keepFocus(), done())));
}

// Asks before something that cannot be taken back.
export function sure(title, text, yes) {
  let agreed = false;
  return dialog(title, (close) => h('div',
    h('p', text),
    h('div.actions', h('button.button', { type: 'button', onclick: close }, 'Cancel'),
      h('button.button.danger', { type: 'button', onclick: () => ((agreed = true), close()) }, yes)))).then(() => agreed);
}
