/** Budgets that stand elsewhere: what counts while they change, break, are away or shrink. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import type { Budget } from '../../src/domain/money.ts';
import type { Policy } from '../../src/domain/policy.ts';
import type { ClusterSettings, Ports } from '../../src/engine/context.ts';
import { examineFunds, type Finding } from '../../src/engine/doctor.ts';
import { type FundSource, Funds, policyHashNow, policyNow } from '../../src/engine/funds.ts';
import { Gateway } from '../../src/engine/gateway.ts';
import { spentBudgets } from '../../src/engine/spent.ts';
import type { BudgetsPort } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { aBurst, newId, putBurst } from '../contract/samples.ts';
import { drain } from '../sim/drain.ts';

const minute = 60_000;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const budget = (usd: number, more: Partial<Budget> = {}): Budget => ({
  ...{ account: 'physics', microUsd: usd * 1e6, per: 'total', hard: true, source: 'csv b.csv line 2' },
  ...more,
});
const policy: Policy = {
  ...{ burstWhen: [], never: [], maxBursts: 9, maxTimeMs: undefined, backOffMs: 1, returns: 3 },
  budgets: [budget(99, { account: undefined, source: undefined })],
};

/** A source that gives what it was told last: budgets, or a fault. */
function site(more: Partial<FundSource> = {}) {
  const time = new VirtualTime(instant(1_000_000), drain);
  const told: string[] = [];
  const now: { gives: readonly Budget[] | Error; troubles: readonly string[]; looks: number } = {
    ...{ gives: [budget(5)], troubles: [], looks: 0 },
  };
  const port: BudgetsPort = {
    read: async () => {
      now.looks += 1;
      if (now.gives instanceof Error) throw now.gives;
      return { budgets: now.gives, troubles: now.troubles };
    },
  };
  const source: FundSource = {
    ...{ name: 'csv b.csv', port, everyMs: minute, staleAfterMs: 60 * minute, listsAll: true, ...more },
  };
  const funds = new Funds([source], {
    ...{ clock: time, scheduler: time, sha256 },
    log: ({ level, text }) => told.push(`${level} ${text}`),
  });
  const pass = (ms: number) => time.run(instant(time.now() + ms));
  return { time, told, now, funds, source, pass, settings: { policy, funds } };
}
const broken = new PortError('invalid', 'budgets.csv', 'b.csv:2: usd: "x" is no amount');
const awayNow = new PortError('unreachable', 'budgets.coldfront', 'cf: no answer');

describe('budgets from elsewhere', () => {
  it('stand beside those of the policy, and are looked at again in their time', async () => {
    const { funds, settings, now, pass, time } = site();
    await funds.open();
    const first = policyNow(settings, time.now());
    expect(first.budgets).toEqual([...policy.budgets, budget(5)]);
    expect(first).toMatchObject({ budgetsUnknown: undefined, listedIn: 'csv b.csv' });
    const hash = policyHashNow({ policyHash: 'h', funds });
    await pass(minute);
    expect(now.looks).toBe(2);
    // What is reckoned from them is kept by the array.
    expect(policyNow(settings, time.now()).budgets).toBe(first.budgets);
    expect(policyHashNow({ policyHash: 'h', funds })).toBe(hash);
    now.gives = [budget(6)];
    await pass(minute);
    expect(policyNow(settings, time.now()).budgets[1]).toEqual(budget(6));
    expect(policyHashNow({ policyHash: 'h', funds })).not.toBe(hash);
    funds.close();
    await pass(10 * minute);
    expect(now.looks).toBe(3);
  });

  it('are the same policy where they only moved to another line', async () => {
    const { funds, now, pass } = site();
    await funds.open();
    const hash = () => policyHashNow({ policyHash: 'p', funds });
    const before = hash();
    now.gives = [budget(5, { source: 'csv b.csv line 3' })];
    await pass(minute);
    expect(funds.budgets).toEqual(now.gives);
    expect(hash()).toBe(before);
    now.gives = [budget(6)];
    await pass(minute);
    expect(hash()).not.toBe(before);
  });

  it('that are broken at the start refuse it; those that are away are waited for, and nothing is bought', async () => {
    const bad = site();
    bad.now.gives = broken;
    await expect(bad.funds.open()).rejects.toBe(broken);
    const { funds, settings, now, pass, time } = site();
    now.gives = awayNow;
    await funds.open();
    expect(policyNow(settings, time.now()).budgetsUnknown).toBe('csv b.csv: never read yet: cf: no answer');
    now.gives = [budget(5)];
    await pass(minute);
    expect(policyNow(settings, time.now()).budgetsUnknown).toBeUndefined();
  });

  it('that break later count as last read for an hour; then nothing is bought until they are mended', async () => {
    const { funds, settings, now, pass, time, told } = site();
    await funds.open();
    now.gives = broken;
    await pass(60 * minute);
    expect(policyNow(settings, time.now())).toMatchObject({ budgetsUnknown: undefined });
    expect(policyNow(settings, time.now()).budgets[1]).toEqual(budget(5));
    // Said once, not each minute.
    expect(told).toEqual([`warn budgets: csv b.csv: ${broken.message}; what was read before is kept`]);
    expect(funds.troubles).toEqual([
      { subject: 'csv b.csv', since: instant(1_000_000 + minute), text: broken.message },
    ]);
    await pass(minute);
    const late = policyNow(settings, time.now());
    expect(late.budgetsUnknown).toBe(`csv b.csv: last read 61 min ago: ${broken.message}`);
    expect(late.budgets[1]).toEqual(budget(5));
    now.gives = [budget(7)];
    await pass(minute);
    expect(policyNow(settings, time.now()).budgetsUnknown).toBeUndefined();
    expect(funds.troubles).toEqual([]);
    expect(told.at(-1)).toBe('info budgets: csv b.csv can be read again');
  });

  it('that shrink below what is held end nothing but by their own word, and those that vanish end nothing', async () => {
    const { funds, settings, now, pass, time } = site();
    await funds.open();
    const store = new MemStore({
      clock: time,
      entropy: { uuid: newId, bytes: (n) => new Uint8Array(n), random: () => 0 },
    });
    const b = aBurst({ account: 'physics', price: { held: 4_000_000, rates: {} } });
    await store.commit(newId(), b.cluster, 1, [putBurst(b)]);
    const engine = { name: b.cluster, settings, ports: { store } };
    const over = async () =>
      spentBudgets(
        engine as unknown as Parameters<typeof spentBudgets>[0],
        await store.liveBursts(b.cluster),
        time.now(),
      );
    expect([...(await over())]).toEqual([]);
    now.gives = [budget(3, { onExhausted: 'requeue' })];
    await pass(minute);
    expect([...(await over())]).toEqual([[b.id, now.gives[0]]]);
    now.gives = [];
    await pass(minute);
    expect([...(await over())]).toEqual([]);
  });

  it('stand among what the gateway tells: each with its source, and what is wrong with one', async () => {
    const { funds, now, pass, time } = site();
    await funds.open();
    now.gives = broken;
    await pass(minute);
    const clusters = ['hpc1', 'hpc2'].map((name) => ({
      ...{
        setup: { name: clusterName(name) },
        policy,
        funds,
        forecaster: { draws: 1, exact: 1 },
        historyMs: 1,
      },
      ...{ groups: [], slurm: {}, cloud: {}, streams: {} },
    })) as unknown as ClusterSettings[];
    const entropy = { uuid: newId, bytes: (n: number) => new Uint8Array(n), random: () => 0 };
    const store = new MemStore({ clock: time, entropy });
    const ports = {
      store,
      wake: {},
      kubernetes: {},
      clock: time,
      entropy,
      scheduler: time,
      log: () => undefined,
    };
    const fine = {
      check: (name: string) => ({ name, ok: true, text: 'ok', at: undefined }),
      asked: () => false,
    };
    const gateway = await Gateway.create(
      clusters,
      ports as unknown as Ports,
      { holder: 'a', leaseMs: 1, monotonic: () => 0, sweepMs: 1, cloudPollMs: 1 },
      fine,
    );
    const { troubles, checks } = await gateway.readiness();
    // One source, however many clusters spend by it; it does not make the gateway unready.
    expect(troubles).toEqual([
      { subject: 'budgets: csv b.csv', job: undefined, since: time.now(), text: broken.message },
    ]);
    expect(checks.every((c) => c.ok)).toBe(true);
    const budgets = await gateway.budgets();
    expect(budgets.map((b) => [b.cluster, b.source, b.held])).toEqual(
      ['hpc1', 'hpc2'].flatMap((name) => [
        [name, undefined, 0],
        [name, 'csv b.csv line 2', 0],
      ]),
    );
  });

  it('are looked at by doctor, each that is none with its own word', async () => {
    const { source, now, told, funds } = site();
    const found = async (): Promise<Finding[]> => {
      const all: Finding[] = [];
      for await (const finding of examineFunds(source)) all.push(finding);
      return all;
    };
    now.troubles = ['allocation 1: no amount'];
    expect(await found()).toMatchObject([
      { what: 'budgets: csv b.csv', ok: true, text: '1 budgets' },
      { ok: false, text: 'allocation 1: no amount' },
    ]);
    await funds.open();
    expect(told).toEqual(['warn budgets: csv b.csv: allocation 1: no amount']);
    expect(funds.troubles).toMatchObject([{ text: 'allocation 1: no amount' }]);
    now.gives = broken;
    expect(await found()).toMatchObject([{ ok: false, text: `invalid: ${broken.message}` }]);
  });
});
