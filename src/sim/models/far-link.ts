/** What keeper and stand-in make of a connection. It shares only the frames with the gateway's, so neither hides the other's faults. */
import type { Duplex } from 'node:stream';
import type { Clock, Scheduler } from '../../ports.ts';
import { FrameDecoder, FrameError, maxFrame } from '../../stream/frames.ts';
import { type Data, encode, type Message, parse } from '../../stream/messages.ts';

/** Section 6: unacknowledged bytes a channel, and bytes a frame. */
export const sendWindow = 1_048_576;
export const mostInFrame = 65_536;

/** The stand-in's directions and their opposites. */
export type OutputChannel = 1 | 2;
export type InputChannel = 3 | 4;

export interface Timing {
  /** 0: says no PING of its own. Answers are all that a quiet connection then carries, which halves what an idle hour costs. */
  readonly pingMs: number;
  readonly silenceMs: number;
}
export const protocolTiming: Timing = { pingMs: 20_000, silenceMs: 60_000 };

/** Its last words have so long to be heard. */
const lastWordsMs = 1_000;

export interface FarEvents {
  /** Not called for PING and PONG. */
  message(message: Message): void;
  data(data: Data): void;
  /** The next frame to send of what waits, if it may be sent now; asked while the connection takes more. */
  next(): Buffer | undefined;
  /** Exactly once, and nothing after it. */
  closed(why: string): void;
}

export interface FarNeeds {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly timing?: Timing | undefined;
}

export class FarLink {
  readonly #socket: Duplex;
  readonly #needs: FarNeeds;
  readonly #events: FarEvents;
  readonly #decoder = new FrameDecoder();
  #state: 'open' | 'ending' | 'closed' = 'open';
  #heardAt: number;
  #paused = false;
  #pings = 0;
  #ping: { cancel(): void } | undefined;
  #silence: { cancel(): void } | undefined;
  #last: { cancel(): void } | undefined;
  #why = 'closed';
  /** A longer frame is fatal. */
  limit = maxFrame;

  constructor(socket: Duplex, needs: FarNeeds, events: FarEvents) {
    this.#socket = socket;
    this.#needs = needs;
    this.#events = events;
    this.#heardAt = needs.clock.now();
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (e: Error) => this.close(e.message));
    socket.on('end', () => this.close('closed'));
    socket.on('close', () => this.close('closed'));
    socket.on('drain', () => this.poke());
    const { pingMs, silenceMs } = this.#timing;
    if (pingMs > 0) this.#ping = needs.scheduler.after(pingMs, () => this.#sayPing());
    this.#silence = needs.scheduler.after(silenceMs, () => this.#listen());
    if (socket.destroyed || socket.readableEnded) queueMicrotask(() => this.close('closed'));
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  send(message: Message): void {
    if (this.#state === 'open') this.#socket.write(encode(message));
  }

  /** There may be something to send. */
  poke(): void {
    while (this.#state === 'open' && !this.#socket.writableNeedDrain) {
      const frame = this.#events.next();
      if (frame === undefined) return;
      this.#socket.write(frame);
    }
  }

  /** Reads nothing more until `resume`; meanwhile nothing can be heard, so silence means nothing. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#heardAt = this.#needs.clock.now();
    this.#socket.resume();
  }

  /** Says why, then closes. */
  fail(code: string, text: string): void {
    this.send({ type: 'ERROR', code, text });
    this.finish(`${code}: ${text}`);
  }

  /** Hears nothing more, and closes once the far side has heard it all, or has not for too long. */
  finish(why: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#why = why;
    this.#quiet();
    this.#last = this.#needs.scheduler.after(lastWordsMs, () => this.close(why));
    this.#socket.end();
    this.#socket.resume();
  }

  close(why: string): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'open') this.#why = why;
    this.#state = 'closed';
    this.#quiet();
    this.#last?.cancel();
    this.#socket.destroy();
    this.#events.closed(this.#why);
  }

  get #timing(): Timing {
    return this.#needs.timing ?? protocolTiming;
  }

  #quiet(): void {
    this.#ping?.cancel();
    this.#silence?.cancel();
  }

  #read(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    try {
      this.#decoder.push(chunk, (raw) => {
        if (this.#state !== 'open') return;
        this.#heardAt = this.#needs.clock.now();
        if (raw.length > this.limit + 4) throw new FrameError('too_long', `a frame of ${raw.length} bytes`);
        const message = parse(raw);
        if (message === undefined || message.type === 'PONG') return;
        if (message.type === 'PING') this.send({ type: 'PONG', n: message.n });
        else if (message.type === 'DATA') this.#events.data(message);
        else this.#events.message(message);
      });
    } catch (e) {
      if (!(e instanceof FrameError)) throw e;
      this.fail(e.fault, e.message);
    }
  }

  #sayPing(): void {
    this.#pings += 1;
    this.send({ type: 'PING', n: this.#pings });
    this.#ping = this.#needs.scheduler.after(this.#timing.pingMs, () => this.#sayPing());
  }

  #listen(): void {
    if (this.#paused) this.#heardAt = this.#needs.clock.now();
    const left = this.#heardAt + this.#timing.silenceMs - this.#needs.clock.now();
    if (left <= 0) this.close('silence');
    else this.#silence = this.#needs.scheduler.after(left, () => this.#listen());
  }
}

/** Section 2: the highest leader that was heard; an older one is refused. */
export class Epochs {
  highest = 0;

  accept(epoch: number): boolean {
    if (epoch < this.highest) return false;
    this.highest = epoch;
    return true;
  }
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
