/** The knob against what it buys. */
import { type Figures, figuresOf } from './figures.ts';
import { play, type Site } from './play.ts';
import type { Columns, Policy } from './policy.ts';

export interface Point {
  readonly leastWorth: number;
  readonly figures: Figures;
}

export type AtKnob = (leastWorth: number) => Policy;

export function pointAt(trace: Columns, site: Site, make: AtKnob, leastWorth: number): Point {
  return { leastWorth, figures: figuresOf(trace, play(trace, site, make(leastWorth)), site) };
}

/**
 * The knob at which no more than `share` of the core-hours goes to the cloud, and as nearly that as a dozen runs find: the share falls as
 * the knob rises, but for chance.
 */
export function pointForShare(trace: Columns, site: Site, make: AtKnob, share: number, runs = 12): Point {
  let [low, high] = [0.1, 100_000];
  let best: Point | undefined;
  for (let i = 0; i < runs; i++) {
    const point = pointAt(trace, site, make, Math.sqrt(low * high));
    const got = point.figures.cloudShare;
    if (got > share) low = point.leastWorth;
    else {
      high = point.leastWorth;
      if (best === undefined || got > best.figures.cloudShare) best = point;
      if (got > 0.995 * share) break;
    }
  }
  return best ?? pointAt(trace, site, make, high);
}
