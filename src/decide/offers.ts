/** What a node group offers one job, the likeliest first: each type that holds it, with what it costs and how it may go wrong. */
import type { Instant } from '../domain/ids.ts';
import type { CapacityType } from '../domain/instance.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { Resources } from '../domain/resources.ts';
import { type Chances, lostWithin } from './chances.ts';
import { fittingTypes } from './group.ts';
import { costOf, priceOf, rateOf } from './price.ts';
import type { Ready } from './ready.ts';
import type { OfferedGroup } from './rule.ts';
import type { SpotStand } from './spot.ts';

export interface Offer {
  readonly group: string;
  readonly type: string;
  /** Any of them: prices do not differ by zone. */
  readonly zones: readonly string[];
  readonly capacityType: CapacityType;
  /** Undefined: the type has no price. */
  readonly cost: OfferCost | undefined;
  /** From the yes to the job's first line. */
  readonly readyMs: { readonly p50: number; readonly p90: number };
  /** From the yes, on average: a lack of capacity delays the one, runs that are lost the other as well. */
  readonly expectedStartMs: number;
  readonly expectedEndMs: number;
  /** 0 to 1. */
  readonly noCapacity: number;
  /** 0 to 1: over the job's expected run time and what carrying its data takes. */
  readonly interrupted: number;
}

/** For the job's share of its machines, all nodes together. */
export interface OfferCost {
  readonly perHour: MicroUsd;
  readonly expected: MicroUsd;
  /**
   * What is held: the dearest type that may come, to the time limit and its margin, at its price on demand. As spot too: where there is none it is
   * bought on demand. Undefined: not known.
   */
  readonly worst: MicroUsd | undefined;
  /** Of spot: the most for an hour of it, and since when the price holds. */
  readonly cap?: MicroUsd | undefined;
  readonly since?: Instant | undefined;
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
  /** What it is delayed by where there is no capacity. */
  readonly noCapacityMs: number;
  /** In the middle; its machine is held meanwhile. Before its start is in what `ready` says. */
  readonly carrying?: { readonly inMs: number; readonly outMs: number } | undefined;
  /** Of what leaves the cloud for it. */
  readonly egressMicroUsd?: MicroUsd | undefined;
}

/** `spot`: they are bought so, at those prices. By the price of the whole machine, as EC2's lowest-price takes them; those without a price last, in the order of the configuration. */
export function offersOf(
  wanted: Wanted,
  offered: OfferedGroup,
  ready: Ready,
  chances: Chances,
  spot?: Extract<SpotStand, { kind: 'offered' }>,
): readonly Offer[] {
  const { group } = offered;
  const { needs, nodes, timeLimitMs, marginMs, again, noCapacityMs, egressMicroUsd = 0 } = wanted;
  const { inMs, outMs } = wanted.carrying ?? { inMs: 0, outMs: 0 };
  // Slurm counts carrying against the time limit, and cuts off what is beyond it.
  const expectedMs = Math.min(
    inMs + wanted.expectedMs + outMs,
    timeLimitMs === 'unlimited' ? Number.POSITIVE_INFINITY : Math.max(timeLimitMs, wanted.expectedMs),
  );
  const worst = priceOf(needs, timeLimitMs, offered, marginMs, nodes, egressMicroUsd);
  // Any node that is lost loses the run.
  const each = { ...chances, lossesPerHour: nodes * chances.lossesPerHour };
  const interrupted = lostWithin(each, expectedMs);
  const billedMs = expectedBilledMs(expectedMs, each, again);
  const known = (type: string) => (spot === undefined ? group.prices?.[type] : spot.prices[type]?.microUsd);
  const priceFor = (type: string): number => known(type) ?? Number.POSITIVE_INFINITY;
  const expectedStartMs = ready.p50 + chances.noCapacity * noCapacityMs;
  const expectedEndMs = expectedStartMs - inMs + expectedRunMs(expectedMs, each, again, ready.p50);
  return fittingTypes(offered, needs)
    .filter(({ name }) => spot === undefined || spot.prices[name] !== undefined)
    .sort((a, b) => (priceFor(a.name) === priceFor(b.name) ? 0 : priceFor(a.name) - priceFor(b.name)))
    .map((type) => {
      const price = known(type.name);
      const cap = spot?.caps[type.name];
      const perHour = price === undefined ? undefined : nodes * rateOf(price, needs, type, group);
      return {
        ...{ group: group.name, type: type.name, zones: group.zones },
        capacityType: spot === undefined ? group.capacityType : 'spot',
        cost:
          perHour === undefined
            ? undefined
            : {
                perHour,
                expected: costOf(perHour, billedMs) + egressMicroUsd,
                worst: worst.kind === 'known' ? worst.price.held : undefined,
                ...(cap === undefined
                  ? {}
                  : { cap: nodes * rateOf(cap, needs, type, group), since: spot?.prices[type.name]?.since }),
              },
        readyMs: { p50: ready.p50, p90: ready.p90 },
        ...{ expectedStartMs, expectedEndMs },
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

/** From its first start to its end: what is run anew, and what each new start waits for its capacity (e^rt − 1 of them). */
function expectedRunMs(ms: number, chances: Chances, again: boolean, readyMs: number): number {
  const anew = again ? Math.min(10, Math.expm1((chances.lossesPerHour * ms) / 3_600_000)) : 0;
  return expectedBilledMs(ms, chances, again) + anew * readyMs;
}
