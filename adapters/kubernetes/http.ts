/** Requests to the API server, each with its own time-out, and with a sure word on whether one was sent. */
import { setMaxListeners } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { PortError } from '../../src/domain/fault.ts';
import type { Access } from './access.ts';
import { answered, apiStatus, unanswered } from './faults.ts';
import { limit, orAbort } from './limit.ts';

export interface Call {
  /** Port and method, for errors. */
  readonly at: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly timeoutMs?: number;
  /** Asks without changing anything, although it is a POST. */
  readonly asksOnly?: boolean;
}

export interface Http {
  json(call: Call, signal?: AbortSignal): Promise<unknown>;
  /** The answer as it comes; whoever asked reads it to its end or destroys it. `signal` ends it at any time. */
  open(call: Call, signal: AbortSignal): Promise<http.IncomingMessage>;
  close(): void;
}

const defaultTimeoutMs = 10_000;

export function http1(access: Access): Http {
  const closing = new AbortController();
  // Each request under way listens, and leaves when it is over: many at once are no leak, and no warning in an operator's log.
  setMaxListeners(0, closing.signal);

  async function ask(call: Call, pooled: boolean, signal: AbortSignal): Promise<http.IncomingMessage> {
    const changes = call.method !== 'GET' && call.asksOnly !== true;
    const { headers, tls, pool, proxy } = await orAbort(access.credentials(), signal).catch(
      (cause: unknown) => {
        throw unanswered(call.at, cause, false, changes);
      },
    );
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const url = new URL(access.server);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${call.path}`;
    url.search = new URLSearchParams(call.query).toString();
    const options: https.RequestOptions = {
      ...tls,
      method: call.method,
      // A stream has a connection of its own: it would keep one of the pool's for minutes.
      agent: pooled ? pool : (proxy ?? false),
      signal,
      headers: {
        ...headers,
        Accept: 'application/json',
        'User-Agent': 'spillway',
        ...(body === undefined
          ? {}
          : { 'Content-Type': call.contentType ?? 'application/json', 'Content-Length': body.length }),
      },
    };
    return await new Promise((resolve, reject) => {
      let asked = false;
      const request = url.protocol === 'http:' ? http.request(url, options) : https.request(url, options);
      request.once('socket', (socket) => {
        // A dead peer is noticed within half a minute, whatever the time-out.
        socket.setKeepAlive(true, 15_000);
        const connected = url.protocol === 'http:' ? 'connect' : 'secureConnect';
        if (request.reusedSocket || !socket.connecting || proxy !== undefined) asked = true;
        else
          socket.once(connected, () => {
            asked = true;
          });
      });
      request.once('response', resolve);
      request.on('error', (cause) => {
        const why: unknown = signal.aborted ? signal.reason : cause;
        reject(unanswered(call.at, why, asked, changes));
      });
      request.end(body);
    });
  }

  return {
    async json(call, signal) {
      const changes = call.method !== 'GET' && call.asksOnly !== true;
      const within = limit(call.timeoutMs ?? defaultTimeoutMs, closing.signal, signal);
      try {
        const response = await again(() => ask(call, true, within.signal), changes, within.signal);
        const body = await bodyOf(response).catch((cause: unknown) => {
          throw unanswered(call.at, within.signal.aborted ? within.signal.reason : cause, true, changes);
        });
        return parsed(call.at, response.statusCode ?? 0, body, changes);
      } finally {
        within.done();
      }
    },
    async open(call, signal) {
      const within = limit(undefined, closing.signal, signal);
      try {
        const response = await ask(call, false, within.signal);
        response.once('close', within.done);
        if (response.statusCode === 200) return response;
        const status = apiStatus(response.statusCode ?? 0, await bodyOf(response));
        if (status.code === 401) access.forget();
        throw answered(call.at, status, false);
      } catch (error) {
        within.done();
        throw error;
      }
    },
    close() {
      closing.abort(new Error('closed'));
    },
  };

  function parsed(where: string, code: number, body: string, changes: boolean): unknown {
    if (code < 200 || code > 299) {
      if (code === 401) access.forget();
      throw answered(where, apiStatus(code, body), changes);
    }
    try {
      return JSON.parse(body);
    } catch (cause) {
      throw new PortError(changes ? 'unknown' : 'transient', where, 'the answer is not JSON', { cause });
    }
  }
}

/** A pooled connection may have been closed just when a read was sent on it: once more, on a new one. */
async function again<T>(ask: () => Promise<T>, changes: boolean, signal: AbortSignal): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (changes || signal.aborted || !isReset(error)) throw error;
    return await ask();
  }
}

function isReset(error: unknown): boolean {
  const cause = error instanceof PortError ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE');
}

export async function bodyOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
