/** Spot in a replay: what it costs over time, when a run is taken back, and what of that is paid. */
import { draws } from '../../domain/draws.ts';
import type { MicroUsd } from '../../domain/money.ts';
import { reclaimsAtMost } from '../../engine/choose.ts';

export interface SpotTerms {
  /** Dollars a core-hour, ascending by time; before the first its price holds. */
  readonly history: readonly SpotPriceSince[];
  /** Of each machine; a run that is lost begins anew. */
  readonly lossesPerHour: number;
  readonly seed: number;
}

export interface SpotPriceSince {
  readonly fromMs: number;
  readonly microUsdPerCoreHour: MicroUsd;
}

/** One run of a job in the cloud, from the first second that is paid for. */
export interface CloudRun {
  readonly bookedMs: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly spot: boolean;
  /** Taken back: it begins anew. */
  readonly lost: boolean;
}

const hourMs = 3_600_000;

/**
 * All runs of a job that goes on spot, the last of them whole: lost at a constant rate, begun anew after another boot, and on demand once
 * so many were taken back as the gateway bears. What is drawn is the job's own, whoever else goes.
 */
export function spotRunsOf(
  job: number,
  bookedMs: number,
  bootMs: number,
  runMs: number,
  { lossesPerHour, seed }: SpotTerms,
): readonly CloudRun[] {
  const next = draws(Math.imul(seed + 1, 0x9e3779b1) ^ job);
  const runs: CloudRun[] = [];
  for (let booked = bookedMs; ; ) {
    const fromMs = booked + bootMs;
    const spot = runs.length < reclaimsAtMost;
    const lostAfter = spot ? (-Math.log1p(-next() / 2 ** 32) / lossesPerHour) * hourMs : runMs;
    // Nothing is lost at a rate of 0, where the above is infinite or not a number.
    if (!(lostAfter < runMs)) {
      runs.push({ bookedMs: booked, fromMs, toMs: fromMs + runMs, spot, lost: false });
      return runs;
    }
    const toMs = fromMs + lostAfter;
    runs.push({ bookedMs: booked, fromMs, toMs, spot, lost: true });
    booked = toMs;
  }
}

/** Of a core, boot included: spot by the price of each moment. */
export function coreCostOf(
  { bookedMs, toMs, spot }: CloudRun,
  onDemandMicroUsd: MicroUsd,
  terms: SpotTerms | undefined,
): number {
  if (!spot || terms === undefined) return ((toMs - bookedMs) * onDemandMicroUsd) / hourMs;
  let sum = 0;
  for (const [i, { microUsdPerCoreHour }] of terms.history.entries()) {
    const begins = i === 0 ? -Number.POSITIVE_INFINITY : (terms.history[i]?.fromMs ?? 0);
    const ends = terms.history[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    const ms = Math.min(toMs, ends) - Math.max(bookedMs, begins);
    if (ms > 0) sum += (ms * microUsdPerCoreHour) / hourMs;
  }
  return sum;
}

/** What an hour of a core costs then. */
export function spotPriceAt({ history }: SpotTerms, atMs: number): MicroUsd {
  const held = history.findLast(({ fromMs }) => fromMs <= atMs) ?? history[0];
  return held?.microUsdPerCoreHour ?? 0;
}
