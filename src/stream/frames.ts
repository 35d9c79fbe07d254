/** The frames of protocol/spill.md, section 1, as bytes; what is in them is `messages.ts`. */

export const maxFrame = 1_048_576;
const lengthBytes = 4;
/** length, type, channel, offset */
export const dataHeader = lengthBytes + 1 + 1 + 8;

export type FrameFault = 'truncated' | 'empty' | 'too_long' | 'unknown_type' | 'malformed';

export class FrameError extends Error {
  readonly fault: FrameFault;
  constructor(fault: FrameFault, text: string) {
    super(text);
    this.name = 'FrameError';
    this.fault = fault;
  }
}

/** One whole frame, its length included, as it came: so it can be forwarded without being written again. */
export type RawFrame = Buffer;

/**
 * Cuts a byte stream into frames. A frame that lies whole in one chunk is a view of it; one that is torn is put together
 * in one buffer of its size, so a byte is copied once at most. Throws FrameError, after which it must not be used again.
 */
export class FrameDecoder {
  #frame: Buffer | undefined;
  #filled = 0;
  readonly #head = Buffer.alloc(lengthBytes);
  #headFilled = 0;

  push(chunk: Buffer, on: (frame: RawFrame) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frame !== undefined) {
        const taken = chunk.copy(this.#frame, this.#filled, at);
        at += taken;
        this.#filled += taken;
        if (this.#filled < this.#frame.length) return;
        const whole = this.#frame;
        this.#frame = undefined;
        on(whole);
        continue;
      }
      const left = chunk.length - at;
      if (this.#headFilled === 0 && left >= lengthBytes) {
        const size = lengthBytes + bodyLength(chunk.readUInt32BE(at));
        if (left >= size) {
          on(chunk.subarray(at, at + size));
          at += size;
          continue;
        }
        this.#begin(size, chunk, at);
        return;
      }
      const taken = chunk.copy(this.#head, this.#headFilled, at, at + lengthBytes - this.#headFilled);
      at += taken;
      this.#headFilled += taken;
      if (this.#headFilled < lengthBytes) return;
      this.#headFilled = 0;
      this.#begin(lengthBytes + bodyLength(this.#head.readUInt32BE(0)), this.#head, 0);
    }
  }

  /** The stream ended: throws if it did so inside a frame. */
  end(): void {
    if (this.#frame !== undefined || this.#headFilled > 0)
      throw new FrameError('truncated', 'the stream ended inside a frame');
  }

  #begin(size: number, from: Buffer, at: number): void {
    this.#frame = Buffer.allocUnsafe(size);
    this.#filled = from.copy(this.#frame, 0, at);
  }
}

function bodyLength(length: number): number {
  if (length === 0) throw new FrameError('empty', 'a frame of length 0');
  if (length > maxFrame)
    throw new FrameError('too_long', `a frame of ${length} bytes, more than ${maxFrame}`);
  return length;
}

/** A frame from its type and body. */
export function frame(type: number, body: Uint8Array): Buffer {
  const length = 1 + body.length;
  if (length > maxFrame)
    throw new FrameError('too_long', `a frame of ${length} bytes, more than ${maxFrame}`);
  const raw = Buffer.allocUnsafe(lengthBytes + length);
  raw.writeUInt32BE(length, 0);
  raw[lengthBytes] = type;
  raw.set(body, lengthBytes + 1);
  return raw;
}

/** What stands in front of `length` bytes of DATA; the bytes are written after it without being copied. */
export function dataHead(type: number, channel: number, offset: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(dataHeader);
  head.writeUInt32BE(dataHeader - lengthBytes + length, 0);
  head[lengthBytes] = type;
  head[lengthBytes + 1] = channel;
  head.writeBigUInt64BE(BigInt(offset), lengthBytes + 2);
  return head;
}

export const typeOf = (raw: RawFrame): number => raw[lengthBytes] ?? 0;
export const bodyOf = (raw: RawFrame): Buffer => raw.subarray(lengthBytes + 1);
