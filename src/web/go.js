// Going from view to view without loading the page again: links to this site, go(), back and forward.
const listeners = new Set();
export const onGo = (f) => listeners.add(f);

export function go(to, { replace = false } = {}) {
  if (location.pathname + location.hash !== to) history[replace ? 'replaceState' : 'pushState'](null, '', to);
  for (const f of listeners) f();
}

const ours = /^\/(auth|c\/[^/]+)?$/;
addEventListener('click', (event) => {
  const a = event.target.closest?.('a[href]');
  if (!a || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || a.target || a.hasAttribute('download')) return;
  const to = new URL(a.href);
  if (to.origin !== location.origin || !ours.test(to.pathname) || a.classList.contains('skip')) return;
  event.preventDefault();
  go(to.pathname + to.hash);
});
addEventListener('popstate', () => listeners.forEach((f) => f()));
