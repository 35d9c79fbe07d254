import type { z } from 'zod';
import { type Loose, looseOf } from './loose.ts';

/** What a command asks the running gateway over its HTTP API, or what to say where none answers. */
export interface Gateway {
  /** Empty where its address comes from SPILLWAY_URL, and from no configuration. */
  readonly host: string;
  readonly port: number;
  /** Where it is not asked at that host and port: all of its address. */
  readonly url?: string | undefined;
  /** Where its API has authentication. */
  readonly token?: string | undefined;
  /** How long an answer is waited for, where not as long as usual. */
  readonly waitMs?: number | undefined;
}

/** Something that a person can mend, told without a stack. */
export class CommandError extends Error {}

/** What was typed means nothing: another exit code than what was asked and found wanting. */
export class UsageError extends CommandError {}

/** No answer came. `heard`: what was asked may have been done all the same. */
export class NoGateway extends CommandError {
  constructor(
    text: string,
    readonly heard: boolean,
  ) {
    super(text);
  }
}

/** The gateway answered, and not with what was asked for. */
export class Refused extends CommandError {
  constructor(
    text: string,
    readonly status: number,
  ) {
    super(text);
  }
}

/** There was no connection over which anything could be heard. */
const unheard = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  'UND_ERR_CONNECT_TIMEOUT',
]);

const usualWaitMs = 30_000;

export interface Said {
  readonly status: number;
  readonly body: unknown;
  /** Of what may be edited, as it was seen. */
  readonly tag: string | undefined;
}

export interface Order {
  readonly method: 'PUT' | 'POST';
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Reads, or with `put` says. */
export const ask = (gateway: Gateway, path: string, put?: unknown, waitMs?: number): Promise<Said> =>
  request(gateway, path, put === undefined ? undefined : { method: 'PUT', body: put }, waitMs);

/** Asks by a POST that changes nothing. */
export const question = (gateway: Gateway, path: string, body: unknown): Promise<Said> =>
  request(gateway, path, { method: 'POST', body });

export async function request(
  gateway: Gateway,
  path: string,
  order: Order | undefined,
  waitMs = gateway.waitMs ?? usualWaitMs,
): Promise<Said> {
  const { host, port, url, token } = gateway;
  const at = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const base = url ?? `http://${at}`;
  if (url !== undefined && token !== undefined) keptSecret(url);
  const headers: Record<string, string> = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(order === undefined ? {} : { 'content-type': 'application/json', ...order.headers }),
  };
  try {
    const response = await fetch(`${base}/api/v1/${path}`, {
      ...(order === undefined ? {} : { method: order.method, body: JSON.stringify(order.body) }),
      headers,
      // A token is for this gateway, and for nobody whom it may name.
      redirect: 'error',
      signal: AbortSignal.timeout(waitMs),
    });
    const tag = response.headers.get('etag') ?? undefined;
    return { status: response.status, body: await response.json(), tag };
  } catch (e) {
    const cause = (e as { cause?: { code?: string } }).cause;
    const text =
      host === ''
        ? `no gateway answers at ${url} (SPILLWAY_URL): is it that of your gateway, and is the gateway up?`
        : `no gateway answers at ${url ?? at} (listen.http): is \`spillway serve\` running on this host with this configuration?`;
    const code = cause?.code ?? '';
    if (code === 'ECONNREFUSED') throw new NoGateway(text, false);
    const late = (e as Error).name === 'TimeoutError' && `no answer within ${waitMs / 1_000} s`;
    throw new NoGateway(`${text} (${late || code || (e as Error).message})`, !unheard.has(code));
  }
}

/** A token in clear on a network is everybody's on it; on this host's own loopback it stays here. */
function keptSecret(url: string): void {
  if (!URL.canParse(url)) throw new CommandError(`SPILLWAY_URL ${url}: write https://HOST:PORT`);
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)) return;
  throw new CommandError(
    `SPILLWAY_URL ${url}: the token would go over the network in clear; write https://, or a tunnel's end on 127.0.0.1`,
  );
}

/** What is read at `path`, in the shape that the API promises. */
export const readAt = async <T extends z.ZodType>(
  gateway: Gateway,
  path: string,
  shape: T,
): Promise<Loose<z.output<T>>> => toldIn(await ask(gateway, path), shape);

/** Every page of a list, as long as its reader goes on: a list that is cut would read as a whole one. */
export async function* pagesAt<T extends z.ZodType<{ readonly next?: string | undefined }>>(
  gateway: Gateway,
  path: string,
  query: URLSearchParams,
  shape: T,
): AsyncGenerator<Loose<z.output<T>>> {
  const asked = new URLSearchParams(query);
  for (;;) {
    const page = await readAt(gateway, `${path}?${asked}`, shape);
    yield page;
    const { next } = page as { readonly next?: string };
    if (next === undefined) return;
    if (next === asked.get('cursor'))
      throw new CommandError(`the gateway leads from a page of ${path} to the same page: nothing is told`);
    asked.set('cursor', next);
  }
}

/** What is answered, in the shape that the API promises, with what a newer one says besides; everything else is a problem. */
export function toldIn<T extends z.ZodType>({ status, body }: Said, shape: T): Loose<z.output<T>> {
  const told = looseOf(shape).safeParse(body);
  if (status !== 200 || !told.success) throw problemOf(status, body);
  return told.data;
}

/** The words of an RFC 9457 problem. */
export function problemOf(status: number, body: unknown): Refused {
  const { title, detail } = (body ?? {}) as { title?: unknown; detail?: unknown };
  if (status === 401)
    return new Refused(
      `the gateway asks who you are${typeof detail === 'string' ? ` (${detail})` : ''}: set SPILLWAY_TOKEN to an API token`,
      status,
    );
  const words = [title, detail].filter((t) => typeof t === 'string').join(': ');
  return new Refused(`the gateway answers ${status}${words === '' ? '' : `: ${words}`}`, status);
}
