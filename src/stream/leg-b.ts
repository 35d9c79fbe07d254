/** One keeper: dialled, authenticated both ways, and dialled again whenever the connection is lost (sections 2 and 3). */
import type { Duplex } from 'node:stream';
import type { Instant } from '../domain/ids.ts';
import type { PodRef } from '../domain/kube.ts';
import { mac, sameMac } from './auth.ts';
import { Link, wordsOf } from './link.ts';
import type { Data, Message, Told } from './messages.ts';
import { introduceWithin, type Needs, versions } from './needs.ts';

export interface KeeperEvents {
  /** Authenticated, and this is what it has. */
  up(ready: Told<'READY'>): void;
  /** Only while up. A later READY comes here too. */
  message(message: Message): void;
  data(data: Data): void;
  down(): void;
  /** Link or fault changed. */
  changed(): void;
}

const firstDelay = 200;
const greatestDelay = 10_000;
/** A connection that held this long was no flapping: the next delay starts small again, and an old complaint is over. */
const steadyAfter = 2_000;
const dialWithin = 20_000;

/** A connection on its way up. */
interface Attempt {
  readonly link: Link;
  readonly nonce: string;
  readonly patience: { cancel(): void };
  stage: 'hello' | 'auth' | 'ready' | 'up';
  theirs: string;
}

export class KeeperLeg {
  readonly #pod: PodRef;
  readonly #key: Uint8Array;
  readonly #needs: Needs;
  readonly #events: KeeperEvents;
  #attempt: Attempt | undefined;
  #retry: { cancel(): void } | undefined;
  #failures = 0;
  #steady: { cancel(): void } | undefined;
  /** The fault is the keeper's own word, and stays until a connection holds: else it would show for an instant only. */
  #complained = false;
  #closed = false;
  state: 'connecting' | 'up' | 'down' = 'connecting';
  since: Instant;
  everUp = false;
  fault: string | undefined;

  constructor(pod: PodRef, key: Uint8Array, needs: Needs, events: KeeperEvents) {
    this.#pod = pod;
    this.#key = Uint8Array.from(key);
    this.#needs = needs;
    this.#events = events;
    this.since = needs.clock.now();
    this.#dial();
  }

  /** The connection, while it is up. */
  get link(): Link | undefined {
    return this.#attempt?.stage === 'up' ? this.#attempt.link : undefined;
  }

  send(message: Message): boolean {
    const link = this.link;
    link?.send(message);
    return link?.open ?? false;
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#steady?.cancel();
    this.#attempt?.link.close('released');
  }

  #dial(): void {
    this.#retry = undefined;
    let waiting = true;
    const late = this.#needs.scheduler.after(dialWithin, () => {
      waiting = false;
      this.#again(`dial: no answer within ${dialWithin / 1000} s`);
    });
    const failed = (e: unknown): void => {
      late.cancel();
      if (waiting) this.#again(`dial: ${wordsOf(e)}`);
      waiting = false;
    };
    const dialled = (socket: Duplex): void => {
      late.cancel();
      if (waiting && !this.#closed) {
        waiting = false;
        this.#introduce(socket);
        return;
      }
      // Came too late: nobody listens to it any more, so its errors must not reach the process.
      socket.on('error', () => {});
      socket.destroy();
    };
    try {
      this.#needs.dial(this.#pod).then(dialled).catch(failed);
    } catch (e) {
      failed(e);
    }
  }

  #introduce(socket: Duplex): void {
    const nonce = Buffer.from(this.#needs.entropy.bytes(16)).toString('hex');
    const link = new Link(socket, this.#needs.scheduler, {
      message: (m) => this.#hear(attempt, m),
      data: (d) => {
        if (attempt.stage === 'up') this.#events.data(d);
        else link.fail('protocol', 'DATA before READY');
      },
      closed: (why) => this.#lost(attempt, why),
    });
    const patience = this.#needs.scheduler.after(introduceWithin, () =>
      link.fail('timeout', 'no READY within 10 s'),
    );
    const attempt: Attempt = { link, nonce, patience, stage: 'hello', theirs: '' };
    this.#attempt = attempt;
    link.send({ type: 'HELLO', v: versions, role: 'gateway', nonce, epoch: this.#needs.epoch() });
  }

  #hear(attempt: Attempt, m: Message): void {
    const { link, stage } = attempt;
    if (m.type === 'ERROR') {
      this.#complained = m.code !== 'stale_epoch';
      link.close(m.code === 'stale_epoch' ? 'stale' : `${m.code}: ${m.text}`);
    } else if (stage === 'up') {
      this.#events.message(m);
    } else if (stage === 'hello' && m.type === 'HELLO') {
      if (m.role !== 'keeper') link.fail('protocol', `a ${m.role} where a keeper listens`);
      else if (!m.v.some((v) => versions.includes(v))) link.fail('version', `speaks only ${m.v.join(', ')}`);
      else {
        attempt.theirs = m.nonce;
        attempt.stage = 'auth';
        link.send({ type: 'AUTH', mac: mac(this.#key, 'gateway', attempt.nonce, m.nonce) });
      }
    } else if (stage === 'auth' && m.type === 'AUTH') {
      if (sameMac(m.mac, mac(this.#key, 'keeper', attempt.theirs, attempt.nonce))) attempt.stage = 'ready';
      else link.close('auth: the keeper has another key');
    } else if (stage === 'ready' && m.type === 'READY') {
      attempt.stage = 'up';
      attempt.patience.cancel();
      this.everUp = true;
      if (!this.#complained) this.fault = undefined;
      this.#steady = this.#needs.scheduler.after(steadyAfter, () => {
        this.#failures = 0;
        if (!this.#complained) return;
        this.#complained = false;
        this.#blame(undefined);
      });
      this.#turn('up');
      this.#events.up(m);
    } else {
      link.fail('protocol', `${m.type} before READY`);
    }
  }

  #lost(attempt: Attempt, why: string): void {
    attempt.patience.cancel();
    this.#attempt = undefined;
    this.#steady?.cancel();
    if (attempt.stage === 'up') this.#events.down();
    // A keeper that does not accept our mac closes without a word.
    this.#again(
      attempt.stage === 'auth' && why === 'closed' ? 'auth: the keeper closed without a word' : why,
    );
  }

  #again(fault: string): void {
    if (this.#closed) return;
    const delay = Math.min(greatestDelay, firstDelay * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#retry = this.#needs.scheduler.after(delay * (0.5 + this.#needs.entropy.random() / 2), () =>
      this.#dial(),
    );
    if (this.everUp) this.#turn('down');
    this.#blame(fault);
  }

  #blame(fault: string | undefined): void {
    if (this.fault === fault) return;
    this.fault = fault;
    this.#events.changed();
  }

  #turn(state: 'up' | 'down'): void {
    if (this.state === state) return;
    this.state = state;
    this.since = this.#needs.clock.now();
    this.#events.changed();
  }
}
