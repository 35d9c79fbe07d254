import { describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import type { Bill, CostFacts, CostKey, Stay } from '../../src/domain/cost.ts';
import { type CloudId, cloudId, instant } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { GiB } from '../../src/domain/resources.ts';
import { marksOf, piecesOf, reportOf, sumOf } from '../../src/ledger/costs.ts';
import { reconciled } from '../../src/ledger/reconcile.ts';
import { aBurst, anInstance } from '../contract/samples.ts';

const t0 = Date.UTC(2026, 10, 2, 10);
const hour = 3_600_000;
const at = (ms: number) => instant(t0 + ms);

const machine = (over: Partial<Instance> = {}): Instance =>
  anInstance({
    ...{ state: 'gone', cloudId: cloudId('i-0aaaaaaaa'), type: 'c7i.4xlarge', zone: 'eu-central-1a' },
    ...{ capacity: { cpuMillis: 16_000, memoryBytes: 32 * GiB, extended: {} }, price: { microUsd: 720_000 } },
    ...{ launchedAt: at(0), readyAt: at(60_000), releasedAt: at(hour), endedAt: at(hour + 50_000) },
    ...over,
  });
const stay = (burst: Burst, instance: Instance, from: number, until: number | undefined): Stay => ({
  ...{ burst: burst.id, instance: instance.id, from: at(from), toldBy: 'pod' },
  until: until === undefined ? undefined : at(until),
});
const facts = (
  instances: readonly Instance[],
  bursts: readonly Burst[],
  stays: readonly Stay[],
): CostFacts => ({
  ...{ at: at(2 * hour), instances, stays },
  bursts: new Map(bursts.map((b) => [b.id, b])),
});
const report = (f: CostFacts, by: CostKey = 'account', bill?: Bill) => {
  const pieces = piecesOf(f);
  return reportOf(pieces, {
    since: at(-10 * hour),
    at: f.at,
    by,
    bill: bill && reconciled(pieces, bill, f.at),
  });
};
const bill = (of: Record<string, number>, over: Partial<Bill> = {}): Bill => ({
  ...{ files: ['bill.csv'], form: 'FOCUS', from: at(-24 * hour), until: at(2 * hour), asOf: at(2 * hour) },
  instances: new Map(
    Object.entries(of).map(([id, microUsd]) => [id as CloudId, { microUsd, besidesMicroUsd: 5 }]),
  ),
  ...over,
});

describe('what bursts cost', () => {
  const m = machine();
  const [alice, bob] = [
    aBurst({ account: 'physics', user: 'alice', price: { held: 900_000, rates: {} } }),
    aBurst({ account: 'biology', user: 'bob' }),
  ];
  const f = facts([m], [alice, bob], [stay(alice, m, 0, hour / 2), stay(bob, m, hour / 2, 0.75 * hour)]);

  it('is told by account, user, job and node group; boot and idle are apart, and all of it adds up', () => {
    expect(report(f).lines).toMatchObject([
      { key: 'physics', jobs: 1, heldMicroUsd: 900_000, withoutHold: 0, jobMicroUsd: 360_000 },
      { key: 'biology', jobs: 1, heldMicroUsd: 0, withoutHold: 1, jobMicroUsd: 180_000 },
    ]);
    const { all } = report(f);
    expect(all).toMatchObject({
      jobMicroUsd: 540_000,
      bootMicroUsd: 0,
      idleMicroUsd: 180_000,
      machineMs: hour,
    });
    expect(sumOf(all)).toBe(720_000);
    expect(report(f, 'user').lines.map((l) => l.key)).toEqual(['alice', 'bob']);
    expect(report(f, 'job').lines.map((l) => l.key)).toEqual([`hpc1/${alice.ref}`, `hpc1/${bob.ref}`]);
    expect(report(f, 'group').lines).toMatchObject([
      { key: 'cpu', jobMicroUsd: 540_000, idleMicroUsd: 180_000 },
    ]);
  });

  it('ends when the cloud took the order to end the machine, not when it said that it was down', () => {
    const { releasedAt: _, ...older } = m;
    const cost = (i: Instance) => sumOf(report(facts([i], [], [])).all);
    expect([cost(m), cost(older)]).toEqual([720_000, 730_000]);
    expect(cost({ ...older, state: 'ready', endedAt: undefined })).toBe(1_440_000);
  });

  it('counts days from the first that was asked for, of an instance that is older too', () => {
    const old = machine({ launchedAt: at(-24 * hour) });
    const pieces = piecesOf(facts([old], [], []));
    const of = (since: number) =>
      sumOf(reportOf(pieces, { since: at(since), at: at(0), by: 'group', bill: undefined }).all);
    expect([of(-48 * hour), of(-10 * hour)]).toEqual([25 * 720_000, 11 * 720_000]);
  });

  it('without a price is not known, and never in a sum as nothing', () => {
    const { price: _, ...bare } = machine();
    const some = facts([m, bare], [alice], [stay(alice, m, 0, hour), stay(alice, bare, 0, hour)]);
    const r = report(some);
    expect(r.lines).toMatchObject([{ jobMicroUsd: 720_000, machineMs: 2 * hour, unpricedMs: hour, jobs: 1 }]);
    expect(r.sources).toMatchObject({ configured: 1, listed: 0, unpriced: 1, oldestPrice: undefined });
  });

  it('says where its prices and times are from, and how old they are', () => {
    const listed = [5, 3].map((n) => machine({ price: { microUsd: 1, from: at(-n * 24 * hour) } }));
    const open = machine({ state: 'ready', releasedAt: undefined, endedAt: undefined });
    const byScript = { ...stay(bob, open, 0, undefined), toldBy: 'script' as const };
    expect(report(facts([...listed, open], [bob], [byScript])).sources).toEqual({
      ...{ configured: 1, listed: 2, oldestPrice: at(-5 * 24 * hour), unpriced: 0, byScript: 1, open: 1 },
    });
  });

  it('of a burst that retention took is in the sums, under nobody', () => {
    const gone = facts([m], [], [stay(alice, m, 0, hour)]);
    expect(report(gone).lines).toMatchObject([{ key: undefined, jobs: 0, jobMicroUsd: 720_000 }]);
  });
});

describe('against a bill', () => {
  const [m, other] = [machine(), machine({ cloudId: cloudId('i-0bbbbbbbb') })];
  const [alice, bob] = [aBurst({ account: 'physics' }), aBurst({ account: 'biology' })];
  const f = facts([m, other], [alice, bob], [stay(alice, m, 0, hour), stay(bob, other, 0, hour)]);

  it('what differs by more than 5 % of it is marked on the instance, on who was on it, and on the sum that has it', () => {
    const r = report(f, 'account', bill({ 'i-0aaaaaaaa': 685_714, 'i-0bbbbbbbb': 685_715 }));
    expect(r.bill?.drifts).toMatchObject([
      { cloudId: 'i-0aaaaaaaa', reckoned: 720_000, billed: 685_714, over: true, besides: 5 },
      { cloudId: 'i-0bbbbbbbb', over: false },
    ]);
    expect(r.bill?.all).toEqual({ reckoned: 1_440_000, billed: 1_371_429, besides: 10, over: false });
    expect(r.lines.map((l) => [l.key, l.marks])).toEqual([
      ['biology', []],
      ['physics', ['drift']],
    ]);
    expect(r.all.marks).toEqual(['drift']);
  });

  it('older than 48 h marks what was held against it', () => {
    const old = bill({ 'i-0aaaaaaaa': 720_000 }, { asOf: at(hour) });
    const pieces = piecesOf(f);
    const marks = (hoursLater: number) => {
      const r = reconciled(pieces, old, at(hour + hoursLater * hour));
      return [r.old, marksOf(r)(m.id), marksOf(r)(other.id)];
    };
    expect(marks(48)).toEqual([false, [], []]);
    expect(marks(48.001)).toEqual([true, ['old bill'], []]);
  });

  it('says what could not be compared: not in it, not wholly covered, still there, or without a price', () => {
    const { price: _, ...bare } = machine({ cloudId: cloudId('i-0cccccccc') });
    const open = machine({
      cloudId: cloudId('i-0dddddddd'),
      state: 'ready',
      releasedAt: undefined,
      endedAt: undefined,
    });
    const early = machine({ cloudId: cloudId('i-0eeeeeeee'), launchedAt: at(-30 * hour) });
    const r = report(
      facts([m, other, bare, open, early], [], []),
      'group',
      bill({ 'i-0aaaaaaaa': 720_000, 'i-0cccccccc': 1 }),
    );
    expect(r.bill).toMatchObject({
      drifts: [{ cloudId: 'i-0aaaaaaaa', over: false }],
      missing: ['i-0bbbbbbbb'],
      unpriced: ['i-0cccccccc'],
      outside: ['i-0dddddddd', 'i-0eeeeeeee'],
    });
  });

  it('that charges nothing for what was bought differs', () => {
    expect(report(f, 'account', bill({ 'i-0aaaaaaaa': 0 })).bill?.drifts).toMatchObject([{ over: true }]);
  });
});
