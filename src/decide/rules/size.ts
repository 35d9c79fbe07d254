import { devicesFor } from '../../domain/devices.ts';
import { fits } from '../../domain/resources.ts';
import { podCapacity } from '../group.ts';
import type { OfferedGroup, ShapeRule } from '../rule.ts';
import { type Asking, lacks, leastGres } from '../suits.ts';

/** Slurm CPUs of one of its nodes: the pods of a job are all alike. */
export const cpusOfNode = ({ cpus, minNodes = 1 }: Asking): number => Math.ceil(cpus / Math.max(1, minNodes));

/**
 * The first group that has what the job asks for, a type that holds one of its nodes, and may have as many instances as it has nodes; the
 * exact request is checked again with the job in full.
 */
export function groupFor(job: Asking, groups: readonly OfferedGroup[]): OfferedGroup | undefined {
  return groups.find((g) => suits(job, g));
}

/** All of them, in the order of the configuration: what is bought is chosen among these. */
export const suitable = (job: Asking, groups: readonly OfferedGroup[]): readonly OfferedGroup[] =>
  groups.filter((g) => suits(job, g));

const suits = (job: Asking, g: OfferedGroup): boolean =>
  lacks(job, g.group) === undefined && holds(job, g) && (job.minNodes ?? 1) <= g.group.max;

/** Those that hold one node of the job, whatever their maximum. */
export const heldBy = (job: Asking, groups: readonly OfferedGroup[]): readonly OfferedGroup[] =>
  groups.filter((g) => lacks(job, g.group) === undefined && holds(job, g));

/** Of its line alone: the line does not tell memory. */
function holds(job: Asking, { group, types }: OfferedGroup): boolean {
  const cpuMillis = cpusOfNode(job) * group.vcpuPerCpu * 1000;
  // Most jobs of a hundred thousand ask for nothing else.
  if ((job.gres ?? '') === '' && group.devices === undefined)
    return types.some(
      (t) =>
        cpuMillis <= t.vcpus * 1000 - group.overhead.cpuMillis &&
        cpuMillis <= (group.measured?.[t.name]?.cpuMillis ?? cpuMillis),
    );
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
    gres + features + licenses === ''
      ? minNodes <= 1
        ? cpus
        : `${cpus}/${minNodes}`
      : `${cpus}|${minNodes}|${gres}|${features}|${licenses}`,
  judge({ job, groups, snapshot, setup }) {
    const names = groups.map((g) => g.group.name).join(', ');
    // A job of many tasks may say one node and mean more: the virtual nodes have the on-prem shape, and it gets one of them.
    const virtual = snapshot.nodes
      .filter((n) => n.partitions.includes(setup.burstPartition))
      .map((n) => n.cpus);
    const most = virtual.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...virtual);
    return {
      pass: cpusOfNode(job) <= most && holding(job, groups),
      measured: inWords(job),
      limit: `fits ${virtual.length === 0 ? '' : `a virtual node of ${most} CPUs and `}a node of ${names === '' ? 'a node group (none is configured)' : names}`,
    };
  },
};

/** Where no group has what it asks for by name, that is another rule's word. */
function holding(job: Asking, groups: readonly OfferedGroup[]): boolean {
  const suiting = groups.filter(({ group }) => lacks(job, group) === undefined);
  if (suiting.length === 0) return heldBy({ cpus: job.cpus, minNodes: job.minNodes ?? 1 }, groups).length > 0;
  return heldBy(job, suiting).length > 0;
}

function inWords(job: Asking): string {
  const { gres = '', minNodes = 1 } = job;
  const asked = gres === '' ? `${cpusOfNode(job)} CPUs` : `${cpusOfNode(job)} CPUs and ${gres}`;
  return minNodes <= 1 ? asked : `${asked} on each of ${minNodes} nodes`;
}
