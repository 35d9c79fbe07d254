/** Mode observe with several node groups: a receipt's words about money are those of the group that it offers. */
import { expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import type { Policy } from '../../src/domain/policy.ts';
import type { TraceJob } from '../../src/sim/trace/job.ts';
import { cluster, group, setup, throughGateway } from '../sim/gateway.world.ts';

const minute = 60_000;
const hour = 60 * minute;
const begin = Date.UTC(2026, 0, 5, 8);

/** The first fills the machine of 16 for a day; those behind it wait. */
const jobs: readonly TraceJob[] = Array.from({ length: 4 }, (_, i) => ({
  ...{ id: `${i + 1}`, user: 'u', account: 'a', partition: 'batch', submitMs: begin + minute + i * 1_000 },
  runMs: i === 0 ? 24 * hour : 30 * minute,
  ...{ requestMs: 25 * hour, processors: i === 0 ? 16 : 4 },
}));
const policy: Policy = {
  ...{ burstWhen: [{ kind: 'waited', forMs: 10 * minute }], never: [], maxBursts: 1_000 },
  ...{ maxTimeMs: undefined, backOffMs: hour, returns: 3, budgets: [] },
};
const cheaper = { ...group, name: 'cheaper', prices: { 'm.one': 200_000 } };

it('the budget is asked about the group that would be bought, and what that takes is not left for the next', async () => {
  const budgets = [{ account: undefined, microUsd: 1_000_000_000, per: 'total' as const, hard: true }];
  const { store, errors } = await throughGateway(jobs, {
    ...{ processors: 16, startAt: instant(begin + 500), setup, policy: { ...policy, budgets } },
    ...{ forecaster: { draws: 5, exact: 30 }, moreGroups: [cheaper] },
  });
  expect(errors).toEqual([]);
  const receipts = [...(await store.receipts(cluster, undefined, 1_000))].reverse();
  const bursts = receipts.filter(({ decision }) => decision.verdict === 'burst');
  expect(bursts.map(({ decision, basis }) => [decision.group, basis?.offer?.group])).toEqual(
    jobs.slice(1).map(() => ['cheaper', 'cheaper']),
  );
  const words = bursts.map(
    ({ decision }) => decision.because.find(({ rule }) => rule === 'budget')?.measured,
  );
  expect(words).toEqual(
    ['1000.00', '999.75', '999.50'].map(
      (left) => `0.25 USD at most in cheaper, ${left} USD left for all accounts (policy)`,
    ),
  );
});
