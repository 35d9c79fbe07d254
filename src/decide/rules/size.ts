import type { OfferedGroup, Rule } from '../rule.ts';

/** The group whose largest type holds this many Slurm CPUs; the exact request is checked again with the job in full. */
export function groupFor(cpus: number, groups: readonly OfferedGroup[]): OfferedGroup | undefined {
  return groups.find(({ group, types }) =>
    types.some((t) => cpus * group.vcpuPerCpu * 1000 <= t.vcpus * 1000 - group.overhead.cpuMillis),
  );
}

export const size: Rule = {
  name: 'size',
  otherwise: 'never',
  judge({ job, groups }) {
    const names = groups.map((g) => g.group.name).join(', ');
    return {
      pass: groupFor(job.cpus, groups) !== undefined,
      measured: `${job.cpus} CPUs`,
      limit: `fits a node of ${names === '' ? 'a node group (none is configured)' : names}`,
    };
  },
};
