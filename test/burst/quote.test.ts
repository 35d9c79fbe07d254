/** Mode approve: a burst that waits for a person's word, step by step. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { quoteUntil } from '../../src/burst/quote.ts';
import { steps } from '../../src/burst/steps.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { type Instant, instant, uuid } from '../../src/domain/ids.ts';
import type { AccountedJob, Job, JobDetail } from '../../src/domain/job.ts';
import type { Budget } from '../../src/domain/money.ts';
import type { ClusterSetup } from '../../src/domain/policy.ts';
import type { Answer } from '../../src/domain/quote.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';
import type { SlurmPort } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { at, burst, detail } from './fixtures.ts';

const hour = 3_600_000;
let time: Instant;
let job: JobDetail | undefined;
let accounted: AccountedJob[];
let line: Job | undefined;
let mode: ClusterSetup['mode'];
let budgets: Budget[];
let unfunded: string | undefined;
let ramp: ClusterSetup['ramp'];
let store: MemStore;
let looks: number;
let ids = 0;
const entropy = { uuid: () => uuid(`q${++ids}`), bytes: (n: number) => new Uint8Array(n), random: () => 0 };
const clock = { now: () => time };
const group = {
  ...{ name: 'cpu', launchTemplate: 't', types: ['m'], zones: ['a'], vcpuPerCpu: 1, overhead: nothing },
  ...{ capacityType: 'on-demand', max: 1, idleMs: 1, joinTimeoutMs: 1, lostAfterMs: 1 },
  ...{ prices: { m: 1_000_000 }, taint: { key: 'k', value: 'v', effect: 'NoSchedule' } },
} as const;
const offered = { group, types: [{ name: 'm', vcpus: 8, memoryBytes: 32 * GiB, gpus: 0 }] };

const slurm: Partial<SlurmPort> = {
  job: async () => {
    looks += 1;
    return job;
  },
  accounting: async () => accounted,
};

const context = (): BurstContext =>
  ({
    setup: {
      ...{ name: burst().cluster, watch: ['batch'], explicit: 'cloud', waitPartition: 'burst_wait' },
      ...{ burstPartition: 'burst', mode, ramp, onLost: 'fail', pollMs: 1 },
    },
    slurm: slurm as SlurmPort,
    ...{ store, clock, entropy, epoch: () => 0, budgets },
    log: () => undefined,
    hint: () => line?.state ?? 'RUNNING',
    line: () => line,
    offered: () => offered,
    group: () => offered.group,
    unfunded: () => unfunded,
    replan: () => undefined,
  }) as Partial<BurstContext> as BurstContext;

const quote = (over: Partial<NonNullable<Burst['quote']>> = {}): NonNullable<Burst['quote']> => ({
  ...{ until: quoteUntil(at), microUsd: 1_000_000, why: 'waits', cpus: 1, timeLimitMs: 600_000 },
  ...over,
});
const said = (yes: boolean): Answer => ({ yes, by: 'alice@gw', at, why: '' });

async function put(over: Partial<Burst> = {}): Promise<void> {
  const first = burst({ state: 'proposed', quote: quote(), ...over, rev: 0 });
  await store.commit(entropy.uuid(), first.cluster, 0, [{ kind: 'burst', burst: first, why: '' }]);
}
async function now(): Promise<Burst> {
  const b = await store.burst(burst().id);
  if (b === undefined) throw new Error('no burst');
  return b;
}
async function step(): Promise<Burst> {
  const b = await now();
  await steps[b.state](context(), b);
  return now();
}

beforeEach(() => {
  time = at;
  job = detail({ partition: 'cloud' });
  accounted = [];
  line = job;
  mode = 'approve';
  budgets = [];
  unfunded = undefined;
  ramp = undefined;
  looks = 0;
  store = new MemStore({ clock, entropy });
});

describe('a quote', () => {
  it('holds, claims and buys nothing while nobody has answered, and asks Slurm nothing', async () => {
    await put();
    expect(await step()).toMatchObject({ state: 'proposed', rev: 1 });
    expect(looks).toBe(0);
    expect((await store.money(burst().cluster, { account: undefined, since: at })).held).toBe(0);
  });

  it('goes ahead once somebody approved it; who and when stands in the audit chain', async () => {
    await put({ answer: said(true) });
    expect(await step()).toMatchObject({ state: 'approved', answer: { yes: true, by: 'alice@gw' } });
    const rows = await store.audit(burst().id);
    expect(rows.at(-1)).toMatchObject({ from: 'proposed', to: 'approved' });
    expect(rows.at(-1)?.why).toMatch(/^approved by alice@gw at 2027-01-15T/);
  });

  it('holds its money only then, and against the budget of that moment', async () => {
    await put({ answer: said(true) });
    budgets = [{ account: undefined, microUsd: 1, per: 'total', hard: true }];
    expect(await step()).toMatchObject({ state: 'approved' });
    expect(await step()).toMatchObject({ state: 'returning', cause: { kind: 'no_budget' } });
    expect((await store.money(burst().cluster, { account: undefined, since: at })).held).toBe(0);
  });

  it('begins nothing where budgets are not known by now, and says which', async () => {
    await put({ answer: said(true) });
    budgets = [{ account: 'physics', microUsd: 1e12, per: 'total', hard: true }];
    expect(await step()).toMatchObject({ state: 'approved' });
    unfunded = 'the budgets are not known: csv b.csv: last read 61 min ago';
    expect(await step()).toMatchObject({
      state: 'returning',
      cause: { kind: 'no_budget', text: unfunded },
    });
    expect((await store.money(burst().cluster, { account: undefined, since: at })).held).toBe(0);
  });

  it('that no budget of its user holds goes back, with the names of those that could not', async () => {
    await put({ answer: said(true) });
    const { account, user } = burst();
    const large = { account, microUsd: 1e12, per: 'total', hard: true } as const;
    budgets = [large, { ...large, account: undefined, user, microUsd: 1, source: 'csv b.csv line 3' }];
    await step();
    expect(await step()).toMatchObject({
      state: 'returning',
      cause: {
        text: expect.stringContaining(
          `the budgets of account ${account} (policy), of user ${user} (csv b.csv line 3) do not hold`,
        ),
      },
    });
  });

  it('that was declined is over, with a receipt that names who', async () => {
    await put({ answer: said(false) });
    expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind: 'declined' } });
    const [receipt] = await store.receipts(burst().cluster, burst().ref, 1);
    expect(receipt).toMatchObject({ kind: 'outcome', decision: { verdict: 'wait' } });
    expect(receipt?.text).toContain('declined by alice@gw');
  });

  it('that nobody answered in time is over, and says what it would have cost', async () => {
    await put();
    time = instant(at + hour - 1);
    expect(await step()).toMatchObject({ state: 'proposed' });
    time = instant(at + hour);
    expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind: 'expired' } });
    expect((await now()).cause?.text).toMatch(/^nobody approved it for 1\.00 USD at most until /);
  });

  it('that was approved in time stands, however late the gateway sees it', async () => {
    await put({ answer: said(true) });
    time = instant(at + 3 * hour);
    expect(await step()).toMatchObject({ state: 'approved' });
  });

  it.each<[string, Partial<JobDetail>, string]>([
    ['asks for more CPUs', { cpus: 2 }, 'owner_changed'],
    ['asks for more time', { timeLimitMs: 1_200_000 }, 'owner_changed'],
    ['is held', { priority: 0, reason: 'JobHeldUser' }, 'owner_changed'],
    ['started at home', { state: 'RUNNING', partition: 'batch', nodeList: 'n1' }, 'started_onprem'],
    ['was cancelled', { state: 'CANCELLED' }, 'job_ended'],
  ])('of a job that %s meanwhile is over, before and after a yes', async (_, over, kind) => {
    for (const answer of [undefined, said(true)]) {
      store = new MemStore({ clock, entropy });
      job = detail({ partition: 'cloud', ...over });
      line = job;
      await put({ answer });
      expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind } });
    }
  });

  it.each<[string, Partial<JobDetail>]>([
    ['moved by its owner', { partition: 'other' }],
    ['to begin later', { eligibleAt: instant(at + 3_600_000) }],
    ['of another memory', { memory: { per: 'node', mib: 9 } }],
  ])('is not acted on for a job that is %s by now', async (_, over) => {
    await put({ answer: said(true) });
    job = detail({ partition: 'cloud', ...over });
    expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind: 'owner_changed' } });
  });

  it('of a job that neither daemon knows is over after two minutes', async () => {
    await put({ answer: said(true) });
    job = undefined;
    expect(await step()).toMatchObject({ state: 'proposed' });
    time = instant(at + 119_000);
    expect(await step()).toMatchObject({ state: 'proposed' });
    time = instant(at + 121_000);
    expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind: 'job_ended' } });
  });

  it('gives way to the stop switch, also after a yes', async () => {
    await store.stop(burst().cluster, 'bob', 'fire drill');
    await put({ answer: said(true) });
    expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind: 'stopped' } });
    expect(looks).toBe(0);
  });

  it('gives way to the stop switch between the yes and the hold', async () => {
    await put({ answer: said(true) });
    await step();
    await store.stop(burst().cluster, 'bob', 'fire drill');
    const left = await step();
    expect(left).toMatchObject({ state: 'returning', cause: { kind: 'stopped' } });
    expect(left.price).toBeUndefined();
  });
});

describe('when the mode changes', () => {
  it('to auto, the policy approves what was offered', async () => {
    mode = 'auto';
    await put();
    expect(await step()).toMatchObject({ state: 'approved' });
    expect((await store.audit(burst().id)).at(-1)?.why).toBe('approved by policy (mode: auto)');
  });

  it('to auto on a ramp, what was offered is decided anew; what a person approved goes ahead, and all of it once it is lifted', async () => {
    mode = 'auto';
    ramp = { jobsPerDay: 5, microUsdPerDay: 1 };
    await put();
    expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind: 'stopped' } });
    store = new MemStore({ clock, entropy });
    await put({ answer: said(true) });
    expect(await step()).toMatchObject({ state: 'approved' });
    store = new MemStore({ clock, entropy });
    await store.liftRamp(burst().cluster, 'bob', '');
    await put();
    expect(await step()).toMatchObject({ state: 'approved' });
  });

  it('to auto, a no that was said before stands', async () => {
    mode = 'auto';
    await put({ answer: said(false) });
    expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind: 'declined' } });
  });

  it('to observe, what was offered is withdrawn, also after a yes', async () => {
    mode = 'observe';
    await put({ answer: said(true) });
    expect(await step()).toMatchObject({ state: 'withdrawn', cause: { kind: 'stopped' } });
  });

  it('to approve, what was proposed is offered, at the price of now', async () => {
    await put({ quote: undefined });
    const offer = await step();
    expect(offer).toMatchObject({ state: 'proposed', quote: { until: at + hour, cpus: 1 } });
    expect(offer.quote?.microUsd).toBeGreaterThan(0);
  });

  it('the next run of a job that was claimed goes on without being asked for again', async () => {
    await put({ quote: undefined, origin: 'requeue' });
    expect(await step()).toMatchObject({ state: 'approved' });
  });
});
