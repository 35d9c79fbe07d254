/** One channel's way through the gateway: offsets only, no bytes. */
import type { Data } from './messages.ts';

export class Gap extends Error {}

export class Lane {
  /** Passed on to the present connection of the side that receives. */
  next = 0;
  /** Written or kept there. */
  acked = 0;
  /** Since the sender was told where to send from, nothing from there has come yet. */
  #turning = true;

  /** The sender is told to send from here; what it sent before may still be under way. */
  turn(from: number): void {
    this.next = from;
    this.#turning = true;
  }

  /** How many of its first bytes were passed on already; undefined: none of it is to be passed on. */
  take(data: Data): number | undefined {
    if (data.offset > this.next) {
      if (this.#turning) return undefined;
      throw new Gap(`channel ${data.channel}: ${data.offset} came where ${this.next} was next`);
    }
    this.#turning = false;
    const end = data.offset + data.bytes.length;
    if (end <= this.next) return undefined;
    const skip = this.next - data.offset;
    this.next = end;
    return skip;
  }

  /**
   * Whether that was news. It may lie beyond `next`: the receiver still had bytes in hand from a connection before this one
   * (or this process), and those need not be sent again.
   */
  ack(offset: number): boolean {
    if (offset > this.next) this.next = offset;
    if (offset <= this.acked) return false;
    this.acked = offset;
    return true;
  }
}
