/** One stand-in's connection: PEER from the relay, then HELLO and OPEN from the stand-in itself (section 4). */
import type { Duplex } from 'node:stream';
import { Link } from './link.ts';
import type { Data, Message, Told } from './messages.ts';
import { introduceWithin, type Needs, versions } from './needs.ts';
import type { Open, Peer } from './streams.ts';

export interface Introduction {
  readonly peer: Peer;
  readonly open: Open;
  /** Offsets up to which it wrote its outputs. */
  readonly have: { readonly 1: number; readonly 2: number };
}

export interface StandinEvents {
  /** Once, before the others. */
  opened(leg: StandinLeg, who: Introduction): void;
  message(leg: StandinLeg, message: Message): void;
  data(leg: StandinLeg, data: Data): void;
  /** Exactly once, also for one that never opened. */
  closed(leg: StandinLeg, why: string): void;
}

export class StandinLeg {
  readonly link: Link;
  readonly #needs: Needs;
  readonly #events: StandinEvents;
  readonly #patience: { cancel(): void };
  #peer: Peer | undefined;
  #greeted = false;
  #opened = false;

  constructor(socket: Duplex, needs: Needs, events: StandinEvents) {
    this.#needs = needs;
    this.#events = events;
    this.link = new Link(socket, needs.scheduler, {
      message: (m) => this.#hear(m),
      data: (d) => {
        if (this.#opened) this.#events.data(this, d);
        else this.link.fail('protocol', 'DATA before OPEN');
      },
      closed: (why) => {
        this.#patience.cancel();
        if (!this.#opened)
          needs.note?.('a relay connection ended before OPEN', { why, jobId: this.#peer?.jobId });
        this.#events.closed(this, why);
      },
    });
    this.#patience = needs.scheduler.after(introduceWithin, () =>
      this.link.fail('timeout', 'no OPEN within 10 s'),
    );
  }

  #hear(m: Message): void {
    if (m.type === 'ERROR') {
      this.link.close(`${m.code}: ${m.text}`);
    } else if (m.type === 'PEER') {
      // Only the relay speaks first; a PEER that comes later was written by the user's process.
      if (this.#peer !== undefined || this.#greeted)
        this.link.fail('protocol', 'PEER is not the first frame');
      else this.#meet(m);
    } else if (this.#peer === undefined) {
      this.link.fail('protocol', `${m.type} before PEER`);
    } else if (m.type === 'HELLO') {
      this.#greet(m);
    } else if (!this.#greeted) {
      this.link.fail('protocol', `${m.type} before HELLO`);
    } else if (m.type === 'OPEN') {
      this.#open(m, this.#peer);
    } else if (!this.#opened) {
      this.link.fail('protocol', `${m.type} before OPEN`);
    } else {
      this.#events.message(this, m);
    }
  }

  #meet({ type: _, ...peer }: Told<'PEER'>): void {
    this.#peer = peer;
    this.link.send({
      type: 'HELLO',
      v: versions,
      role: 'gateway',
      nonce: Buffer.from(this.#needs.entropy.bytes(16)).toString('hex'),
      epoch: this.#needs.epoch(),
    });
  }

  #greet(m: Told<'HELLO'>): void {
    if (this.#greeted) this.link.fail('protocol', 'HELLO twice');
    else if (m.role !== 'standin') this.link.fail('protocol', `a ${m.role} where a stand-in calls`);
    else if (!m.v.some((v) => versions.includes(v)))
      this.link.fail('version', `speaks only ${m.v.join(', ')}`);
    else this.#greeted = true;
  }

  #open({ type: _, have, ...open }: Told<'OPEN'>, peer: Peer): void {
    if (this.#opened) {
      this.link.fail('protocol', 'OPEN twice');
      return;
    }
    this.#opened = true;
    this.#patience.cancel();
    this.#events.opened(this, { peer, open, have });
  }
}
