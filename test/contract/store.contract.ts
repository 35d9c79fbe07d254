import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonical, chainStart } from '../../src/domain/chain.ts';
import { attemptKey, instant, jobRef, uuid } from '../../src/domain/ids.ts';
import type { StorePort, Write } from '../../src/ports.ts';
import {
  aBurst,
  aCluster,
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
import { approvalsContract } from './store.approvals.contract.ts';
import { commitContract } from './store.commit.contract.ts';
import { drainContract } from './store.drain.contract.ts';
import { forecastErrorsContract } from './store.errors.contract.ts';
import { ledgerContract } from './store.ledger.contract.ts';
import { policyContract } from './store.policy.contract.ts';
import { rampContract } from './store.ramp.contract.ts';
import { stopContract } from './store.stop.contract.ts';
import { faulting, putting, type StoreUnderTest } from './store.under-test.ts';

export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}: the contract of a store`, () => {
    let under: StoreUnderTest;
    let store: StorePort;
    beforeAll(async () => {
      under = await open();
      store = under.store;
    }, 60_000);
    afterAll(() => under?.close());

    const put = putting(() => store);

    commitContract(() => store);
    ledgerContract(() => store);
    approvalsContract(() => store);
    stopContract(() => store);
    rampContract(() => store);
    drainContract(() => store);
    policyContract(() => store);
    forecastErrorsContract(() => store);

    describe('reads', () => {
      it('knows nothing of what was never written', async () => {
        expect(await store.burst(aBurst().id)).toBeUndefined();
        expect(await store.instance(anInstance().id)).toBeUndefined();
        expect(await store.liveBursts(aCluster())).toEqual([]);
        expect(await store.audit('nobody')).toEqual([]);
      });

      it('lists live bursts of one cluster, oldest first, until they end', async () => {
        const cluster = aCluster();
        const [a, b, c] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster })];
        await put(putBurst(c), putBurst(a), putBurst(b));
        await put(putBurst(next(b, 'withdrawn')));
        expect((await store.liveBursts(cluster)).map((x) => x.id)).toEqual([a.id, c.id]);
      });

      it('lists the bursts that were made since a moment', async () => {
        const cluster = aCluster();
        const [a, b] = [aBurst({ cluster }), aBurst({ cluster })];
        await put(putBurst(a), putBurst(b));
        const since = async (at: number) =>
          (await store.bursts({ cluster, since: instant(at), limit: 9 })).map((x) => x.id);
        expect(await since(a.createdAt)).toEqual([b.id, a.id]);
        expect(await since(b.createdAt)).toEqual([b.id]);
        expect(await since(b.createdAt + 1)).toEqual([]);
      });

      it('finds the bursts of a job by ref and by bare id, ended ones too, newest first', async () => {
        const cluster = aCluster();
        const ref = jobRef('120_3');
        const a = aBurst({ cluster, ref, jobId: 123 });
        const b = { ...aBurst({ cluster, ref, jobId: 123 }), attempt: attemptKey(a.job, 1) };
        const other = aBurst({ cluster, ref: jobRef('120_4'), jobId: 124 });
        await put(putBurst(a), putBurst(b), putBurst(other));
        await put(putBurst(next(a, 'withdrawn')));
        expect((await store.burstsOfJob(cluster, ref)).map((x) => x.id)).toEqual([b.id, a.id]);
        expect((await store.burstsOfJob(cluster, 123)).map((x) => x.id)).toEqual([b.id, a.id]);
        expect(await store.burstsOfJob(aCluster(), 123)).toEqual([]);
      });

      it('filters bursts by cluster and life, newest first, up to a limit', async () => {
        const cluster = aCluster();
        const [a, b, c] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster })];
        await put(putBurst(a), putBurst(b), putBurst(c));
        await put(putBurst(next(b, 'withdrawn')));
        const ids = async (filter: Parameters<StorePort['bursts']>[0]) =>
          (await store.bursts(filter)).map((x) => x.id);
        expect(await ids({ cluster, limit: 9 })).toEqual([c.id, b.id, a.id]);
        expect(await ids({ cluster, live: true, limit: 9 })).toEqual([c.id, a.id]);
        expect(await ids({ cluster, live: false, limit: 9 })).toEqual([b.id]);
        expect(await ids({ cluster, limit: 1 })).toEqual([c.id]);
        expect(await ids({ limit: 2 })).toHaveLength(2);
      });

      it('lists instances until they are gone', async () => {
        const cluster = aCluster();
        const [a, b] = [anInstance({ cluster }), anInstance({ cluster })];
        await put(putInstance(a), putInstance(b));
        await put(putInstance(nextInstance(a, 'gone')));
        expect((await store.liveInstances(cluster)).map((x) => x.id)).toEqual([b.id]);
        expect((await store.instances(2)).map((x) => x.id)).toEqual([b.id, a.id]);
      });

      it('counts an instance that never joined as live: it is still to be terminated', async () => {
        const cluster = aCluster();
        const a = anInstance({ cluster, state: 'never_joined' });
        await put(putInstance(a));
        expect(await store.liveInstances(cluster)).toHaveLength(1);
      });
    });

    describe('receipts', () => {
      it('gives receipts of a job back as written, newest first, up to a limit', async () => {
        const b = aBurst({ cluster: aCluster() });
        const rs = [
          aReceipt(b),
          aReceipt(b, { kind: 'outcome', burst: b.id, snapshotAt: undefined }),
          aReceipt(b),
        ] as const;
        await store.commit(newId(), b.cluster, 1, [putReceipt(rs[0]), putReceipt(rs[1])]);
        await store.commit(newId(), b.cluster, 1, [putReceipt(rs[2])]);
        expect(await store.receipts(b.cluster, b.ref, 9)).toEqual([rs[2], rs[1], rs[0]]);
        expect(await store.receipts(b.cluster, b.ref, 1)).toEqual([rs[2]]);
      });

      it('gives the newest receipts of all jobs of a cluster, up to a limit', async () => {
        const cluster = aCluster();
        const [a, b, other] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster: aCluster() })];
        const at = (ms: number) => ({ at: instant(1_000 + ms) });
        const rs = [aReceipt(a, at(1)), aReceipt(b, at(3)), aReceipt(a, at(2)), aReceipt(b, at(3))] as const;
        for (const r of rs) await store.commit(newId(), cluster, 1, [putReceipt(r)]);
        await store.commit(newId(), other.cluster, 1, [putReceipt(aReceipt(other))]);
        expect(await store.receipts(cluster, undefined, 9)).toEqual([rs[3], rs[1], rs[2], rs[0]]);
        expect(await store.receipts(cluster, undefined, 2)).toEqual([rs[3], rs[1]]);
      });

      it('has the decisions to burst of a span, oldest first', async () => {
        const cluster = aCluster();
        const [a, b, other] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster: aCluster() })];
        const at = (ms: number) => ({ at: instant(1_000 + ms), verdict: 'burst' as const });
        const rs = [aReceipt(a, at(3)), aReceipt(b, at(1)), aReceipt(a, at(2)), aReceipt(b, at(4))] as const;
        const others = [
          aReceipt(a, { ...at(2), verdict: 'wait' }),
          aReceipt(a, { ...at(2), kind: 'outcome', burst: a.id }),
        ];
        for (const r of [...rs, ...others]) await store.commit(newId(), cluster, 1, [putReceipt(r)]);
        await store.commit(newId(), other.cluster, 1, [putReceipt(aReceipt(other, at(2)))]);
        const of = (from: number, to: number) =>
          store.burstDecisions(cluster, instant(1_000 + from), instant(1_000 + to));
        expect(await of(1, 4)).toEqual([rs[1], rs[2], rs[0]]);
        expect(await of(4, 5)).toEqual([rs[3]]);
        expect(await of(5, 9)).toEqual([]);
      });

      it('has the newest decision of each attempt, outcomes left out', async () => {
        const cluster = aCluster();
        const [a, b, c] = [aBurst({ cluster }), aBurst({ cluster }), aBurst({ cluster })];
        const again = { ...a, attempt: attemptKey(a.job, 1) };
        const newest = [aReceipt(a, { verdict: 'burst' }), aReceipt(again), aReceipt(b)];
        const writes = [aReceipt(a), aReceipt(c), ...newest, aReceipt(b, { kind: 'outcome' })];
        await store.commit(newId(), cluster, 1, writes.map(putReceipt));
        const got = await store.lastDecisions(cluster, [a.ref, b.ref, jobRef('none')]);
        expect(new Set(got.map((r) => r.id))).toEqual(new Set(newest.map((r) => r.id)));
        expect(await store.lastDecisions(cluster, [])).toEqual([]);
      });

      it('counts what was seen again, known or not', async () => {
        const b = aBurst({ cluster: aCluster() });
        const r = aReceipt(b);
        await store.commit(newId(), b.cluster, 1, [putReceipt(r)]);
        const times = (n: number, last: number) => ({ times: n, last: instant(last) });
        await store.seenAgain(
          new Map([
            [r.id, times(3, 7)],
            [newId(), times(1, 5)],
          ]),
        );
        await store.seenAgain(new Map([[r.id, times(2, 6)]]));
        await store.seenAgain(new Map());
        expect(await store.seen([r.id, newId()])).toEqual(new Map([[r.id, times(5, 7)]]));
        expect(await store.receipts(b.cluster, b.ref, 9)).toEqual([r]);
      });

      it('refuses a receipt whose id exists', async () => {
        const b = aBurst({ cluster: aCluster() });
        const r = aReceipt(b);
        await store.commit(newId(), b.cluster, 1, [putReceipt(r)]);
        await expect(store.commit(newId(), b.cluster, 1, [putReceipt(r)])).rejects.toEqual(
          faulting('invalid'),
        );
        await expect(
          store.commit(newId(), b.cluster, 1, [putReceipt({ ...r, id: uuid(newId()) }), putReceipt(r)]),
        ).rejects.toEqual(faulting('invalid'));
        expect(await store.receipts(b.cluster, b.ref, 9)).toEqual([r]);
      });

      it('takes receipts of one attempt from many writers at once', async () => {
        const b = aBurst({ cluster: aCluster() });
        const rs = Array.from({ length: 12 }, () => aReceipt(b));
        const answers = await Promise.all(
          rs.map((r) => store.commit(newId(), b.cluster, 1, [putReceipt(r)])),
        );
        expect(answers.every((a) => a === 'ok')).toBe(true);
        expect(await store.receipts(b.cluster, b.ref, 99)).toHaveLength(12);
      });
    });

    describe('intents', () => {
      it('lists the unanswered ones of a subject, oldest first', async () => {
        const b = aBurst();
        const [one, two] = [anIntent(b), anIntent(b, { deadline: undefined })];
        await put(putBurst(b), putIntent(one));
        await put(putIntent(two), putIntent(anIntent(aBurst())));
        expect(await store.openIntents(b.id)).toEqual([one, two]);
        await put({ kind: 'answered', intent: one.id, answer: 'done', at: instant(9) });
        expect(await store.openIntents(b.id)).toEqual([two]);
        await put({ kind: 'answered', intent: one.id, answer: 'again', at: instant(10) });
        expect(await store.openIntents(b.id)).toEqual([two]);
      });

      it('may be written and answered in one commit', async () => {
        const b = aBurst();
        const intent = anIntent(b);
        await put(putIntent(intent), { kind: 'answered', intent: intent.id, answer: 'done', at: instant(9) });
        expect(await store.openIntents(b.id)).toEqual([]);
      });

      it('refuses an answer to none, and a second of one id', async () => {
        const b = aBurst();
        const intent = anIntent(b);
        await put(putIntent(intent));
        const answer: Write = { kind: 'answered', intent: newId(), answer: 'done', at: instant(9) };
        await expect(put(answer)).rejects.toEqual(faulting('invalid'));
        await expect(put(putIntent(intent))).rejects.toEqual(faulting('invalid'));
      });
    });

    describe('audit', () => {
      it('has a row for every change, in order, with its reason', async () => {
        const b = aBurst();
        await put(putBurst(b, 'seen'));
        await put(putBurst(next(b, 'approved'), 'policy'));
        const rows = await store.audit(b.id);
        expect(rows).toMatchObject([
          { subject: b.id, seq: 1, from: undefined, to: 'proposed', why: 'seen' },
          { subject: b.id, seq: 2, from: 'proposed', to: 'approved', why: 'policy' },
        ]);
        const now = await store.now();
        for (const row of rows) expect(Math.abs(now - row.at)).toBeLessThan(60_000);
      });

      it('chains each row to the one before by a hash over all of it', async () => {
        const b = aBurst();
        const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
        await put(putBurst(b));
        await put(putBurst(next(b, 'approved')));
        const [first, second] = await store.audit(b.id);
        expect(first?.prev).toBe(chainStart);
        expect(second?.prev).toBe(first?.hash);
        const { hash, ...body } = second ?? {};
        const data = sha256(canonical({ ...next(b, 'approved'), rev: 2 }));
        expect(hash).toBe(sha256(canonical({ ...body, data })));
      });

      it('has rows for instances too', async () => {
        const i = anInstance();
        await put(putInstance(i));
        await put(putInstance(nextInstance(i, 'launched')));
        expect((await store.audit(i.id)).map((r) => [r.from, r.to])).toEqual([
          [undefined, 'intended'],
          ['intended', 'launched'],
        ]);
      });
    });

    describe('lease', () => {
      it('is held by one, renewed by its holder with the same epoch, and refused to others', async () => {
        const c = aCluster();
        const first = await store.lease(c, 'a', 30_000);
        expect(first).toMatchObject({ cluster: c, holder: 'a', epoch: 1 });
        expect(await store.lease(c, 'b', 30_000)).toBeUndefined();
        const renewed = await store.lease(c, 'a', 60_000);
        expect(renewed).toMatchObject({ holder: 'a', epoch: 1 });
        expect(renewed?.until ?? 0).toBeGreaterThan(first?.until ?? 0);
        expect(Math.abs((renewed?.until ?? 0) - (await store.now()) - 60_000)).toBeLessThan(5_000);
      });

      it('goes to another with a higher epoch once it expired', async () => {
        const c = aCluster();
        await store.lease(c, 'a', 200);
        await under.pass(250);
        expect(await store.lease(c, 'b', 30_000)).toMatchObject({ holder: 'b', epoch: 2 });
        expect(await store.lease(c, 'a', 30_000)).toBeUndefined();
      });

      it('keeps its epoch for a holder that renews late while nobody else took it', async () => {
        const c = aCluster();
        await store.lease(c, 'a', 200);
        await under.pass(250);
        expect(await store.lease(c, 'a', 30_000)).toMatchObject({ epoch: 1 });
      });

      it('is free at once when released, but only by its holder', async () => {
        const c = aCluster();
        await store.lease(c, 'a', 30_000);
        await store.releaseLease(c, 'b');
        expect(await store.lease(c, 'b', 30_000)).toBeUndefined();
        await store.releaseLease(c, 'a');
        expect(await store.lease(c, 'b', 30_000)).toMatchObject({ epoch: 2 });
        await store.releaseLease(c, 'b');
        expect(await store.lease(c, 'b', 30_000)).toMatchObject({ epoch: 3 });
      });

      it('goes to exactly one of many who ask at once', async () => {
        const c = aCluster();
        const got = await Promise.all(Array.from({ length: 12 }, (_, i) => store.lease(c, `h${i}`, 30_000)));
        expect(got.filter((l) => l !== undefined)).toHaveLength(1);
      });

      it('fences: a commit with an older epoch is stale and writes nothing; repeating an old success is ok', async () => {
        const cluster = aCluster();
        const b = aBurst({ cluster });
        const id = newId();
        await store.lease(cluster, 'a', 30_000);
        expect(await store.commit(id, cluster, 1, [putBurst(b)])).toBe('ok');
        await store.releaseLease(cluster, 'a');
        await store.lease(cluster, 'b', 30_000);
        const late = store.commit(newId(), cluster, 1, [putBurst(next(b, 'approved'))]);
        await expect(late).rejects.toEqual(faulting('stale'));
        expect(await store.burst(b.id)).toMatchObject({ rev: 1 });
        expect(await store.commit(id, cluster, 1, [putBurst(b)])).toBe('ok');
        expect(await store.commit(newId(), cluster, 2, [putBurst(next(b, 'approved'))])).toBe('ok');
      });
    });

    it('has one generation', async () => {
      expect(await store.generation()).toMatch(/^[0-9a-f-]{36}$/);
      expect(await store.generation()).toBe(await store.generation());
    });

    it('answers a ping, and its clock goes on', async () => {
      await store.ping();
      const before = await store.now();
      await under.pass(50);
      expect((await store.now()) - before).toBeGreaterThanOrEqual(45);
    });
  });
}
