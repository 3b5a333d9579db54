// Calls to the server: get('/v1/…'), post('/v1/…', body). A refusal is thrown as an ApiError with the
// server's own sentence; `code` tells what it is about.
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error ?? 'The server could not be reached');
    Object.assign(this, { status, code: body?.code ?? 'ERR_NETWORK', body: body ?? {} });
  }
}

const ANSWER_MS = 20_000;
const listeners = new Set();
// Called when a call is refused because nobody is signed in.
export const onSignedOut = (listener) => listeners.add(listener);

let settings;
// What the server wants its client to know: {platforms, public_key}.
export async function serverSettings() {
  settings ??= await call('GET', '/web/config');
  return settings;
}

async function call(method, path, body, key) {
  const headers = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (key) headers['x-api-key'] = key;
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin', signal: AbortSignal.timeout(ANSWER_MS) });
  } catch {
    throw new ApiError(0);
  }
  const answer = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  const error = new ApiError(response.status, answer ?? { error: 'The server gave no answer that could be read' });
  if (error.code === 'ERR_RATE_LIMITED') error.message = `Too many requests; try again in ${answer.retry_after ?? 60} s`;
  if (error.code === 'ERR_AUTH_REQUIRED') for (const listener of listeners) listener();
  throw error;
}

export const get = (path) => call('GET', path);
export const post = (path, body) => call('POST', path, body);
// For calls that need no session: with the public key, where the operator has set one.
export const openGet = async (path) => call('GET', path, undefined, (await serverSettings()).public_key);
export const openPost = async (path, body) => call('POST', path, body, (await serverSettings()).public_key);
export const query = (values) => new URLSearchParams(Object.entries(values).filter(([, v]) => v !== undefined && v !== '')).toString();
