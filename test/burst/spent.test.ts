/** A hard budget that is spent: nothing more is begun, and what runs finishes, goes home or is cancelled. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { endSpent } from '../../src/burst/spent.ts';
import { steps } from '../../src/burst/steps.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type BurstId, type Instant, instant, uuid } from '../../src/domain/ids.ts';
import type { JobDetail } from '../../src/domain/job.ts';
import type { Budget } from '../../src/domain/money.ts';
import { spentBudgets } from '../../src/engine/spent.ts';
import type { SlurmPort } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import type { StandinView, Streams } from '../../src/stream/streams.ts';
import { at, burst, detail } from './fixtures.ts';

let time: Instant;
let job: JobDetail | undefined;
let store: MemStore;
let budget: Budget;
let asked: string[];
let onWrite: () => void;
let ids = 0;
const entropy = { uuid: () => uuid(`x${++ids}`), bytes: (n: number) => new Uint8Array(n), random: () => 0 };
const clock = { now: () => time };
const wrote = (what: string) => async () => {
  asked.push(what);
  onWrite();
};
const slurm: Partial<SlurmPort> = {
  job: async () => job,
  requeue: wrote('requeue'),
  cancel: wrote('cancel'),
};
const streams: Partial<Streams> = {
  standinOf: () => ({ link: 'up', bye: false, open: { restart: 0 } }) as StandinView,
};
const context = (): BurstContext =>
  ({
    ...{ store, clock, entropy, epoch: () => 0 },
    slurm: slurm as SlurmPort,
    streams: streams as Streams,
    notHeldBy: () => budget,
    log: () => undefined,
  }) as Partial<BurstContext> as BurstContext;

async function put(over: Partial<Burst> = {}): Promise<Burst> {
  const first = burst({ state: 'running', ...over, rev: 0 });
  await store.commit(entropy.uuid(), first.cluster, 0, [{ kind: 'burst', burst: first, why: '' }]);
  return now();
}
async function now(): Promise<Burst> {
  const b = await store.burst(burst().id);
  if (b === undefined) throw new Error('no burst');
  return b;
}
/** Steps until nothing is to be done at once. */
async function end(): Promise<void> {
  for (let i = 0; i < 5; i++) if ((await endSpent(context(), await now()))?.again !== 'now') return;
}

beforeEach(() => {
  time = at;
  job = detail({ state: 'RUNNING', partition: 'burst' });
  asked = [];
  onWrite = () => undefined;
  budget = { account: 'physics', microUsd: 5_000_000, per: 'month', hard: true };
  store = new MemStore({ clock, entropy });
});

describe('what runs on a spent budget', () => {
  it('finishes, unless it says otherwise', async () => {
    await put();
    await end();
    expect(asked).toEqual([]);
    expect(await now()).toMatchObject({ state: 'running', rev: 1 });
  });

  it('is requeued once, by the run’s own number, with a receipt that says why', async () => {
    budget = { ...budget, onExhausted: 'requeue' };
    await put();
    await end();
    await end();
    expect(asked).toEqual(['requeue']);
    expect(await now()).toMatchObject({ cause: { kind: 'no_budget' }, requeue: { answered: true } });
    const receipts = await store.receipts(burst().cluster, burst().ref, 9);
    expect(receipts.map((r) => r.text)).toEqual([
      'the hard budget of account physics (5.00 USD a month) is spent; the job is requeued',
    ]);
  });

  it('goes on where it may not be requeued, and that is said', async () => {
    budget = { ...budget, onExhausted: 'requeue' };
    job = detail({ state: 'RUNNING', partition: 'burst', requeue: false });
    await put();
    await end();
    expect(asked).toEqual([]);
    expect((await now()).cause?.text).toContain('may not be requeued, and goes on');
  });

  it('is cancelled, with an intent before it; a lost answer is waited out, then asked again', async () => {
    budget = { ...budget, onExhausted: 'cancel' };
    onWrite = () => {
      throw new PortError('unknown', 'slurm.cancel', 'no answer');
    };
    await put();
    await end();
    expect((await now()).cancel).toMatchObject({ answered: false });
    expect(await store.openIntents(burst().id)).toHaveLength(1);
    time = instant(at + 29_000);
    await end();
    expect(asked).toEqual(['cancel']);
    time = instant(at + 31_000);
    onWrite = () => undefined;
    await end();
    expect(asked).toEqual(['cancel', 'cancel']);
    expect(await now()).toMatchObject({ cancel: { answered: true }, cause: { kind: 'no_budget' } });
    time = instant(at + 60_000);
    await end();
    expect(asked).toHaveLength(2);
  });

  it.each(['unreachable', 'transient'] as const)(
    'is asked for again soon where nothing was asked (%s), and not said to have been',
    async (fault) => {
      budget = { ...budget, onExhausted: 'cancel' };
      onWrite = () => {
        throw new PortError(fault, 'slurm.cancel', 'no route');
      };
      await put();
      await end();
      expect((await now()).cancel).toBeUndefined();
      expect(await store.openIntents(burst().id)).toEqual([]);
      onWrite = () => undefined;
      time = instant(at + 5_000);
      await end();
      expect(asked).toEqual(['cancel', 'cancel']);
      expect(await now()).toMatchObject({ cancel: { answered: true } });
    },
  );

  it('is left to Slurm where Slurm ends it already, or has begun another run', async () => {
    budget = { ...budget, onExhausted: 'cancel' };
    await put();
    for (const other of [{ state: 'COMPLETING' }, { state: 'RUNNING', restarts: 1 }] as const) {
      job = detail(other);
      await end();
    }
    expect(asked).toEqual([]);
  });
});

describe('what is not begun yet on a spent budget', () => {
  it.each(['reserved', 'provisioning', 'ready'] as const)(
    'gives its job back, whatever becomes of what runs (%s)',
    async (state) => {
      const b = await put({ state });
      await steps[state](context(), b);
      expect(await now()).toMatchObject({ state: 'returning', cause: { kind: 'no_budget' } });
    },
  );
});

describe('each turn', () => {
  const price = { held: 4_000_000, rates: { m: 4_000_000 } };
  const look = (...budgets: Budget[]): Promise<ReadonlyMap<BurstId, Budget>> => {
    const policy = {
      burstWhen: [],
      never: [],
      maxBursts: 1,
      maxTimeMs: undefined,
      backOffMs: 1,
      returns: 3,
      budgets,
    };
    const engine = { name: burst().cluster, settings: { policy }, ports: { store } };
    return store
      .liveBursts(burst().cluster)
      .then((live) => spentBudgets(engine as unknown as Parameters<typeof spentBudgets>[0], live, time));
  };

  it('finds what a lowered budget does not hold, by the strictest of several, and no soft one', async () => {
    const b = await put({ price });
    const low = { ...budget, microUsd: 3_000_000 };
    expect([...(await look(budget))]).toEqual([]);
    expect([...(await look({ ...low, hard: false }))]).toEqual([]);
    const cancels = { ...low, account: undefined, onExhausted: 'cancel' } as const;
    expect([...(await look(low, cancels, { ...low, onExhausted: 'requeue' }))]).toEqual([[b.id, cancels]]);
  });
});
