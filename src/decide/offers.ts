/** What a node group offers one job, the likeliest first: each type that holds it, with what it costs and how it may go wrong. */
import type { MicroUsd } from '../domain/money.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { Resources } from '../domain/resources.ts';
import { type Chances, lostWithin } from './chances.ts';
import { fittingTypes } from './plan.ts';
import { costOf, priceOf, rateOf } from './price.ts';
import type { Ready } from './ready.ts';
import type { OfferedGroup } from './rule.ts';

export interface Offer {
  readonly group: string;
  readonly type: string;
  /** Any of them: prices do not differ by zone. */
  readonly zones: readonly string[];
  readonly capacityType: NodeGroup['capacityType'];
  /** Undefined: the type has no price. */
  readonly cost: OfferCost | undefined;
  /** From the yes to the job's first line. */
  readonly readyMs: { readonly p50: number; readonly p90: number };
  /** 0 to 1. */
  readonly noCapacity: number;
  /** 0 to 1: over the job's expected run time. */
  readonly interrupted: number;
}

/** For the job's share of its machines, all nodes together. */
export interface OfferCost {
  readonly perHour: MicroUsd;
  readonly expected: MicroUsd;
  /** What is held: the dearest type that may come, to the time limit and its margin. Undefined: not known. */
  readonly worst: MicroUsd | undefined;
}

export interface Wanted {
  /** Of one node. */
  readonly needs: Resources;
  readonly nodes: number;
  readonly timeLimitMs: number | 'unlimited';
  readonly expectedMs: number;
  readonly marginMs: number | undefined;
  /** Whether a lost run is run again; else it costs what it ran for. */
  readonly again: boolean;
}

/** By the price of the whole machine, as EC2's lowest-price takes them; those without a price last, in the order of the configuration. */
export function offersOf(
  wanted: Wanted,
  offered: OfferedGroup,
  ready: Ready,
  chances: Chances,
): readonly Offer[] {
  const { group } = offered;
  const { needs, nodes, timeLimitMs, expectedMs, marginMs, again } = wanted;
  const worst = priceOf(needs, timeLimitMs, offered, marginMs, nodes);
  // Any node that is lost loses the run.
  const each = { ...chances, lossesPerHour: nodes * chances.lossesPerHour };
  const interrupted = lostWithin(each, expectedMs);
  const billedMs = expectedBilledMs(expectedMs, each, again);
  const priceFor = (type: string): number => group.prices?.[type] ?? Number.POSITIVE_INFINITY;
  return [...fittingTypes(offered, needs)]
    .sort((a, b) => (priceFor(a.name) === priceFor(b.name) ? 0 : priceFor(a.name) - priceFor(b.name)))
    .map((type) => {
      const price = group.prices?.[type.name];
      const perHour = price === undefined ? undefined : nodes * rateOf(price, needs, type, group);
      return {
        ...{ group: group.name, type: type.name, zones: group.zones, capacityType: group.capacityType },
        cost:
          perHour === undefined
            ? undefined
            : {
                perHour,
                expected: costOf(perHour, billedMs),
                worst: worst.kind === 'known' ? worst.price.held : undefined,
              },
        readyMs: { p50: ready.p50, p90: ready.p90 },
        ...{ noCapacity: chances.noCapacity, interrupted },
      };
    });
}

/**
 * How long it is billed for on average, where losses come at a constant rate r: one run of length t that is cut off at a loss is billed
 * (1 − e^−rt) / r; one that begins anew until it is whole, (e^rt − 1) / r, with at most ten whole runs' worth counted.
 */
function expectedBilledMs(ms: number, { lossesPerHour }: Chances, again: boolean): number {
  const rate = lossesPerHour / 3_600_000;
  if (rate === 0 || ms === 0) return ms;
  return again ? Math.min(10 * ms, Math.expm1(rate * ms) / rate) : -Math.expm1(-rate * ms) / rate;
}
