import { describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { faultOf } from '../../src/domain/fault.ts';
import { instant } from '../../src/domain/ids.ts';
import type { StorePort } from '../../src/ports.ts';
import {
  aBurst,
  aCluster,
  aFullBurst,
  aFullInstance,
  anInstance,
  anIntent,
  aReceipt,
  newId,
  next,
  nextInstance,
  putBurst,
  putInstance,
  putIntent,
  putReceipt,
} from './samples.ts';
import { faulting, putting } from './store.under-test.ts';

/** The part of the contract that is about writing. */
export function commitContract(store: () => StorePort): void {
  const put = putting(store);
  describe('commit', () => {
    it('stores a new burst at rev 1 and gives it back as it was written', async () => {
      for (const b of [aBurst(), aFullBurst()]) {
        expect(await put(putBurst(b))).toBe('ok');
        expect(await store().burst(b.id)).toEqual({ ...b, rev: 1 });
      }
    });

    it('stores a new instance at rev 1 and gives it back as it was written', async () => {
      for (const i of [anInstance(), aFullInstance()]) {
        expect(await put(putInstance(i))).toBe('ok');
        expect(await store().instance(i.id)).toEqual({ ...i, rev: 1 });
      }
    });

    it('does not see changes that a caller makes to what was written or read', async () => {
      const b = aBurst({ needs: { cpuMillis: 1, memoryBytes: 1, extended: { a: 1 } } });
      await put(putBurst(b));
      (b.needs.extended as Record<string, number>).a = 2;
      expect((await store().burst(b.id))?.needs.extended).toEqual({ a: 1 });
    });

    it('takes a change at the rev that was read', async () => {
      const b = aBurst();
      await put(putBurst(b));
      expect(await put(putBurst(next(b, 'approved')))).toBe('ok');
      expect(await store().burst(b.id)).toMatchObject({ state: 'approved', rev: 2 });
    });

    it('answers conflict to a change at another rev, and writes nothing of that commit', async () => {
      const [b, other] = [aBurst(), aBurst()];
      await put(putBurst(b), putBurst(other));
      await put(putBurst(next(b, 'approved')));
      const r = aReceipt(b);
      const i = anIntent(other);
      const writes = [
        putBurst(next(other, 'approved')),
        putReceipt(r),
        putIntent(i),
        putBurst(next(b, 'withdrawn')),
      ];
      expect(await put(...writes)).toBe('conflict');
      expect(await store().burst(b.id)).toMatchObject({ state: 'approved', rev: 2 });
      expect(await store().burst(other.id)).toMatchObject({ state: 'proposed', rev: 1 });
      expect(await store().receipts(b.cluster, b.ref, 9)).toEqual([]);
      expect(await store().openIntents(other.id)).toEqual([]);
      expect(await store().audit(other.id)).toHaveLength(1);
    });

    it('answers conflict to a new burst whose id exists, and to a change of one that does not', async () => {
      const b = aBurst();
      await put(putBurst(b));
      expect(await put(putBurst(b))).toBe('conflict');
      expect(await put(putBurst({ ...aBurst(), rev: 3 }))).toBe('conflict');
      expect(await put(putInstance({ ...anInstance(), rev: 1 }))).toBe('conflict');
    });

    it('lets one attempt have one live burst, and another after that one ended', async () => {
      const b = aBurst();
      const twin = { ...aBurst(), attempt: b.attempt, ref: b.ref, job: b.job };
      await put(putBurst(b));
      expect(await put(putBurst(twin))).toBe('conflict');
      expect(await store().burst(twin.id)).toBeUndefined();
      expect(await put(putBurst(next(b, 'withdrawn')), putBurst(twin))).toBe('ok');
    });

    it('keeps attempts of two clusters apart', async () => {
      const b = aBurst();
      const same = { ...aBurst({ cluster: aCluster() }), attempt: b.attempt };
      expect(await put(putBurst(b))).toBe('ok');
      expect(await put(putBurst(same))).toBe('ok');
    });

    it('refuses an illegal transition of a burst or an instance as invalid, and writes nothing', async () => {
      const b = aBurst();
      const i = anInstance();
      await put(putBurst(b), putInstance(i));
      const illegal = put(putInstance(nextInstance(i, 'launched')), putBurst(next(b, 'running')));
      await expect(illegal).rejects.toEqual(faulting('invalid'));
      await expect(put(putInstance(nextInstance(i, 'ready')))).rejects.toEqual(faulting('invalid'));
      expect(await store().burst(b.id)).toMatchObject({ state: 'proposed', rev: 1 });
      expect(await store().instance(i.id)).toMatchObject({ state: 'intended', rev: 1 });
    });

    it('takes a change within the same state', async () => {
      const b = aBurst();
      await put(putBurst(b));
      expect(await put(putBurst(next(b, 'proposed', { dropped: 3 })))).toBe('ok');
      expect(await store().burst(b.id)).toMatchObject({ dropped: 3, rev: 2 });
    });

    it('takes several steps of one burst in one commit', async () => {
      const b = aBurst();
      expect(await put(putBurst(b), putBurst(next(b, 'approved')))).toBe('ok');
      expect(await store().burst(b.id)).toMatchObject({ state: 'approved', rev: 2 });
      expect((await store().audit(b.id)).map((a) => a.to)).toEqual(['proposed', 'approved']);
    });

    it('answers ok to a commit id that is repeated, and writes it once', async () => {
      const b = aBurst();
      const id = newId();
      expect(await store().commit(id, b.cluster, 1, [putBurst(b)])).toBe('ok');
      expect(await store().commit(id, b.cluster, 1, [putBurst(b)])).toBe('ok');
      expect(await store().audit(b.id)).toHaveLength(1);
      await put(putBurst(next(b, 'approved')));
      expect(await store().commit(id, b.cluster, 1, [putBurst(b)])).toBe('ok');
    });

    it('forgets the id of a commit that was a conflict, so that it may be tried again', async () => {
      const b = aBurst();
      await put(putBurst(b));
      const id = newId();
      expect(await store().commit(id, b.cluster, 1, [putBurst(b)])).toBe('conflict');
      expect(await store().commit(id, b.cluster, 1, [putBurst(next(b, 'approved'))])).toBe('ok');
    });

    it('refuses as invalid what it could not give back, and what is of another cluster', async () => {
      for (const over of [
        { dropped: Number.NaN },
        { name: 'a\0b' },
        { name: 'half \ud800 pair' },
      ] as Partial<Burst>[])
        await expect(put(putBurst(aBurst(over)))).rejects.toEqual(faulting('invalid'));
      await expect(store().commit(newId(), aCluster(), 1, [putBurst(aBurst())])).rejects.toEqual(
        faulting('invalid'),
      );
    });

    it('takes an empty commit', async () => {
      expect(await put()).toBe('ok');
    });

    it('lets exactly one of many concurrent changes at one rev through', async () => {
      const b = aBurst();
      await put(putBurst(b));
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, i) => put(putBurst(next(b, 'approved', { dropped: i })))),
      );
      expect(answers.filter((a) => a === 'ok')).toHaveLength(1);
      expect(await store().burst(b.id)).toMatchObject({ rev: 2 });
    });

    it('lets exactly one of many concurrent new bursts of one attempt through', async () => {
      const b = aBurst();
      const twins = Array.from({ length: 16 }, () => ({ ...aBurst(), attempt: b.attempt }));
      const answers = await Promise.all(twins.map((t) => put(putBurst(t))));
      expect(answers.filter((a) => a === 'ok')).toHaveLength(1);
    });

    it('lets exactly one of many through who make the same burst or instance at once', async () => {
      const [b, i] = [aBurst(), anInstance()];
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, n) =>
          put(...(n % 2 === 0 ? [putBurst(b), putInstance(i)] : [putBurst(b)])),
        ),
      );
      expect(answers.filter((a) => a === 'ok')).toHaveLength(1);
      expect(answers.filter((a) => a === 'conflict')).toHaveLength(15);
      expect(await store().audit(b.id)).toHaveLength(1);
    });

    it('judges each of many that come at once by itself', async () => {
      const cluster = aCluster();
      const [old, ended, poor] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster })];
      await put(putBurst(old), putBurst(ended));
      await put(putBurst(next(old, 'approved')));
      const limit = { account: undefined, microUsd: 1, since: instant(0) };
      const hold = {
        burst: poor.id,
        cluster,
        ...{ account: 'a', user: 'u' },
        microUsd: 2,
        at: instant(0),
        limits: [limit],
      };
      const fine = Array.from({ length: 120 }, () => aBurst({ cluster }));
      const [id, again] = [newId(), aBurst({ cluster })];
      const told = (work: Promise<string>) => work.catch(faultOf);
      const odd = [
        () => put(putBurst(next(old, 'withdrawn'))),
        () => put(putBurst(poor), { kind: 'hold', hold }),
        () => put(putBurst(next(ended, 'running'))),
        () => put(putBurst({ ...aBurst({ cluster }), attempt: old.attempt })),
        () => store().commit(id, cluster, 1, [putBurst(again)]),
        () => store().commit(id, cluster, 1, [putBurst(again)]),
      ];
      const answers = await Promise.all([
        ...fine.slice(0, 60).map((b) => told(put(putBurst(b), putReceipt(aReceipt(b))))),
        ...odd.map((ask) => told(ask())),
        ...fine.slice(60).map((b) => told(put(putBurst(b), putReceipt(aReceipt(b))))),
      ]);
      expect(answers.splice(60, odd.length)).toEqual([
        ...['conflict', 'over_budget', 'invalid', 'conflict', 'ok', 'ok'],
      ]);
      expect(new Set(answers)).toEqual(new Set(['ok']));
      const live = await store().liveBursts(cluster);
      expect(new Set(live.map((b) => b.id))).toEqual(new Set([old, ended, again, ...fine].map((b) => b.id)));
      expect(await store().burst(poor.id)).toBeUndefined();
      expect(await store().audit(again.id)).toHaveLength(1);
    });

    it('takes concurrent commits over the same bursts in any order', async () => {
      const many = Array.from({ length: 6 }, () => aBurst());
      await put(...many.map((b) => putBurst(b)));
      const both = await Promise.all([
        put(...many.map((b) => putBurst(next(b, 'approved')))),
        put(...[...many].reverse().map((b) => putBurst(next(b, 'withdrawn')))),
      ]);
      expect(both.sort()).toEqual(['conflict', 'ok']);
      expect(new Set(await Promise.all(many.map(async (b) => (await store().burst(b.id))?.state))).size).toBe(
        1,
      );
    });
  });
}
