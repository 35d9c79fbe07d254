import { describe, expect, test } from 'vitest';
import { instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { JobDetail } from '../../src/domain/job.ts';
import { type Ask, faultIn, jobOf, type SlurmHarness, soon } from './slurm.harness.ts';

export function requeueCases(of: () => SlurmHarness): void {
  const inState = (ref: JobRef, state: JobDetail['state']): Promise<JobDetail> =>
    of().eventually(`job ${ref} to be ${state}`, async () => {
      const job = await of().port.job(ref);
      return job?.state === state ? job : undefined;
    });
  const run = async (ask: Ask = {}) => {
    const { submit, partitions } = of();
    return submit({ partition: partitions.home, work: { seconds: 300 }, ...ask });
  };

  describe('requeueing', () => {
    test('a running job, once: the restart count rises, the run is accounted as requeued', async () => {
      const harness = of();
      const { port, eventually } = harness;
      const ref = await run();
      const first = await inState(ref, 'RUNNING');
      await port.requeue(ref, first.restarts, soon(harness));
      expect((await jobOf(harness, ref)).restarts).toBe(first.restarts + 1);
      const second = await inState(ref, 'PENDING');
      expect(second).toMatchObject({
        restarts: first.restarts + 1,
        partition: first.partition,
        nodeList: '',
      });
      // Not at once: the old run's credentials must have expired.
      expect(second.eligibleAt).toBeGreaterThan(second.submitAt);
      const over = await eventually('the first run to be accounted', async () =>
        (await port.accounting(ref)).find((r) => r.submitAt === first.submitAt && r.endAt !== undefined),
      );
      expect(over).toMatchObject({ state: 'REQUEUED', nodeList: first.nodeList });
      await harness.cancel(ref);
    });

    test('another run than the one that is meant is left alone', async () => {
      const harness = of();
      const ref = await run();
      const before = await inState(ref, 'RUNNING');
      expect(await faultIn(harness.port.requeue(ref, 1, soon(harness)))).toBe('conflict');
      const { state, restarts, submitAt, nodeList } = await jobOf(harness, ref);
      expect({ state, restarts, submitAt, nodeList }).toEqual({
        state: 'RUNNING',
        restarts: 0,
        submitAt: before.submitAt,
        nodeList: before.nodeList,
      });
      await harness.cancel(ref);
    });

    test('a job that waits or is over is left alone, and one that never was is not found', async () => {
      const harness = of();
      const { port, submit, partitions } = harness;
      const waits = await submit({});
      expect(await faultIn(port.requeue(waits, 0, soon(harness)))).toBe('conflict');
      const over = await submit({ partition: partitions.home, work: { exit: 2 } });
      await inState(over, 'FAILED');
      expect(await faultIn(port.requeue(over, 0, soon(harness)))).toBe('conflict');
      expect(await jobOf(harness, over)).toMatchObject({ state: 'FAILED', restarts: 0 });
      expect(await faultIn(port.requeue(jobRef('4000000'), 0, soon(harness)))).toBe('not_found');
    });

    test('a job that may not be requeued is refused, and runs on', async () => {
      const harness = of();
      const ref = await run({ requeue: false });
      const before = await inState(ref, 'RUNNING');
      expect(await faultIn(harness.port.requeue(ref, 0, soon(harness)))).toBe('refused');
      expect(await jobOf(harness, ref)).toMatchObject({
        state: 'RUNNING',
        restarts: 0,
        startAt: before.startAt,
      });
      await harness.cancel(ref);
    });

    test('not after the deadline', async () => {
      const harness = of();
      const ref = await run();
      await inState(ref, 'RUNNING');
      const past = instant(harness.now() - 2_000);
      expect(await faultIn(harness.port.requeue(ref, 0, past))).toBe('transient');
      expect(await jobOf(harness, ref)).toMatchObject({ state: 'RUNNING', restarts: 0 });
      await harness.cancel(ref);
    });

    test('of a list of partitions: it waits in all of them again', async () => {
      const harness = of();
      const { home, explicit } = harness.partitions;
      const ref = await run({ partition: `${home},${explicit}` });
      expect((await inState(ref, 'RUNNING')).partition).toBe(home);
      await harness.port.requeue(ref, 0, soon(harness));
      expect((await inState(ref, 'PENDING')).partition).toBe(`${home},${explicit}`);
      await harness.cancel(ref);
    });

    test('one task of an array: the others run on', async () => {
      const harness = of();
      const array = await run({ array: '1-2' });
      const [one, last] = [jobRef(`${array}_1`), jobRef(`${array}_2`)];
      await inState(one, 'RUNNING');
      // The last task bears the array's own id.
      const ended = await inState(last, 'RUNNING');
      expect(ended.id).toBe(Number(array));
      await harness.port.requeue(last, 0, soon(harness));
      expect((await jobOf(harness, last)).restarts).toBe(1);
      expect(await jobOf(harness, one)).toMatchObject({ state: 'RUNNING', restarts: 0 });
      await harness.cancel(array);
    });
  });

  describe('letting go', () => {
    test('of a job that is held: it waits like any other, and once more changes nothing', async () => {
      const harness = of();
      const ref = await harness.submit({ held: true });
      expect((await jobOf(harness, ref)).priority).toBe(0);
      await harness.port.release(ref, soon(harness));
      const free = await harness.eventually(`job ${ref} not to be held`, async () => {
        const job = await jobOf(harness, ref);
        return job.priority > 0 && !job.reason.startsWith('JobHeld') ? job : undefined;
      });
      await harness.port.release(ref, soon(harness));
      expect(await jobOf(harness, ref)).toMatchObject({ state: 'PENDING', partition: free.partition });
      await harness.cancel(ref);
    });

    test('too late is not done, and of a job that never was it is not found', async () => {
      const harness = of();
      const ref = await harness.submit({ held: true });
      expect(await faultIn(harness.port.release(ref, instant(harness.now() - 1_000)))).toBe('transient');
      expect((await jobOf(harness, ref)).priority).toBe(0);
      expect(await faultIn(harness.port.release(jobRef('4000000'), soon(harness)))).toBe('not_found');
      await harness.cancel(ref);
    });
  });
}
