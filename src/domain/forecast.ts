import type { Instant } from './ids.ts';

/** When a job would start: three quantiles, in ms from a look at the queue; infinite where it can never start. */
export interface StartRange {
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
}

/** What came of a forecast. */
export interface ForecastError {
  /** When it was made. */
  readonly at: Instant;
  /** As drawn, before it was corrected; finite. */
  readonly raw: StartRange;
  /** After so many ms it started. */
  readonly actualMs: number;
}

/** So many of a cluster are kept: more than the corrections look at. */
export const keptErrors = 2_000;

/** How many started within what was forecast, and by how much the middle one was wrong. */
export function withinOf(errors: readonly ForecastError[]): {
  readonly within: number;
  readonly medianErrorMs: number | undefined;
} {
  const within = errors.filter(({ raw, actualMs }) => actualMs >= raw.p10 && actualMs <= raw.p90).length;
  const off = errors.map(({ raw, actualMs }) => Math.abs(actualMs - raw.p50)).sort((a, b) => a - b);
  return { within, medianErrorMs: off[Math.floor(off.length / 2)] };
}
