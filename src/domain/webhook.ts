/** Events that a site has sent to an address of its own: what is sent, and when it is tried again. */
import type { Instant, Uuid } from './ids.ts';

export type HookKind =
  | 'burst'
  | 'instance'
  | 'stop'
  | 'ramp'
  | 'drain'
  | 'breaker'
  | 'token'
  | 'order'
  | 'reset';

/** What one address is told of. */
export interface HookFilter {
  readonly kinds: readonly HookKind[] | undefined;
  /** States that are come to, such as `running`; all where none is named. */
  readonly states: readonly string[] | undefined;
}

/** One event on its way to one address. */
export interface Delivery {
  readonly id: Uuid;
  readonly hook: string;
  /** The event's, as in the event stream: the same with each try, so that a receiver knows a repeat. */
  readonly event: string;
  /** JSON, as it is sent. */
  readonly body: string;
  /** Those that failed. */
  readonly tries: number;
  readonly firstAt: Instant;
  /** Why the last try failed. */
  readonly why: string | undefined;
}

/** One that is given up, until somebody asks for it again. */
export interface DeadDelivery extends Delivery {
  readonly deadAt: Instant;
}

/** The reset of a store concerns everybody: what was read before means nothing now. */
export function wants({ kinds, states }: HookFilter, event: { kind: HookKind; to: string }): boolean {
  if (event.kind === 'reset') return true;
  return (
    (kinds === undefined || kinds.includes(event.kind)) && (states === undefined || states.includes(event.to))
  );
}

const firstMs = 5_000;
const longestMs = 6 * 3_600_000;

/** How long after the n-th failure (from 1) it is tried again: 5 s, 20 s, 80 s, … 6 h. */
export const backoffMs = (failures: number): number => Math.min(firstMs * 4 ** (failures - 1), longestMs);

/** The receiver may ask for more time, and is not believed without end. */
export const retryMs = (failures: number, asked: number | undefined): number =>
  Math.max(backoffMs(failures), Math.min(asked ?? 0, longestMs));
