/** What a person says through any gateway, beside whoever leads; and what many yeses at once may buy. */
import { describe, expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { steps } from '../../src/burst/steps.ts';
import { priceOf } from '../../src/decide/price.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { burstId, type ClusterName, instant } from '../../src/domain/ids.ts';
import type { Budget } from '../../src/domain/money.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB, nothing, plus } from '../../src/domain/resources.ts';
import { Desk, type Served } from '../../src/engine/desk.ts';
import type { SlurmPort, StorePort } from '../../src/ports.ts';
import { keeperNeeds } from '../../src/translate/index.ts';
import { detail } from '../burst/fixtures.ts';
import { aBurst, aCluster, newId, next, putBurst } from './samples.ts';

const entropy = { uuid: newId, bytes: (n: number) => new Uint8Array(n), random: () => 0 };
const hour = 3_600_000;

/** A desk as a gateway has it, whoever leads. */
function deskOf(store: StorePort, cluster: ClusterName, woken: string[] = []): Desk {
  const gateway = {
    clusters: [{ name: cluster, snapshot: undefined }],
    wake: async (id: string) => void woken.push(id),
  } as Partial<Served> as Served;
  return new Desk(gateway, store, entropy);
}

async function offered(store: StorePort, over: Partial<Burst> = {}): Promise<Burst> {
  const until = instant((await store.now()) + hour);
  const b = aBurst({
    quote: { until, microUsd: 1, why: 'waits', cpus: 1, timeLimitMs: hour },
    ...over,
  });
  await store.commit(newId(), b.cluster, await store.newestEpoch(b.cluster), [putBurst(b)]);
  return b;
}

export function approvalsContract(store: () => StorePort): void {
  describe('a person’s word', () => {
    it('is written once with who and when, wakes the burst, and the first one stays', async () => {
      const b = await offered(store(), { cluster: aCluster() });
      const woken: string[] = [];
      const desk = deskOf(store(), b.cluster, woken);
      expect((await desk.quotes()).map((q) => q.id)).toEqual([b.id]);
      const people = ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gil', 'hal'];
      const said = await Promise.all(people.map((by) => desk.answer(b.id, true, by, '')));
      expect(said.map((s) => s?.refused)).toEqual(people.map(() => undefined));
      const { answer } = (await store().burst(b.id)) as Burst;
      expect(answer).toMatchObject({ yes: true, at: expect.any(Number) });
      const rows = await store().audit(b.id);
      expect(rows.map((r) => [r.from, r.to])).toEqual([
        [undefined, 'proposed'],
        ['proposed', 'proposed'],
      ]);
      expect(rows[1]?.why).toContain(`approved by ${answer?.by} at `);
      expect(woken).toEqual([b.id]);
      const late = await desk.answer(b.id, false, 'zoe', '');
      expect(late?.refused).toMatch(`approved by ${answer?.by} at `);
      expect(await desk.quotes()).toEqual([]);
    });

    it('is refused, and nothing written, where it comes too late or to nothing', async () => {
      const cluster = aCluster();
      const desk = deskOf(store(), cluster);
      const plain = aBurst({ cluster });
      await store().commit(newId(), cluster, await store().newestEpoch(cluster), [putBurst(plain)]);
      expect((await desk.answer(plain.id, true, 'ann', ''))?.refused).toContain(
        'was not offered for approval',
      );
      expect(await desk.answer(burstId('nobody'), true, 'ann', '')).toBeUndefined();
      const over = await offered(store(), { cluster });
      const cause = { kind: 'expired', text: 'nobody approved it' } as const;
      await store().commit(newId(), cluster, await store().newestEpoch(cluster), [
        putBurst(next(over, 'withdrawn', { cause })),
      ]);
      expect((await desk.answer(over.id, true, 'ann', ''))?.refused).toContain(
        'is withdrawn: nobody approved it',
      );
      const until = instant((await store().now()) - 1);
      const old = await offered(store(), {
        cluster,
        quote: { until, microUsd: 1, why: '', cpus: 1, timeLimitMs: hour },
      });
      expect((await desk.answer(old.id, true, 'ann', ''))?.refused).toMatch(/^the quote ended at 2/);
      expect((await store().burst(old.id))?.rev).toBe(1);
    });

    it('is no yes while bursting is stopped, and a no all the same', async () => {
      const b = await offered(store(), { cluster: aCluster() });
      await store().stop(b.cluster, 'bob', 'fire drill');
      const desk = deskOf(store(), b.cluster);
      expect((await desk.answer(b.id, true, 'ann', ''))?.refused).toMatch(/^bursting is stopped by bob/);
      expect(await desk.answer(b.id, false, 'ann', 'too dear')).toMatchObject({ burst: { id: b.id } });
      expect((await store().burst(b.id))?.answer).toMatchObject({ yes: false, by: 'ann', why: 'too dear' });
    });

    it('passes through whichever gateway, also after another has begun to lead', async () => {
      const cluster = aCluster();
      await store().lease(cluster, 'one', 1_000);
      const b = await offered(store(), { cluster });
      await store().releaseLease(cluster, 'one');
      const lease = await store().lease(cluster, 'two', 1_000);
      expect(await store().newestEpoch(cluster)).toBe(lease?.epoch);
      expect((await deskOf(store(), cluster).answer(b.id, true, 'ann', ''))?.refused).toBeUndefined();
    });
  });

  describe('64 approvals at once', () => {
    const type = { name: 'm', vcpus: 64, memoryBytes: 256 * GiB, gpus: 0 };
    const group: NodeGroup = {
      ...{ name: 'cpu', launchTemplate: 't', types: ['m'], zones: ['a'], vcpuPerCpu: 1, overhead: nothing },
      ...{ capacityType: 'on-demand', max: 9, idleMs: 1, joinTimeoutMs: 1, lostAfterMs: 1 },
      ...{ prices: { m: 10_000_000 }, taint: { key: 'k', value: 'v', effect: 'NoSchedule' } },
    };

    it('buy as many bursts as the hard budget holds, and not one more; the others give up by its words', async () => {
      const cluster = aCluster();
      const saved = { ...aBurst().saved, timeLimitMs: hour };
      const bursts: Burst[] = [];
      const { needs } = aBurst();
      const cost = priceOf(plus(needs, keeperNeeds), hour, { group, types: [type] });
      const each = cost.kind === 'known' ? cost.price.held : 0;
      const until = instant((await store().now()) + hour);
      const quoteAt = (microUsd: number) => ({ until, microUsd, why: 'waits', cpus: 1, timeLimitMs: hour });
      for (let i = 0; i < 64; i++)
        bursts.push(await offered(store(), { cluster, saved, needs, quote: quoteAt(each) }));
      // Approved at less than it could cost by now: it is not in the race.
      const cheap = await offered(store(), { cluster, saved, needs, quote: quoteAt(each - 1) });
      const limit = Math.round(each * 10.5);
      const budgets: Budget[] = [{ account: 'physics', microUsd: limit, per: 'total', hard: true }];
      const epoch = await store().newestEpoch(cluster);
      const at = await store().now();
      const ctx = (b: Burst): BurstContext => {
        const { ref, submitAt } = b;
        // Eligible by now: one that may only begin later is not bought for.
        const job = detail({
          ref,
          submitAt,
          eligibleAt: at,
          timeLimitMs: hour,
          memory: b.saved.memory,
        });
        const slurm: Partial<SlurmPort> = { job: async () => job };
        return {
          setup: {
            ...{ name: cluster, watch: ['batch'], explicit: 'cloud', waitPartition: 'burst_wait' },
            ...{ burstPartition: 'burst', mode: 'approve', onLost: 'fail', pollMs: 1 },
          },
          slurm: slurm as SlurmPort,
          ...{ store: store(), clock: { now: () => at }, entropy, budgets, epoch: () => epoch },
          offered: () => ({ group, types: [type] }),
          group: () => group,
          hint: () => 'PENDING',
          replan: () => undefined,
          log: () => undefined,
        } as Partial<BurstContext> as BurstContext;
      };
      const desk = deskOf(store(), cluster);
      let highest = 0;
      const money = async (): Promise<void> => {
        const { held, spent } = await store().money(cluster, { account: 'physics', since: instant(0) });
        highest = Math.max(highest, held + spent);
      };
      await Promise.all(
        [...bursts, cheap].map(async ({ id }) => {
          await desk.answer(id, true, 'ann', '');
          for (let i = 0; i < 10; i++) {
            const b = await store().burst(id);
            if (b === undefined || (b.state !== 'proposed' && b.state !== 'approved')) break;
            await steps[b.state](ctx(b), b);
            await money();
          }
        }),
      );
      const live = await store().liveBursts(cluster);
      const reserved = live.filter((b) => b.state === 'reserved');
      const dearer = live.find((b) => b.id === cheap.id);
      expect(dearer).toMatchObject({ state: 'returning', cause: { kind: 'expired' } });
      expect(dearer?.cause?.text).toMatch(/^it was approved at .* at most and could cost .* now/);
      const refused = live.filter((b) => b.state === 'returning' && b.id !== cheap.id);
      expect([reserved.length, refused.length]).toEqual([10, 54]);
      expect(refused.every((b) => b.cause?.kind === 'no_budget')).toBe(true);
      expect(highest).toBe(10 * each);
      expect(highest).toBeLessThanOrEqual(limit);
    }, 60_000);
  });
}
