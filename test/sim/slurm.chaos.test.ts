/** Whatever people, nodes and the controller do, in whatever order: what Slurm promises holds. */
import { describe, expect, test } from 'vitest';
import type { JobRef } from '../../src/domain/ids.ts';
import { finalStates } from '../../src/domain/job.ts';
import { Chance } from '../../src/sim/chance.ts';
import { SlurmRefused, SlurmSilent } from '../../src/sim/models/slurm-words.ts';
import { hosted, hour, min, s } from './slurm.world.ts';

const nodes = ['n1', 'n2', 'c1', 'c2', 'c3', 'c4'];

async function hours(seed: number) {
  const it = hosted({ launchMs: [200, 900], completingMs: [50, 300], dbdLagMs: [0, 5_000] }, seed);
  const { model, pass, seen } = it;
  const chance = new Chance(seed);
  const refs: JobRef[] = [];
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof SlurmRefused) && !(error instanceof SlurmSilent)) throw error;
    }
  };
  const change = (ref: JobRef) => ({
    cancel: () => model.cancel('root', ref),
    requeue: () => model.requeue('root', ref),
    hold: () => model.hold('alice', ref),
    release: () => model.release('root', ref),
    move: () => model.alter('spillway', ref, { partition: chance.pick(['burst', 'wait', 'batch']) }),
    limit: () => model.alter('root', ref, { timeMs: chance.whole(1, 90) * min }),
    nodeDown: () => model.nodeDown(chance.pick(nodes)),
    nodeUp: () => model.nodeUp(chance.pick(nodes)),
    restart: () => model.restart(chance.whole(1, 90) * s),
    end: () => {
      const one = seen.length === 0 ? undefined : chance.pick(seen);
      if (one !== undefined) model.ended(one.run.jobId, one.run.restarts, { code: chance.whole(0, 1) });
    },
    deaf: () => {
      for (const one of seen) one.ends = chance.hit(0.5);
    },
  });
  for (let i = 0; i < 80; i += 1) {
    attempt(() => {
      refs.push(
        model.submit(chance.pick(['alice', 'bob']), {
          tasks: chance.whole(1, 5),
          timeMs: chance.whole(1, 60) * min,
          partition: chance.pick(['batch', 'wait', 'burst', 'batch,burst']),
          requeue: chance.hit(0.8),
          work: { ms: chance.whole(1, 40) * min, exit: chance.whole(0, 1), deaf: chance.hit(0.3) },
          ...(chance.hit(0.2) ? { array: '1-3%2' } : {}),
        }),
      );
    });
    const acts = refs.length === 0 ? [] : Object.values(change(chance.pick(refs)));
    if (acts.length > 0) attempt(chance.pick(acts));
    await pass(chance.whole(0, 240) * s);
  }
  return it;
}

describe('after hours of anything', () => {
  test.each(Array.from({ length: 25 }, (_, seed) => seed + 1))('seed %i', async (seed) => {
    const { model, pass, port, seen } = await hours(seed);
    for (const name of nodes) model.nodeUp(name);
    for (const name of ['wait', 'cloud']) model.partition(name, true);
    await pass(2 * min);
    for (const { ref, held, state } of model.truth())
      if (held !== undefined && !finalStates.has(state)) model.release('root', ref);
    await pass(48 * hour);

    const jobs = model.truth();
    const unfinished = jobs.filter(({ state }) => !finalStates.has(state));
    expect(unfinished).toEqual([]);
    for (const node of model.state.nodes.values())
      expect([node.cpus, node.memoryMib, node.jobs.size, node.processes.size]).toEqual([4, 4_000, 0, 0]);
    expect([model.state.live.size, model.state.pending.size]).toEqual([0, 0]);

    for (const { runs, restarts } of jobs) {
      // A task of an array that was cancelled and requeued as a whole begins with its second run.
      const first = runs[0]?.restarts ?? 0;
      expect(runs.map((run) => run.restarts)).toEqual(runs.map((_, nth) => first + nth));
      expect(first + runs.length).toBe(restarts + 1);
      const ran = runs.filter(({ startAt }) => startAt !== undefined);
      expect(ran.every(({ process }) => process === 'over')).toBe(true);
      for (const [nth, run] of runs.entries()) {
        expect(run.endAt).toBeGreaterThanOrEqual(run.startAt ?? run.submitAt);
        // Two minutes for the old run's credentials, and never before the old one is over.
        const next = runs[nth + 1];
        if (next?.startAt !== undefined) expect(next.startAt).toBeGreaterThanOrEqual(next.submitAt + 2 * min);
        if (next !== undefined) expect(next.submitAt).toBeGreaterThanOrEqual(run.endAt ?? 0);
      }
    }
    // No run was started twice, and each stand-in is a run that was.
    const starts = seen.map(({ run }) => `${run.jobId}#${run.restarts}`);
    expect(new Set(starts).size).toBe(starts.length);
    // slurmdbd has heard of every run by now.
    for (const { ref, runs } of jobs) {
      const rows = await port.accounting(ref);
      // Of a task: those since it had a name of its own.
      const own = runs.slice(-rows.length);
      if (rows.length > 0) expect(rows.map(({ state }) => state)).toEqual(own.map(({ state }) => state));
    }
  });
});
