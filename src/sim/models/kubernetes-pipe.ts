/** Two ends of a connection in one process: bytes in order, back-pressure both ways, never in the middle of a call. */
import { Duplex } from 'node:stream';

const mostBuffered = 64 * 1024;

export function pipe(): readonly [Duplex, Duplex] {
  const [here, there] = [new End(), new End()];
  here.join(there);
  there.join(here);
  return [here, there];
}

class End extends Duplex {
  #peer: End | undefined;
  /** The other end's write, which waits until somebody reads here. */
  #held: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: false, highWaterMark: mostBuffered });
    // Whoever holds it may not listen yet when it breaks.
    this.on('error', () => {});
  }

  join(peer: End): void {
    this.#peer = peer;
  }

  /** A write is done once the other end's buffer has room again. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // In a later turn, as on a network: the reader may write back at once, and would otherwise call into us.
    queueMicrotask(() => {
      const peer = this.#peer;
      if (peer === undefined || peer.destroyed || peer.readableEnded)
        return done(new Error('the other end is closed'));
      if (peer.push(chunk)) done();
      else peer.#held = done;
    });
  }

  override _read(): void {
    this.#release();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#peer?.hear(undefined);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#release();
    const peer = this.#peer;
    queueMicrotask(() => peer?.hear(error ?? undefined));
    done(error);
  }

  /** The other end is over: what it wrote before can still be read, unless it broke. */
  hear(error: Error | undefined): void {
    if (this.destroyed) return;
    if (error !== undefined) this.destroy(new Error(`the connection was cut: ${error.message}`));
    else if (!this.#ended) {
      this.#ended = true;
      this.push(null);
    }
  }
  #ended = false;

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }
}
