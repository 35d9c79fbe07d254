/** What the stream tests run on: sockets on loopback that can be cut, and time that runs faster. */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Instant, instant, uuid } from '../../src/domain/ids.ts';
import type { Clock, Entropy, Scheduler } from '../../src/ports.ts';

export const wallClock: Clock = { now: () => instant(Date.now()) };

export const entropy: Entropy = {
  uuid: () => uuid(randomUUID()),
  bytes: (n) => randomBytes(n),
  random: () => Math.random(),
};

/** Timers that come `speed` times as soon. */
export const hurried = (speed: number): Scheduler => ({
  after(ms, work) {
    const t = setTimeout(work, ms / speed);
    return { cancel: () => clearTimeout(t) };
  },
});

/** Time that moves only when told to. */
export class StillTime implements Clock, Scheduler {
  #now = 1_700_000_000_000;
  #due: { at: number; work: () => void }[] = [];
  now(): Instant {
    return instant(this.#now);
  }
  after(ms: number, work: () => void): { cancel(): void } {
    const entry = { at: this.#now + ms, work };
    this.#due.push(entry);
    return {
      cancel: () => {
        this.#due = this.#due.filter((e) => e !== entry);
      },
    };
  }
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#due.filter((e) => e.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((e) => e !== next);
      this.#now = Math.max(this.#now, next.at);
      next.work();
    }
    this.#now = until;
  }
}

/** Loopback connections between parts of one test. */
export class Loopback {
  readonly #server: Server;
  readonly #ready: Promise<unknown>;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Map<number, (s: Socket) => void>();
  readonly #early = new Map<number, Socket>();
  accepted = 0;

  constructor() {
    this.#server = createServer((s) => {
      this.accepted += 1;
      this.#keep(s);
      const port = s.remotePort ?? 0;
      const wanted = this.#waiting.get(port);
      this.#waiting.delete(port);
      if (wanted) wanted(s);
      else this.#early.set(port, s);
    });
    this.#ready = once(this.#server.listen(0, '127.0.0.1'), 'listening');
  }

  /** Both ends of a new connection. */
  async pair(): Promise<[Socket, Socket]> {
    await this.#ready;
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    const near = connect({ port: address.port, host: '127.0.0.1', noDelay: true });
    this.#keep(near);
    await once(near, 'connect');
    const port = near.localPort ?? 0;
    const early = this.#early.get(port);
    this.#early.delete(port);
    const far = early ?? (await new Promise<Socket>((resolve) => this.#waiting.set(port, resolve)));
    far.setNoDelay(true);
    return [near, far];
  }

  close(): void {
    for (const s of this.#sockets) s.destroy();
    this.#server.close();
  }

  #keep(s: Socket): void {
    this.#sockets.add(s);
    s.on('error', () => {});
    s.on('close', () => this.#sockets.delete(s));
  }
}

/** Resolves when `holds` is true; rejects with what was waited for. */
export async function until(what: string, holds: () => boolean, withinMs = 20_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Reset, as a kubelet that dies or a firewall would do it. Whether there was something to cut. */
export function cut(socket: Socket | undefined): boolean {
  if (socket === undefined || socket.destroyed) return false;
  socket.resetAndDestroy();
  return true;
}
