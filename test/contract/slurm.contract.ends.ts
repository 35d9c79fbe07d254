import { describe, expect, test } from 'vitest';
import { instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { AccountedJob } from '../../src/domain/job.ts';
import { faultIn, jobOf, type SlurmHarness, soon } from './slurm.harness.ts';

export function endCases(of: () => SlurmHarness): void {
  /** The run as slurmdbd has it once it is over. */
  const run = (ref: JobRef): Promise<AccountedJob> =>
    of().eventually(`the run of ${ref} to be accounted`, async () => {
      const runs = await of().port.accounting(ref);
      // The end of a short job may reach slurmdbd before its start does: the row is not whole yet.
      return runs.find((r) => r.endAt !== undefined && r.partition !== '');
    });

  describe('the site’s history', () => {
    test('who ran, for how long, of how much, and how it ended; once it has ended, and within the span asked for', async () => {
      const harness = of();
      const { port, partitions, submit } = harness;
      const ask = { partition: partitions.home, timeMin: 7, tasks: 2 };
      const failed = await submit({ ...ask, work: { seconds: 2, exit: 3 } });
      const bobs = await submit({ ...ask, user: 'bob', tasks: 1 });
      const task = jobRef(`${await submit({ ...ask, tasks: 1, array: '5-6' })}_6`);
      const wide = await submit({ ...ask, nodes: '2' });
      const waits = await submit({});
      const [{ startAt, endAt }] = [await run(failed), await run(bobs), await run(task), await run(wide)];
      if (startAt === undefined || endAt === undefined) throw new Error(`${failed} has no times`);
      const span = [instant(startAt - 60_000), instant(endAt + 600_000)] as const;
      const { runs, partial } = await port.history(...span);
      expect(partial).toEqual([]);
      const of3 = runs.filter(({ ref }) => [failed, bobs, task, wide, waits].includes(ref));
      expect(of3.map(({ ref }) => ref).sort()).toEqual([failed, bobs, task, wide].sort());
      expect(of3.find(({ ref }) => ref === wide)).toMatchObject({ nodes: 2 });
      expect(of3.find(({ ref }) => ref === failed)).toMatchObject({
        ...{ user: 'alice', state: 'FAILED', partition: partitions.home, startAt, endAt },
        ...{ timeLimitMs: 7 * 60_000, cpus: 2, nodes: 1, priority: expect.any(Number) },
      });
      expect(of3.find(({ ref }) => ref === bobs)).toMatchObject({ user: 'bob', state: 'COMPLETED', cpus: 1 });
      expect(of3.find(({ ref }) => ref === failed)?.account).not.toBe('');
      const refsIn = async (from: number, to: number): Promise<readonly JobRef[]> =>
        (await port.history(instant(from), instant(to))).runs.map(({ ref }) => ref);
      expect(await refsIn(startAt - 60_000, endAt)).not.toContain(failed);
      expect(await refsIn(endAt, endAt + 1_000)).toContain(failed);
      expect(await refsIn(endAt, endAt)).toEqual([]);
    });

    test('a job without a limit of its own ran under its partition’s; one cancelled before it ran is none of it', async () => {
      const harness = of();
      const ref = await harness.submit({ partition: harness.partitions.home });
      const never = await harness.submit({});
      await harness.cancel(never);
      const { endAt = instant(0) } = await run(ref);
      await run(never);
      const { runs } = await harness.port.history(instant(endAt - 60_000), instant(endAt + 600_000));
      const { defaultTimeMs } =
        (await harness.port.facts()).partitions.find((p) => p.name === harness.partitions.home) ?? {};
      expect(runs.find((r) => r.ref === ref)?.timeLimitMs).toBe(defaultTimeMs);
      expect(runs.map((r) => r.ref)).not.toContain(never);
    });
  });

  describe('comments', () => {
    test('a line is appended once, behind the owner’s text', async () => {
      const harness = of();
      const ref = await harness.submit({ comment: 'mine; all mine' });
      const line = "spillway: no capacity; it's back in batch";
      await harness.port.appendComment(ref, line, soon(harness));
      await harness.port.appendComment(ref, line, soon(harness));
      expect(await jobOf(harness, ref)).toMatchObject({ comment: `mine; all mine; ${line}` });
    });

    test('a job without a comment gets the line alone; one that never was gets none', async () => {
      const harness = of();
      const ref = await harness.submit({});
      await harness.port.appendComment(ref, 'spillway: x', soon(harness));
      expect(await jobOf(harness, ref)).toMatchObject({ comment: 'spillway: x' });
      const missing = harness.port.appendComment(jobRef('4000000'), 'x', soon(harness));
      expect(await faultIn(missing)).toBe('not_found');
    });

    test('a job that is over takes a line too', async () => {
      const harness = of();
      const ref = await harness.submit({ partition: harness.partitions.home, work: { exit: 1 } });
      await run(ref);
      await harness.port.appendComment(ref, 'spillway: its pod was lost', soon(harness));
    });

    test('not after the deadline', async () => {
      const harness = of();
      const ref = await harness.submit({});
      const past = instant(harness.now() - 2_000);
      expect(await faultIn(harness.port.appendComment(ref, 'x', past))).toBe('transient');
      expect(await jobOf(harness, ref)).toMatchObject({ comment: '' });
    });
  });

  describe('ends', () => {
    test('exit 7 is FAILED 7:0, in slurmctld and in slurmdbd', async () => {
      const { port, submit, partitions, eventually } = of();
      const ref = await submit({ partition: partitions.home, work: { exit: 7 } });
      const ended = await eventually('it to fail', async () => {
        const job = await port.job(ref);
        return job?.state === 'FAILED' ? job : undefined;
      });
      expect(ended).toMatchObject({ exitCode: { code: 7, signal: 0 }, batch: true });
      expect(await run(ref)).toMatchObject({
        ref,
        id: Number(ref),
        state: 'FAILED',
        exit: { code: 7, signal: 0 },
        partition: partitions.home,
        submitAt: ended.submitAt,
        nodeList: ended.nodeList,
      });
    });

    test('killed by a signal is FAILED 0:9', async () => {
      const { submit, partitions } = of();
      const ref = await submit({ partition: partitions.home, work: { kill: 9 } });
      expect(await run(ref)).toMatchObject({ state: 'FAILED', exit: { code: 0, signal: 9 } });
    });

    test('a task of an array is accounted under its own name', async () => {
      const { submit, partitions } = of();
      const array = await submit({ partition: partitions.home, array: '1-2', work: { exit: 3 } });
      expect(await run(jobRef(`${array}_2`))).toMatchObject({
        ref: `${array}_2`,
        exit: { code: 3, signal: 0 },
      });
    });

    test('a cancelled job is CANCELLED; cancelling it again is nothing', async () => {
      const harness = of();
      const { port, submit, eventually } = harness;
      const ref = await submit({});
      await port.cancel(ref, soon(harness));
      await eventually('it to be cancelled', async () => (await port.job(ref))?.state === 'CANCELLED');
      expect(['none', 'started']).toContain(await faultIn(port.cancel(ref, soon(harness))));
      expect((await port.snapshot()).jobs.map((j) => j.ref)).not.toContain(ref);
      expect((await run(ref)).state).toBe('CANCELLED');
    });

    test('cancelled while it runs: slurmctld tells how its processes ended, slurmdbd does not', async () => {
      const harness = of();
      const { port, submit, partitions, eventually } = harness;
      const ref = await submit({ partition: partitions.home, work: { seconds: 300 } });
      // Its script, too: that takes slurmd a moment.
      await eventually('it to run', async () => {
        const job = await port.job(ref);
        return job?.state === 'RUNNING' && harness.now() - (job.startAt ?? 0) > 2_000;
      });
      await port.cancel(ref, soon(harness));
      const ended = await eventually('it to be over', async () => {
        const job = await port.job(ref);
        return job?.state === 'CANCELLED' ? job : undefined;
      });
      expect(ended).toMatchObject({ exitCode: { code: 0, signal: 15 }, restarts: 0 });
      expect(await run(ref)).toMatchObject({ state: 'CANCELLED', exit: { code: 0, signal: 0 } });
    });

    test('a cancel after its deadline is not made', async () => {
      const harness = of();
      const ref = await harness.submit({});
      const past = instant(harness.now() - 2_000);
      expect(await faultIn(harness.port.cancel(ref, past))).toBe('transient');
      expect(await jobOf(harness, ref)).toMatchObject({ state: 'PENDING' });
    });

    test('a requeued job has another submit time, a restart and two runs', async () => {
      const harness = of();
      const { port, submit, partitions, alter, eventually } = harness;
      const ref = await submit({ partition: partitions.home, work: { seconds: 300 } });
      const first = await eventually('it to run', async () => {
        const job = await port.job(ref);
        // A requeue within the second of its submission would not show in SubmitTime.
        return job?.state === 'RUNNING' && harness.now() - job.submitAt > 1_500 ? job : undefined;
      });
      await alter('owner', ref, { requeue: true });
      const second = await eventually('it to be requeued', async () => {
        const job = await port.job(ref);
        return job?.state === 'PENDING' ? job : undefined;
      });
      expect(second).toMatchObject({ restarts: first.restarts + 1, partition: partitions.home });
      expect(second.submitAt).toBeGreaterThan(first.submitAt);
      const runs = await eventually('both runs to be known', async () => {
        const known = await port.accounting(ref);
        return known.length === 2 ? known : undefined;
      });
      expect(runs.map((r) => r.submitAt)).toEqual([first.submitAt, second.submitAt]);
      await harness.cancel(ref);
    });

    test('what the owner changed is seen', async () => {
      const { submit, alter, partitions } = of();
      const ref = await submit({ timeMin: 9 });
      await alter('owner', ref, { timeMin: 4, partition: partitions.home, comment: 'changed' });
      const job = await jobOf(of(), ref);
      expect(job).toMatchObject({ timeLimitMs: 240_000, partition: partitions.home, comment: 'changed' });
    });

    test('a finished job is annotated in slurmdbd; one that slurmdbd does not know is not found', async () => {
      const { port, submit, partitions, eventually } = of();
      const ref = await submit({ partition: partitions.home, work: { exit: 0 } });
      await run(ref);
      const text = 'spillway:v1;instance=i-0ab12;seconds=5;maxrss=1048576';
      await port.annotate(ref, text);
      await eventually('it to be read back', async () => (await run(ref)).adminComment === text);
      expect(await faultIn(port.annotate(jobRef('4000000'), text))).toBe('not_found');
    });
  });
}
