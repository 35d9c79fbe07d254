/** A job that is evicted each time it runs, by the real engine on the models: the third time it ends, and no fourth machine is bought. */
import { describe, expect, it } from 'vitest';
import type { PodRef } from '../../src/domain/kube.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { JobPlan, Scenario } from './chaos/scenario.ts';

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

/** Once, 20 s after its script began, with a script that dies of TERM at once: its exit is here long before the word of what happened. */
async function played(
  ends: (run: Run, pod: PodRef, uid: string) => unknown,
  over: Partial<Scenario> = {},
  job: Partial<JobPlan> = {},
) {
  const [first] = scenario.jobs;
  if (first === undefined) throw new Error('no job');
  const run = new Run({ ...scenario, ...over, jobs: [{ ...first, onTerm: 'die', ...job }] }, drain, true);
  let done = false;
  const look = (): void => {
    const [script] = run.world.ran;
    const c = run.kubernetes.truth().running.find(({ uid }) => uid === script?.podUid);
    if (!done && c !== undefined && script !== undefined && run.time.now() - script.startedAt > 20 * second) {
      done = true;
      void ends(run, c.pod, c.uid);
    }
    run.time.after(second, look);
  };
  look();
  await run.play();
  run.stop();
  const [{ ref } = { ref: undefined }] = run.submitted;
  if (ref === undefined) throw new Error('nothing was submitted');
  const ran = (await run.store.burstsOfJob(cluster, ref)).filter((b) => b.startedAt !== undefined);
  const bursts = ran.reverse();
  expect(await breaches(run)).toEqual([]);
  return { run, bursts, job: run.slurm.truth().find((j) => j.ref === ref) };
}
const evict = (run: Run, pod: PodRef): void => run.kubernetes.evict(pod);

describe('a script that dies of the TERM of its eviction at once', () => {
  it('was evicted all the same: it runs again where the site has it so', async () => {
    const { bursts, job, run } = await played(evict);
    expect(bursts.map((b) => [b.state, b.lostBy])).toEqual([
      ['requeued', 'podEvicted'],
      ['settled', undefined],
    ]);
    expect(bursts[0]?.exit).toMatchObject({ lost: true, reason: expect.stringMatching(/^evicted by node /) });
    expect(job).toMatchObject({ state: 'COMPLETED', restarts: 1 });
    expect(run.world.ran).toHaveLength(2);
  });

  it('ends with that reason where the site has it fail, or its owner', async () => {
    for (const [over, own] of [
      [{ onLost: 'fail' }, {}],
      [{}, { requeue: false }],
    ] as const) {
      const { bursts, job, run } = await played(evict, over, own);
      expect(bursts.map((b) => [b.state, b.lostBy])).toEqual([['failed', 'podEvicted']]);
      expect(job).toMatchObject({ state: 'FAILED', restarts: 0 });
      expect(run.history.join('\n')).toMatch(/slurm.appendComment\(\d+, spillway: its po.* ok/);
    }
  });

  it.each(['before', 'after'] as const)(
    'whatever gateway looks: one died %s it wrote something',
    async (when) => {
      const states = new Set<string | undefined>();
      // The commits from the exit on.
      for (let nth = 19; nth < 25; nth++) {
        const kill = { call: 'store.commit', nth, when, downMs: 3_000, olderMs: undefined };
        const { bursts, job } = await played(evict, { kills: [kill] });
        expect(bursts[0]).toMatchObject({ lostBy: 'podEvicted', exit: { lost: true } });
        states.add(job?.state);
      }
      // A requeue that may have been asked for is not asked for again.
      expect([...states].every((s) => s === 'COMPLETED' || (when === 'after' && s === 'FAILED'))).toBe(true);
      expect(states).toContain('COMPLETED');
    },
  );
});

it('so was one that writes, as a shell does, by what it was killed', async () => {
  // It ends within its grace, before the word of what happened.
  const wrote = { onTerm: 'ignore', exit: { code: 143 }, runMs: 20.5 * second, requeue: false } as const;
  const { bursts, run } = await played(evict, {}, wrote);
  expect(run.world.ran[0]?.exit).toMatchObject({ exitCode: 143 });
  expect(bursts.map((b) => [b.state, b.lostBy])).toEqual([['failed', 'podEvicted']]);
});

it('a pod that somebody deletes is lost by that, though its script dies at once', async () => {
  const { bursts, job } = await played((run, pod, uid) =>
    run.kubernetes.asPort().deletePod(pod, uid as never, 5),
  );
  expect(bursts[0]).toMatchObject({ state: 'requeued', lostBy: 'podLost' });
  expect(job).toMatchObject({ state: 'COMPLETED', restarts: 1 });
});

it('who ends by TERM or KILL of his own ends so, a few seconds later', async () => {
  for (const signal of [15, 9]) {
    const { bursts, job, run } = await played(() => undefined, {}, { exit: { signal }, runMs: 30 * second });
    expect(bursts.map((b) => [b.state, b.exit?.signal])).toEqual([['settled', signal]]);
    expect(job?.runs[0]).toMatchObject({ state: 'FAILED', exit: { code: 0, signal } });
    const [script] = run.world.ran;
    const ended = job?.runs[0]?.endAt ?? Number.NaN;
    expect(ended - (script?.endedAt ?? Number.NaN)).toBeLessThan(13 * second);
  }
});

it('who fails by a code of his own is not waited for, and who was cancelled ends as cancelled', async () => {
  const failed = await played(() => undefined, {}, { exit: { code: 3 }, runMs: 30 * second });
  expect(failed.bursts.map((b) => [b.state, b.exit?.code])).toEqual([['settled', 3]]);
  const ended = failed.job?.runs[0]?.endAt ?? Number.NaN;
  expect(ended - (failed.run.world.ran[0]?.endedAt ?? Number.NaN)).toBeLessThan(4 * second);
  const cancelled = await played((run) => {
    const ref = run.submitted[0]?.ref;
    if (ref !== undefined) run.slurm.cancel('alice', ref);
  });
  expect(cancelled.job?.runs[0]).toMatchObject({ state: 'CANCELLED' });
});
