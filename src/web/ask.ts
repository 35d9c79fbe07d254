import { newKey } from './browser.ts';
import { token } from './held.ts';
import { renewed, waits } from './login.ts';
import { Problem, type TextProblem } from './problem.ts';

export { Problem, type TextProblem } from './problem.ts';

export function headers(): Record<string, string> {
  const bearer = token.read();
  return bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
}

/** A token of a login that is over is renewed, where it may be, and asked with again, once: its 401 says that nothing was done. */
async function send(path: string, init: RequestInit): Promise<Response> {
  const before = token.read();
  // With one that is known to be over the gateway is not asked: it counts wrong tokens, and who comes by the same proxy would wait.
  if (before !== undefined && token.over() && !(await renewed(before))) throw notNow();
  const bearer = token.read();
  const response = await sendOnce(path, init);
  if (response.status !== 401 || bearer === undefined) return response;
  if (await renewed(bearer)) return sendOnce(path, init);
  if (waits()) throw notNow();
  return response;
}

/** A provider that is away for a moment has not said no. */
const notNow = (): Problem =>
  waits()
    ? new Problem(503, 'issuer_unreachable', 'the identity provider does not answer; it is asked again')
    : new Problem(401, 'not_authenticated', 'the sign-in is over');

async function sendOnce(path: string, init: RequestInit): Promise<Response> {
  const common = { cache: 'no-store', credentials: 'omit', redirect: 'error' } as const;
  try {
    return await fetch(path, { ...init, ...common, headers: { ...init.headers, ...headers() } });
  } catch (e) {
    if (init.signal?.aborted === true) throw e;
    throw new Problem(0, 'unreachable', 'the gateway does not answer');
  }
}

/** Throws what a response that is none of 2xx says. */
export async function orProblem(response: Response): Promise<Response> {
  if (response.ok) return response;
  const said = (await response.json().catch(() => ({}))) as {
    code?: string;
    title?: string;
    detail?: string;
    problems?: readonly TextProblem[];
  };
  throw new Problem(
    response.status,
    said.code ?? 'failed',
    said.detail ?? said.title ?? `${response.status} ${response.statusText}`,
    Number(response.headers.get('retry-after') ?? Number.NaN) * 1_000 || undefined,
    said.problems,
  );
}

/** Below /api/v1, except what begins with a slash. */
const addressOf = (path: string): string => (path.startsWith('/') ? path : `/api/v1/${path}`);

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(addressOf(path), signal === undefined ? {} : { signal });
  // Not ready is an answer, too.
  if (path === '/readyz' && response.status === 503) return (await response.json()) as T;
  return (await (await orProblem(response)).json()) as T;
}

/** What is edited, with the tag that an order on it names as what was seen. */
export async function getTagged<T>(path: string): Promise<{ readonly value: T; readonly tag: string }> {
  const response = await orProblem(await send(addressOf(path), {}));
  return { value: (await response.json()) as T, tag: response.headers.get('etag') ?? '' };
}

/**
 * One order with a key of its own: pressed twice, it is done once. One that is tried again comes with the key that it had. `seen`: the tag of what
 * it changes.
 */
export async function order<T>(
  method: 'POST' | 'PUT',
  path: string,
  body: object,
  key = newKey(),
  seen?: string,
): Promise<T> {
  const response = await send(addressOf(path), {
    method,
    headers: {
      ...{ 'content-type': 'application/json', 'idempotency-key': key },
      ...(seen === undefined ? {} : { 'if-match': seen }),
    },
    body: JSON.stringify(body),
  });
  return (await (await orProblem(response)).json()) as T;
}

/** Answers nothing. What is gone already is not gone twice. */
export async function remove(path: string): Promise<void> {
  await orProblem(await send(addressOf(path), { method: 'DELETE' }));
}
