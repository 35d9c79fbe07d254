import type { Instant } from './ids.ts';

/**
 * Epochs count takeovers of a cluster's lease, from 1. A store that turns out to be older than what was done with it has forgotten
 * some, and an epoch that came again would let a gateway of the lost time through wherever epochs fence. So at that moment the count
 * jumps to the store's clock in milliseconds. Takeovers are further apart than a millisecond, so no count, whatever it last jumped to,
 * has ever reached the clock: what it jumps to is above every epoch that was given before, also above those of earlier recoveries.
 * `known`: the epochs and floors that the store still knows, in case its clock was set back.
 */
export function epochFloor(now: Instant, known: readonly number[]): number {
  return Math.max(now, ...known.map((epoch) => epoch + 1));
}
