/** The four channels at the stand-in: script and environment on their way out, the job's output on its way into its files. */
import { createHash, type Hash } from 'node:crypto';
import { encode, headOfData, type Told } from '../../stream/messages.ts';
import { type InputChannel, mostInFrame, type OutputChannel, sendWindow } from './far-link.ts';

/** Channel 3 or 4: sent anew for every connection, from where the far side says. */
export class Input {
  readonly #channel: InputChannel;
  readonly #bytes: Buffer;
  #sent = 0;
  #acked = 0;
  #ended = false;
  #close: Told<'CLOSE'> | undefined;

  constructor(channel: InputChannel, bytes: Buffer) {
    this.#channel = channel;
    this.#bytes = bytes;
  }

  restart(have: number): void {
    this.#sent = have;
    this.#acked = have;
    this.#ended = false;
  }

  acknowledge(offset: number): void {
    this.#acked = Math.max(this.#acked, Math.min(offset, this.#sent));
  }

  /** The next DATA, then CLOSE, once for each restart. */
  next(): Buffer | undefined {
    const room = sendWindow - (this.#sent - this.#acked);
    if (this.#ended || room <= 0) return undefined;
    const at = this.#sent;
    const bytes = this.#bytes.subarray(at, at + Math.min(room, mostInFrame));
    if (bytes.length > 0) {
      this.#sent += bytes.length;
      return Buffer.concat([headOfData(this.#channel, at, bytes.length), bytes]);
    }
    this.#ended = true;
    this.#close ??= {
      type: 'CLOSE',
      channel: this.#channel,
      size: this.#bytes.length,
      sha256: createHash('sha256').update(this.#bytes).digest('hex'),
    };
    return encode(this.#close);
  }
}

/** So much of one output is taken while nothing can be written. */
const mostInHand = 256 * 1024;

/** Channel 1 or 2. What was taken and not yet written lives as long as the process, over all its connections. */
export class Output {
  readonly #sum: Hash = createHash('sha256');
  readonly #wrote: (bytes: Buffer) => void;
  #inHand: Buffer[] = [];
  #received = 0;
  #stuck = false;
  written = 0;

  constructor(wrote: (bytes: Buffer) => void) {
    this.#wrote = wrote;
  }

  /** Of what was written, so far. */
  get sum(): string {
    return this.#sum.copy().digest('hex');
  }

  get full(): boolean {
    return this.#received - this.written >= mostInHand;
  }

  /** Drops what it already has. False: a gap. */
  take(offset: number, bytes: Buffer): boolean {
    if (offset > this.#received) return false;
    const fresh = bytes.subarray(this.#received - offset);
    if (fresh.length === 0) return true;
    this.#received += fresh.length;
    // What came is a view of a connection's buffer.
    if (this.#stuck) this.#inHand.push(Buffer.from(fresh));
    else this.#write(fresh);
    return true;
  }

  /** As long as it is stuck, writes fail for want of space and are tried again. */
  stick(stuck: boolean): void {
    this.#stuck = stuck;
    if (stuck) return;
    const inHand = this.#inHand;
    this.#inHand = [];
    for (const bytes of inHand) this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    this.#sum.update(bytes);
    this.written += bytes.length;
    this.#wrote(bytes);
  }
}

export type Outputs = Readonly<Record<OutputChannel, Output>>;
