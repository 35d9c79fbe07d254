import { devicesFor } from '../../domain/devices.ts';
import { fits } from '../../domain/resources.ts';
import { podCapacity } from '../plan.ts';
import type { OfferedGroup, ShapeRule } from '../rule.ts';
import { type Asking, lacks, leastGres } from '../suits.ts';

/** The first group that has what the job asks for and a type that holds it; the exact request is checked again with the job in full. */
export function groupFor(job: Asking, groups: readonly OfferedGroup[]): OfferedGroup | undefined {
  return groups.find((offered) => lacks(job, offered.group) === undefined && holds(job, offered));
}

/** Of its line alone: the line does not tell memory. */
function holds(job: Asking, { group, types }: OfferedGroup): boolean {
  const cpuMillis = job.cpus * group.vcpuPerCpu * 1000;
  // Most jobs of a hundred thousand ask for nothing else.
  if ((job.gres ?? '') === '' && group.devices === undefined)
    return types.some((t) => cpuMillis <= t.vcpus * 1000 - group.overhead.cpuMillis);
  const asked = leastGres(job);
  const devices = asked.kind === 'told' ? devicesFor(asked.value, group) : asked;
  if (devices.kind === 'untold') return false;
  const least = { cpuMillis, memoryBytes: 0, extended: devices.value };
  return types.some((type) => fits(least, podCapacity(type, { ...group, overhead: cpuOf(group.overhead) })));
}

const cpuOf = ({ cpuMillis }: OfferedGroup['group']['overhead']) => ({
  cpuMillis,
  memoryBytes: 0,
  extended: {},
});

export const size: ShapeRule = {
  name: 'size',
  of: 'shape',
  otherwise: 'never',
  key: ({ cpus, gres, features, licenses, minNodes }) =>
    gres + features + licenses === '' ? cpus : `${cpus}|${minNodes}|${gres}|${features}|${licenses}`,
  judge({ job, groups, snapshot, setup }) {
    const names = groups.map((g) => g.group.name).join(', ');
    // A job of many tasks may say one node and mean more: the virtual nodes have the on-prem shape, and it gets one of them.
    const virtual = snapshot.nodes
      .filter((n) => n.partitions.includes(setup.burstPartition))
      .map((n) => n.cpus);
    const most = virtual.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...virtual);
    return {
      pass: job.cpus <= most && holding(job, groups),
      measured: job.gres === '' ? `${job.cpus} CPUs` : `${job.cpus} CPUs and ${job.gres}`,
      limit: `fits ${virtual.length === 0 ? '' : `a virtual node of ${most} CPUs and `}a node of ${names === '' ? 'a node group (none is configured)' : names}`,
    };
  },
};

/** Where no group has what it asks for by name, that is another rule's word. */
function holding(job: Asking, groups: readonly OfferedGroup[]): boolean {
  const suiting = groups.filter(({ group }) => lacks(job, group) === undefined);
  if (suiting.length === 0) return groupFor({ cpus: job.cpus }, groups) !== undefined;
  return groupFor(job, suiting) !== undefined;
}
