/** Who is first: a start here, of which a forecast tells three quantiles, or the cloud, of which we have what was measured. */
import type { StartRange } from '../domain/forecast.ts';

/**
 * How likely it does not start before `ms`. Between the quantiles the distribution is taken as even, from now to p10 as well; beyond p90 it thins
 * out exponentially, by the distance from p50 to p90.
 */
export function chanceOfWaiting({ p10, p50, p90 }: StartRange, ms: number): number {
  if (ms <= 0) return 1;
  if (p50 === Number.POSITIVE_INFINITY) return 1;
  if (ms >= p90) {
    const thins = p90 - p50;
    return thins > 0 && Number.isFinite(thins) ? 0.1 * Math.exp(-(ms - p90) / thins) : 0;
  }
  if (ms >= p50) return 0.5 - (0.4 * (ms - p50)) / (p90 - p50 || 1);
  if (ms >= p10) return 0.9 - (0.4 * (ms - p10)) / (p50 - p10 || 1);
  return 1 - (0.1 * ms) / p10;
}

/** How likely it starts here only after the cloud is ready; `samples`: ready times in ms, as likely each. */
export function chanceLater(start: StartRange, samples: readonly number[]): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const ms of samples) sum += chanceOfWaiting(start, ms);
  return sum / samples.length;
}
