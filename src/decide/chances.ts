/** How often a node group had nothing to give and lost what ran, as this site's own ended bursts tell. */
import type { Burst } from '../domain/burst.ts';
import type { CapacityType } from '../domain/instance.ts';
import { nodesOf } from '../domain/ranks.ts';

export interface Chances {
  /** 0 to 1: a burst is given back since no instance came for it. */
  readonly noCapacity: number;
  /** Losses (reclaimed, broken) for each hour that one node of a job runs. */
  readonly lossesPerHour: number;
  /** From so many bursts that were asked for, and so many hours that they ran. */
  readonly asked: number;
  readonly hours: number;
}

/**
 * Before a site knows its own: of 20 bursts one found nothing, and on demand one was lost in 1,000 hours. It counts as that much of a
 * site's own history: a Beta(1, 19) for the first, a Gamma(1, 1000 h) for the second, of which the means are told.
 * For spot it is one in 20 hours, which is meant to be too many: nobody has measured it here.
 */
const assumedRefused = 1;
const assumedAsked = 20;
const assumedHours = { 'on-demand': 1_000, spot: 20 } as const;

type Ended = Pick<
  Burst,
  | 'origin'
  | 'group'
  | 'cause'
  | 'startedAt'
  | 'endedAt'
  | 'exit'
  | 'others'
  | 'capacityType'
  | 'spotRefused'
  | 'reclaimedAt'
>;
export interface Counted {
  asked: number;
  refused: number;
  losses: number;
  ms: number;
}
const none: Readonly<Counted> = { asked: 0, refused: 0, losses: 0, ms: 0 };

/** By what the counts of an offer are kept: spot and on demand of one group are two. */
export const countedAs = (group: string, capacityType: CapacityType = 'on-demand'): string =>
  capacityType === 'spot' ? `${group} (spot)` : group;

/** Of each node group, as it was bought [countedAs]. What a person, a budget or the job's owner ended says nothing of the cloud. */
export function countByGroup(ended: Iterable<Ended>): ReadonlyMap<string, Readonly<Counted>> {
  const counted = new Map<string, Counted>();
  const countOf = (name: string): Counted => {
    const own = counted.get(name) ?? { ...none };
    counted.set(name, own);
    return own;
  };
  for (const burst of ended) {
    const { origin, group, cause, startedAt, endedAt, exit, others, capacityType, spotRefused } = burst;
    const own = countOf(countedAs(group, capacityType));
    if (spotRefused === true) {
      const spot = countOf(countedAs(group, 'spot'));
      spot.asked += 1;
      spot.refused += 1;
    }
    const refused = startedAt === undefined && cause?.kind === 'no_capacity';
    if (origin === 'decision' && (refused || startedAt !== undefined)) {
      own.asked += 1;
      if (refused) own.refused += 1;
    }
    if (startedAt === undefined) continue;
    own.ms += nodesOf({ others }) * Math.max(0, (endedAt ?? startedAt) - startedAt);
    // A run that Slurm requeued within the notice has an exit of its own, and is lost all the same.
    if (exit?.lost === true || burst.reclaimedAt !== undefined) own.losses += 1;
  }
  return counted;
}

export function chancesOf(
  counted: Readonly<Counted> | undefined,
  capacityType: 'on-demand' | 'spot',
): Chances {
  const { asked, refused, losses, ms } = counted ?? none;
  const hours = ms / 3_600_000;
  return {
    noCapacity: (refused + assumedRefused) / (asked + assumedAsked),
    lossesPerHour: (losses + 1) / (hours + assumedHours[capacityType]),
    asked,
    hours,
  };
}

/** 0 to 1: that it is lost before it has run for so long. */
export const lostWithin = ({ lossesPerHour }: Chances, ms: number): number =>
  1 - Math.exp((-lossesPerHour * ms) / 3_600_000);
