/** MPI over the pods of one job: by srun and by the image's own mpirun, and what becomes of a rank and of a node that is lost. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { terminateNode } from '../../lab/real/node.ts';
import {
  as,
  cleanJobs,
  ended,
  endGateway,
  instances,
  killGateways,
  outputOf,
  pods,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  const lost = { onLost: 'requeue', groups: [{ lostAfter: '5s' }] } as const;
  gateway = await startGateway({ idle: '5s', image: 'lab/openmpi:1', max: 6, ...lost });
});
afterEach(cleanJobs);
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

const three = ['-p', 'cloud', '-N', '3', '--ntasks-per-node=2', '-t', '10'];
const script = (...lines: string[]): string => ['#!/bin/bash', ...lines].join('\n');

/** Each rank once, two on each of three hosts, all with the right sum. */
function expectSums(lines: readonly string[]): void {
  const said = lines.filter((line) => line.startsWith('rank '));
  const ranks = said.map((line) => Number(/^rank (\d+) of 6 on \S+: sum 21$/.exec(line)?.[1])).sort();
  expect(ranks).toEqual([0, 1, 2, 3, 4, 5]);
  const hosts = said.map((line) => / on (\S+):/.exec(line)?.[1] ?? '');
  expect(new Set(hosts).size).toBe(3);
  for (const host of new Set(hosts)) expect(hosts.filter((h) => h === host)).toHaveLength(2);
}

describe('MPI over three nodes', { retry: 0 }, () => {
  it('srun starts what wants PMIx, with the layout that the job asked for', async () => {
    const id = await sbatch(
      'alice',
      three,
      script(
        'srun /usr/local/bin/allreduce',
        'echo code $?',
        'srun -l hostname',
        'scontrol show hostnames',
        'id -un',
      ),
    );
    expect(await ended(id, 240_000)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    const lines = outputOf('alice', id).trim().split('\n');
    expectSums(lines);
    expect(lines).toContain('code 0');
    expect(lines).toContain('alice');
    const tasks = lines.filter((line) => /^\d: /.test(line));
    expect(tasks.map((line) => line[0]).sort()).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('mpirun of the image reaches the other pods without sshd, and needs no argument', async () => {
    const id = await sbatch('alice', three, script('mpirun /usr/local/bin/allreduce', 'echo code $?'));
    expect(await ended(id, 240_000)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    const lines = outputOf('alice', id).trim().split('\n');
    expectSums(lines);
    expect(lines).toContain('code 0');
  });

  it('a rank that fails ends all of them, and its exit code is the step’s and the job’s', async () => {
    for (const launcher of ['srun', 'mpirun']) {
      const id = await sbatch('alice', three, script(`exec ${launcher} /usr/local/bin/allreduce 4`));
      expect(await ended(id, 240_000)).toMatchObject({ state: 'FAILED', exit: '3:0' });
    }
  });

  it('a node that is lost in the middle: the whole attempt is ended, and the job runs again from its beginning', async () => {
    const id = await sbatch(
      'alice',
      [...three, '--requeue'],
      script(
        '[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && exec srun /usr/local/bin/allreduce',
        'exec srun /usr/local/bin/allreduce wait',
      ),
    );
    const first = await gateway.reaches(id, ['running']);
    await until(
      'all ranks to have said their sum',
      async () =>
        outputOf('alice', id)
          .split('\n')
          .filter((line) => line.startsWith('rank ')).length === 6,
    );
    expect((await pods()).filter(({ burst }) => burst === first.id)).toHaveLength(3);
    // Not the script's own.
    const lost = outputOf('alice', id)
      .split('\n')
      .map((line) => /^rank [2-5] of 6 on (\S+):/.exec(line)?.[1])
      .find((host) => host !== undefined);
    const instance = (await instances()).find(({ dnsName }) => dnsName.split('.')[0] === lost);
    if (instance === undefined) throw new Error(`no instance of the host ${lost}`);
    await terminateNode(instance.dnsName);
    const second = await until(
      'attempt 2 to be there',
      async () => (await gateway.bursts()).find((b) => b.jobId === Number(id) && b.restarts === 1),
      240_000,
    );
    expect(second.id).not.toBe(first.id);
    expect(await ended(id, 300_000)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    const said = outputOf('alice', id)
      .split('\n')
      .filter((line) => line.startsWith('rank '));
    expectSums(said.slice(-6));
    expect((await as('root', ['squeue', '-h', '-j', id])).stdout).toBe('');
  });
});
