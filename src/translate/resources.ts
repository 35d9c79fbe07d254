import type { JobDetail } from '../domain/job.ts';
import { MiB, type Resources } from '../domain/resources.ts';
import type { PerGpu } from './asks.ts';

export interface NeedsInput {
  readonly job: Pick<JobDetail, 'cpus' | 'memory' | 'exclusive'>;
  /** How many nodes the job is pinned to. */
  readonly nodes: number;
  /** One node of the shape that the job would have had on-prem. */
  readonly node: { readonly cpus: number; readonly memoryMib: number };
  /** A Slurm CPU is often a core and a cloud vCPU a hyper-thread: 2 at many sites. */
  readonly vcpuPerCpu: number;
  /** 1 unless a test machine is to hold more jobs than it has memory for; then no limit may be set by it. */
  readonly memoryFactor?: number;
  readonly extended?: Readonly<Record<string, number>>;
  readonly perGpu?: PerGpu | undefined;
}

/** What the pod of one node requests, in the cloud's vCPU. */
export function needsOf({
  job,
  nodes,
  node,
  vcpuPerCpu,
  memoryFactor = 1,
  extended = {},
  perGpu,
}: NeedsInput): Resources {
  // An exclusive job is given every CPU of its node, whatever it asked for, and memory per CPU counts for each of them.
  const cpus = job.exclusive
    ? node.cpus
    : Math.max(Math.ceil(job.cpus / Math.max(1, nodes)), (perGpu?.cpus ?? 0) * (perGpu?.gpus ?? 0));
  const { per, mib } =
    perGpu?.memoryMib === undefined
      ? job.memory
      : { per: 'node' as const, mib: perGpu.memoryMib * perGpu.gpus };
  // `--mem=0` means the whole node.
  const memoryMib = mib === 0 ? node.memoryMib : per === 'node' ? mib : mib * cpus;
  return {
    cpuMillis: Math.max(1, Math.ceil(cpus * vcpuPerCpu * 1000)),
    memoryBytes: Math.max(1, Math.ceil(memoryMib * memoryFactor)) * MiB,
    extended,
  };
}
