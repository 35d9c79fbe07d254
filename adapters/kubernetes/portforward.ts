/**
 * `pods/portforward` over a WebSocket, as the kubelet speaks it (v4.channel.k8s.io, kubelet's
 * cri/streaming/portforward/websocket.go): channel 0 carries the port's bytes both ways, channel 1 the kubelet's
 * error text; each opens with the port, two bytes little-endian. client-node's own ignores back-pressure.
 */
import { Duplex } from 'node:stream';
import WebSocket from 'ws';
import { PortError } from '../../src/domain/fault.ts';
import type { PodRef } from '../../src/domain/kube.ts';
import type { Access } from './access.ts';
import { answered, apiStatus, unanswered } from './faults.ts';
import { bodyOf } from './http.ts';
import { limit, orAbort } from './limit.ts';

export interface DialTuning {
  readonly openMs: number;
  /** Some clouds drop sockets that were idle for some minutes. */
  readonly pingMs: number;
  /** Above the spill protocol's own 60 s, which judges first. */
  readonly silenceMs: number;
  /** What is kept on each side of the socket before the other is held back. */
  readonly bufferBytes: number;
}

export const defaultDial: DialTuning = {
  openMs: 10_000,
  pingMs: 20_000,
  silenceMs: 90_000,
  bufferBytes: 1024 * 1024,
};

const where = 'kubernetes.dial';
const data = 0;
const errors = 1;
/** The kubelet reads a message whole; larger ones only delay the first byte. */
const messageBytes = 64 * 1024;

export async function dial(
  access: Access,
  { namespace, name }: PodRef,
  port: number,
  tuning: DialTuning = defaultDial,
): Promise<Duplex> {
  const within = limit(tuning.openMs);
  const { headers, tls, proxy } = await orAbort(access.credentials(), within.signal)
    .catch((cause: unknown) => {
      throw unanswered(where, cause, false, false);
    })
    .finally(within.done);
  const url = new URL(access.server);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/portforward`;
  url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
  url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
  url.search = `ports=${port}`;
  const socket = new WebSocket(url, 'v4.channel.k8s.io', {
    ...tls,
    ...(proxy === undefined ? {} : { agent: proxy }),
    headers: { ...headers, 'User-Agent': 'spillway' },
    handshakeTimeout: tuning.openMs,
    perMessageDeflate: false,
    // The kubelet's copies are of 32 KiB.
    maxPayload: 4 * 1024 * 1024,
  });
  const stream = new PortForward(socket, tuning);
  // Whoever dialled may not listen yet when it breaks; `closed` and `errored` say it as well.
  stream.on('error', () => {});
  try {
    await stream.opened;
  } catch (error) {
    stream.destroy();
    if (error instanceof PortError && error.fault === 'unreachable') access.forget();
    throw error;
  }
  return stream;
}

class PortForward extends Duplex {
  /** Resolves when the kubelet has named the port on both channels. */
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  readonly #tuning: DialTuning;
  #named = [false, false];
  #said = '';
  #heard = performance.now();
  #timers: NodeJS.Timeout[] = [];
  /** The write that waits for the socket's buffer to empty. */
  #held: (() => void) | undefined;

  constructor(socket: WebSocket, tuning: DialTuning) {
    super({ highWaterMark: tuning.bufferBytes, allowHalfOpen: false, emitClose: true });
    this.#socket = socket;
    this.#tuning = tuning;
    this.opened = new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new PortError('transient', where, `not open after ${tuning.openMs} ms`)),
        tuning.openMs,
      );
      this.#timers.push(limit);
      this.once('named', () => {
        clearTimeout(limit);
        // What the kubelet says right after it, such as "connection refused", is still the answer to the dial.
        setImmediate(() => (this.errored === null ? resolve() : reject(this.errored)));
      });
      this.once('close', () => reject(this.errored ?? new PortError('transient', where, 'closed')));
    });
    this.opened.catch(() => {});
    this.#listen();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('unexpected-response', (request, response) => {
      bodyOf(response)
        .catch(() => '')
        .then((body) => {
          const status = apiStatus(response.statusCode ?? 0, body);
          const error = answered(where, status, false);
          // 400: the pod has no host yet, or is over; the request itself is well-formed.
          const fault = error.fault === 'invalid' ? 'transient' : error.fault;
          this.destroy(new PortError(fault, where, error.message, { cause: status }));
          request.destroy();
        });
    });
    socket.on('open', () => {
      this.#timers.push(setInterval(() => this.#ping(), this.#tuning.pingMs));
    });
    socket.on('message', (message) => this.#take(message as Buffer));
    socket.on('pong', () => {
      this.#heard = performance.now();
    });
    socket.on('error', (cause) => {
      this.destroy(
        this.#isOpen()
          ? new PortError('transient', where, `the stream broke: ${cause.message}`, { cause })
          : unanswered(where, cause, false, false),
      );
    });
    socket.on('close', (code) => {
      this.#stopTimers();
      // 1006: no closing frame, so it was cut; what was read until then is still good.
      if (this.#said !== '') this.destroy(new PortError('transient', where, this.#said));
      else if (code === 1006 && !this.writableEnded)
        this.destroy(new PortError('transient', where, 'the stream was cut'));
      else if (!this.#isOpen()) this.destroy(new PortError('transient', where, 'closed before it was open'));
      // Who ended it may not read any more, and would never hear of the end.
      else if (this.writableEnded && this.readableLength === 0) this.destroy();
      else this.push(null);
    });
  }

  #take(message: Buffer): void {
    this.#heard = performance.now();
    const channel = message[0];
    const bytes = message.subarray(1);
    if (channel !== data && channel !== errors) return;
    if (this.#named[channel] === false) {
      this.#named[channel] = true;
      if (this.#isOpen()) this.emit('named');
      return;
    }
    if (channel === errors) this.#said += bytes.toString('utf8').slice(0, 1000);
    else if (bytes.length > 0 && !this.push(bytes)) this.#socket.pause();
  }

  #isOpen(): boolean {
    return this.#named.every(Boolean);
  }

  #stopTimers(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
  }

  #ping(): void {
    // While we hold the other side back its pong lies behind the bytes that we do not read.
    if (this.#socket.isPaused) this.#heard = performance.now();
    if (performance.now() - this.#heard > this.#tuning.silenceMs)
      this.destroy(new PortError('transient', where, `silent for ${this.#tuning.silenceMs} ms`));
    else this.#socket.ping();
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    for (let from = 0; from < chunk.length; from += messageBytes) {
      const part = chunk.subarray(from, from + messageBytes);
      const message = Buffer.allocUnsafe(part.length + 1);
      message[0] = data;
      part.copy(message, 1);
      this.#socket.send(message, { binary: true }, (error) => this.#flushed(error));
    }
    if (this.#socket.bufferedAmount <= this.#tuning.bufferBytes) done();
    else this.#held = done;
  }

  #flushed(error: Error | undefined | null): void {
    if (error)
      this.destroy(new PortError('transient', where, `the stream broke: ${error.message}`, { cause: error }));
    else if (this.#socket.bufferedAmount <= this.#tuning.bufferBytes) this.#release();
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }

  override _final(done: (error?: Error | null) => void): void {
    // There is no half-closing: the kubelet ends both ways when we close.
    this.#socket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stopTimers();
    this.#socket.terminate();
    this.#release();
    done(error);
  }
}
