import { describe, expect, test } from 'vitest';
import { instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import {
  type Ask,
  asAsked,
  backOf,
  claimOf,
  faultIn,
  jobOf,
  type SlurmHarness,
  soon,
} from './slurm.harness.ts';

export function moveCases(of: () => SlurmHarness): void {
  const running = async (ref: JobRef) =>
    of().eventually(`job ${ref} to run`, async () => {
      const job = await of().port.job(ref);
      return job?.state === 'RUNNING' ? job : undefined;
    });

  describe('moving', () => {
    const exact: readonly (readonly [what: string, ask: (h: SlurmHarness) => Ask])[] = [
      ['that asked for nothing', () => ({})],
      [
        'with a limit, memory, nice and a comment',
        () => ({ timeMin: 3, memory: { per: 'node', mib: 300 }, nice: 7, comment: 'keep "this"' }),
      ],
      ['of 1 to 4 nodes', () => ({ nodes: '1-4' })],
      ['of exactly one node, alone on it', () => ({ nodes: '1', exclusive: true })],
      ['with memory for each CPU', () => ({ cpusPerTask: 2, memory: { per: 'cpu', mib: 123 } })],
      ['with all of a node’s memory', () => ({ memory: { per: 'node', mib: 0 } })],
      [
        'of a list of partitions',
        ({ partitions }) => ({ partition: `${partitions.home},${partitions.explicit}`, held: true }),
      ],
    ];
    /** Claims, looks, gives back, and waits until Slurm has calculated age and priority anew. */
    const thereAndBack = async (ask: Ask) => {
      const harness = of();
      const { port, submit, eventually } = harness;
      const ref = await submit(ask);
      const counted = async () => {
        const job = await jobOf(harness, ref);
        return job.accrueAt !== undefined || job.priority === 0 ? job : undefined;
      };
      const before = await eventually(`the age of ${ref} to count`, counted);
      await port.move(ref, claimOf(harness, before), soon(harness));
      const claimed = await jobOf(harness, ref);
      await port.move(ref, backOf(before), soon(harness));
      const after = await eventually(`the age of ${ref} to count again`, counted);
      // Age goes on meanwhile.
      await eventually(`the priority of ${ref} to be what it was`, async () => {
        return (await jobOf(harness, ref)).priority >= before.priority;
      });
      await harness.cancel(ref);
      return { before, claimed, after };
    };

    test('a job is claimed with all that it asked for, and comes back exactly as it was', async () => {
      const harness = of();
      const went = await Promise.all(exact.map(([, ask]) => thereAndBack(ask(harness))));
      for (const [nth, { before, claimed, after }] of went.entries()) {
        const what = `a job ${exact[nth]?.[0]}`;
        expect(claimed, what).toMatchObject({
          partition: harness.partitions.wait,
          minNodes: 1,
          memory: before.memory,
          timeLimitMs: before.timeLimitMs,
          comment: before.comment,
        });
        expect(asAsked(after), what).toEqual(asAsked(before));
      }
    });

    test('a priority that an admin gave is kept', async () => {
      const harness = of();
      const ref = await harness.submit({});
      await harness.alter('admin', ref, { priority: 777 });
      const before = await jobOf(harness, ref);
      expect(before.priority).toBe(777);
      await harness.port.move(ref, claimOf(harness, before), soon(harness));
      expect(await jobOf(harness, ref)).toMatchObject({ priority: 777 });
      await harness.port.move(ref, backOf(before), soon(harness));
      expect(await jobOf(harness, ref)).toMatchObject({ priority: 777, partition: before.partition });
    });

    test('the same move again changes nothing', async () => {
      const harness = of();
      const ref = await harness.submit({ timeMin: 5 });
      const claim = claimOf(harness, await jobOf(harness, ref));
      await harness.port.move(ref, claim, soon(harness));
      const moved = await jobOf(harness, ref);
      await harness.port.move(ref, claim, soon(harness));
      expect({ ...asAsked(await jobOf(harness, ref)), accrueAt: 0 }).toEqual({
        ...asAsked(moved),
        accrueAt: 0,
      });
    });

    test('a job that has started is left alone, wherever it is to go', async () => {
      const harness = of();
      const { port, submit, partitions } = harness;
      const ref = await submit({ partition: partitions.home, timeMin: 5, work: { seconds: 300 } });
      const before = await running(ref);
      const claim = claimOf(harness, before);
      expect(await faultIn(port.move(ref, claim, soon(harness)))).toBe('started');
      // A give-back that comes too late names the partition in which the job runs, and would cut its time.
      const late = { ...claim, partition: partitions.home, timeLimitMs: 60_000 };
      expect(await faultIn(port.move(ref, late, soon(harness)))).toBe('started');
      expect(await jobOf(harness, ref)).toMatchObject({
        state: 'RUNNING',
        partition: partitions.home,
        timeLimitMs: 300_000,
        nodeList: before.nodeList,
      });
    });

    test('a claim and a start race, and Slurm decides: moved or left alone, never both', async () => {
      const harness = of();
      const { port, submit, partitions } = harness;
      const refs = await Promise.all(
        Array.from({ length: 6 }, () => submit({ partition: partitions.home, work: { seconds: 120 } })),
      );
      const outcomes = await Promise.all(
        refs.map(async (ref) => {
          const claim = claimOf(harness, await jobOf(harness, ref));
          return [ref, await faultIn(port.move(ref, claim, soon(harness)))] as const;
        }),
      );
      for (const [ref, outcome] of outcomes) {
        expect(['none', 'started']).toContain(outcome);
        const job = await jobOf(harness, ref);
        expect([job.state, job.partition]).toEqual(
          outcome === 'none' ? ['PENDING', partitions.wait] : [job.state, partitions.home],
        );
        await harness.cancel(ref);
      }
    });

    test('of a job that never was: not found', async () => {
      const harness = of();
      const spec = claimOf(harness, await jobOf(harness, await harness.submit({})));
      expect(await faultIn(harness.port.move(jobRef('4000000'), spec, soon(harness)))).toBe('not_found');
    });

    test('to a partition that does not exist: refused, unchanged, in Slurm’s words', async () => {
      const harness = of();
      const ref = await harness.submit({});
      const before = await jobOf(harness, ref);
      const claim = claimOf(harness, before, { partition: 'nowhere' });
      await expect(harness.port.move(ref, claim, soon(harness))).rejects.toMatchObject({
        fault: 'refused',
        message: expect.stringContaining('partition'),
      });
      expect(await jobOf(harness, ref)).toMatchObject({ partition: before.partition });
    });

    test('that Slurm makes only in part is unknown, for it is not unchanged', async () => {
      const harness = of();
      const { port, submit, partitions } = harness;
      const ref = await submit({});
      const claim = claimOf(harness, await jobOf(harness, ref));
      const wrong = { ...claim, partition: partitions.burst, minNodes: 99, maxNodes: 99 };
      expect(await faultIn(port.move(ref, wrong, soon(harness)))).toBe('unknown');
      await harness.cancel(ref);
    });

    test('after its deadline is not made', async () => {
      const harness = of();
      const ref = await harness.submit({});
      const before = await jobOf(harness, ref);
      const past = instant(harness.now() - 2_000);
      expect(await faultIn(harness.port.move(ref, claimOf(harness, before), past))).toBe('transient');
      expect(await jobOf(harness, ref)).toMatchObject({ partition: before.partition });
    });

    test('one task of an array leaves the others where they are', async () => {
      const harness = of();
      const { port, submit, partitions } = harness;
      const array = await submit({ array: '1-3%2', timeMin: 5 });
      const ref = jobRef(`${array}_2`);
      const before = await harness.eventually('Slurm to have looked at it', async () => {
        const job = await jobOf(harness, ref);
        return job.eligibleAt !== undefined && job;
      });
      await port.move(ref, claimOf(harness, before), soon(harness));
      const moved = await jobOf(harness, ref);
      expect(moved).toMatchObject({ ref, partition: partitions.wait, arrayJobId: Number(array) });
      expect(moved.id).not.toBe(before.id);
      const { jobs } = await port.snapshot();
      expect(jobs.find((j) => j.ref === array)).toMatchObject({
        partition: partitions.explicit,
        arrayTask: '1,3%2',
      });
      await port.move(ref, backOf(before), soon(harness));
      const after = await jobOf(harness, ref);
      expect({ ...asAsked(after), accrueAt: 0 }).toEqual({ ...asAsked(before), accrueAt: 0 });
      // In one partition again, squeue tells of them in one row; the task itself can still be asked for.
      const rows = (await port.snapshot()).jobs.filter((j) => j.arrayJobId === Number(array));
      expect(rows.map((j) => [j.ref, j.arrayTask])).toEqual([[array, '1-3']]);
    });

    test('a whole array, or a component, is never moved', async () => {
      const harness = of();
      const array = await harness.submit({ array: '1-3' });
      const claim = claimOf(harness, await jobOf(harness, jobRef(`${array}_1`)));
      expect(await faultIn(harness.port.move(array, claim, soon(harness)))).toBe('invalid');
      const het = await harness.submit({ het: true });
      expect(await faultIn(harness.port.move(het, claim, soon(harness)))).toBe('refused');
      expect(await jobOf(harness, het)).toMatchObject({ partition: harness.partitions.explicit });
    });

    test('a job given back to a partition that is up runs there', async () => {
      const harness = of();
      const { port, submit, partitions, eventually } = harness;
      const ref = await submit({ work: { seconds: 1 } });
      const job = await jobOf(harness, ref);
      await port.move(ref, claimOf(harness, job), soon(harness));
      await port.move(ref, { ...backOf(job), partition: partitions.home }, soon(harness));
      await eventually('it to end well', async () => (await port.job(ref))?.state === 'COMPLETED');
    });

    test('through a way that is cut was not asked', async () => {
      const harness = of();
      const ref = await harness.submit({});
      const job = await jobOf(harness, ref);
      await harness.reach(false);
      expect(await faultIn(harness.port.move(ref, claimOf(harness, job), soon(harness)))).toBe('unreachable');
      await harness.reach(true);
      await harness.eventually('the port to see again', async () => {
        const now = await harness.port.job(ref);
        return now?.partition === job.partition;
      });
    });
  });
}
