/** How a switch stands after it was turned: in words, or as JSON under the name that the API has for it. */
import type { CapacityView, RampView, StopView } from '../api/schemas.ts';

export interface Turned<V extends StopView | RampView | CapacityView> {
  /** Each cluster's, or each node group's. */
  readonly views: readonly V[];
  /** The store itself: no gateway did it. */
  readonly by: 'gateway' | 'store';
  /** Where it was the store: why, and what that means. */
  readonly note?: string;
}

export const turnedJson = <V extends StopView | RampView | CapacityView>(
  { views, ...how }: Turned<V>,
  key: 'clusters' | 'groups',
): readonly string[] => [JSON.stringify({ [key]: views, ...how }, undefined, 2)];

export const turnedInWords = <V extends StopView | RampView | CapacityView>(
  { views, note }: Turned<V>,
  stands: (view: V) => string,
): readonly string[] => [...views.map(stands), ...(note === undefined ? [] : [note])];
