/** The last bytes of one channel, by their place in the whole stream. */

export const tailBytes = 65_536;
/** Most jobs write little: a ring begins with this, and doubles while it fills. */
const leastBytes = 2_048;
const nothing = Buffer.alloc(0);

export class Tail {
  /** Byte `n` of the stream lies at `n` modulo its length. */
  #ring = nothing;
  #begin: number;
  #end: number;
  /** Where this process began to see the stream. */
  readonly first: number;

  constructor(first: number) {
    this.first = first;
    this.#begin = first;
    this.#end = first;
  }

  /** The first byte that is kept still. */
  get begin(): number {
    return this.#begin;
  }

  /** Behind the last byte that was seen. */
  get end(): number {
    return this.#end;
  }

  /** What it takes of memory. */
  get room(): number {
    return this.#ring.length;
  }

  /** Copies: what is given is neither kept nor changed. What was seen already, as after a reconnect, is passed over. */
  push(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (end <= this.#end) return;
    // A stand-in that had more in hand than went through here.
    if (offset > this.#end) this.#begin = offset;
    const from = Math.max(offset, this.#end, end - tailBytes);
    this.#grow(end);
    this.#end = end;
    this.#begin = Math.max(this.#begin, end - this.#ring.length);
    this.#put(from, bytes.subarray(from - offset));
  }

  /** A copy of what is kept from `from` on. */
  read(from: number): Buffer {
    const start = Math.max(from, this.#begin);
    if (start >= this.#end) return nothing;
    const size = this.#ring.length;
    const at = start % size;
    const length = this.#end - start;
    const straight = Math.min(length, size - at);
    return Buffer.concat([this.#ring.subarray(at, at + straight), this.#ring.subarray(0, length - straight)]);
  }

  /** Gives its memory back; where it stands it still knows. */
  empty(): void {
    this.#ring = nothing;
    this.#begin = this.#end;
  }

  /** So that all that there is up to `end` fits, or as much as is ever kept. */
  #grow(end: number): void {
    const needed = Math.min(end - this.#begin, tailBytes);
    if (needed <= this.#ring.length) return;
    const kept = this.read(this.#begin);
    const from = this.#end - kept.length;
    let size = Math.max(leastBytes, this.#ring.length);
    while (size < needed) size *= 2;
    this.#ring = Buffer.alloc(size);
    this.#put(from, kept);
  }

  /** At most as many as the ring is long. */
  #put(offset: number, bytes: Uint8Array): void {
    const size = this.#ring.length;
    const at = offset % size;
    const straight = Math.min(bytes.length, size - at);
    this.#ring.set(bytes.subarray(0, straight), at);
    this.#ring.set(bytes.subarray(straight), 0);
  }
}
