import { describe, expect, test } from 'vitest';
import { faultOf } from '../../src/domain/fault.ts';
import { type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { Job } from '../../src/domain/job.ts';
import { faultIn, jobOf, type SlurmHarness } from './slurm.harness.ts';

const neverWas = jobRef('4000000');

export function readCases(of: () => SlurmHarness): void {
  describe('looking', () => {
    const inQueue = async (ref: JobRef): Promise<Job> => {
      const seen = await of().port.snapshot();
      expect(seen.partial).toEqual([]);
      const job = seen.jobs.find((j) => j.ref === ref);
      if (job === undefined) throw new Error(`${ref} is not in the snapshot`);
      return job;
    };

    test('a pending job stands in the queue as it was asked for', async () => {
      const { submit, partitions, now } = of();
      const ref = await submit({ timeMin: 7, memory: { per: 'node', mib: 200 }, name: 'as asked', nice: 3 });
      const job = await inQueue(ref);
      expect(job).toMatchObject({
        ref,
        id: Number(ref),
        arrayJobId: undefined,
        arrayTask: undefined,
        name: 'as asked',
        user: 'alice',
        account: 'physics',
        partition: partitions.explicit,
        state: 'PENDING',
        reason: 'PartitionDown',
        timeLimitMs: 420_000,
        minNodes: 1,
        cpus: 1,
        batch: true,
        hetJob: false,
        dependency: '',
        requiredNodes: '',
        gres: '',
        restarts: 0,
        nodeList: '',
      });
      expect(Math.abs(job.submitAt - now())).toBeLessThan(60_000);
    });

    test('the script of a job is as it was submitted, of a task that waits, too; of no job there is none', async () => {
      const { port, submit } = of();
      const ref = await submit({});
      expect(await port.script(Number(ref))).toMatch(/^#!\/bin\/sh\n/);
      const array = await submit({ array: '1-3' });
      const task = await jobOf(of(), jobRef(`${array}_2`));
      expect(await port.script(task.id)).toMatch(/^#!\/bin\/sh\n/);
      expect(await port.script(Number(neverWas))).toBeUndefined();
      expect(await faultIn(port.script(0))).toBe('invalid');
    });

    test('how a job was submitted is what sbatch was called with, or is not known; of no job it is not', async () => {
      const { port, submit } = of();
      const ref = await submit({});
      expect(await port.submitLine(Number(ref))).toSatisfy(
        (line: string | undefined) => line === undefined || /^(\S*\/)?sbatch( |$)/.test(line),
      );
      expect(await port.submitLine(Number(neverWas))).toBeUndefined();
      expect(await faultIn(port.submitLine(0))).toBe('invalid');
    });

    test('the same job in full says the same and more', async () => {
      const { submit } = of();
      const ref = await submit({
        tasks: 3,
        cpusPerTask: 2,
        memory: { per: 'cpu', mib: 150 },
        comment: 'mine',
      });
      const { name, submitAt, cpus, timeLimitMs, partition } = await inQueue(ref);
      expect(await jobOf(of(), ref)).toMatchObject({
        ...{ name, submitAt, cpus, timeLimitMs, partition },
        uid: 2001,
        gid: 2001,
        comment: 'mine',
        adminComment: '',
        memory: { per: 'cpu', mib: 150 },
        tasks: 3,
        cpusPerTask: 2,
        exclusive: false,
        requeue: true,
        nice: 0,
        exitCode: { code: 0, signal: 0 },
      });
    });

    test('partitions and nodes, each node once', async () => {
      const { port, partitions } = of();
      const seen = await port.snapshot();
      const up = Object.fromEntries(seen.partitions.map((p) => [p.name, p.up]));
      expect(up).toMatchObject({
        [partitions.home]: true,
        [partitions.explicit]: false,
        [partitions.wait]: false,
        [partitions.burst]: true,
      });
      expect(new Set(seen.nodes.map((n) => n.name)).size).toBe(seen.nodes.length);
      const burst = seen.nodes.filter((n) => n.partitions.includes(partitions.burst));
      expect(burst.length).toBeGreaterThan(0);
      expect(burst.every((n) => n.partitions.includes(partitions.wait) && n.cpus > 0)).toBe(true);
    });

    test('an array that waits is one job; each of its tasks can be looked at', async () => {
      const { submit, port } = of();
      const ref = await submit({ array: '3-5,9%2' });
      expect(await inQueue(ref)).toMatchObject({ arrayJobId: Number(ref), arrayTask: '3-5,9%2' });
      const task = await jobOf(of(), jobRef(`${ref}_9`));
      expect(task).toMatchObject({ ref: `${ref}_9`, arrayJobId: Number(ref), arrayTask: '9' });
      expect(await port.job(jobRef(`${ref}_7`))).toBeUndefined();
    });

    test('a name and a comment that spell other jobs are a name and a comment', async () => {
      const { submit } = of();
      const name =
        'x UserId=root(0) GroupId=root(0) Partition=burst NumNodes=9-9 MinMemoryNode=9M Command=/x WorkDir=/';
      const comment = 'Comment=y\nJobId=1 JobName=z UserId=root(0) TimeLimit=UNLIMITED';
      const ref = await submit({ name: `${name}\nJobId=1 JobName=${name}`, comment, timeMin: 4 });
      expect(await inQueue(ref)).toMatchObject({ user: 'alice', timeLimitMs: 240_000 });
      expect(await jobOf(of(), ref)).toMatchObject({
        name: `${name}\nJobId=1 JobName=${name}`,
        comment,
        uid: 2001,
        timeLimitMs: 240_000,
        minNodes: 1,
        maxNodes: undefined,
      });
    });

    test('a held job, and one that depends on another', async () => {
      const { submit, partitions, eventually } = of();
      const held = await submit({ held: true });
      const after = await submit({ after: held, partition: partitions.home });
      expect(await inQueue(held)).toMatchObject({ priority: 0, reason: 'JobHeldUser' });
      expect((await inQueue(after)).dependency).toContain(held);
      await eventually('the reason to show', async () => (await inQueue(after)).reason === 'Dependency');
    });

    test('a begin time and a deadline, and a job without them', async () => {
      const { submit, now } = of();
      const minute = 60_000;
      const ref = await submit({ beginMin: 60, deadlineMin: 240, timeMin: 7 });
      const waits = await inQueue(ref);
      const { submitAt, eligibleAt, deadlineAt } = waits;
      expect(Math.abs((eligibleAt ?? 0) - now() - 60 * minute)).toBeLessThan(minute);
      expect(Math.abs((deadlineAt ?? 0) - now() - 240 * minute)).toBeLessThan(minute);
      expect(await jobOf(of(), ref)).toMatchObject({ submitAt, eligibleAt, deadlineAt });
      const plain = await inQueue(await submit({}));
      expect(plain.deadlineAt).toBeUndefined();
      expect(plain.eligibleAt ?? 0).toBeLessThan(now() + minute);
    });

    test('the components of a heterogeneous job are marked', async () => {
      const ref = await of().submit({ het: true });
      expect(await inQueue(ref)).toMatchObject({ hetJob: true });
    });

    test('the range of nodes is what was asked for', async () => {
      const { submit } = of();
      const ref = await submit({ nodes: '1-4' });
      expect(await inQueue(ref)).toMatchObject({ minNodes: 1 });
      expect(await jobOf(of(), ref)).toMatchObject({ minNodes: 1, maxNodes: 4 });
      const bare = await submit({ tasks: 2 });
      expect(await jobOf(of(), bare)).toMatchObject({ minNodes: 1, maxNodes: undefined });
    });

    test('what never was is unknown to slurmctld and has no runs', async () => {
      const { port } = of();
      expect(await port.job(neverWas)).toBeUndefined();
      expect(await port.accounting(neverWas)).toEqual([]);
    });

    test('the cluster’s facts', async () => {
      const { port, partitions } = of();
      const facts = await port.facts();
      expect(facts.version).toMatch(/^\d\d\.\d\d/);
      expect(facts.killWaitMs).toBeGreaterThan(0);
      expect(facts.minJobAgeMs).toBeGreaterThan(0);
      expect(facts.enforced).toEqual(['associations', 'limits', 'qos']);
      expect(facts.partitions.map((p) => p.qos)).toEqual(facts.partitions.map(() => undefined));
      expect(facts.partitions.map((p) => p.name)).toEqual(expect.arrayContaining(Object.values(partitions)));
    });

    test('the minutes that associations and QOS may use, where any are limited', async () => {
      for (const { of: whose, tres } of await of().port.minutesLimits()) {
        expect(whose).toMatch(/^(account|user|QOS) ./);
        expect(tres).toMatch(/^[a-z/]+=\d+/);
      }
    });

    test('the limits of a QOS, where any are set, and that there is none of a name', async () => {
      const { port } = of();
      expect(await port.qosLimits('normal')).toEqual({});
      const fault = (name: string) => port.qosLimits(name).then(() => 'found', faultOf);
      expect(await fault('no-such-qos')).toBe('not_found');
      expect(await fault('a b')).toBe('invalid');
    });

    test('the account is an Operator', async () => {
      expect(await of().port.whoami()).toEqual({ user: 'spillway', adminLevel: 'Operator' });
    });

    test('a way that is cut: not seen, never "gone"; and it comes back', async () => {
      const { port, reach, submit, eventually } = of();
      const ref = await submit({});
      await port.job(ref);
      await reach(false);
      expect(await faultIn(port.job(ref))).toBe('unreachable');
      expect(await faultIn(port.snapshot())).toBe('unreachable');
      expect(await faultIn(port.accounting(ref))).toBe('unreachable');
      await reach(true);
      await eventually('the port to see again', async () => (await port.job(ref))?.ref === ref);
    });
  });
}
