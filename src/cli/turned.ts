/** How a switch stands after it was turned. */
import type { CapacityView, RampView, StopView } from '../api/schemas.ts';

export interface Turned<V extends StopView | RampView | CapacityView> {
  /** Each cluster's, or each node group's. */
  readonly views: readonly V[];
  /** The store itself: no gateway did it. */
  readonly by: 'gateway' | 'store';
  /** Where it was the store: why, and what that means. */
  readonly note?: string;
}

export const turnedInWords = <V extends StopView | RampView | CapacityView>(
  { views, note }: Turned<V>,
  stands: (view: V) => string,
): readonly string[] => [...views.map(stands), ...(note === undefined ? [] : [note])];
