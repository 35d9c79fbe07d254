/** Policies as they were written, and which of them decides in a cluster. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { StorePort } from '../../src/ports.ts';
import { aCluster, newId } from './samples.ts';
import { faulting } from './store.under-test.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
/** A text that no other test has. */
const aText = (more = ''): string => `policy: { maxBursts: 7 } # ${newId()} ${more}\n`;

export function policyContract(store: () => StorePort): void {
  describe('a policy', () => {
    it('is kept as it was written, with who, when and why, and told by its number', async () => {
      const text = aText('ä — "’\n\t');
      const kept = await store().keepPolicy(text, 'alice', 'summer');
      expect(kept).toEqual({
        ...{ id: `policy-version/${kept.version}`, version: kept.version, text, hash: sha256(text) },
        ...{ by: 'alice', why: 'summer', at: expect.any(Number) },
      });
      expect(await store().policyVersion(kept.version)).toEqual(kept);
      expect(await store().policyVersion(kept.version + 1_000)).toBeUndefined();
      const [row, ...more] = await store().audit(kept.id);
      expect(row).toMatchObject({ seq: 1, from: undefined, to: 'kept', why: 'by alice: summer' });
      expect(more).toEqual([]);
    });

    it('is one version however often the same is kept, and by however many at once', async () => {
      const text = aText();
      const all = await Promise.all(['a', 'b', 'c', 'd'].map((by) => store().keepPolicy(text, by, '')));
      expect(new Set(all.map((v) => v.version)).size).toBe(1);
      expect(new Set(all.map((v) => v.by)).size).toBe(1);
      const others = await Promise.all(['e', 'f', 'g'].map((by) => store().keepPolicy(aText(), by, '')));
      expect(new Set([...all, ...others].map((v) => v.version)).size).toBe(4);
    });

    it('stands in a list, newest first, page by page', async () => {
      const kept = [];
      for (const by of ['a', 'b', 'c']) kept.push(await store().keepPolicy(aText(), by, ''));
      const [first, second, third] = kept.reverse();
      expect(await store().policyVersions(2)).toEqual([first, second]);
      expect((await store().policyVersions(1, second?.version))[0]).toEqual(third);
      expect(await store().policyVersions(5, 1)).toEqual([]);
    });

    it('with half a character in it is refused, and nothing is kept', async () => {
      const before = await store().policyVersions(1);
      await expect(store().keepPolicy('policy: "\ud800"', 'alice', '')).rejects.toEqual(faulting('invalid'));
      expect(await store().policyVersions(1)).toEqual(before);
    });
  });

  describe('what decides in a cluster', () => {
    const file = { version: 1, hash: 'f1' };
    const order = { decides: 3, file, by: 'alice', why: 'it spends less' } as const;

    it('is the file until somebody activates a version, and then that, with what did before', async () => {
      const cluster = aCluster();
      expect(await store().activePolicy(cluster)).toBeUndefined();
      expect(await store().activatePolicy(new Map([[cluster, 0]]), order)).toBe('ok');
      expect(await store().activePolicy(cluster)).toEqual({
        ...{ id: `policy/${cluster}`, cluster, decides: 3, before: 'file', file, rev: 1 },
        ...{ by: 'alice', why: 'it spends less', at: expect.any(Number) },
      });
      expect(await store().activatePolicy(new Map([[cluster, 1]]), { ...order, decides: 5 })).toBe('ok');
      expect(await store().activePolicy(cluster)).toMatchObject({ decides: 5, before: 3, rev: 2 });
      expect(
        await store().activatePolicy(new Map([[cluster, 2]]), {
          ...order,
          decides: 'file',
          by: 'bob',
          why: '',
        }),
      ).toBe('ok');
      const rows = await store().audit(`policy/${cluster}`);
      expect(rows.map((r) => [r.seq, r.from, r.to, r.why])).toEqual([
        [1, undefined, 'version 3', 'by alice: it spends less'],
        [2, 'version 3', 'version 5', 'by alice: it spends less'],
        [3, 'version 5', 'file', 'by bob'],
      ]);
      expect(rows[2]?.prev).toBe(rows[1]?.hash);
      expect(await store().activePolicy(aCluster())).toBeUndefined();
    });

    it('is not turned by somebody who saw it otherwise, in none of several clusters', async () => {
      const [one, other] = [aCluster(), aCluster()];
      await store().activatePolicy(new Map([[one, 0]]), order);
      const both = (rev: number) =>
        new Map([
          [other, 0],
          [one, rev],
        ]);
      expect(await store().activatePolicy(both(0), { ...order, decides: 4 })).toBe('conflict');
      expect(await store().activePolicy(other)).toBeUndefined();
      expect(await store().activePolicy(one)).toMatchObject({ decides: 3, rev: 1 });
      expect(await store().activatePolicy(both(1), { ...order, decides: 4 })).toBe('ok');
      expect(await store().activePolicy(other)).toMatchObject({ decides: 4, before: 'file' });
      expect(await store().activePolicy(one)).toMatchObject({ decides: 4, before: 3 });
    });

    it('is turned by one of several at once, and by no other', async () => {
      const cluster = aCluster();
      const answers = await Promise.all(
        [7, 8, 9].map((decides) => store().activatePolicy(new Map([[cluster, 0]]), { ...order, decides })),
      );
      expect([...answers].sort()).toEqual(['conflict', 'conflict', 'ok']);
      expect(await store().audit(`policy/${cluster}`)).toHaveLength(1);
    });

    it('said again stays whose it was, but for a file that changed since, which is noted and is no step on the way back', async () => {
      const cluster = aCluster();
      await store().activatePolicy(new Map([[cluster, 0]]), { ...order, decides: 2 });
      await store().activatePolicy(new Map([[cluster, 1]]), order);
      expect(await store().activatePolicy(new Map([[cluster, 2]]), { ...order, by: 'bob' })).toBe('ok');
      expect(await store().activePolicy(cluster)).toMatchObject({ by: 'alice', rev: 2 });
      const changed = { version: 9, hash: 'f2' };
      await store().activatePolicy(new Map([[cluster, 2]]), { ...order, file: changed, by: 'bob' });
      expect(await store().activePolicy(cluster)).toMatchObject({
        ...{ decides: 3, before: 2, file: changed, by: 'bob', rev: 3 },
      });
      // Where the file decided before, the way back is to what it said then.
      const next = aCluster();
      await store().activatePolicy(new Map([[next, 0]]), order);
      await store().activatePolicy(new Map([[next, 1]]), { ...order, file: changed });
      expect(await store().activePolicy(next)).toMatchObject({ before: file.version, file: changed });
    });
  });
}
