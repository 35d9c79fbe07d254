/** What came of forecasts: kept beside everything else. */
import { describe, expect, it } from 'vitest';
import { type ForecastError, keptErrors } from '../../src/domain/forecast.ts';
import { instant } from '../../src/domain/ids.ts';
import type { StorePort } from '../../src/ports.ts';
import { aCluster } from './samples.ts';

const error = (n: number): ForecastError => ({
  at: instant(1_790_000_000_000 + n),
  raw: { p10: 0.25, p50: n, p90: n + 1e9 },
  actualMs: 2 * n + 0.5,
});
const errors = (from: number, count: number) => Array.from({ length: count }, (_, i) => error(from + i));

export function forecastErrorsContract(store: () => StorePort): void {
  describe('the errors of forecasts', () => {
    it('come back in the order in which they were found, of each cluster its own', async () => {
      const [one, other] = [aCluster(), aCluster()];
      expect(await store().forecastErrors(one)).toEqual([]);
      await store().addForecastErrors(one, errors(0, 3));
      await store().addForecastErrors(other, errors(10, 1));
      await store().addForecastErrors(one, []);
      await store().addForecastErrors(one, errors(3, 2));
      expect(await store().forecastErrors(one)).toEqual(errors(0, 5));
      expect(await store().forecastErrors(other)).toEqual(errors(10, 1));
    });

    it('the newest are kept', async () => {
      const cluster = aCluster();
      await store().addForecastErrors(cluster, errors(0, keptErrors - 1));
      await store().addForecastErrors(cluster, errors(keptErrors - 1, 3));
      expect(await store().forecastErrors(cluster)).toEqual(errors(2, keptErrors));
      await store().addForecastErrors(cluster, errors(5_000, keptErrors + 7));
      expect(await store().forecastErrors(cluster)).toEqual(errors(5_007, keptErrors));
    });
  });
}
