import type { Job } from '../../domain/job.ts';
import type { OfferedGroup, ShapeRule } from '../rule.ts';

type Sized = Pick<Job, 'cpus' | 'minNodes'>;

/** Slurm CPUs of one of its nodes: the pods of a job are all alike. */
export const cpusOfNode = ({ cpus, minNodes }: Sized): number => Math.ceil(cpus / Math.max(1, minNodes));

/**
 * The group whose largest type holds this many Slurm CPUs, and that may have as many instances as the job has nodes; the exact request is
 * checked again with the job in full.
 */
export const groupFor = (job: Sized, groups: readonly OfferedGroup[]): OfferedGroup | undefined =>
  groups.find((g) => holds(g, cpusOfNode(job)) && job.minNodes <= g.group.max);

/** Whether one node of the job finds a type in any group, whatever the group's maximum. */
export const heldBy = (job: Sized, groups: readonly OfferedGroup[]): readonly OfferedGroup[] =>
  groups.filter((g) => holds(g, cpusOfNode(job)));

const holds = ({ group, types }: OfferedGroup, cpus: number): boolean =>
  types.some((t) => cpus * group.vcpuPerCpu * 1000 <= t.vcpus * 1000 - group.overhead.cpuMillis);

export const size: ShapeRule = {
  name: 'size',
  of: 'shape',
  otherwise: 'never',
  key: ({ cpus, minNodes }) => (minNodes <= 1 ? cpus : `${cpus}/${minNodes}`),
  judge({ job, groups, snapshot, setup }) {
    const names = groups.map((g) => g.group.name).join(', ');
    // A job of many tasks may say one node and mean more: the virtual nodes have the on-prem shape, and it gets one of them.
    const virtual = snapshot.nodes
      .filter((n) => n.partitions.includes(setup.burstPartition))
      .map((n) => n.cpus);
    const most = virtual.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...virtual);
    return {
      pass: cpusOfNode(job) <= most && heldBy(job, groups).length > 0,
      measured:
        job.minNodes <= 1 ? `${job.cpus} CPUs` : `${cpusOfNode(job)} CPUs on each of ${job.minNodes} nodes`,
      limit: `fits ${virtual.length === 0 ? '' : `a virtual node of ${most} CPUs and `}a node of ${names === '' ? 'a node group (none is configured)' : names}`,
    };
  },
};
