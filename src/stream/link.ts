/** One connection that speaks frames, whichever leg: reading, writing, heartbeat, back-pressure and an end without surprises. */
import type { Duplex } from 'node:stream';
import type { Scheduler } from '../ports.ts';
import { FrameDecoder, FrameError } from './frames.ts';
import { type Data, encode, headOfData, type Message, parse } from './messages.ts';

export interface LinkEvents {
  /** Not called for PING and PONG. */
  message(message: Message): void;
  data(data: Data): void;
  /** Exactly once, and nothing after it. */
  closed(why: string): void;
}

const tick = 10_000;
const pingEvery = 2;
const silentAt = 6;
const endWithin = 2_000;
/** What the windows of both channels allow; reached only by a far side that does not keep to its window. */
export const pressure = 2 * 1_048_576 + 2 * 65_536;

export class Link {
  readonly #socket: Duplex;
  readonly #scheduler: Scheduler;
  readonly #events: LinkEvents;
  readonly #decoder = new FrameDecoder();
  /** Links that wait for this one to take what they brought. */
  readonly #waiting = new Set<Link>();
  #open = true;
  #paused = 0;
  #silent = 0;
  #pings = 0;
  #timer: { cancel(): void };

  constructor(socket: Duplex, scheduler: Scheduler, events: LinkEvents) {
    this.#socket = socket;
    this.#scheduler = scheduler;
    this.#events = events;
    socket.on('error', (e: Error) => this.close(e.message));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.close('closed'));
    socket.on('drain', () => this.#release());
    this.#timer = scheduler.after(tick, () => this.#beat());
    // It may have ended before anybody listened.
    if (socket.destroyed || socket.readableEnded) queueMicrotask(() => this.close('closed'));
  }

  get open(): boolean {
    return this.#open;
  }

  /** Bytes taken from the other leg that the system has not yet taken from us. */
  get queued(): number {
    return this.#socket.writableLength;
  }

  send(message: Message): void {
    if (!this.#open) return;
    try {
      this.#socket.write(encode(message));
    } catch (e) {
      // A message of ours that no frame can carry is a fault of this connection, never of the process.
      this.close(wordsOf(e));
    }
  }

  /** Passes DATA on, without its first `skip` bytes, and holds `from` back while too much waits here. */
  forward(data: Data, skip: number, from: Link | undefined): void {
    if (!this.#open) return;
    if (skip === 0) this.#socket.write(data.raw);
    else {
      const rest = data.bytes.subarray(skip);
      this.#socket.cork();
      this.#socket.write(headOfData(data.channel, data.offset + skip, rest.length));
      this.#socket.write(rest);
      this.#socket.uncork();
    }
    if (from !== undefined && this.#open && this.queued > pressure && !this.#waiting.has(from)) {
      this.#waiting.add(from);
      from.#pause();
    }
  }

  /** Says why, then closes. */
  fail(code: string, text: string): void {
    if (!this.#open) return;
    this.send({ type: 'ERROR', code, text });
    this.#finish(`${code}: ${text}`, true);
  }

  close(why: string): void {
    this.#finish(why, false);
  }

  #finish(why: string, politely: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#timer.cancel();
    this.#release();
    const socket = this.#socket;
    if (politely && !socket.destroyed) {
      const late = this.#scheduler.after(endWithin, () => socket.destroy());
      socket.on('close', () => late.cancel());
      socket.end();
      socket.resume();
    } else socket.destroy();
    this.#events.closed(why);
  }

  #read(chunk: Buffer): void {
    if (!this.#open) return;
    this.#silent = 0;
    try {
      this.#decoder.push(chunk, (raw) => {
        if (!this.#open) return;
        const message = parse(raw);
        if (message === undefined || message.type === 'PONG') return;
        if (message.type === 'DATA') this.#events.data(message);
        else if (message.type === 'PING') this.send({ type: 'PONG', n: message.n });
        else this.#events.message(message);
      });
    } catch (e) {
      if (e instanceof FrameError) this.fail(e.fault, e.message);
      else this.fail('internal', wordsOf(e));
    }
  }

  #ended(): void {
    try {
      this.#decoder.end();
      this.close('closed');
    } catch (e) {
      this.close(wordsOf(e));
    }
  }

  #beat(): void {
    if (!this.#open) return;
    // A side that we do not read cannot be heard.
    this.#silent = this.#paused > 0 ? 0 : this.#silent + 1;
    if (this.#silent > silentAt) {
      this.close('silence');
      return;
    }
    this.#pings += 1;
    if (this.#pings % pingEvery === 0) this.send({ type: 'PING', n: this.#pings / pingEvery });
    this.#timer = this.#scheduler.after(tick, () => this.#beat());
  }

  #pause(): void {
    this.#paused += 1;
    this.#socket.pause();
  }

  #resume(): void {
    this.#paused -= 1;
    if (this.#paused === 0) this.#socket.resume();
  }

  #release(): void {
    for (const link of this.#waiting) link.#resume();
    this.#waiting.clear();
  }
}

export function wordsOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
