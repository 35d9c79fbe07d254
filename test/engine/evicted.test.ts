/** A job that is evicted each time it runs, by the real engine on the models: the third time it ends, and no fourth machine is bought. */
import { expect, it } from 'vitest';
import { cluster, minute, second } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const scenario: Scenario = {
  ...{ seed: 2, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 1_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0 },
  jobs: [
    {
      ...{ atMs: 0, user: 'alice', partition: 'cloud', runMs: 200 * second, exit: { code: 0 } },
      ...{ onTerm: 'ignore', cpus: 3, timeMin: 8, requeue: true, array: undefined },
    },
  ],
};

it.each([
  ['each time', 100, ['requeued', 'requeued', 'failed'], 'FAILED'],
  ['twice', 2, ['requeued', 'requeued', 'settled'], 'COMPLETED'],
] as const)('%s', async (_what, most, states, end) => {
  const run = new Run(scenario, drain, true);
  let evicted = 0;
  const look = (): void => {
    for (const c of run.kubernetes.truth().running)
      if (c.container === 'main' && run.world.ran.some((p) => p.podUid === c.uid && p.endedAt === undefined))
        if (evicted < most) {
          evicted += 1;
          run.kubernetes.evict(c.pod);
        }
    run.time.after(20 * second, look);
  };
  look();
  await run.play();
  run.stop();
  const [{ ref } = { ref: undefined }] = run.submitted;
  if (ref === undefined) throw new Error('nothing was submitted');
  const bursts = [...(await run.store.burstsOfJob(cluster, ref))].reverse();
  expect(bursts.filter((b) => b.startedAt !== undefined).map((b) => b.state)).toEqual(states);
  expect(run.slurm.truth().find((j) => j.ref === ref)).toMatchObject({ state: end });
  expect(run.world.ran).toHaveLength(3);
  expect(await breaches(run)).toEqual([]);
});
