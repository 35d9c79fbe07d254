/** Which of the offers for a job is taken: the one that is expected to cost least of those that are soon enough. Pure. */
import type { PassedOver } from '../domain/decision.ts';
import type { CapacityType } from '../domain/instance.ts';
import { dollars } from '../domain/money.ts';
import type { Offer } from './offers.ts';
import type { OfferedGroup } from './rule.ts';

/** A node group as it would be bought. */
export interface Candidate {
  readonly offered: OfferedGroup;
  readonly capacityType: CapacityType;
  /** The likeliest first; none where `barred` says why. */
  readonly offers: readonly Offer[];
  readonly barred?: string | undefined;
}

export interface Choice {
  readonly taken: Candidate;
  readonly offer: Offer;
  readonly passedOver: readonly PassedOver[];
}

export interface Soon {
  /** When it would start here, by the middle of its forecast; undefined: not known. */
  readonly startsHereMs: number | undefined;
  /** It must have ended by then. */
  readonly deadlineMs: number | undefined;
}

/** Two costs that differ by less are the same: who starts sooner is taken. */
const sameShare = 0.01;

type Able = Candidate & { readonly offer: Offer };

/**
 * In the order of the configuration. Who is late (it would start here before, or miss its deadline) counts only where all are; what has no price
 * cannot be compared, so then the first group is taken, as it is where nothing has one. Undefined: there is no offer.
 */
export function choose(candidates: readonly Candidate[], soon: Soon): Choice | undefined {
  const able = candidates.flatMap((c): Able[] => {
    const [offer] = c.offers;
    return offer === undefined ? [] : [{ ...c, offer }];
  });
  const inTime = able.filter((c) => lateness(c.offer, soon) === undefined);
  const left = inTime.length > 0 ? inTime : able;
  const [first] = left;
  if (first === undefined) return undefined;
  const unpriced = left.some((c) => c.offer.cost === undefined);
  const compared = unpriced ? left.filter((c) => c.offered.group.name === first.offered.group.name) : left;
  const best = compared.reduce((a, b) => (isBetter(b.offer, a.offer) ? b : a));
  const passedOver = candidates
    .filter((c) => c.offered !== best.offered || c.capacityType !== best.capacityType)
    .map((c): PassedOver => {
      const [offer] = c.offers;
      const of = { group: c.offered.group.name, capacity: c.capacityType };
      if (offer === undefined) return { ...of, why: c.barred ?? 'no type of it holds the job' };
      const late = lateness(offer, soon);
      const why = inTime.length > 0 && late !== undefined ? late : compareWords(offer, best.offer);
      return { ...of, type: offer.type, expectedMicroUsd: offer.cost?.expected, why };
    });
  return { taken: best, offer: best.offer, passedOver };
}

function isBetter(a: Offer, than: Offer): boolean {
  if (a.cost === undefined || than.cost === undefined) return a.cost !== undefined;
  const [mine, yours] = [a.cost.expected, than.cost.expected];
  if (Math.abs(mine - yours) > sameShare * Math.max(mine, yours)) return mine < yours;
  return a.expectedStartMs < than.expectedStartMs;
}

function lateness(offer: Offer, { startsHereMs, deadlineMs }: Soon): string | undefined {
  if (deadlineMs !== undefined && offer.expectedEndMs > deadlineMs)
    return `it is expected to end in ${minutes(offer.expectedEndMs)}, after its deadline`;
  if (startsHereMs !== undefined && offer.expectedStartMs > startsHereMs)
    return `it is expected to start in ${minutes(offer.expectedStartMs)}, later than here`;
  return undefined;
}

function compareWords(offer: Offer, best: Offer): string {
  if (offer.cost === undefined) return 'it has no price';
  if (best.cost === undefined) return 'the first group has no price, so nothing is compared';
  const [mine, yours] = [offer.cost.expected, best.cost.expected];
  const costs = `expected to cost ${dollars(mine)}`;
  return mine > yours
    ? `${costs}, ${dollars(mine - yours)} more`
    : `${costs}, and to start ${minutes(offer.expectedStartMs - best.expectedStartMs)} later`;
}

const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;
