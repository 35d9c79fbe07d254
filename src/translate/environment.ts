/**
 * The job's environment in the pod: Slurm's, minus what cannot hold there. What is just as false on an on-prem
 * node (an SSH_AUTH_SOCK of the login host) stays, so that a script sees what it would have seen.
 */
import type { Burst } from '../domain/burst.ts';
import type { Devices } from '../domain/devices.ts';
import { gpusOf } from './gpus.ts';
import { compressHosts } from './hostlist.ts';
import { hostNameFor } from './names.ts';

export interface StartInput {
  readonly burst: Pick<Burst, 'id' | 'saved' | 'needs'>;
  /** Of its node group; undefined: it has none. */
  readonly devices?: Devices | undefined;
  /** The Kubernetes nodes that the job's pods run on, by rank. */
  readonly nodes: readonly string[];
  /** Of the pod that this is for. */
  readonly rank: number;
}

/** `drop` holds globs of names (`*`, `?`); `set` comes after it. */
export interface EnvironmentEdit {
  readonly drop: readonly string[];
  readonly set: Readonly<Record<string, string>>;
}

interface Named {
  readonly names: readonly string[];
  readonly why: string;
}

export const dropped: readonly Named[] = [
  { names: ['SLURMD_*'], why: "the virtual node's daemon, which is not where the script runs" },
  { names: ['SLURM_CONF'], why: "a path of the burst host's own configuration" },
  { names: ['SLURM_TOPOLOGY_*'], why: "the virtual node's place in the network" },
  {
    names: ['SLURM_SCRIPT_CONTEXT'],
    why: 'says "prolog_task": left over from the hand-over, absent in a job',
  },
  { names: ['SLURM_CPU_BIND*', 'SLURM_MEM_BIND*'], why: "masks of the virtual node's CPUs" },
  {
    names: ['SLURM_SRUN_COMM_*', 'SLURM_STEP_LAUNCHER_PORT', 'SLURM_LAUNCH_NODE_IPADDR'],
    why: 'where an srun listened that the pod cannot reach',
  },
  {
    names: ['PMI_FD', 'PMI_PORT', 'PMIX_SERVER_*', 'PMIX_NAMESPACE', 'PMIX_RANK'],
    why: 'file descriptors and sockets of a launcher elsewhere: an MPI program would wait for it instead of starting alone',
  },
  { names: ['HIP_VISIBLE_DEVICES', 'SLURM_STEP_GPUS'], why: "indices of the virtual node's GPUs" },
];

/** Indices of the virtual node's GPUs; of a pod's own, they are counted anew. */
export const renumbered: Named = {
  names: [
    'SLURM_JOB_GPUS',
    'CUDA_VISIBLE_DEVICES',
    'GPU_DEVICE_ORDINAL',
    'ROCR_VISIBLE_DEVICES',
    'ZE_AFFINITY_MASK',
  ],
  why: "`0,1,…`, as many as the pod has, for its device plugin shows it those alone: SLURM_JOB_GPUS, and what its vendor's programs look at (of NVIDIA and whoever is not known CUDA_VISIBLE_DEVICES and GPU_DEVICE_ORDINAL; of AMD ROCR_VISIBLE_DEVICES and GPU_DEVICE_ORDINAL; of Intel ZE_AFFINITY_MASK). Absent where the pod has parts of GPUs (MIG, time slices) or ResourceClaims, whose numbers the runtime alone knows",
};

/** What only the agent knows, in the process that becomes the script. [agent/podhere.go, agent/podenviron.go] */
export const byAgent: readonly Named[] = [
  { names: ['SLURM_TASK_PID'], why: "the script's own process id, as the pod counts" },
  {
    names: ['TMPDIR', 'SLURM_TMPDIR'],
    why: "as they were; a directory that the site's prolog makes on its nodes is made in the pod, or is /tmp there",
  },
  { names: ['PATH'], why: '`/spill-bin` comes first, where our srun and scontrol are' },
  { names: ['_'], why: "where a shell found what it runs: of a step, our srun's path" },
  {
    names: ['PMI_RANK', 'PMI_SIZE', 'PMI_JOBID', 'PMI_FD'],
    why: "of a step, unless it says `--mpi=none`: our srun always offers PMI, where on-prem it is the site's MpiDefault that decides",
  },
  { names: ['SPILL_TEAM'], why: 'where our srun finds what it needs to reach the pods of the job' },
  {
    names: ['OMPI_MCA_plm*', 'PRTE_MCA_plm*', 'HYDRA_*', 'I_MPI_HYDRA_*'],
    why: "so that the image's own mpirun reaches the pods of the job without sshd; what the user has set stays",
  },
];

interface Replacement extends Named {
  readonly to: (input: StartInput) => string;
}

const host = ({ nodes, rank }: StartInput): string => hostNameFor(nodes[rank] ?? 'node');

export const replaced: readonly Replacement[] = [
  {
    names: ['SLURM_JOB_NODELIST', 'SLURM_NODELIST'],
    to: ({ nodes }) => compressHosts(nodes.map(hostNameFor)),
    why: "the pods' host names by rank, the script's first, as each pod's `hostname` says it, so that a launcher knows its machines",
  },
  {
    names: ['SLURMD_NODENAME', 'SLURM_TOPOLOGY_ADDR', 'HOSTNAME'],
    to: host,
    why: 'what `hostname` says in the pod',
  },
  {
    names: ['SLURM_NODEID'],
    to: ({ rank }) => `${rank}`,
    why: "the pod's place in the job",
  },
  {
    names: ['SLURM_TOPOLOGY_ADDR_PATTERN'],
    to: () => 'node',
    why: 'what Slurm says of a node without switches',
  },
  {
    names: ['SLURM_JOB_PARTITION'],
    // Of a list Slurm names the one that it chose; the job never was in one, so the first.
    to: ({ burst }) => burst.saved.partition.split(',')[0] ?? burst.saved.partition,
    why: "the user's partition; `burst` is where the gateway moved the job to",
  },
  { names: ['SPILLWAY'], to: () => '1', why: 'for scripts that want to know' },
  { names: ['SPILLWAY_BURST'], to: ({ burst }) => burst.id, why: 'what to name when asking about the run' },
];

/** The `env` of START. */
export function startFor(input: StartInput): EnvironmentEdit {
  return {
    drop: [...dropped, renumbered].flatMap(({ names }) => names),
    set: {
      ...Object.fromEntries(replaced.flatMap(({ names, to }) => names.map((name) => [name, to(input)]))),
      ...numbersOf(input),
    },
  };
}

function numbersOf({ burst, devices }: StartInput): Readonly<Record<string, string>> {
  const gpus = gpusOf(burst.needs, devices);
  if (gpus === undefined) return {};
  const indices = Array.from({ length: gpus.count }, (_, at) => at).join(',');
  const ofVendor = {
    amd: ['ROCR_VISIBLE_DEVICES', 'GPU_DEVICE_ORDINAL'],
    intel: ['ZE_AFFINITY_MASK'],
    other: ['CUDA_VISIBLE_DEVICES', 'GPU_DEVICE_ORDINAL'],
  } as const;
  return Object.fromEntries(['SLURM_JOB_GPUS', ...ofVendor[gpus.vendor]].map((name) => [name, indices]));
}
