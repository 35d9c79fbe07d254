/** Runs on burst nodes, and their ends: signals, limits, lost nodes, requeues. */
import { describe, expect, test } from 'vitest';
import { faultOf } from '../../src/domain/fault.ts';
import { type JobRef, jobRef } from '../../src/domain/ids.ts';
import { hosted, hour, min, s, world } from './slurm.world.ts';

const forever = { partition: 'burst', work: 'forever' } as const;
const signosOf = (signals: readonly { readonly signo: number }[]) => signals.map(({ signo }) => signo);

describe('a burst node', () => {
  test('starts a stand-in that is told all that it natively has, and no work', async () => {
    const { model, pass, seen, since } = hosted();
    const array = model.submit('bob', {
      ...{ partition: 'burst', name: 'many', array: '7,9', script: 'run.sh', args: ['a b', ''] },
      ...{ workDir: '/home/bob/x', work: { ms: 1, exit: 0 }, cpusPerTask: 4 },
    });
    await pass(2 * s);
    expect(seen.map(({ at }) => since(at))).toEqual([1.5, 1.5]);
    expect(seen[0]?.run).toEqual({
      ...{ jobId: Number(array) + 1, ref: `${array}_7`, arrayJobId: Number(array), task: 7, restarts: 0 },
      ...{ name: 'many', user: 'bob', uid: 2002, gid: 2002, groups: [2002, 3001], node: 'c1', nodes: ['c1'] },
      ...{ partition: 'burst', script: 'run.sh', args: ['a b', ''], workDir: '/home/bob/x' },
      ...{ submitAt: model.truth()[0]?.submitAt, work: { ms: 1, exit: 0 } },
    });
    // The array's last task bears its id.
    expect(seen[1]?.run).toMatchObject({ jobId: Number(array), ref: `${array}_9` });
    await pass(hour);
    expect(model.truth().map(({ state }) => state)).toEqual(['TIMEOUT', 'TIMEOUT']);
  });

  test('ends as its stand-in ends', async () => {
    const { model, port, pass } = hosted();
    const ends = [{ code: 0 }, { code: 7 }, { signal: 9 }] as const;
    const refs = ends.map(() => model.submit('alice', { ...forever, exclusive: true }));
    await pass(3 * s);
    for (const [nth, ref] of refs.entries()) model.ended(Number(ref), 0, ends[nth] ?? { code: 0 });
    await pass(3 * s);
    const seen = await Promise.all(refs.map((ref) => port.job(ref)));
    expect(seen.map((job) => [job?.state, job?.exitCode, job?.reason])).toEqual([
      ['COMPLETED', { code: 0, signal: 0 }, 'None'],
      ['FAILED', { code: 7, signal: 0 }, 'NonZeroExitCode'],
      ['FAILED', { code: 0, signal: 9 }, 'JobLaunchFailure'],
    ]);
    const runs = await Promise.all(refs.map((ref) => port.accounting(ref)));
    expect(runs.flat().map(({ state, exit }) => [state, exit.code, exit.signal])).toEqual([
      ['COMPLETED', 0, 0],
      ['FAILED', 7, 0],
      ['FAILED', 0, 9],
    ]);
  });

  test('tells the host of a signal and of its scope', async () => {
    const { model, pass, seen } = hosted();
    const ref = model.submit('alice', forever);
    await pass(3 * s);
    model.signal('alice', ref, 10, 'script');
    expect(signosOf(seen[0]?.signals ?? [])).toEqual([10]);
    expect(model.truth()[0]?.state).toBe('RUNNING');
  });

  test('without a host runs what is there until its limit', async () => {
    const { model, pass, newest, since } = world();
    const ref = model.submit('alice', { partition: 'burst', work: { ms: 1, exit: 0 }, timeMs: 5 * min });
    model.host = undefined;
    await pass(hour);
    expect(newest(ref)).toMatchObject({ burst: true, process: 'over' });
    expect(since(newest(ref).endAt)).toBeGreaterThanOrEqual(300);
  });
});

describe('an end', () => {
  test('by scancel is CONT and TERM at once, KILL after KillWait, and no KILL for one that listens', async () => {
    const { model, port, pass, seen, soon } = hosted({ killWaitMs: 30 * s });
    const [polite, deaf] = [model.submit('alice', forever), model.submit('alice', forever)];
    await pass(3 * s);
    for (const one of seen) one.ends = one.run.ref === polite;
    await port.cancel(polite, soon());
    await port.cancel(deaf, soon());
    await pass(10 * s);
    expect((await port.job(polite))?.state).toBe('CANCELLED');
    expect((await port.job(polite))?.exitCode).toEqual({ code: 0, signal: 15 });
    expect((await port.job(deaf))?.state).toBe('COMPLETING');
    await pass(min);
    expect(seen.map(({ signals }) => signosOf(signals))).toEqual([
      [18, 15],
      [18, 15, 9],
    ]);
    const [, , kill] = seen[1]?.signals ?? [];
    expect((kill?.at ?? 0) - (seen[1]?.signals[0]?.at ?? 0)).toBe(30 * s);
    expect(await port.job(deaf)).toMatchObject({ state: 'CANCELLED', exitCode: { code: 0, signal: 9 } });
    expect((await port.accounting(deaf))[0]).toMatchObject({
      state: 'CANCELLED',
      exit: { code: 0, signal: 0 },
    });
  });

  test('leaves at least five seconds, and comes before a launch that has not happened', async () => {
    const { model, pass, seen } = hosted({ killWaitMs: 1 * s });
    const deaf = model.submit('alice', forever);
    await pass(3 * s);
    for (const one of seen) one.ends = false;
    model.cancel('alice', deaf);
    const early = model.submit('alice', forever);
    await pass(1.2 * s);
    expect(model.truth()[1]?.state).toBe('RUNNING');
    model.cancel('alice', early);
    await pass(10 * s);
    expect(seen).toHaveLength(1);
    const at = seen[0]?.signals.map((one) => one.at) ?? [];
    expect((at.at(-1) ?? 0) - (at[0] ?? 0)).toBe(5 * s);
    expect(model.truth().map(({ state }) => state)).toEqual(['CANCELLED', 'CANCELLED']);
  });

  test('by the time limit comes on slurmctld’s grid of 30 s, and moves with the limit', async () => {
    const { model, pass, newest, since } = hosted();
    const [short, longer, shorter] = [min, min, hour].map((timeMs) =>
      model.submit('alice', { ...forever, timeMs }),
    );
    await pass(10 * s);
    model.alter('root', longer as JobRef, { timeMs: 3 * min });
    model.alter('alice', shorter as JobRef, { timeMs: 2 * min });
    await pass(10 * min);
    // Started after 1 s: over after 61, seen at 90.
    const ends = [short, longer, shorter].map((ref) => since(newest(ref as JobRef).endAt));
    expect(ends).toEqual([90, 210, 150]);
    expect(newest(short as JobRef)).toMatchObject({ state: 'TIMEOUT', exit: { code: 0, signal: 15 } });
  });

  test('is late news after the job is over, and nothing', async () => {
    const { model, pass, newest } = hosted();
    const ref = model.submit('alice', forever);
    await pass(3 * s);
    model.ended(Number(ref), 0, { code: 0 });
    model.ended(Number(ref), 0, { code: 1 });
    model.ended(Number(ref), 5, { code: 1 });
    await pass(3 * s);
    expect(newest(ref)).toMatchObject({ state: 'COMPLETED', exit: { code: 0, signal: 0 } });
  });
});

describe('a lost node', () => {
  test('requeues the job for two minutes later, and the old stand-in lives on', async () => {
    const { model, port, pass, seen, truth, since } = hosted();
    const ref = model.submit('alice', forever);
    await pass(10 * s);
    model.nodeDown('c1');
    expect(await port.job(ref)).toMatchObject({ state: 'PENDING', restarts: 1, reason: 'BeginTime' });
    expect(seen[0]?.signals).toEqual([]);
    await pass(2 * min + 5 * s);
    const [first, second] = truth(ref).runs;
    expect(first).toMatchObject({ state: 'NODE_FAIL', restarts: 0, nodes: ['c1'], process: 'alive' });
    expect(second).toMatchObject({ state: 'RUNNING', restarts: 1, nodes: ['c2'], process: 'alive' });
    expect(since(second?.submitAt)).toBe(10);
    expect(since(second?.startAt)).toBeGreaterThanOrEqual(131);
    expect(seen.map(({ run }) => run.restarts)).toEqual([0, 1]);
    expect((await port.accounting(ref)).map((run) => run.state)).toEqual(['NODE_FAIL', 'RUNNING']);

    model.nodeUp('c1');
    expect(signosOf(seen[0]?.signals ?? [])).toEqual([9]);
    expect(seen[1]?.signals).toEqual([]);
    expect(truth(ref)).toMatchObject({ state: 'RUNNING', runs: [{ process: 'over' }, { process: 'alive' }] });
  });

  test('the old stand-in may end by itself, and that is nothing to the next run', async () => {
    const { model, pass, truth } = hosted();
    const ref = model.submit('alice', forever);
    await pass(10 * s);
    model.nodeDown('c1');
    await pass(3 * min);
    model.ended(Number(ref), 0, { code: 0 });
    await pass(min);
    expect(truth(ref)).toMatchObject({ state: 'RUNNING', restarts: 1 });
    model.ended(Number(ref), 1, { code: 0 });
    await pass(min);
    expect(truth(ref)).toMatchObject({ state: 'COMPLETED', restarts: 1 });
  });

  test('ends a job that may not be requeued as NODE_FAIL', async () => {
    const { model, port, pass, seen } = hosted();
    const ref = model.submit('alice', { ...forever, requeue: false });
    await pass(10 * s);
    model.nodeDown('c1');
    await pass(5 * s);
    expect(await port.job(ref)).toMatchObject({ state: 'NODE_FAIL', reason: 'NodeDown', restarts: 0 });
    expect((await port.accounting(ref))[0]?.state).toBe('NODE_FAIL');
    expect(seen[0]?.signals).toEqual([]);
  });

  test('that is not the first of a job’s: the stand-in is ended, then the job waits again', async () => {
    const { model, port, pass, seen } = hosted();
    const ref = model.submit('alice', { ...forever, minNodes: 2, maxNodes: 2, exclusive: true });
    await pass(10 * s);
    expect(seen[0]?.run.nodes).toEqual(['c1', 'c2']);
    for (const one of seen) one.ends = false;
    model.nodeDown('c2');
    expect(await port.job(ref)).toMatchObject({ state: 'COMPLETING', restarts: 1 });
    await pass(min);
    expect(signosOf(seen[0]?.signals ?? [])).toEqual([18, 15, 9]);
    expect(await port.job(ref)).toMatchObject({ state: 'PENDING', restarts: 1 });
  });

  test('on-prem takes its script with it', async () => {
    const { model, pass, truth } = hosted();
    const ref = model.submit('alice', { work: { ms: 30 * s, exit: 0 } });
    await pass(10 * s);
    model.nodeDown('n1');
    await pass(hour);
    expect(truth(ref).runs.map(({ state, nodes }) => [state, nodes])).toEqual([
      ['NODE_FAIL', ['n1']],
      ['COMPLETED', ['n2']],
    ]);
  });
});

describe('a requeue', () => {
  test('that is repeated kills the next run, unless it names the run that it means', async () => {
    const { model, port, pass, soon, truth } = hosted();
    const ref = model.submit('alice', forever);
    await pass(10 * s);
    await port.requeue(ref, 0, soon());
    await pass(3 * min);
    expect(truth(ref)).toMatchObject({ state: 'RUNNING', restarts: 1 });
    expect(faultOf(await port.requeue(ref, 0, soon()).catch((e: unknown) => e))).toBe('conflict');
    expect(truth(ref)).toMatchObject({ state: 'RUNNING', restarts: 1 });
    model.requeue('spillway', ref);
    expect((await port.job(ref))?.restarts).toBe(2);
  });

  test('of a cancelled job whose processes still end brings it back', async () => {
    const { model, port, pass, seen, soon, truth } = hosted();
    const ref = model.submit('alice', forever);
    await pass(10 * s);
    for (const one of seen) one.ends = false;
    model.cancel('alice', ref);
    await port.requeue(ref, 0, soon());
    await pass(5 * min);
    expect(truth(ref)).toMatchObject({ state: 'RUNNING', restarts: 1, runs: [{ state: 'REQUEUED' }, {}] });
  });

  test('of a job that is over runs it again, if it is asked by people', async () => {
    const { model, port, pass, soon, truth } = hosted();
    const ref = model.submit('alice', { work: { ms: s, exit: 4 } });
    await pass(10 * s);
    expect(faultOf(await port.requeue(ref, 0, soon()).catch((e: unknown) => e))).toBe('conflict');
    model.requeue('alice', ref);
    expect(await port.job(ref)).toMatchObject({ state: 'PENDING', restarts: 1, nodeList: '' });
    await pass(10 * s);
    expect((await port.accounting(ref)).map(({ state, exit }) => [state, exit.code])).toEqual([
      ['REQUEUED', 4],
      ['PENDING', 0],
    ]);
    await pass(5 * min);
    expect(truth(ref)).toMatchObject({ state: 'FAILED', restarts: 1, runs: [{}, { state: 'FAILED' }] });
  });

  test('restores the list of partitions, and keeps a hold that was set while it ran', async () => {
    const { model, port, pass, truth } = hosted();
    const ref = model.submit('alice', { partition: 'batch,cloud', work: 'forever' });
    await pass(10 * s);
    expect((await port.job(ref))?.partition).toBe('batch');
    model.hold('alice', ref);
    model.requeue('alice', ref);
    await pass(10 * min);
    expect(await port.job(ref)).toMatchObject({
      partition: 'batch,cloud',
      reason: 'JobHeldUser',
      priority: 0,
    });
    model.release('alice', ref);
    await pass(min);
    expect(truth(ref)).toMatchObject({ state: 'RUNNING', restarts: 1 });
  });

  test('of a task leaves the other tasks alone', async () => {
    const { model, port, pass, soon } = hosted();
    const array = model.submit('alice', { array: '1-3', ...forever });
    await pass(10 * s);
    await port.requeue(jobRef(`${array}_2`), 0, soon());
    expect(
      model
        .truth()
        .map(({ restarts }) => restarts)
        .sort(),
    ).toEqual([0, 0, 1]);
  });
});
