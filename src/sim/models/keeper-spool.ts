/** What a keeper holds of the script's output. */
import { headOfData } from '../../stream/messages.ts';
import { mostInFrame, type OutputChannel, sendWindow } from './far-link.ts';

/** A write that the spool has not taken whole. */
interface Held {
  bytes: Buffer;
  /** Whether all of it was taken. */
  readonly done: (kept: boolean) => void;
}

/** Channel 1 or 2: what was written and not yet acknowledged, never more than `size`; the rest waits in its writer. */
export class Spool {
  readonly #channel: OutputChannel;
  readonly #size: number;
  readonly #changed: () => void;
  readonly #pieces: Buffer[] = [];
  readonly #held: Held[] = [];
  /** Offset of the first byte in `#pieces`. */
  #from = 0;
  #sent = 0;
  #resumed = 0;
  /** The connection that said from where to send. */
  #holder: object | undefined;
  #ending = false;
  end = 0;
  acked = 0;

  /** `changed` when there is more to send, or nothing more will come. */
  constructor(channel: OutputChannel, size: number, changed: () => void) {
    this.#channel = channel;
    this.#size = size;
    this.#changed = changed;
  }

  /** Nothing more will come: its end is known. */
  get closed(): boolean {
    return this.#ending && this.#held.length === 0;
  }

  get held(): boolean {
    return this.#held.length > 0;
  }

  write(bytes: Buffer, done: (kept: boolean) => void): void {
    if (this.#ending) done(false);
    else if (bytes.length === 0) done(true);
    else {
      this.#held.push({ bytes, done });
      this.#fill();
    }
  }

  /** The writer is gone. What still waits, as it would in a pipe, is taken all the same. */
  finish(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#changed();
  }

  /** What a writer has in hand and could not give yet is lost. */
  interrupt(): void {
    for (const { done } of this.#held.splice(0)) done(false);
  }

  /** Section 6: never below what was acknowledged, which is gone, and not beyond what was written. */
  resumeAt(holder: object, offset: number): boolean {
    if (offset < this.acked || offset > this.end) return false;
    this.#sent = offset;
    this.#resumed = offset;
    this.#holder = holder;
    return true;
  }

  /** False: that was never written. */
  acknowledge(offset: number): boolean {
    if (offset > this.end) return false;
    if (offset <= this.acked) return true;
    this.acked = offset;
    for (let first = this.#pieces[0]; first !== undefined; first = this.#pieces[0]) {
      if (this.#from + first.length > offset) break;
      this.#from += first.length;
      this.#pieces.shift();
    }
    this.#fill();
    return true;
  }

  /** The next DATA, for the connection that resumed last. */
  next(holder: object): Buffer | undefined {
    if (holder !== this.#holder) return undefined;
    const from = this.#sent;
    const window = sendWindow - (from - Math.max(this.acked, this.#resumed));
    const room = Math.min(this.end - from, window, mostInFrame);
    if (room <= 0) return undefined;
    this.#sent = from + room;
    return Buffer.concat([headOfData(this.#channel, from, room), ...this.#between(from, from + room)]);
  }

  #between(from: number, to: number): Buffer[] {
    const found: Buffer[] = [];
    let at = this.#from;
    for (const piece of this.#pieces) {
      if (at >= to) break;
      if (at + piece.length > from) found.push(piece.subarray(Math.max(0, from - at), to - at));
      at += piece.length;
    }
    return found;
  }

  #fill(): void {
    let more = false;
    for (let held = this.#held[0]; held !== undefined; held = this.#held[0]) {
      const n = Math.min(held.bytes.length, this.#size - (this.end - this.acked));
      if (n <= 0) break;
      this.#pieces.push(held.bytes.subarray(0, n));
      held.bytes = held.bytes.subarray(n);
      this.end += n;
      more = true;
      if (held.bytes.length > 0) break;
      this.#held.shift();
      held.done(true);
    }
    if (more) this.#changed();
  }
}
