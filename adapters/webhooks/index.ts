import { lookup } from 'node:dns/promises';
import { type IncomingMessage, request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { isIP } from 'node:net';
import { PortError } from '../../src/domain/fault.ts';
import type { Instant } from '../../src/domain/ids.ts';
import type { HookPort } from '../../src/ports.ts';
import { isPublic } from './addresses.ts';
import { signed } from './sign.ts';

export interface HookOptions {
  readonly url: URL;
  readonly secret: Buffer;
  /** Also addresses that only this host or site reaches. */
  readonly allowPrivate: boolean;
  /** From the look-up of the name to the answer's headers. */
  readonly timeoutMs: number;
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

/**
 * POST to one URL. The name is looked up here and the connection is made to what was looked at, so that a name that changes between the two
 * leads nowhere else; a redirect is an answer like another, and is not followed. Nothing of the answer's body is read.
 */
export function webhook({
  url,
  secret,
  allowPrivate,
  timeoutMs,
  resolve = addresses,
}: HookOptions): HookPort {
  return {
    send: async (event, body, at: Instant) => {
      const over = AbortSignal.timeout(timeoutMs);
      const address = await reachable(url, allowPrivate, resolve, over);
      const response = await post(url, address, { ...signed(secret, event, at, body) }, body, over);
      const status = response.statusCode ?? 0;
      response.destroy();
      if (status >= 200 && status < 300) return { kind: 'taken' };
      return { kind: 'refused', why: `it answers ${status}`, retryAfterMs: retryAfter(response, at) };
    },
  };
}

const addresses = async (name: string): Promise<readonly string[]> =>
  (await lookup(name, { all: true })).map(({ address }) => address);

async function reachable(
  { hostname }: URL,
  allowPrivate: boolean,
  resolve: (name: string) => Promise<readonly string[]>,
  over: AbortSignal,
): Promise<string> {
  const name = hostname.replace(/^\[(.*)\]$/, '$1');
  const all = isIP(name) === 0 ? await inTime(resolve(name), name, over) : [name];
  const [first] = all;
  if (first === undefined) throw new PortError('unreachable', 'webhook.send', `${name} has no address`);
  // One that is not public is enough: which of them is taken is a name server's word.
  const hidden = allowPrivate ? undefined : all.find((a) => !isPublic(a));
  if (hidden !== undefined)
    throw new PortError(
      'refused',
      'webhook.send',
      `${name} is ${hidden}, which is not an address of the internet; write allowPrivate: true where that is meant`,
    );
  return first;
}

async function inTime<T>(work: Promise<T>, name: string, over: AbortSignal): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    over.addEventListener('abort', () => reject(new Error('no answer in time')), { once: true });
  });
  return Promise.race([work, late]).catch((e: Error) => {
    throw new PortError('unreachable', 'webhook.send', `${name} cannot be looked up: ${e.message}`, {
      cause: e,
    });
  });
}

function post(
  url: URL,
  address: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const family = isIP(address) as 4 | 6;
  const make = url.protocol === 'https:' ? secure : plain;
  return new Promise((resolve, reject) => {
    let sent = false;
    const request = make(url, {
      method: 'POST',
      // No connection is kept: deliveries are few, and a kept one would outlive what was looked at.
      agent: false,
      signal,
      lookup: (_name, options, done) =>
        options.all === true ? done(null, [{ address, family }]) : done(null, address, family),
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': 'spillway',
      },
    });
    request.once('response', resolve);
    request.once('finish', () => {
      sent = true;
    });
    request.once('error', (e) => {
      const why = signal.aborted ? 'no answer in time' : e.message;
      reject(new PortError(sent ? 'unknown' : 'unreachable', 'webhook.send', why, { cause: e }));
    });
    // Such as one who answers 101 to a request that asked for no other protocol: Node closes the connection, and tells of no error.
    request.once('close', () =>
      reject(new PortError('unknown', 'webhook.send', 'it closed the connection without an answer')),
    );
    request.end(body);
  });
}

/** Seconds or a date. [RFC 9110, 10.2.3] */
function retryAfter({ headers }: IncomingMessage, at: number): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - at;
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
