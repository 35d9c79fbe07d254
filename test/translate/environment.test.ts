import { describe, expect, it } from 'vitest';
import { startFor } from '../../src/translate/index.ts';
import { burst } from './samples.ts';

/** As the protocol says: drop by glob, then set. */
function applied(before: Readonly<Record<string, string>>, partition = 'batch'): Record<string, string> {
  const one = burst();
  const edit = startFor({
    burst: { ...one, saved: { ...one.saved, partition } },
    node: 'ip-10-0-0-7.ec2.internal',
  });
  const globs = edit.drop.map(
    (glob) =>
      new RegExp(
        `^${glob
          .replace(/[.+^${}()|[\]\\]/g, '\\$&')
          .replaceAll('*', '.*')
          .replaceAll('?', '.')}$`,
      ),
  );
  const kept = Object.entries(before).filter(([name]) => !globs.some((glob) => glob.test(name)));
  return { ...Object.fromEntries(kept), ...edit.set };
}

describe('the environment in the pod', () => {
  it('keeps what is the user’s and what holds of the job', () => {
    const kept = {
      HOME: '/home/alice',
      PATH: '/opt/bin:/usr/bin',
      LD_PRELOAD: '/opt/lib/trace.so',
      LD_LIBRARY_PATH: '/opt/lib',
      TMPDIR: '/scratch/alice',
      SSH_AUTH_SOCK: '/tmp/agent.1',
      OMP_NUM_THREADS: '4',
      PMIX_MCA_gds: 'hash',
      SLURM_JOB_ID: '4711',
      SLURM_JOBID: '4711',
      SLURM_SUBMIT_DIR: '/home/alice',
      SLURM_SUBMIT_HOST: 'login1',
      SLURM_ARRAY_TASK_ID: '3',
      SLURM_RESTART_COUNT: '1',
      SLURM_CPUS_ON_NODE: '8',
      SLURM_JOB_CPUS_PER_NODE: '8',
      SLURM_MEM_PER_NODE: '8192',
      SLURM_CLUSTER_NAME: 'hpc1',
      SLURM_PROCID: '0',
      'a.b+c(d)': 'odd',
    };
    expect(applied(kept)).toMatchObject(kept);
  });

  it('drops what is true only of the virtual node', () => {
    const after = applied({
      SLURMD_DEBUG: '2',
      SLURM_CONF: '/var/lib/spillway/slurm.conf',
      SLURM_SCRIPT_CONTEXT: 'prolog_task',
      SLURM_TOPOLOGY_ADDR_PATTERN: 'switch.node',
      SLURM_CPU_BIND_LIST: '0x1',
      PMI_FD: '9',
      CUDA_VISIBLE_DEVICES: '2,3',
      SLURM_JOB_GPUS: '2,3',
    });
    expect(Object.keys(after).sort()).toEqual([
      'HOSTNAME',
      'SLURMD_NODENAME',
      'SLURM_JOB_NODELIST',
      'SLURM_JOB_PARTITION',
      'SLURM_NODELIST',
      'SLURM_TOPOLOGY_ADDR',
      'SLURM_TOPOLOGY_ADDR_PATTERN',
      'SPILLWAY',
      'SPILLWAY_BURST',
    ]);
  });

  it('calls the node as the pod calls itself, and the partition as the user did', () => {
    const after = applied({ SLURM_JOB_NODELIST: 'c7', SLURMD_NODENAME: 'c7', SLURM_JOB_PARTITION: 'burst' });
    expect(after).toMatchObject({
      SLURM_JOB_NODELIST: 'ip-10-0-0-7',
      SLURM_NODELIST: 'ip-10-0-0-7',
      SLURMD_NODENAME: 'ip-10-0-0-7',
      SLURM_TOPOLOGY_ADDR: 'ip-10-0-0-7',
      SLURM_TOPOLOGY_ADDR_PATTERN: 'node',
      HOSTNAME: 'ip-10-0-0-7',
      SLURM_JOB_PARTITION: 'batch',
      SPILLWAY: '1',
      SPILLWAY_BURST: burst().id,
    });
    expect(applied({}, 'long,batch').SLURM_JOB_PARTITION).toBe('long');
  });
});
