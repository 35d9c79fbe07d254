import { describe, expect, it } from 'vitest';
import { expandHosts, startFor, teamOf, teamPort } from '../../src/translate/index.ts';
import { burst } from './samples.ts';

/** As the protocol says: drop by glob, then set. */
function applied(before: Readonly<Record<string, string>>, partition = 'batch'): Record<string, string> {
  const one = burst();
  const edit = startFor({
    burst: { ...one, saved: { ...one.saved, partition } },
    nodes: ['ip-10-0-0-7.ec2.internal'],
    rank: 0,
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

describe('of a job of several nodes', () => {
  const nodes = ['ip-10-0-0-7.ec2.internal', 'ip-10-0-0-8.ec2.internal', 'ip-10-0-0-12.ec2.internal'];
  const of = (rank: number) => startFor({ burst: burst(), nodes, rank }).set;

  it('each pod knows all of them, the first first, and itself by its own name and place', () => {
    for (const rank of [0, 1, 2])
      expect(of(rank)).toMatchObject({
        SLURM_JOB_NODELIST: 'ip-10-0-0-[7-8,12]',
        SLURM_NODELIST: 'ip-10-0-0-[7-8,12]',
        SLURM_NODEID: `${rank}`,
        HOSTNAME: `ip-10-0-0-${[7, 8, 12][rank]}`,
        SLURMD_NODENAME: `ip-10-0-0-${[7, 8, 12][rank]}`,
      });
  });

  it('how many nodes and tasks it has stays Slurm’s word', () => {
    const set = Object.keys(of(0));
    for (const name of ['SLURM_NNODES', 'SLURM_JOB_NUM_NODES', 'SLURM_NTASKS', 'SLURM_TASKS_PER_NODE'])
      expect(set).not.toContain(name);
  });

  it('the team is told by rank, with the names that the host list has', () => {
    const team = teamOf(
      1,
      nodes.map((node, i) => ({ node, address: `10.8.0.${i}` })),
    );
    expect(team).toMatchObject({ rank: 1, port: teamPort });
    expect(team.hosts.map((h) => h.name)).toEqual(expandHosts(of(1).SLURM_JOB_NODELIST ?? ''));
    expect(team.hosts[2]).toEqual({ name: 'ip-10-0-0-12', address: '10.8.0.2' });
  });
});

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
      'SLURM_NODEID',
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

describe('the GPUs in the pod', () => {
  const offer = (name: string, kind: 'resource' | 'claim' = 'resource') => ({
    ...{ kind, name, perNode: 8, perGpu: 1, always: 0 },
  });
  const devices = {
    'gpu:a100': offer('nvidia.com/gpu'),
    'gpu:h100': offer('nvidia.com/gpu'),
    'gpu:a100_1g.5gb': offer('nvidia.com/mig-1g.5gb'),
    'gpu:slice': offer('nvidia.com/gpu.shared'),
    'gpu:2g.10gb': offer('example.org/slice'),
    'gpu:mi300': offer('amd.com/gpu'),
    'gpu:max': offer('gpu.intel.com/i915'),
    'gpu:site': offer('example.org/a100'),
    'gpu:dra': offer('gpu-template', 'claim'),
    nic: offer('rdma/nic'),
  };
  const of = (extended: Readonly<Record<string, number>>, given: typeof devices | undefined = devices) => {
    const one = burst();
    const { set, drop } = startFor({
      burst: { ...one, needs: { ...one.needs, extended } },
      ...{ nodes: ['node'], rank: 0, devices: given },
    });
    // The virtual node's own numbers are left out whatever follows.
    expect(drop).toEqual(
      expect.arrayContaining(['CUDA_VISIBLE_DEVICES', 'SLURM_JOB_GPUS', 'SLURM_STEP_GPUS']),
    );
    return Object.entries(set)
      .filter(([name]) => /GPU|DEVICES|ZE_|ORDINAL/.test(name))
      .map(([name, value]) => `${name}=${value}`)
      .sort();
  };

  it('are counted from 0 on, where the pod has whole ones, by the variables of their vendor', () => {
    const nvidia = (n: string) => [
      `CUDA_VISIBLE_DEVICES=${n}`,
      `GPU_DEVICE_ORDINAL=${n}`,
      `SLURM_JOB_GPUS=${n}`,
    ];
    expect(of({ 'nvidia.com/gpu': 1 })).toEqual(nvidia('0'));
    expect(of({ 'nvidia.com/gpu': 4 })).toEqual(nvidia('0,1,2,3'));
    expect(of({ 'example.org/a100': 2, 'rdma/nic': 8 })).toEqual(nvidia('0,1'));
    expect(of({ 'amd.com/gpu': 2 })).toEqual([
      ...['GPU_DEVICE_ORDINAL=0,1', 'ROCR_VISIBLE_DEVICES=0,1', 'SLURM_JOB_GPUS=0,1'],
    ]);
    expect(of({ 'gpu.intel.com/i915': 1 })).toEqual(['SLURM_JOB_GPUS=0', 'ZE_AFFINITY_MASK=0']);
  });

  it.each([
    ['none', {}],
    ['other devices', { 'rdma/nic': 2 }],
    ['slices of MIG', { 'nvidia.com/mig-1g.5gb': 2 }],
    ['slices by another name', { 'example.org/slice': 2 }],
    ['shares of one', { 'nvidia.com/gpu.shared': 2 }],
    ['whole ones and slices', { 'nvidia.com/gpu': 1, 'nvidia.com/mig-1g.5gb': 1 }],
    ['claims', { 'claim:gpu-template': 1 }],
  ])('are not numbered by us: %s', (_, extended) => {
    expect(of(extended as Readonly<Record<string, number>>)).toEqual([]);
  });

  it('are not numbered where its group is no longer configured', () => {
    expect(of({ 'nvidia.com/gpu': 2 }, {} as typeof devices)).toEqual([]);
  });
});
