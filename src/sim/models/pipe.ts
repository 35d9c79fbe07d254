/**
 * A connection in memory: what is written at one end is read at the other, in order, never within the call that wrote it. It can be
 * cut, be slow, tear what it carries as TCP may, or lose one way in silence. Without a delay it needs no timer: all that it
 * carries has arrived once ticks and microtasks have run out.
 */
import { Duplex } from 'node:stream';
import type { Clock, Scheduler } from '../../ports.ts';

export type Side = 'near' | 'far';
/** `reset`: what is under way is lost, both ends fail. `end`: what is under way arrives, then both ends see the stream's end. */
export type Cut = 'reset' | 'end';

export interface PipeOptions {
  /** Bytes each way between the ends, buffers of the ends not counted, before the writer is held back. */
  readonly capacity?: number;
  readonly delay?: { readonly clock: Clock; readonly scheduler: Scheduler; ms(): number };
  /** Of so many bytes written at once, how many arrive as one piece; what is left over follows as the next. Default: all. */
  tear?(length: number): number;
  /** Called as each piece arrives; one that is cut off in here does not. */
  passing?(from: Side, bytes: Buffer): void;
}

const standardCapacity = 256 * 1024;
const readAhead = 64 * 1024;

export class Pipe {
  readonly near: Duplex;
  readonly far: Duplex;
  readonly #to: { readonly near: Way; readonly far: Way };

  constructor(options: PipeOptions = {}) {
    const near = new End();
    const far = new End();
    const toFar = new Way('near', far, options);
    const toNear = new Way('far', near, options);
    this.#to = { near: toNear, far: toFar };
    near.join(toFar, toNear);
    far.join(toNear, toFar);
    this.near = near;
    this.far = far;
  }

  /** Neither end is closed. One that lost a way is open still. */
  get open(): boolean {
    return !this.near.destroyed && !this.far.destroyed;
  }

  /** In between, so both ends hear of it: but not the one to which nothing comes through any more. */
  cut(how: Cut): void {
    for (const way of [this.#to.far, this.#to.near]) {
      if (how === 'reset') way.reset();
      else way.finish();
    }
  }

  /** From now on and for good nothing comes through from that side, not even its end: the other can only notice the silence. */
  lose(from: Side): void {
    this.#to[from === 'near' ? 'far' : 'near'].lose();
  }
}

/** One end. What its owner does with it, `end`, `destroy`, `destroy(error)`, is what the other end sees: end, end, reset. */
class End extends Duplex {
  #out: Way | undefined;
  #in: Way | undefined;

  constructor() {
    super({ allowHalfOpen: false, readableHighWaterMark: readAhead, writableHighWaterMark: readAhead });
    // A system's connection cannot break between being made and being listened to; this one can, within one turn.
    this.on('error', () => undefined);
  }

  join(out: Way, into: Way): void {
    this.#out = out;
    this.#in = into;
  }

  override _read(): void {
    this.#in?.wanted();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // The far end is closed: a system answers what still comes with a reset.
    if (this.#out?.put(bytes, done) === false) process.nextTick(() => this.#in?.reset());
  }

  override _final(done: () => void): void {
    this.#out?.finish();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#in?.drop();
    if (error === null) this.#out?.finish();
    else this.#out?.reset();
    done(error);
  }
}

interface Parcel {
  /** Undefined: the end. */
  readonly bytes: Buffer | undefined;
  readonly due: number;
}

/** From one end to the other. */
class Way {
  readonly #from: Side;
  readonly #to: End;
  readonly #options: PipeOptions;
  readonly #queue: Parcel[] = [];
  #queued = 0;
  /** The writer, held back. */
  #held: (() => void) | undefined;
  #wanted = true;
  #due = 0;
  #waiting = false;
  #state: 'open' | 'finished' | 'over' = 'open';
  #lost = false;

  constructor(from: Side, to: End, options: PipeOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
  }

  /** False: nobody is there to read it. */
  put(bytes: Buffer, done: () => void): boolean {
    if (this.#state !== 'open') {
      done();
      return this.#lost || this.#state === 'finished';
    }
    const { tear } = this.#options;
    for (let at = 0; at < bytes.length; ) {
      const n = tear === undefined ? bytes.length : Math.max(1, Math.floor(tear(bytes.length - at)));
      this.#add(bytes.subarray(at, at + n));
      at += n;
    }
    if (this.#queued <= (this.#options.capacity ?? standardCapacity)) done();
    else this.#held = done;
    return true;
  }

  finish(): void {
    if (this.#state !== 'open') return;
    this.#add(undefined);
    this.#state = 'finished';
  }

  reset(): void {
    if (this.#state === 'over') return;
    this.drop();
    if (this.#lost) return;
    const error: NodeJS.ErrnoException = new Error('read ECONNRESET');
    error.code = 'ECONNRESET';
    this.#to.destroy(error);
  }

  /** Whoever read here is gone. */
  drop(): void {
    this.#state = 'over';
    this.#queue.length = 0;
    this.#queued = 0;
    this.#release();
  }

  lose(): void {
    this.#lost = true;
    this.drop();
  }

  wanted(): void {
    this.#wanted = true;
    this.#await();
  }

  #add(bytes: Buffer | undefined): void {
    const { delay } = this.#options;
    // Whole milliseconds, as clocks have them: a timer for less than one may come before it.
    if (delay !== undefined)
      this.#due = Math.max(this.#due, delay.clock.now() + Math.max(0, Math.ceil(delay.ms())));
    this.#queue.push({ bytes, due: this.#due });
    this.#queued += bytes?.length ?? 0;
    this.#await();
  }

  #await(): void {
    const [next] = this.#queue;
    if (this.#waiting || !this.#wanted || next === undefined) return;
    this.#waiting = true;
    const { delay } = this.#options;
    const left = delay === undefined ? 0 : next.due - delay.clock.now();
    if (delay === undefined || left <= 0) process.nextTick(() => this.#deliver());
    else delay.scheduler.after(left, () => this.#deliver());
  }

  #deliver(): void {
    this.#waiting = false;
    const now = this.#options.delay?.clock.now() ?? 0;
    for (;;) {
      const [next] = this.#queue;
      if (next === undefined || !this.#wanted || next.due > now) break;
      this.#queue.shift();
      if (next.bytes !== undefined) {
        this.#options.passing?.(this.#from, next.bytes);
        if (this.#state === 'over') return;
        this.#queued -= next.bytes.length;
      }
      this.#wanted = false;
      if (this.#to.push(next.bytes ?? null)) this.#wanted = true;
    }
    if (this.#queued <= (this.#options.capacity ?? standardCapacity)) this.#release();
    this.#await();
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }
}
