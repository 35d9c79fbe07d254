/**
 * Couples one keeper with one stand-in and forwards between them. It stores no bytes: what one side sends while the other is
 * away is dropped, and sent again from the offset that the returning side names. A far side sends at most its window
 * (1 MiB a channel) beyond what was acknowledged, so no more than that is ever under way here.
 */
import type { Exit } from '../domain/burst.ts';
import { Gap, Lane } from './lane.ts';
import type { Link } from './link.ts';
import type { Channel, Data, Message, Told } from './messages.ts';

/** A stand-in as the pump sees it; `link` while it is connected. */
export interface Receiver {
  readonly link: Link | undefined;
  readonly have: { readonly 1: number; readonly 2: number };
  /** Signals that it sent and that nobody answered yet. */
  readonly signals: Map<string, Told<'SIGNAL'>>;
  end(exit: Exit, ends: { readonly 1: number; readonly 2: number }): void;
}

type Passed = (channel: 1 | 2, offset: number, bytes: Uint8Array) => void;

const outputs = [1, 2] as const;
const inputs = [3, 4] as const;

export class Pump {
  readonly #epoch: () => number;
  readonly #progress: () => void;
  readonly #passed: Passed | undefined;
  readonly #lanes = { 1: new Lane(), 2: new Lane(), 3: new Lane(), 4: new Lane() };
  readonly #signals = new Map<string, Told<'SIGNAL'>>();
  #keeper: Link | undefined;
  #closed = { 3: false, 4: false };
  #standin: Receiver | undefined;
  #discarding = false;
  /** By the stand-in, whatever was discarded. */
  #written = { 1: 0, 2: 0 };
  dropped = 0;

  /** `progress` is called whenever more output was acknowledged; `passed`, which must not throw, after some was passed on. */
  constructor(epoch: () => number, progress: () => void, passed?: Passed) {
    this.#epoch = epoch;
    this.#progress = progress;
    this.#passed = passed;
  }

  get acked(): { readonly 1: number; readonly 2: number } {
    return { 1: this.#lanes[1].acked, 2: this.#lanes[2].acked };
  }

  /** Where the output of the coupled stand-in ends if nothing more comes to it. */
  get written(): { readonly 1: number; readonly 2: number } {
    return this.#written;
  }

  get discarding(): boolean {
    return this.#discarding;
  }

  get standin(): Receiver | undefined {
    return this.#standin;
  }

  keeperUp(link: Link, ready: Told<'READY'>): void {
    this.#keeper = link;
    this.#closed = { ...ready.closed };
    for (const c of inputs) {
      this.#lanes[c].acked = ready.have[c];
      this.#lanes[c].turn(ready.have[c]);
    }
    for (const c of outputs) {
      const lane = this.#lanes[c];
      const known = ready.acked?.[c] ?? 0;
      if (known > lane.acked) {
        lane.acked = known;
        if (lane.next < known) lane.next = known;
      }
    }
    for (const s of [...this.#signals.values(), ...(this.#standin?.signals.values() ?? [])]) link.send(s);
    this.#go();
    this.#resume();
  }

  keeperDown(): void {
    this.#keeper = undefined;
  }

  /** READY again on the same connection: what is closed may be news, offsets never are. */
  keeperReady(ready: Told<'READY'>): void {
    this.#closed = { ...ready.closed };
  }

  couple(standin: Receiver): void {
    if (this.#standin === standin) return;
    this.#standin = standin;
    this.#written = { 1: 0, 2: 0 };
    for (const s of standin.signals.values()) this.#keeper?.send(s);
    this.standinUp();
  }

  uncouple(): void {
    this.#standin = undefined;
  }

  /** The coupled stand-in has a new connection. */
  standinUp(): void {
    const standin = this.#standin;
    if (standin?.link === undefined) return;
    for (const c of outputs) this.#wrote(c, standin.have[c]);
    if (this.#discarding) return;
    let more = false;
    for (const c of outputs) {
      const lane = this.#lanes[c];
      // It goes on from where its writes ended, whatever was passed on to the connection before.
      lane.turn(Math.max(standin.have[c], lane.acked));
      if (lane.ack(lane.next)) more = true;
    }
    for (const c of inputs) this.#lanes[c].turn(this.#lanes[c].next);
    this.#go();
    this.#resume();
    if (more) this.#progress();
  }

  signal(signal: Told<'SIGNAL'>): void {
    if (this.#signals.has(signal.id)) return;
    this.#signals.set(signal.id, signal);
    this.#keeper?.send(signal);
  }

  discard(): void {
    if (this.#discarding) return;
    this.#discarding = true;
    for (const c of outputs) this.#lanes[c].turn(this.#lanes[c].acked);
    this.#resume();
  }

  /** DATA, ACK and SIGNALLED; anything else is not the pump's. */
  fromKeeper(m: Message | Data): void {
    const link = this.#keeper;
    if (link === undefined) return;
    try {
      if (m.type === 'DATA') this.#output(m, link);
      else if (m.type === 'ACK') this.#inputKept(m);
      else if (m.type === 'SIGNALLED') this.#signalled(m);
    } catch (e) {
      if (!(e instanceof Gap)) throw e;
      link.fail('gap', e.message);
    }
  }

  /** DATA, CLOSE, ACK and SIGNAL; anything else is not the pump's. */
  fromStandin(m: Message | Data): void {
    const link = this.#standin?.link;
    if (link === undefined) return;
    try {
      if (m.type === 'DATA') this.#input(m);
      else if (m.type === 'CLOSE') this.#inputEnds(m);
      else if (m.type === 'ACK') this.#outputWritten(m);
      else if (m.type === 'SIGNAL') this.#keeper?.send(m);
    } catch (e) {
      if (!(e instanceof Gap)) throw e;
      link.fail('gap', e.message);
    }
  }

  #output(data: Data, from: Link): void {
    const { channel } = data;
    if (!isOutput(channel)) throw new Gap(`channel ${channel} from a keeper`);
    const lane = this.#lanes[channel];
    if (this.#discarding) {
      const skip = lane.take(data);
      if (skip === undefined) return;
      this.dropped += data.bytes.length - skip;
      this.#acknowledge(channel, lane.next);
      return;
    }
    const to = this.#standin?.link;
    // With nobody there, it is dropped; RESUME brings it again.
    if (to === undefined) return;
    const skip = lane.take(data);
    if (skip === undefined) return;
    to.forward(data, skip, from);
    this.#passed?.(channel, data.offset + skip, data.bytes.subarray(skip));
  }

  #outputWritten({ channel, offset }: Told<'ACK'>): void {
    if (!isOutput(channel)) throw new Gap(`channel ${channel} acknowledged by a stand-in`);
    this.#wrote(channel, offset);
    if (!this.#discarding) this.#acknowledge(channel, offset);
  }

  #wrote(channel: 1 | 2, offset: number): void {
    this.#written[channel] = Math.max(this.#written[channel], offset);
  }

  #acknowledge(channel: 1 | 2, offset: number): void {
    if (!this.#lanes[channel].ack(offset)) return;
    this.#keeper?.send({ type: 'ACK', channel, offset });
    this.#progress();
  }

  #input(data: Data): void {
    const { channel } = data;
    if (!isInput(channel)) throw new Gap(`channel ${channel} from a stand-in`);
    const to = this.#keeper;
    if (to === undefined) return;
    const skip = this.#lanes[channel].take(data);
    if (skip !== undefined) to.forward(data, skip, this.#standin?.link);
  }

  #inputEnds(close: Told<'CLOSE'>): void {
    const { channel } = close;
    if (this.#closed[channel] || this.#lanes[channel].next !== close.size) return;
    this.#keeper?.send(close);
  }

  #inputKept({ channel, offset }: Told<'ACK'>): void {
    if (!isInput(channel)) throw new Gap(`channel ${channel} acknowledged by a keeper`);
    if (this.#lanes[channel].ack(offset)) this.#standin?.link?.send({ type: 'ACK', channel, offset });
  }

  #signalled(m: Told<'SIGNALLED'>): void {
    if (this.#signals.delete(m.id)) return;
    this.#standin?.signals.delete(m.id);
    this.#standin?.link?.send(m);
  }

  /** Tells the stand-in from where to send script and environment, once both sides are there. */
  #go(): void {
    const to = this.#standin?.link;
    if (to === undefined || this.#keeper === undefined || this.#discarding) return;
    to.send({ type: 'GO', have: { 3: this.#lanes[3].next, 4: this.#lanes[4].next }, epoch: this.#epoch() });
    for (const channel of inputs) {
      const offset = this.#lanes[channel].acked;
      if (offset > 0) to.send({ type: 'ACK', channel, offset });
    }
  }

  /** Tells the keeper from where to send output, once somebody is there to take it. */
  #resume(): void {
    const to = this.#keeper;
    if (to === undefined || (this.#standin?.link === undefined && !this.#discarding)) return;
    for (const c of outputs) this.#lanes[c].turn(this.#lanes[c].next);
    to.send({ type: 'RESUME', have: { 1: this.#lanes[1].next, 2: this.#lanes[2].next } });
    for (const channel of outputs) {
      const offset = this.#lanes[channel].acked;
      if (offset > 0) to.send({ type: 'ACK', channel, offset });
    }
  }
}

const isOutput = (c: Channel): c is 1 | 2 => c === 1 || c === 2;
const isInput = (c: Channel): c is 3 | 4 => c === 3 || c === 4;
