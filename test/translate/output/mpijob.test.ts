/** A script as an MPIJob. */
import { describe, expect, it } from 'vitest';
import { mpijobOutput } from '../../../src/translate/output/mpijob.ts';
import { objectOf, outputInput, type Template } from './samples.ts';

interface Replicas {
  readonly replicas: number;
  readonly restartPolicy: string;
  readonly template: Template;
}

describe('an MPI job of two nodes and eight tasks', () => {
  const output = mpijobOutput(outputInput({ nodes: 2, tasks: 8 }));
  const job = objectOf(output, 'MPIJob');
  const { Launcher, Worker } = job.spec.mpiReplicaSpecs as Readonly<Record<string, Replicas>>;

  it('has a worker for each node, with its share of the tasks', () => {
    expect(job.spec.slotsPerWorker).toBe(4);
    expect(Worker).toMatchObject({ replicas: 2, restartPolicy: 'Never' });
    expect(Worker?.template.spec.containers[0]).toMatchObject({
      command: expect.arrayContaining(['/usr/sbin/sshd', '-De', 'HostKey=/spillway-ssh/id_rsa']),
      resources: { requests: { 'nvidia.com/gpu': '1' } },
    });
  });

  it('runs the script in the launcher, once, when the workers are ready', () => {
    expect(Launcher).toMatchObject({ replicas: 1, restartPolicy: 'Never' });
    expect(Launcher?.template.spec.containers[0]?.command).toEqual(['/spillway/job.sh']);
    expect(JSON.stringify(Launcher)).not.toContain('nvidia');
    expect(job.spec).toMatchObject({
      launcherCreationPolicy: 'WaitForWorkersReady',
      runPolicy: { backoffLimit: 0, cleanPodPolicy: 'Running', activeDeadlineSeconds: 3600 },
    });
  });

  it('keeps its keys off the shared file systems', () => {
    expect(job.spec.sshAuthMountPath).toBe('/spillway-ssh');
    expect(Launcher?.template.spec.containers[0]?.env).toContainEqual({
      name: 'OMPI_MCA_plm_rsh_agent',
      value: expect.stringContaining('-i /spillway-ssh/id_rsa'),
    });
  });

  it('says what its image needs, and that there is no srun', () => {
    const told = output.cannot.join('\n');
    expect(told).toContain('a name for uid 2001 in its /etc/passwd');
    expect(told).toContain('there is no srun');
  });
});

it('an array is refused', () => {
  const array = { indices: [1], throttle: undefined };
  expect(() => mpijobOutput(outputInput({ array }))).toThrow('it is an array');
});
