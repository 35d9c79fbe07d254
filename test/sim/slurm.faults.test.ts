/** What goes wrong around Slurm: its controller away, its accounting late, its ids used again, requests and answers lost. */
import { describe, expect, test } from 'vitest';
import { faultOf } from '../../src/domain/fault.ts';
import { jobRef } from '../../src/domain/ids.ts';
import { isSlurmFault, slurmFaults } from '../../src/sim/models/slurm-types.ts';
import { SlurmSilent } from '../../src/sim/models/slurm-words.ts';
import { cluster, hour, min, s, world } from './slurm.world.ts';

const faultIn = (work: Promise<unknown>) => work.then(() => 'none', faultOf);
const claim = {
  partition: 'wait',
  timeLimitMs: 10 * min,
  minNodes: 1,
  maxNodes: 1,
  memory: undefined,
} as const;

describe('a controller that restarts', () => {
  test('answers nobody meanwhile, and knows all that it knew', async () => {
    const { model, port, pass, soon } = world();
    const ref = model.submit('alice', { partition: 'cloud', comment: 'mine' });
    await port.move(ref, claim, soon());
    model.restart(min);
    expect(await faultIn(port.job(ref))).toBe('unreachable');
    expect(await faultIn(port.move(ref, { ...claim, partition: 'cloud' }, soon()))).toBe('unreachable');
    expect(await faultIn(port.cancel(ref, soon()))).toBe('unreachable');
    expect(() => model.submit('alice', {})).toThrow(SlurmSilent);
    await pass(min);
    expect(await port.job(ref)).toMatchObject({ partition: 'wait', comment: 'mine', state: 'PENDING' });
  });

  test('leaves running jobs alone, and hears of their ends when it is back', async () => {
    const { model, port, pass, newest, since } = world();
    const [short, long] = [30 * s, 5 * min].map((ms) => model.submit('alice', { work: { ms, exit: 0 } }));
    const limited = model.submit('alice', { work: 'forever', timeMs: min });
    await pass(10 * s);
    model.restart(2 * min);
    const waiting = port.accounting(jobRef('1'));
    expect(await faultIn(waiting)).toBe('none');
    await pass(hour);
    expect(since(newest(short ?? jobRef('')).endAt)).toBe(130);
    expect(newest(long ?? jobRef(''))).toMatchObject({ state: 'COMPLETED', restarts: 0 });
    expect(since(newest(limited).endAt)).toBe(130);
    expect(newest(limited).state).toBe('TIMEOUT');
  });

  test('starts nothing while it is away, and goes on with its queue after it', async () => {
    const { model, pass, newest, since } = world();
    const ref = model.submit('alice', { work: 'forever' });
    model.restart(5 * min);
    await pass(4 * min);
    expect(newest(ref).state).toBe('PENDING');
    await pass(2 * min);
    expect(since(newest(ref).startAt)).toBe(301);
  });
});

describe('accounting', () => {
  test('lags, and while it does a job can be annotated by nobody', async () => {
    const { model, port, pass } = world({ dbdLagMs: [10 * s, 10 * s] });
    const ref = model.submit('alice', { work: { ms: s, exit: 3 } });
    await pass(8 * s);
    expect((await port.job(ref))?.state).toBe('FAILED');
    expect(await port.accounting(ref)).toEqual([]);
    expect(await faultIn(port.annotate(ref, 'x'))).toBe('not_found');
    await pass(3 * s);
    expect((await port.accounting(ref)).map(({ state, endAt }) => [state, endAt])).toEqual([
      ['RUNNING', undefined],
    ]);
    await pass(5 * s);
    await port.annotate(ref, 'Spillway:v1;S=5');
    expect((await port.accounting(ref))[0]).toMatchObject({
      state: 'FAILED',
      exit: { code: 3, signal: 0 },
      adminComment: 'spillway:v1;s=5',
    });
  });

  test('hears of things in their order, however long each takes', async () => {
    const { model, port, pass } = world({ dbdLagMs: [0, min] });
    const refs = Array.from({ length: 8 }, () => model.submit('alice', { work: { ms: s, exit: 0 } }));
    for (let i = 0; i < 120; i += 1) {
      await pass(s);
      for (const ref of refs)
        for (const run of await port.accounting(ref))
          expect(run.state === 'PENDING' || run.startAt !== undefined).toBe(true);
    }
    const ends = await Promise.all(refs.map((ref) => port.accounting(ref)));
    expect(ends.flat().map(({ state }) => state)).toEqual(refs.map(() => 'COMPLETED'));
  });

  test('that is slow is late by minutes and in order, and catches up when it is well', async () => {
    const { model, port, pass } = world({ slowDbdMs: 10 * min });
    model.switch('slow-dbd', true);
    const ref = model.submit('alice', { work: { ms: s, exit: 0 } });
    await pass(5 * min);
    expect(await port.accounting(ref)).toEqual([]);
    model.switch('slow-dbd', false);
    await pass(2 * s);
    expect((await port.accounting(ref)).map(({ state }) => state)).toEqual(['COMPLETED']);
  });

  test('keeps every run after slurmctld has forgotten the job', async () => {
    const { model, port, pass, soon } = world({ minJobAgeMs: 5 * min });
    const ref = model.submit('alice', { work: 'forever' });
    await pass(10 * s);
    await port.requeue(ref, 0, soon());
    await pass(3 * min);
    model.cancel('alice', ref);
    await pass(4 * min);
    expect((await port.job(ref))?.state).toBe('CANCELLED');
    await pass(2 * min);
    expect(await port.job(ref)).toBeUndefined();
    expect((await port.accounting(ref)).map(({ state }) => state)).toEqual(['REQUEUED', 'CANCELLED']);
    await port.cancel(ref, soon());
    expect(await faultIn(port.move(ref, claim, soon()))).toBe('not_found');
  });

  test('is read and written without slurmctld, and not when slurmdbd is away', async () => {
    const { model, port, pass } = world();
    const ref = model.submit('alice', {});
    await pass(10 * s);
    model.restart(hour);
    await port.annotate(ref, 'a');
    expect(await port.accounting(ref)).toHaveLength(1);
    model.switch('dbd-away', true);
    expect(await faultIn(port.accounting(ref))).toBe('unreachable');
    expect(await faultIn(port.annotate(ref, 'b'))).toBe('unreachable');
  });
});

describe('ids', () => {
  test('go round: slurmctld has the new job, slurmdbd both, and a note hits the newer', async () => {
    const { model, port, pass } = world({ firstJobId: 10, maxJobId: 12, minJobAgeMs: min });
    const first = model.submit('alice', { name: 'first', work: { ms: s, exit: 1 } });
    await pass(10 * s);
    const held = model.submit('alice', { held: true });
    expect(model.submit('alice', { work: { ms: s, exit: 0 } })).toBe(jobRef('12'));
    await pass(2 * min);
    const again = model.submit('bob', { name: 'again', work: { ms: s, exit: 2 } });
    expect([first, held, again]).toEqual(['10', '11', '10']);
    // 11 is still known.
    expect(model.submit('bob', { work: { ms: s, exit: 0 } })).toBe(jobRef('12'));
    await pass(10 * s);
    expect(await port.job(first)).toMatchObject({ name: 'again', user: 'bob' });
    await port.annotate(first, 'newer');
    const runs = await port.accounting(first);
    expect(runs.map(({ exit, adminComment }) => [exit.code, adminComment])).toEqual([
      [1, ''],
      [2, 'newer'],
    ]);
    expect(model.truth()).toHaveLength(5);
  });

  test('of a stand-in that outlives its job are told apart by the time of submission', async () => {
    const { model, pass, host, seen, newest } = world({ firstJobId: 10, maxJobId: 10, minJobAgeMs: 0 });
    model.host = host;
    const ref = model.submit('alice', { partition: 'burst', work: 'forever', requeue: false });
    await pass(5 * s);
    model.nodeDown('c1');
    await pass(5 * s);
    expect(model.submit('alice', { partition: 'burst', work: 'forever' })).toBe(ref);
    await pass(5 * s);
    expect(seen).toHaveLength(2);
    model.ended(10, 0, { code: 3 }, seen[1]?.run.submitAt);
    await pass(5 * s);
    expect(newest(ref)).toMatchObject({ state: 'FAILED', exit: { code: 3, signal: 0 } });
    expect(model.truth()[0]?.runs[0]?.process).toBe('alive');
  });
});

describe('what is asked', () => {
  test('and lost on the way is unknown and not made; a lost answer is unknown and made', async () => {
    const { model, port, soon, truth } = world();
    const ref = model.submit('alice', { partition: 'cloud' });
    model.switch('lost-request', true);
    expect(await faultIn(port.move(ref, claim, soon()))).toBe('unknown');
    expect(truth(ref).partition).toBe('cloud');
    model.heal();
    model.switch('lost-answer', true);
    expect(await faultIn(port.move(ref, claim, soon()))).toBe('unknown');
    expect((await port.job(ref))?.partition).toBe('wait');
    // A refusal is lost like any other answer.
    expect(await faultIn(port.move(ref, { ...claim, partition: 'nowhere' }, soon()))).toBe('unknown');
  });

  test('of a requeue whose answer is lost shows in the restart count', async () => {
    const { model, port, pass, soon } = world();
    const ref = model.submit('alice', { work: 'forever' });
    await pass(10 * s);
    model.switch('lost-request', true);
    expect(await faultIn(port.requeue(ref, 0, soon()))).toBe('unknown');
    expect((await port.job(ref))?.restarts).toBe(0);
    model.heal();
    model.switch('lost-answer', true);
    expect(await faultIn(port.requeue(ref, 0, soon()))).toBe('unknown');
    expect((await port.job(ref))?.restarts).toBe(1);
  });

  test('of a busy slurmctld is put off, of one out of reach not asked', async () => {
    const { model, port, soon, truth } = world();
    const ref = model.submit('alice', { partition: 'cloud' });
    model.switch('busy', true);
    expect(await faultIn(port.move(ref, claim, soon()))).toBe('transient');
    expect(await port.job(ref)).toBeDefined();
    model.switch('away', true);
    for (const work of [port.snapshot(), port.job(ref), port.accounting(ref), port.facts(), port.whoami()])
      expect(await faultIn(work)).toBe('unreachable');
    expect(truth(ref).partition).toBe('cloud');
    model.heal();
    expect(model.faults()).toEqual([]);
    expect((await port.snapshot()).partial).toEqual([]);
  });

  test('and slow to arrive is dropped there after its deadline', async () => {
    const { model, port, pass, soon, truth } = world({ latencyMs: [40 * s, 40 * s] });
    const ref = model.submit('alice', { partition: 'cloud' });
    model.switch('latency', true);
    const moving = faultIn(port.move(ref, claim, soon()));
    await pass(5 * min);
    expect(await moving).toBe('transient');
    expect(truth(ref).partition).toBe('cloud');
  });

  test('by a plain user is as far as his rights go', async () => {
    const { model, soon } = world();
    const bob = model.asPort(cluster, 'bob');
    const ref = model.submit('alice', { partition: 'cloud' });
    expect(await bob.whoami()).toEqual({ user: 'bob', adminLevel: 'None' });
    expect(await bob.job(ref)).toMatchObject({ ref });
    for (const work of [bob.move(ref, claim, soon()), bob.cancel(ref, soon()), bob.annotate(ref, 'x')])
      expect(await faultIn(work)).toBe('refused');
  });

  test('is known by name', () => {
    expect(slurmFaults.every(isSlurmFault)).toBe(true);
    expect(isSlurmFault('no-such')).toBe(false);
  });
});
