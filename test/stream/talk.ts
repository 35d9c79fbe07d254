/** What both fake far ends are made of. */
import type { Duplex } from 'node:stream';
import { FrameDecoder } from '../../src/stream/frames.ts';
import { type Data, type Message, parse } from '../../src/stream/messages.ts';

export const window = 1_048_576;
export const chunk = 65_536;

/** Bytes that are known by channel and offset, without being kept; the period is a prime, so no cut hides behind it. */
export class Pattern {
  readonly #block: Buffer;
  readonly #period = 1_048_573;
  constructor(seed = 1) {
    const bytes = Buffer.allocUnsafe(this.#period);
    let x = seed | 1;
    for (let i = 0; i < bytes.length; i++) {
      x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
      bytes[i] = x >>> 16;
    }
    this.#block = Buffer.concat([bytes, bytes.subarray(0, chunk)]);
  }
  at(channel: number, offset: number, length: number): Buffer {
    const start = (offset + channel * 7919) % this.#period;
    return this.#block.subarray(start, start + Math.min(length, chunk));
  }
}

/** Reads frames from a socket; stops for good when the socket closes. */
export function listen(socket: Duplex, message: (m: Message | Data) => void, closed: () => void): void {
  const decoder = new FrameDecoder();
  socket.on('data', (c: Buffer) =>
    decoder.push(c, (raw) => {
      const m = parse(raw);
      if (m !== undefined && !socket.destroyed) message(m);
    }),
  );
  socket.on('error', () => {});
  socket.on('close', closed);
}
