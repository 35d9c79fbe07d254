/** What a gateway's decisions came to, on the models: held against a reckoning from the trace itself. */
import { expect, it } from 'vitest';
import { assumed } from '../../src/decide/ready.ts';
import { instant, jobKey, jobRef } from '../../src/domain/ids.ts';
import type { Policy } from '../../src/domain/policy.ts';
import { policyHashNow } from '../../src/engine/funds.ts';
import { reportOf } from '../../src/engine/report.ts';
import type { TraceJob } from '../../src/sim/trace/job.ts';
import { cluster, group, setup, throughGateway } from '../sim/gateway.world.ts';

const minute = 60_000;
const hour = 60 * minute;
const begin = Date.UTC(2026, 0, 5, 8);
const year = 365 * 24 * hour;

/** A machine of 16 that is full for a day: short jobs, each an hour and a minute after the one before. */
const jobs: readonly TraceJob[] = Array.from({ length: 40 }, (_, i) => {
  const runMs = i === 0 ? 24 * hour : 30 * minute;
  const who = { user: `u${i % 3}`, account: `a${i % 3}`, partition: 'batch' };
  const submitMs = begin + minute + i * 61 * minute;
  return { id: `${i + 1}`, submitMs, runMs, requestMs: 25 * hour, processors: i === 0 ? 16 : 4, ...who };
});
const policy: Policy = {
  ...{
    burstWhen: [{ kind: 'waited', forMs: 10 * minute }],
    never: [],
    maxBursts: 1_000,
    maxTimeMs: undefined,
  },
  ...{ backOffMs: hour, returns: 3, budgets: [] },
};
const site = {
  ...{ processors: 16, startAt: instant(begin + 500), setup, policy },
  forecaster: { draws: 5, exact: 30 },
};

it('in mode observe: each job from its first decision, by its real start and run', async () => {
  const ran = await throughGateway(jobs, site);
  const [report] = await ran.gateway.reports(year);
  const first = new Map<number, number>();
  for (const r of [...(await ran.store.receipts(cluster, undefined, 10_000))].reverse())
    if (r.decision.verdict === 'burst' && !first.has(Number(r.ref))) first.set(Number(r.ref), r.at);
  let [bursts, savedMs, tooSoon, coreMs] = [0, 0, 0, 0];
  for (const [id, at] of first) {
    const waited = (ran.starts[id - 1] as number) - at;
    if (waited <= assumed.p50) tooSoon += 1;
    else {
      bursts += 1;
      savedMs += waited - assumed.p50;
      coreMs += 4 * (jobs[id - 1]?.runMs ?? 0);
    }
  }
  expect(bursts).toBeGreaterThan(10);
  expect(report?.would).toMatchObject({
    ...{ decided: first.size, bursts, savedMs, tooSoon, unfinished: 0 },
    unknown: { ready: 0, price: 0, forecast: 0, policy: 0 },
  });
  // Of a machine of 80 vCPU at 400,000 an hour, and the keeper beside each.
  const least = ((coreMs / hour) * (group.prices?.['m.one'] ?? 0)) / 80;
  expect(report?.would.microUsd).toBeGreaterThan(least);
  expect(report?.would.microUsd).toBeLessThan(1.1 * least);
  expect(report?.done).toMatchObject({ begun: 0, ran: 0, microUsd: 0 });
  expect(report?.would.accounts.reduce((sum, a) => sum + a.savedMs, 0)).toBe(savedMs);
});

it('in mode auto: what was burst, and what the ledger says that it cost', async () => {
  const budget = { account: undefined, microUsd: 1_000_000_000, per: 'total' as const, hard: true };
  const auto = {
    ...site,
    setup: { ...setup, mode: 'auto' as const },
    policy: { ...policy, budgets: [budget] },
  };
  const ran = await throughGateway(jobs, auto);
  const [report] = await ran.gateway.reports(year);
  const money = await ran.store.money(cluster, { account: undefined, since: instant(0) });
  const bursts = await ran.store.bursts({ cluster, limit: 1_000 });
  expect(bursts.length).toBeGreaterThan(10);
  expect(report?.done).toMatchObject({
    ...{ begun: bursts.length, ran: bursts.length, running: 0, back: 0 },
    ...{ microUsd: money.spent, withoutPrice: 0, more: false },
  });
  expect(report?.done.savedMs).toBeGreaterThan(bursts.length * minute);
  expect(report?.would.decided).toBe(0);
});

it('a span that ended before it says nothing', async () => {
  const ran = await throughGateway(jobs, site);
  const [report] = await ran.gateway.reports(minute);
  expect(report?.would).toMatchObject({ decided: 0, bursts: 0, savedMs: 0, microUsd: 0 });
});

it('what was decided under today’s policy counts as such where budgets stand elsewhere too', async () => {
  const settings = { policyHash: 'own', funds: { hashWith: (own: string) => `${own} and elsewhere` } };
  const decided = (hash: string, id: string) => ({
    ...{ job: jobKey(cluster, jobRef(id), instant(1)), at: instant(2), burst: undefined },
    basis: { policy: hash, forecast: undefined, ready: undefined },
  });
  const now = policyHashNow(settings as unknown as Parameters<typeof policyHashNow>[0]);
  const engine = {
    ...{ name: cluster, offered: [] },
    settings: { ...settings, setup, slurm: { history: async () => ({ runs: [], partial: [] }) } },
    ports: {
      store: {
        burstDecisions: async () => [decided(now, '1'), decided('before', '2')],
        bursts: async () => [],
      },
    },
  } as unknown as Parameters<typeof reportOf>[0];
  const { would } = await reportOf(engine, instant(0), instant(10));
  expect(would.unknown.policy).toBe(1);
});
