/** e, e3: the race with an on-prem start, exact give-back, and an owner who changes the job in the midst of a claim. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  fillOnPrem,
  inState,
  instances,
  jobFields,
  killGateways,
  lab,
  outputOf,
  pods,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    idle: '5s',
    joinTimeout: '20s',
    backOff: '1h',
    policy: { or: [{ pendingJobs: 1 }] },
  });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

const drainBurst = (): Promise<unknown> =>
  as('root', ['scontrol', 'update', 'nodename=c[1-12]', 'state=drain', 'reason=test']);
const resumeBurst = (): Promise<unknown> =>
  as('root', ['scontrol', 'update', 'nodename=c[1-12]', 'state=resume']);

describe('the start race', { retry: 0 }, () => {
  it('e: a job that starts on-prem while its capacity is provisioned is left alone', async () => {
    const full = await fillOnPrem();
    await lab('fault', 'ec2', 'never-joins', 'on');
    try {
      const id = await sbatch('alice', [
        '-p',
        'batch',
        '-t',
        '5',
        '--wrap',
        'sleep 3; hostname; echo $SLURM_JOB_PARTITION',
      ]);
      await gateway.reaches(id, ['provisioning', 'reserved']);
      await full.release();
      expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0', partition: 'batch' });
      const burst = await gateway.reaches(id, ['started_onprem']);
      expect(burst.cause).toMatchObject({ kind: 'started_onprem' });
      expect(burst.cause?.text).toMatch(/left alone/);
      expect(outputOf('alice', id)).toContain('batch');
    } finally {
      await lab('fault', 'ec2', 'never-joins', 'off');
      await full.release();
      // What never joined is given up, so that nobody after this waits for it, however this ends.
      await until('the instance to go', async () => (await instances()).length === 0, 90_000);
    }
  });
});

describe('give-back', { retry: 0 }, () => {
  it('e3: is exact: priority, nice, AccrueTime, partition list, comment, time limit, memory, node count', async () => {
    const full = await fillOnPrem();
    await drainBurst();
    try {
      const args = [
        '-p',
        'batch,cloud',
        '--nice=17',
        '--comment',
        'my own words',
        '-N',
        '1-2',
        '-t',
        '9',
        '--mem-per-cpu',
        '123',
      ];
      const id = await sbatch('alice', [...args, '--wrap', 'true']);
      const bare = await sbatch('alice', ['-p', 'batch', '--wrap', 'true']);
      const boosted = await sbatch('alice', ['-p', 'batch', '-t', '4', '--wrap', 'true']);
      await as('root', ['scontrol', 'update', `jobid=${boosted}`, 'priority=424242']);
      const keys = [
        'Priority',
        'Nice',
        'AccrueTime',
        'Partition',
        'Comment',
        'TimeLimit',
        'MinMemoryCPU',
        'MinMemoryNode',
        'NumNodes',
        'NumCPUs',
        'TRES',
        'Account',
        'QOS',
        'SubmitTime',
        'EligibleTime',
      ];
      const facts = async (job: string): Promise<Record<string, string | undefined>> => {
        const seen = await jobFields(job);
        // An age-weighed priority grows with time by itself: for the boosted job it must be the admin's own.
        const told = keys.filter((k) => k !== 'Priority' || job === boosted).map((k) => [k, seen?.[k]]);
        // Of a range the lower end is slurmctld's guess of where the job would fit now; what was asked for is the `node=` of its TRES.
        const most = seen?.NumNodes?.split('-').at(-1);
        return { ...Object.fromEntries(told), NumNodes: most };
      };
      const before = new Map<string, Record<string, string | undefined>>();
      for (const job of [id, bare, boosted]) {
        await until(
          `job ${job} to accrue age`,
          async () => (await jobFields(job))?.AccrueTime !== 'Unknown',
          30_000,
        );
        before.set(job, await facts(job));
        expect(before.get(job)?.Partition, 'read before the claim').not.toBe('burst');
      }
      for (const job of [id, bare, boosted]) await gateway.reaches(job, ['placed'], 120_000);
      // No virtual node will start them: after two minutes they go back.
      for (const job of [id, bare, boosted]) {
        const burst = await gateway.reaches(job, ['returned'], 200_000);
        expect(burst.cause?.kind).toBe('no_standin');
        expect(await facts(job), job).toEqual(before.get(job));
      }
      // Within the back-off it is not claimed again.
      const again = (await gateway.bursts()).filter((b) => [id, bare, boosted].includes(b.job));
      expect(again.map((b) => b.state)).toEqual(['returned', 'returned', 'returned']);
      expect(await pods()).toEqual([]);
      await as('root', ['scancel', id, bare, boosted]);
    } finally {
      await resumeBurst();
      await full.release();
    }
  });

  it("e3: the owner's update, requeue, move and hold in the midst of a claim each end well", async () => {
    const full = await fillOnPrem();
    try {
      await lab('fault', 'ec2', 'never-joins', 'on');
      const held = await sbatch('alice', ['-p', 'cloud', '-t', '5', '--wrap', 'true']);
      const moved = await sbatch('alice', ['-p', 'cloud', '-t', '5', '--wrap', 'true']);
      const changed = await sbatch('alice', ['-p', 'cloud', '-t', '8', '--wrap', 'true']);
      for (const job of [held, moved, changed]) await gateway.reaches(job, ['provisioning']);
      await as('alice', ['scontrol', 'hold', held]);
      await as('alice', ['scontrol', 'update', `jobid=${moved}`, 'partition=batch', 'dependency=singleton']);
      await as('alice', ['scontrol', 'update', `jobid=${changed}`, 'timelimit=3']);
      await lab('fault', 'ec2', 'never-joins', 'off');
      // The instance that never joins is replaced only when it is given up, so the shortened job goes with a second burst.
      for (const job of [held, moved]) {
        const burst = await gateway.reaches(job, ['withdrawn', 'returned'], 200_000);
        expect(['owner_changed', 'no_capacity']).toContain(burst.cause?.kind);
      }
      expect((await jobFields(held))?.JobState).toBe('PENDING');
      expect((await jobFields(held))?.Partition).toBe('cloud');
      expect((await jobFields(changed))?.TimeLimit).toBe('00:03:00');
      await as('root', ['scancel', held, moved, changed]);

      await drainBurst();
      const requeued = await sbatch('alice', ['-p', 'cloud', '-t', '5', '--wrap', 'true']);
      const taken = await sbatch('alice', ['-p', 'cloud', '-t', '5', '--wrap', 'true']);
      for (const job of [requeued, taken]) await gateway.reaches(job, ['placed'], 120_000);
      // A pending job cannot be requeued, and its owner may take a claimed one back.
      await as('alice', ['scontrol', 'requeue', requeued]);
      await as('alice', ['scontrol', 'update', `jobid=${taken}`, 'partition=cloud']);
      expect((await gateway.reaches(taken, ['withdrawn'])).cause?.kind).toBe('owner_changed');
      expect((await jobFields(taken))?.Partition).toBe('cloud');
      await resumeBurst();
      await inState(requeued, 'COMPLETED', 120_000);
      expect(await ended(requeued)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
      await as('root', ['scancel', taken]);
    } finally {
      await lab('fault', 'ec2', 'never-joins', 'off');
      await resumeBurst();
      await full.release();
    }
    await until(
      'no claim to be left',
      async () => !(await as('root', ['squeue', '-h', '-p', 'burst,burst_wait'])).stdout.trim(),
    );
  });
});
