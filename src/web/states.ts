import type { BurstView } from '../api/schemas.ts';

type BurstState = BurstView['state'];

/** Claimed: these go on when bursting is stopped [src/domain/burst.ts]. */
export const startedStates: ReadonlySet<BurstState> = new Set<BurstState>([
  ...(['placed', 'attached', 'granted', 'running', 'draining', 'reported', 'final'] as const),
  ...(['cancelling', 'lost', 'fencing', 'requeueing', 'vanished', 'needs_person'] as const),
]);

/** Nothing comes after these. */
export const overStates: ReadonlySet<BurstState> = new Set<BurstState>([
  ...(['settled', 'returned', 'started_onprem', 'withdrawn', 'requeued', 'failed'] as const),
]);

/** In the order in which a burst goes through them. */
export const shownStates: readonly BurstState[] = [
  ...(['proposed', 'approved', 'reserved', 'provisioning', 'ready', 'moving', 'placed', 'attached'] as const),
  ...(['granted', 'running', 'draining', 'reported', 'final', 'settled'] as const),
  ...(['returning', 'returned', 'started_onprem', 'withdrawn', 'cancelling', 'lost', 'fencing'] as const),
  ...(['requeueing', 'requeued', 'failed', 'vanished', 'needs_person'] as const),
];
