/** Money: what is held and what is spent never passes a limit, however many ask at once. */
import { describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { instant } from '../../src/domain/ids.ts';
import type { Hold, Limit } from '../../src/domain/ledger.ts';
import { overheadAccount, overheadId } from '../../src/domain/overhead.ts';
import type { StorePort, Write } from '../../src/ports.ts';
import { aBurst, aCluster, anInstance, newId, putBurst, putInstance } from './samples.ts';
import { faulting } from './store.under-test.ts';

const at = instant(Date.UTC(2026, 0, 10));
const since = instant(Date.UTC(2026, 0, 1));

export function ledgerContract(store: () => StorePort): void {
  describe('money', () => {
    const limit = (microUsd: number, account?: string): Limit => ({ account, microUsd, since });
    const holding = (
      burst: Burst,
      microUsd: number,
      limits: readonly Limit[],
      account = 'physics',
      user = 'alice',
    ): Write => {
      const hold: Hold = { burst: burst.id, cluster: burst.cluster, account, user, microUsd, at, limits };
      return { kind: 'hold', hold };
    };
    const settling = (burst: Burst, microUsd: number, when = at): Write => ({
      kind: 'settle',
      settles: burst.id,
      microUsd,
      at: when,
    });
    const commit = (burst: Burst, ...writes: readonly Write[]) =>
      store().commit(newId(), burst.cluster, 1, writes);
    const money = (burst: Burst, account?: string) => store().money(burst.cluster, { account, since });

    it('is held with the burst’s own change, or neither is', async () => {
      const cluster = aCluster();
      const [a, b] = [aBurst({ cluster }), aBurst({ cluster })];
      const limits = [limit(100, 'physics')];
      expect(await commit(a, putBurst(a), holding(a, 60, limits))).toBe('ok');
      expect(await commit(b, putBurst(b), holding(b, 41, limits))).toBe('over_budget');
      expect(await store().burst(b.id)).toBeUndefined();
      expect(await money(a, 'physics')).toEqual({ held: 60, spent: 0 });
      expect(await commit(b, putBurst(b), holding(b, 40, limits))).toBe('ok');
      expect(await money(a)).toEqual({ held: 100, spent: 0 });
    });

    it('counts by account, and by all of them together', async () => {
      const cluster = aCluster();
      const [a, b, c] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster })];
      await commit(a, holding(a, 50, [], 'physics'));
      await commit(b, holding(b, 50, [limit(60, 'chemistry')], 'chemistry'));
      expect(await commit(c, holding(c, 11, [limit(110)], 'biology'))).toBe('over_budget');
      expect(await commit(c, holding(c, 10, [limit(110), limit(10, 'biology')], 'biology'))).toBe('ok');
      expect(await money(a, 'chemistry')).toEqual({ held: 50, spent: 0 });
      expect(await money(a)).toEqual({ held: 110, spent: 0 });
    });

    it('counts by user, in all accounts or in one', async () => {
      const cluster = aCluster();
      const bursts = Array.from({ length: 6 }, () => aBurst({ cluster }));
      const [a, b, c, d, e, f] = bursts as [Burst, Burst, Burst, Burst, Burst, Burst];
      const bobs = (microUsd: number, account?: string): Limit => ({ account, user: 'bob', microUsd, since });
      expect(await commit(a, holding(a, 50, [bobs(90)], 'physics', 'bob'))).toBe('ok');
      expect(await commit(b, holding(b, 500, [], 'physics', 'alice'))).toBe('ok');
      expect(await commit(c, holding(c, 41, [bobs(90)], 'biology', 'bob'))).toBe('over_budget');
      expect(await commit(c, holding(c, 40, [bobs(90)], 'biology', 'bob'))).toBe('ok');
      expect(await commit(d, holding(d, 11, [bobs(60, 'physics')], 'physics', 'bob'))).toBe('over_budget');
      expect(await commit(d, holding(d, 10, [bobs(60, 'physics')], 'physics', 'bob'))).toBe('ok');
      expect(await commit(e, settling(a, 20), holding(e, 30, [bobs(100)], 'physics', 'bob'))).toBe('ok');
      expect(await commit(f, holding(f, 1, [bobs(100)], 'physics', 'bob'))).toBe('over_budget');
      const of = (account?: string, user?: string) => store().money(cluster, { account, user, since });
      expect(await of(undefined, 'bob')).toEqual({ held: 80, spent: 20 });
      expect(await of('physics', 'bob')).toEqual({ held: 40, spent: 20 });
      expect(await of('physics')).toEqual({ held: 540, spent: 20 });
      expect(await of(undefined, 'nobody')).toEqual({ held: 0, spent: 0 });
    });

    it('that was not spent is free again, in the same commit too', async () => {
      const cluster = aCluster();
      const [a, b] = [aBurst({ cluster }), aBurst({ cluster })];
      await commit(a, holding(a, 100, [limit(100)]));
      expect(await commit(a, settling(a, 30), holding(b, 70, [limit(100)]))).toBe('ok');
      expect(await money(a)).toEqual({ held: 70, spent: 30 });
    });

    it('is settled once: a repeat, or one without a hold, changes nothing', async () => {
      const cluster = aCluster();
      const [a, b] = [aBurst({ cluster }), aBurst({ cluster })];
      await commit(a, holding(a, 100, []));
      await commit(a, settling(a, 30));
      await commit(a, settling(a, 90));
      await commit(b, settling(b, 5));
      expect(await money(a)).toEqual({ held: 0, spent: 30 });
    });

    it('of an earlier period does not count, but what is still held does', async () => {
      const cluster = aCluster();
      const [a, b, c] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster })];
      await commit(a, holding(a, 100, []));
      await commit(a, settling(a, 100, instant(since - 1)));
      await commit(b, holding(b, 60, []));
      expect(await money(a)).toEqual({ held: 60, spent: 0 });
      expect(await commit(c, holding(c, 41, [limit(100)]))).toBe('over_budget');
    });

    it('is held once for a burst', async () => {
      const a = aBurst({ cluster: aCluster() });
      await commit(a, holding(a, 1, []));
      await expect(commit(a, holding(a, 1, []))).rejects.toEqual(faulting('invalid'));
      expect(await money(a)).toEqual({ held: 1, spent: 0 });
    });

    it('of a machine has rows of its own: it counts for all together and for nobody’s account', async () => {
      const cluster = aCluster();
      const [job, machine] = [aBurst({ cluster }), anInstance({ cluster })];
      const whose = { cluster, account: overheadAccount, user: overheadAccount };
      const row = (nth: number, microUsd: number, limits: readonly Limit[]): Write => ({
        kind: 'hold',
        hold: { burst: overheadId(machine.id, nth), ...whose, microUsd, at, limits },
      });
      const settled = (nth: number, microUsd: number): Write => ({
        ...{ kind: 'settle', settles: overheadId(machine.id, nth), microUsd, at },
      });
      const overhead = limit(100, overheadAccount);
      await commit(job, holding(job, 50, []));
      expect(await commit(job, putInstance(machine), row(0, 70, [overhead, limit(120)]))).toBe('ok');
      expect(await commit(job, row(1, 31, [overhead]))).toBe('over_budget');
      expect(await commit(job, row(1, 1, [overhead, limit(120)]))).toBe('over_budget');
      expect(await commit(job, row(1, 30, [overhead]))).toBe('ok');
      expect(await money(job, 'physics')).toEqual({ held: 50, spent: 0 });
      expect(await commit(job, settled(0, 40), settled(1, 0))).toBe('ok');
      expect(await money(job, overheadAccount)).toEqual({ held: 0, spent: 40 });
      expect(await money(job)).toEqual({ held: 50, spent: 40 });
    });

    it('of 64 who ask at once goes to as many as the budget holds', async () => {
      const cluster = aCluster();
      const bursts = Array.from({ length: 64 }, () => aBurst({ cluster }));
      const answers = await Promise.all(
        bursts.map((b) => commit(b, putBurst(b), holding(b, 10, [limit(105, 'physics')]))),
      );
      expect(answers.filter((a) => a === 'ok')).toHaveLength(10);
      expect(answers.filter((a) => a === 'over_budget')).toHaveLength(54);
      expect(await store().money(cluster, { account: 'physics', since })).toEqual({ held: 100, spent: 0 });
      expect(await store().liveBursts(cluster)).toHaveLength(10);
    });

    it('is held once by a commit that is repeated under its id', async () => {
      const a = aBurst({ cluster: aCluster() });
      const id = newId();
      const writes = [putBurst(a), holding(a, 10, [limit(15)])];
      expect(await store().commit(id, a.cluster, 1, writes)).toBe('ok');
      expect(await store().commit(id, a.cluster, 1, writes)).toBe('ok');
      expect(await money(a)).toEqual({ held: 10, spent: 0 });
    });
  });
}
