/** Who comes in at a keeper's port: nothing is said to one without the burst's key but HELLO (sections 2 and 3). */
import type { Duplex } from 'node:stream';
import type { Clock, Entropy, Scheduler } from '../../ports.ts';
import { mac, sameMac } from '../../stream/auth.ts';
import { maxFrame } from '../../stream/frames.ts';
import type { Data, Message, Told } from '../../stream/messages.ts';
import { Epochs, FarLink, hex, type Timing } from './far-link.ts';

export interface DoorNeeds {
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly entropy: Entropy;
  readonly timing?: Timing;
}

/** Only of connections that were let in. */
export interface DoorEvents {
  enters(link: FarLink): void;
  message(link: FarLink, message: Message): void;
  data(link: FarLink, data: Data): void;
  next(link: FarLink): Buffer | undefined;
  leaves(link: FarLink): void;
}

const mostStrangers = 8;
const introduceWithin = 10_000;
/** A stranger gets no megabyte of ours. */
const strangersFrame = 4_096;

export class Door {
  readonly #needs: DoorNeeds;
  readonly #events: DoorEvents;
  readonly #links = new Set<FarLink>();
  readonly #epochs = new Epochs();
  #strangers = 0;
  #shut = false;

  constructor(needs: DoorNeeds, events: DoorEvents) {
    this.#needs = needs;
    this.#events = events;
  }

  come(socket: Duplex): void {
    if (this.#shut || this.#strangers >= mostStrangers) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const nonce = hex(this.#needs.entropy.bytes(16));
    let hello: Told<'HELLO'> | undefined;
    let known = false;
    this.#strangers += 1;
    const patience = this.#needs.scheduler.after(introduceWithin, () =>
      link.close('not authenticated in time'),
    );
    const link: FarLink = new FarLink(socket, this.#needs, {
      message: (m) => {
        if (known) this.#events.message(link, m);
        else if (hello === undefined) hello = this.#greet(link, m);
        else if (this.#isGateway(link, m, nonce, hello)) {
          known = true;
          this.#strangers -= 1;
          patience.cancel();
          link.limit = maxFrame;
          this.#events.enters(link);
        }
      },
      data: (d) => {
        if (known) this.#events.data(link, d);
        else link.fail('malformed', 'DATA before AUTH');
      },
      next: () => (known ? this.#events.next(link) : undefined),
      closed: () => {
        this.#links.delete(link);
        if (known) this.#events.leaves(link);
        else {
          this.#strangers -= 1;
          patience.cancel();
        }
      },
    });
    link.limit = strangersFrame;
    this.#links.add(link);
    link.send({ type: 'HELLO', v: [1], role: 'keeper', nonce });
  }

  /** The process is gone, and its connections with it. */
  shut(): void {
    this.#shut = true;
    for (const link of [...this.#links]) link.close('the keeper ended');
  }

  #greet(link: FarLink, m: Message): Told<'HELLO'> | undefined {
    if (m.type !== 'HELLO' || m.role !== 'gateway')
      link.fail('malformed', `${m.type} instead of a gateway's HELLO`);
    else if (!m.v.includes(1))
      link.fail('version', `this keeper speaks version 1, the gateway ${m.v.join(', ')}`);
    else return m;
    return undefined;
  }

  /** The epoch counts only once the key was shown: anybody could claim a high one. */
  #isGateway(link: FarLink, m: Message, nonce: string, hello: Told<'HELLO'>): boolean {
    const { key } = this.#needs;
    if (m.type !== 'AUTH') link.fail('malformed', `${m.type} instead of AUTH`);
    else if (!sameMac(m.mac, mac(key, 'gateway', hello.nonce, nonce))) link.close('wrong key');
    else if (!this.#epochs.accept(hello.epoch ?? 0)) link.fail('stale_epoch', 'a later leader was heard');
    else {
      link.send({ type: 'AUTH', mac: mac(key, 'keeper', nonce, hello.nonce) });
      return true;
    }
    return false;
  }
}
