/** Jobs of several nodes, by the real engine on the models: what becomes of one when something becomes of one of its nodes. */
import { describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { instant } from '../../src/domain/ids.ts';
import { nodesOf, ranksOf } from '../../src/domain/ranks.ts';
import type { PodRun } from '../../src/sim/world.ts';
import { cluster, group, minute, second } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { JobPlan, Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const wide: JobPlan = {
  ...{ atMs: 0, user: 'alice', partition: 'cloud', runMs: 200 * second, exit: { code: 0 }, onTerm: 'die' },
  ...{ cpus: 3, nodes: 3, timeMin: 8, requeue: true, array: undefined },
};

const calm: Scenario = {
  ...{ seed: 2, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 1_000_000, jobs: [wide], fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0 },
};

interface Told {
  readonly run: Run;
  readonly bursts: readonly Burst[];
  readonly job: ReturnType<Run['slurm']['truth']>[number] | undefined;
}

/** Plays it to its rest; nothing may be breached. `whileItRuns`: once, 20 s after every rank runs. */
async function played(over: Partial<Scenario>, whileItRuns?: (run: Run) => void): Promise<Told> {
  const run = new Run({ ...calm, ...over }, drain, true);
  if (whileItRuns !== undefined) {
    const nodes = over.jobs?.[0]?.nodes ?? wide.nodes ?? 1;
    const look = (): void => {
      if (run.world.ran.filter((p) => p.endedAt === undefined).length < nodes) run.time.after(10, look);
      else run.time.after(20 * second, () => whileItRuns(run));
    };
    look();
  }
  await run.play();
  run.stop();
  expect(await breaches(run)).toEqual([]);
  const ref = run.submitted[0]?.ref;
  const bursts = ref === undefined ? [] : await run.store.burstsOfJob(cluster, ref);
  return { run, bursts, job: run.slurm.truth().find((j) => j.ref === ref) };
}

const podOf = (run: Run, rank: number): PodRun => {
  const found = run.world.ran.find((p) => p.rank === rank && p.endedAt === undefined);
  if (found === undefined) throw new Error(`rank ${rank} does not run`);
  return found;
};
const machineOf = (run: Run, rank: number): string => {
  const found = run.cloud.truth().find((m) => m.dnsName === podOf(run, rank).node);
  if (found === undefined) throw new Error(`rank ${rank} runs on no machine`);
  return found.id;
};
const refOf = (run: Run, rank: number) => {
  const { podUid } = podOf(run, rank);
  const found = run.kubernetes.truth().running.find((c) => c.uid === podUid);
  if (found === undefined) throw new Error(`rank ${rank} has no container`);
  return found.pod;
};

describe('a job of three nodes', () => {
  it('is one burst: a machine for each node, the script once and last, one end, and the money of all', async () => {
    const { run, bursts, job } = await played({});
    expect(job).toMatchObject({ state: 'COMPLETED', restarts: 0 });
    expect(job?.runs[0]?.nodes).toHaveLength(3);
    const [burst, ...more] = bursts;
    expect(more).toEqual([]);
    expect(burst).toMatchObject({ state: 'settled', exit: { code: 0 } });
    if (burst === undefined) return;
    expect(nodesOf(burst)).toBe(3);
    expect(new Set(ranksOf(burst).map((r) => r.instance)).size).toBe(3);
    expect(run.world.ran.map((p) => p.rank).sort()).toEqual([0, 1, 2]);
    const script = run.world.ran.find((p) => p.rank === 0);
    for (const p of run.world.ran) {
      expect(p.startedAt).toBeLessThanOrEqual(script?.startedAt ?? 0);
      expect(p.endedAt ?? 0).toBeGreaterThanOrEqual(script?.endedAt ?? 0);
      expect(p.grant).toMatchObject({ burst: burst.id, podUid: p.podUid });
    }
    const { spent, held } = await run.store.money(cluster, { account: 'physics', since: instant(0) });
    const perNode = burst.price?.rates[burst.machine ?? ''] ?? 0;
    const hours = ((burst.endedAt ?? 0) - (burst.startedAt ?? 0)) / 3_600_000;
    expect(held).toBe(0);
    expect(Math.abs(spent - 3 * perNode * hours)).toBeLessThanOrEqual(3);
  });

  it('of which one node never comes goes home as it was, and no pod was made for it', async () => {
    const run = new Run({ ...calm, jobs: [{ ...wide, timeMin: 4, runMs: 60 * second }] }, drain, true);
    // The cloud has two, and no third, whether they are asked for by one call or by three.
    run.cloud.limit({}, { atMost: 0 });
    const [type = '', zone = ''] = [group.types[0], group.zones[0]];
    run.cloud.limit({ type, zone }, { atMost: 2 });
    await run.play();
    run.stop();
    expect(await breaches(run)).toEqual([]);
    const ref = run.submitted[0]?.ref;
    const bursts = ref === undefined ? [] : await run.store.burstsOfJob(cluster, ref);
    expect(bursts.map((b) => b.state)).toContain('returned');
    const first = bursts.at(-1);
    expect(first).toMatchObject({ state: 'returned', cause: { kind: 'no_capacity' } });
    const mark = first?.id.replaceAll('-', '').slice(-10) ?? 'none';
    expect(first?.others).toHaveLength(2);
    expect(run.made.filter((p) => p.name.endsWith(mark))).toEqual([]);
  });

  it('whose second node runs out of memory ends as that did, and says which node it was', async () => {
    const { run, bursts, job } = await played({}, (r) => r.kubernetes.oomKill(refOf(r, 1)));
    expect(job).toMatchObject({ state: 'FAILED', restarts: 0 });
    expect(job?.runs[0]?.exit).toEqual({ code: 0, signal: 9 });
    expect(bursts).toHaveLength(1);
    expect(bursts[0]?.exit).toMatchObject({
      signal: 9,
      reason: expect.stringMatching(/^rank 1 .*OOMKilled/),
    });
    expect(run.history.join('\n')).toContain('rank 1 ended while the script ran');
    // The script was told to end, and did not run to its own.
    const script = run.world.ran.find((p) => p.rank === 0);
    expect(script?.exit).toEqual({ exitCode: 143, signal: 0 });
  });

  it('whose script does not hear that is killed after KillWait', async () => {
    const deaf = { ...wide, onTerm: 'ignore' as const, runMs: 400 * second };
    const { run, job } = await played({ jobs: [deaf] }, (r) => r.kubernetes.oomKill(refOf(r, 2)));
    expect(job?.state).toBe('FAILED');
    const script = run.world.ran.find((p) => p.rank === 0);
    expect(script?.exit).toEqual({ exitCode: 137, signal: 0 });
    expect((script?.endedAt ?? 0) - (script?.startedAt ?? 0)).toBeLessThan(200 * second);
  });

  it('one of whose pods somebody evicts was lost: nothing that its owner did has failed', async () => {
    const { run, bursts, job } = await played({}, (r) => r.kubernetes.evict(refOf(r, 1)));
    expect(job).toMatchObject({ state: 'COMPLETED', restarts: 1 });
    expect(bursts.find((b) => b.restarts === 0)?.exit).toMatchObject({
      lost: true,
      reason: expect.stringMatching(/^rank 1: /),
    });
    expect(run.world.ran.filter((p) => p.rank === 0)).toHaveLength(2);
  });

  it('whose script fails as one of its machines is gone was lost, whatever the script says of it', async () => {
    // What a launcher does: it hears that its peer is gone, and fails, before anybody else has heard.
    const fails = { ...wide, exit: { code: 5 } };
    const { bursts, job } = await played({ jobs: [{ ...fails, runMs: 20 * second + 200 }] }, (r) =>
      r.world.reclaim(machineOf(r, 2) as never),
    );
    expect(job?.restarts).toBe(1);
    expect(bursts.find((b) => b.restarts === 0)?.exit).toMatchObject({
      lost: true,
      reason: expect.stringMatching(/^rank 2: /),
    });
    // On machines that stay its failure is its own.
    expect(job).toMatchObject({ state: 'FAILED' });
    expect(job?.runs.at(-1)?.exit).toEqual({ code: 5, signal: 0 });
    expect(bursts[0]).toMatchObject({ state: 'settled', restarts: 1, exit: { code: 5 } });
  });

  it('one of whose machines is lost loses the attempt: all its pods are over before the next run, which is whole again', async () => {
    const { run, bursts, job } = await played({}, (r) => r.world.reclaim(machineOf(r, 2) as never));
    expect(job).toMatchObject({ state: 'COMPLETED', restarts: 1 });
    expect(bursts[0]).toMatchObject({ state: 'settled', restarts: 1 });
    expect(bursts.at(-1)).toMatchObject({ state: 'requeued', restarts: 0, exit: { lost: true } });
    expect(bursts.at(-1)?.exit?.reason).toContain('rank 2');
    expect(bursts.map(nodesOf).every((n) => n === 3)).toBe(true);
    expect(run.world.ran).toHaveLength(6);
  });

  it('one of whose machines falls silent is fenced: the machine that cannot be seen, not the others', async () => {
    const silenced: string[] = [];
    const { run, bursts, job } = await played({ idleMs: 5 * minute }, (r) => {
      silenced.push(machineOf(r, 1));
      r.kubernetes.silenceNode(podOf(r, 1).node);
    });
    expect(job).toMatchObject({ state: 'COMPLETED', restarts: 1 });
    expect(bursts.at(-1)?.exit?.reason).toContain('rank 1');
    const rows = await run.store.instances(20);
    expect(rows.filter((i) => i.fenced !== undefined).map((i) => i.cloudId)).toEqual(silenced);
  });

  it('that its owner cancels ends on all its nodes', async () => {
    const { run, bursts, job } = await played({}, (r) => {
      const ref = r.submitted[0]?.ref;
      if (ref === undefined) return;
      r.touched.set(ref, new Set(['cancel']));
      r.slurm.cancel('alice', ref);
    });
    expect(job?.state).toBe('CANCELLED');
    expect(bursts[0]?.state).toBe('settled');
    expect(run.world.ran.every((p) => p.endedAt !== undefined)).toBe(true);
  });

  it('is taken on again with all its pods by a gateway whose store is older', async () => {
    const kills = [
      { call: 'kubernetes.dial', nth: 3, when: 'after' as const, downMs: 20 * second, olderMs: 240_000 },
    ];
    const { run, bursts, job } = await played({ kills });
    expect(run.history.join('\n')).toContain('the store is as it was');
    expect(job?.state).toBe('COMPLETED');
    expect(bursts.filter((b) => b.state === 'settled').map(nodesOf)).toEqual([3]);
    // They were asked for by one call, and share its token: each is the machine of one pod all the same.
    expect(run.history.join('\n')).not.toContain('no record explains');
  });

  it('whose script’s own machine falls silent ends its other pods, and takes no other machine with it', async () => {
    const { run, bursts } = await played({ idleMs: 10 * minute }, (r) =>
      r.kubernetes.silenceNode(podOf(r, 0).node),
    );
    const fenced = (await run.store.instances(20)).filter((i) => i.fenced !== undefined);
    expect(fenced.map((i) => i.id)).toEqual([bursts.at(-1)?.instance]);
    expect(run.world.ran.every((p) => p.endedAt !== undefined)).toBe(true);
  });

  it('asks for no more machines than its group may have at once', async () => {
    const jobs = [wide, { ...wide, user: 'bob' as const }];
    const { run } = await played({ jobs });
    for (const m of run.world.launched) {
      const at = m.history[0]?.at ?? 0;
      const alive = run.world.launched.filter(
        (o) =>
          (o.history[0]?.at ?? 0) <= at && (o.history.find((h) => h.state === 'terminated')?.at ?? 1e15) > at,
      );
      expect(alive.length).toBeLessThanOrEqual(group.max);
    }
    expect(run.world.ran.filter((p) => p.rank === 0)).toHaveLength(2);
  });
});
