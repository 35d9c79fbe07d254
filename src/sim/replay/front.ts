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
 * The knob at which no more than `share` of the core-hours goes to the cloud, and as nearly that as so many runs find: the share falls as the
 * knob rises, but for chance. Between two knobs it is looked for on the line through them, both ways as logarithms.
 */
export function pointForShare(trace: Columns, site: Site, make: AtKnob, share: number, runs = 10): Point {
  const aim = Math.log(0.995 * share);
  let low = { knob: Math.log(0.01), share: 0 };
  let high = { knob: Math.log(1_000_000), share: Number.NEGATIVE_INFINITY };
  let knob = Math.log(50);
  let best: Point | undefined;
  for (let i = 0; i < runs; i++) {
    const point = pointAt(trace, site, make, Math.exp(knob));
    const got = point.figures.cloudShare;
    if (got > share) low = { knob, share: Math.log(got) };
    else {
      high = { knob, share: Math.log(got) };
      if (best === undefined || got > best.figures.cloudShare) best = point;
      if (got > 0.985 * share) break;
    }
    const slope = (low.share - high.share) / (high.knob - low.knob);
    const found = low.knob + (low.share - aim) / slope;
    const middle = (low.knob + high.knob) / 2;
    // A line through one end that was never measured is only a guess; every third step halves.
    knob = Number.isFinite(found) && i % 3 !== 2 ? within(found, low.knob, high.knob) : middle;
    // Before both ends are known, a step: a fourfold knob for half the share, as most logs have it.
    if (low.share === 0 || high.share === Number.NEGATIVE_INFINITY)
      knob = within(stepped(point, aim), low.knob, high.knob);
  }
  return best ?? pointAt(trace, site, make, Math.exp(high.knob));
}

function stepped({ leastWorth, figures }: Point, aim: number): number {
  const beyond = Math.log(Math.max(figures.cloudShare, 1e-6)) - aim;
  return Math.log(leastWorth) + 2 * beyond + (beyond > 0 ? 0.1 : -0.1);
}

const within = (x: number, low: number, high: number): number =>
  Math.min(high - (high - low) / 50, Math.max(low + (high - low) / 50, x));
