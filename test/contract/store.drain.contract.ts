/** The switch of a node group: as the stop switch, one for each group of a cluster. */
import { describe, expect, it } from 'vitest';
import type { StorePort } from '../../src/ports.ts';
import { aCluster } from './samples.ts';

export function drainContract(store: () => StorePort): void {
  describe('a drained node group', () => {
    it('is told with who, when and why until somebody opens it again, in one cluster', async () => {
      const cluster = aCluster();
      expect(await store().drains(cluster)).toEqual([]);
      await store().drainGroup(cluster, 'gpu', 'alice@gw', 'an image that does not boot');
      await store().drainGroup(cluster, 'cpu', 'bob@gw', '');
      const drained = await store().drains(cluster);
      expect([...drained].sort((a, b) => (a.group < b.group ? -1 : 1))).toEqual([
        { group: 'cpu', by: 'bob@gw', why: '', at: expect.any(Number) },
        { group: 'gpu', by: 'alice@gw', why: 'an image that does not boot', at: expect.any(Number) },
      ]);
      expect(await store().drains(aCluster())).toEqual([]);
      await store().openGroup(cluster, 'gpu', 'bob@gw', '');
      expect((await store().drains(cluster)).map((d) => d.group)).toEqual(['cpu']);
    });

    it('is none for a breaker that tripped, which is told and closed for itself', async () => {
      const cluster = aCluster();
      await store().tripBreaker(cluster, 'cpu', 'spillway', '10 machines in a row did not boot');
      await store().tripBreaker(cluster, 'cpu', 'spillway', 'an eleventh');
      expect(await store().drains(cluster)).toEqual([]);
      expect(await store().breakers(cluster)).toEqual([
        { group: 'cpu', by: 'spillway', why: '10 machines in a row did not boot', at: expect.any(Number) },
      ]);
      await store().drainGroup(cluster, 'cpu', 'alice@gw', '');
      expect(await store().breakers(aCluster())).toEqual([]);
      await store().closeBreaker(cluster, 'cpu', 'alice@gw', 'mended');
      expect(await store().breakers(cluster)).toEqual([]);
      expect((await store().drains(cluster)).map((d) => d.group)).toEqual(['cpu']);
      const rows = await store().audit(`breaker/${cluster}/cpu`);
      expect(rows.map((r) => [r.from, r.to, r.why])).toEqual([
        [undefined, 'tripped', 'by spillway: 10 machines in a row did not boot'],
        ['tripped', 'closed', 'by alice@gw: mended'],
      ]);
    });

    it('is drained once: who was first stays; each turn is an audit row of the group’s own', async () => {
      const cluster = aCluster();
      await store().openGroup(cluster, 'cpu', 'bob', 'nothing is drained');
      await Promise.all(['a', 'b', 'c', 'd'].map((by) => store().drainGroup(cluster, 'cpu', by, '')));
      await store().drainGroup(cluster, 'gpu', 'eve', '');
      await store().openGroup(cluster, 'cpu', 'bob', 'it boots');
      const rows = await store().audit(`drain/${cluster}/cpu`);
      expect(rows.map((r) => [r.seq, r.from, r.to])).toEqual([
        [1, undefined, 'drained'],
        [2, 'drained', 'open'],
      ]);
      expect(rows[1]).toMatchObject({ why: 'by bob: it boots', prev: rows[0]?.hash });
      expect(await store().audit(`drain/${cluster}/gpu`)).toHaveLength(1);
    });
  });
}
