import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterName } from '../../src/domain/ids.ts';
import type { StorePort } from '../../src/ports.ts';
import { aBurst, aCluster, newId, next, putBurst } from './samples.ts';
import { faulting, type StoreUnderTest } from './store.under-test.ts';

/** The part of the contract that is about a store that is older than what was done with it. */
export function recoveryContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}: an older store`, () => {
    let under: StoreUnderTest;
    let store: StorePort;
    beforeAll(async () => {
      under = await open();
      store = under.store;
    }, 60_000);
    afterAll(() => under?.close());

    /** Takes the lease over so many times, each time as another gateway, and gives the last epoch. */
    const takeOvers = async (cluster: ClusterName, times: number): Promise<number> => {
      let epoch = 0;
      for (let i = 0; i < times; i++) {
        epoch = (await store.lease(cluster, `h${newId()}`, 0))?.epoch ?? 0;
        await under.pass(1);
      }
      return epoch;
    };

    it('does not recover as long as nobody set it back', async () => {
      expect(await store.recovering(aCluster())).toBeUndefined();
      const cluster = aCluster();
      await store.recovered(cluster);
      expect(await store.recovering(cluster)).toBeUndefined();
    });

    it('has a new generation, and recovers, once it was set back', async () => {
      const cluster = aCluster();
      const epoch = await takeOvers(cluster, 1);
      const [before, after] = [aBurst({ cluster }), aBurst({ cluster })];
      await store.commit(newId(), cluster, epoch, [putBurst(before)]);
      const setBack = await under.keep();
      await store.commit(newId(), cluster, epoch, [putBurst(after), putBurst(next(before, 'approved'))]);
      const generation = await store.generation();

      await setBack();
      expect(await store.burst(before.id)).toMatchObject({ state: 'proposed', rev: 1 });
      expect(await store.burst(after.id)).toBeUndefined();
      expect(await store.generation()).not.toBe(generation);
      const told = await store.recovering(cluster);
      expect(told?.why).toContain('a backup was restored');
      expect(Math.abs((told?.since ?? 0) - (await store.now()))).toBeLessThan(60_000);
      expect(await store.recovering(cluster)).toEqual(told);
    });

    it('has a new generation each time it is set back to the same copy', async () => {
      const setBack = await under.keep();
      const generations = new Set([await store.generation()]);
      for (let i = 0; i < 3; i++) {
        await setBack();
        generations.add(await store.generation());
      }
      expect(generations.size).toBe(4);
    });

    it('recovers each cluster by itself', async () => {
      const [a, b] = [aCluster(), aCluster()];
      await (await under.keep())();
      expect(await store.recovering(a)).toBeDefined();
      await store.recovered(a);
      expect(await store.recovering(a)).toBeUndefined();
      expect(await store.recovering(b)).toBeDefined();
      await store.recovered(b);
      expect(await store.recovering(b)).toBeUndefined();
    });

    it('takes the end of one recovery not for the end of a later one', async () => {
      const cluster = aCluster();
      const setBack = await under.keep();
      await setBack();
      const first = await store.recovering(cluster);
      await setBack();
      await store.recovered(cluster);
      const second = await store.recovering(cluster);
      expect(second?.since ?? 0).toBeGreaterThan(first?.since ?? 0);
      await store.recovered(cluster);
      expect(await store.recovering(cluster)).toBeUndefined();
    });

    it('never gives an epoch again, however often and how far it is set back', async () => {
      const cluster = aCluster();
      const nothing = await under.keep();
      await takeOvers(cluster, 2);
      const little = await under.keep();
      let highest = await takeOvers(cluster, 5);
      for (const setBack of [little, nothing, little, nothing]) {
        await setBack();
        const [first, last] = [await takeOvers(cluster, 1), await takeOvers(cluster, 3)];
        expect(first).toBeGreaterThan(highest);
        expect(last).toBe(first + 3);
        expect(Number.isSafeInteger(last)).toBe(true);
        highest = last;
      }
    });

    it('takes the lease from its holder, who gets a higher epoch with the next', async () => {
      const cluster = aCluster();
      const before = await store.lease(cluster, 'a', 60_000);
      await (await under.keep())();
      const after = await store.lease(cluster, 'a', 60_000);
      expect(after?.epoch ?? 0).toBeGreaterThan(before?.epoch ?? 0);
      expect(await store.lease(cluster, 'b', 60_000)).toBeUndefined();
    });

    it('refuses what a leader of the lost time still writes, in clusters that it does not know, too', async () => {
      const setBack = await under.keep();
      const cluster = aCluster();
      const epoch = await takeOvers(cluster, 3);
      const b = aBurst({ cluster });
      await store.commit(newId(), cluster, epoch, [putBurst(b)]);
      await setBack();
      const late = store.commit(newId(), cluster, epoch, [putBurst(aBurst({ cluster }))]);
      await expect(late).rejects.toEqual(faulting('stale'));
      expect(await store.liveBursts(cluster)).toEqual([]);
      const leads = await takeOvers(cluster, 1);
      expect(await store.commit(newId(), cluster, leads, [putBurst(b)])).toBe('ok');
    });
  });
}
