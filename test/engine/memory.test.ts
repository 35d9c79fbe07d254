/** A job that is killed for its memory, by the real engine on the models: it ends, or runs once more at home, as the site has it. */
import { describe, expect, it } from 'vitest';
import { saidMs } from '../../src/burst/disrupted.ts';
import { outOfMemory } from '../../src/burst/ends.ts';
import type { ClusterSetup } from '../../src/domain/policy.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { JobPlan, KillPlan, Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const plan: JobPlan = {
  ...{ atMs: 0, user: 'alice', partition: 'batch', runMs: 200 * second, exit: { code: 0 } },
  ...{ onTerm: 'ignore', cpus: 3, timeMin: 8, requeue: true, array: undefined },
};
const scenario: Scenario = {
  ...{ seed: 2, onLost: 'fail', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  // The centre is full for so long.
  ...{ budget: 1_000_000, fullMs: 20 * minute, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0, jobs: [plan] },
};

async function played(
  onFailure: ClusterSetup['onFailure'],
  job: Partial<JobPlan> = {},
  kills: readonly KillPlan[] = [],
  faults: Scenario['faults'] = [],
) {
  const run = new Run({ ...scenario, onFailure, kills, faults, jobs: [{ ...plan, ...job }] }, drain, true);
  const killed = new Set<string>();
  const look = (): void => {
    for (const c of run.kubernetes.truth().running)
      if (c.container === 'main' && !killed.has(c.uid) && run.world.ran.some((p) => p.podUid === c.uid)) {
        killed.add(c.uid);
        run.kubernetes.oomKill(c.pod);
      }
    run.time.after(20 * second, look);
  };
  look();
  await run.play();
  run.stop();
  const [{ ref } = { ref: undefined }] = run.submitted;
  if (ref === undefined) throw new Error('nothing was submitted');
  const bursts = [...(await run.store.burstsOfJob(cluster, ref))].reverse();
  expect(await breaches(run)).toEqual([]);
  return { run, bursts, pods: killed.size, job: run.slurm.truth().find((j) => j.ref === ref) };
}

describe('a job that is killed for its memory', () => {
  it('ends so, where nothing else is said', async () => {
    const { bursts, job, pods } = await played(undefined);
    expect(bursts.map((b) => b.state)).toEqual(['settled']);
    expect(bursts[0]?.exit).toMatchObject({ signal: 9, reason: outOfMemory });
    expect(job).toMatchObject({ state: 'FAILED' });
    expect(pods).toBe(1);
  });

  it('is not waited for as one whose pod may have been taken down: its kubelet has said why', async () => {
    const { run } = await played({ outOfMemory: 'return' });
    const at = (words: string): number =>
      Number.parseFloat(run.history.find((line) => line.includes(words)) ?? '');
    expect(at('slurm.requeue(') - at('the script ended')).toBeLessThan(saidMs / second);
  });

  it('runs once more and at home, with the words on it, and does not burst again', async () => {
    const { run, bursts, job, pods } = await played({ outOfMemory: 'return' });
    expect(bursts.map((b) => [b.state, b.cause?.kind])).toEqual([
      ['requeued', 'requeued'],
      ['returned', 'out_of_memory'],
    ]);
    expect(bursts[0]).toMatchObject({
      exit: { reason: outOfMemory },
      stays: expect.stringContaining('on-prem'),
    });
    expect(job).toMatchObject({ state: 'COMPLETED', partition: 'batch', restarts: 1 });
    expect(pods).toBe(1);
    expect(run.history.join('\n')).toMatch(/slurm.appendComment\(\d+, spillway: out of.* ok/);
    const told = (await run.store.receipts(cluster, job?.ref, 100)).filter((r) => r.burst === bursts[0]?.id);
    expect(told.map(({ text }) => text)).toContain(bursts[0]?.stays);
  });

  it('has its words on it also where they could not be asked for at first', async () => {
    const away = { call: 'slurm.appendComment', nth: 1, kind: 'unreachable' } as const;
    const { run, bursts, job } = await played({ outOfMemory: 'return' }, {}, [], [away]);
    const asked = run.history.filter((line) => line.includes('slurm.appendComment'));
    expect(asked).toEqual([expect.stringMatching(/ unreachable$/), expect.stringMatching(/: out of.* ok$/)]);
    expect(bursts[0]?.state).toBe('requeued');
    expect(job).toMatchObject({ state: 'COMPLETED', restarts: 1 });
  });

  it.each([
    ['with --no-requeue', { requeue: false }],
    ['of the cloud itself, which has no other place', { partition: 'cloud' }],
  ] as const)('%s ends so all the same', async (_, over) => {
    const { bursts, job, pods } = await played({ outOfMemory: 'return' }, over);
    expect(bursts.at(-1)).toMatchObject({ state: 'settled', exit: { reason: outOfMemory } });
    // Nobody is told that Slurm was asked.
    expect(bursts.at(-1)?.stays).toBeUndefined();
    expect(job).toMatchObject({ state: 'FAILED' });
    expect(pods).toBe(1);
  });

  const dies = (call: string, when: KillPlan['when']): KillPlan[] => [
    { call, nth: 1, when, downMs: 20 * second, olderMs: undefined },
  ];
  it.each([
    // Slurm starts it here again before anybody holds it back: the way home is another requeue.
    ['slurm.requeue', 2],
    ['slurm.appendComment', 1],
  ] as const)('comes home where the gateway dies after %s', async (call, restarts) => {
    const { bursts, job, pods, run } = await played({ outOfMemory: 'return' }, {}, dies(call, 'after'));
    expect(bursts[0]?.state).toBe('requeued');
    expect(job).toMatchObject({ state: 'COMPLETED', partition: 'batch', restarts });
    expect(run.requeues.size).toBe(restarts);
    expect(pods).toBe(1);
  });

  it('comes home, too, where the gateway dies before Slurm was asked: it is asked once it could no longer obey', async () => {
    const { bursts, job, pods, run } = await played(
      { outOfMemory: 'return' },
      {},
      dies('slurm.requeue', 'before'),
    );
    expect([...run.requeues.values()].map((asked) => asked.map((a) => a.outcome))).toEqual([
      ['DIED before', 'ok'],
    ]);
    expect(bursts[0]?.state).toBe('requeued');
    expect(job).toMatchObject({ state: 'COMPLETED', partition: 'batch', restarts: 1 });
    expect(pods).toBe(1);
  });
});
