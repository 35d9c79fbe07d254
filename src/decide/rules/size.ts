import type { OfferedGroup, ShapeRule } from '../rule.ts';

/** The group whose largest type holds this many Slurm CPUs; the exact request is checked again with the job in full. */
export function groupFor(cpus: number, groups: readonly OfferedGroup[]): OfferedGroup | undefined {
  return groups.find(({ group, types }) =>
    types.some((t) => cpus * group.vcpuPerCpu * 1000 <= t.vcpus * 1000 - group.overhead.cpuMillis),
  );
}

export const size: ShapeRule = {
  name: 'size',
  of: 'shape',
  otherwise: 'never',
  key: ({ cpus }) => cpus,
  judge({ job, groups, snapshot, setup }) {
    const names = groups.map((g) => g.group.name).join(', ');
    // A job of many tasks may say one node and mean more: the virtual nodes have the on-prem shape, and it gets one of them.
    const virtual = snapshot.nodes
      .filter((n) => n.partitions.includes(setup.burstPartition))
      .map((n) => n.cpus);
    const most = virtual.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...virtual);
    return {
      pass: job.cpus <= most && groupFor(job.cpus, groups) !== undefined,
      measured: `${job.cpus} CPUs`,
      limit: `fits ${virtual.length === 0 ? '' : `a virtual node of ${most} CPUs and `}a node of ${names === '' ? 'a node group (none is configured)' : names}`,
    };
  },
};
