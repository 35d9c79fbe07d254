/** Which of two node groups is bought, by the real engine on the models: one that no budget holds takes no job from one that fits. */
import { expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import { cluster, group, minute } from './chaos/centre.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

// Expected is the cheapest type, held the dearest.
const fits = { ...group, name: 'fits', types: ['m.small'], prices: { 'm.small': 200_000 } };
const tempts = { ...group, name: 'tempts', prices: { 'm.small': 100_000, 'm.large': 4_000_000 } };

async function bought(over: Pick<Scenario, 'budget' | 'groups'>) {
  const scenario: Scenario = {
    ...{
      seed: 2,
      onLost: 'fail',
      mode: 'auto',
      lowered: undefined,
      ramp: undefined,
      idleMs: minute,
      jobs: [],
    },
    ...{ fullMs: 0, people: [], world: [], faults: [], kills: [], pauses: [], secondAtMs: undefined },
    ...{ slowness: 0, ...over },
  };
  const run = new Run(scenario, () => new Promise((resolve) => setImmediate(resolve)), true);
  const begun = run.time.now();
  run.startGateway();
  const work = { ms: 5 * minute, exit: 0 };
  const ref = run.slurm.submit('alice', { partition: 'cloud', cpusPerTask: 3, timeMs: 20 * minute, work });
  await run.time.run(instant(begun + 20 * minute));
  run.stop();
  const receipts = await run.store.receipts(cluster, ref, 50);
  const burst = (await run.store.burstsOfJob(cluster, ref))[0];
  return { burst, basis: receipts.find((r) => r.id === burst?.receipt)?.basis, last: receipts[0] };
}

it('the cheaper group by expectation, where the budget holds its worst case', async () => {
  const { burst } = await bought({ budget: 1_000_000, groups: [fits, tempts] });
  expect(burst).toMatchObject({ state: 'settled', group: 'tempts' });
});

it('the one that the budget holds, where it does not; the receipt says what was passed over and why', async () => {
  const { burst, basis } = await bought({ budget: 100_000, groups: [fits, tempts] });
  expect(burst).toMatchObject({ state: 'settled', group: 'fits' });
  expect(basis?.passedOver).toMatchObject([
    { group: 'tempts', why: expect.stringMatching(/at most in tempts, .* left for account physics/) },
  ]);
});

it('neither, where it holds neither: the job waits, with the budget as its reason', async () => {
  const { burst, last } = await bought({ budget: 10_000, groups: [fits, tempts] });
  expect(burst).toBeUndefined();
  expect(last?.decision.because.find((r) => r.rule === 'budget')).toMatchObject({ pass: false });
});
