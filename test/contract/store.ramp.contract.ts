/** The ramp's switch: as the stop switch, beside it. */
import { describe, expect, it } from 'vitest';
import type { StorePort } from '../../src/ports.ts';
import { aCluster } from './samples.ts';

export function rampContract(store: () => StorePort): void {
  describe('the ramp', () => {
    it('is lifted by a named person until somebody puts it back, in one cluster', async () => {
      const cluster = aCluster();
      expect(await store().rampLifted(cluster)).toBeUndefined();
      await store().liftRamp(cluster, 'alice@gw', 'a month without a complaint');
      expect(await store().rampLifted(cluster)).toEqual({
        ...{ by: 'alice@gw', why: 'a month without a complaint', at: expect.any(Number) },
      });
      expect(await store().rampLifted(aCluster())).toBeUndefined();
      await store().limitRamp(cluster, 'bob@gw', '');
      expect(await store().rampLifted(cluster)).toBeUndefined();
    });

    it('is lifted once: who was first stays; each turn is an audit row, and the stop switch is another', async () => {
      const cluster = aCluster();
      await store().limitRamp(cluster, 'bob', 'nothing is lifted');
      await Promise.all(['a', 'b', 'c', 'd'].map((by) => store().liftRamp(cluster, by, '')));
      await store().stop(cluster, 'eve', '');
      await store().limitRamp(cluster, 'bob', 'a bill');
      const rows = await store().audit(`ramp/${cluster}`);
      expect(rows.map((r) => [r.seq, r.from, r.to])).toEqual([
        [1, undefined, 'lifted'],
        [2, 'lifted', 'limited'],
      ]);
      expect(rows[1]).toMatchObject({ why: 'by bob: a bill', prev: rows[0]?.hash });
      expect(await store().audit(`stop/${cluster}`)).toHaveLength(1);
    });
  });
}
