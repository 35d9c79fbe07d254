/** The stop switch: one a cluster, seen by all, with the trace of who turned it. */
import { describe, expect, it } from 'vitest';
import { chainStart } from '../../src/domain/chain.ts';
import { instant } from '../../src/domain/ids.ts';
import type { StorePort } from '../../src/ports.ts';
import { aBurst, aCluster, aReceipt, newId, putReceipt } from './samples.ts';
import { faulting } from './store.under-test.ts';

export function stopContract(store: () => StorePort): void {
  describe('the stop switch', () => {
    it('stands on nothing until somebody turns it, and names who, when and why until it is turned back', async () => {
      const cluster = aCluster();
      expect(await store().stopped(cluster)).toBeUndefined();
      const before = await store().now();
      await store().stop(cluster, 'alice@gw', 'the budget talk “after” 🚀');
      const stop = await store().stopped(cluster);
      expect(stop).toEqual({ by: 'alice@gw', why: 'the budget talk “after” 🚀', at: expect.any(Number) });
      expect(stop?.at).toBeGreaterThanOrEqual(before);
      expect(await store().stopped(aCluster())).toBeUndefined();
      await store().resume(cluster, 'bob@gw', '');
      expect(await store().stopped(cluster)).toBeUndefined();
    });

    it('is stopped once: who was first stays, however many ask at once', async () => {
      const cluster = aCluster();
      const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
      await Promise.all(names.map((by) => store().stop(cluster, by, 'at once')));
      const first = await store().stopped(cluster);
      await store().stop(cluster, 'late', 'another reason');
      expect(await store().stopped(cluster)).toEqual(first);
      expect(await store().audit(`stop/${cluster}`)).toHaveLength(1);
    });

    it('leaves a chain of audit rows, none where nothing was turned', async () => {
      const cluster = aCluster();
      await store().resume(cluster, 'bob', 'nothing is stopped');
      expect(await store().audit(`stop/${cluster}`)).toEqual([]);
      await store().stop(cluster, 'alice', 'fire drill');
      await store().resume(cluster, 'bob', '');
      await store().stop(cluster, 'carol', '');
      const rows = await store().audit(`stop/${cluster}`);
      expect(rows.map((r) => [r.seq, r.from, r.to, r.why])).toEqual([
        [1, undefined, 'stopped', 'by alice: fire drill'],
        [2, 'stopped', 'resumed', 'by bob'],
        [3, 'resumed', 'stopped', 'by carol'],
      ]);
      expect(rows.map((r) => r.prev)).toEqual([chainStart, rows[0]?.hash, rows[1]?.hash]);
    });

    it('refuses a name that no database could give back', async () => {
      await expect(store().stop(aCluster(), 'a\0b', '')).rejects.toEqual(faulting('invalid'));
    });
  });

  describe('what was seen again', () => {
    it('is told with its count and the last time; what never was is left out', async () => {
      const b = aBurst({ cluster: aCluster() });
      const [one, other] = [aReceipt(b), aReceipt(b)];
      await store().commit(newId(), b.cluster, 1, [putReceipt(one), putReceipt(other)]);
      await store().seenAgain(new Map([[one.id, { times: 1, last: instant(5_000) }]]));
      await store().seenAgain(new Map([[one.id, { times: 1, last: instant(7_000) }]]));
      await store().seenAgain(new Map([[one.id, { times: 1, last: instant(6_000) }]]));
      const seen = await store().seen([one.id, other.id, newId()]);
      expect([...seen]).toEqual([[one.id, { times: 3, last: 7_000 }]]);
      expect([...(await store().seen([]))]).toEqual([]);
    });
  });
}
