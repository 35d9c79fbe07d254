import type { Shape, ShapeContext, ShapeRule } from '../rule.ts';
import { lacks, lacksVirtual } from '../suits.ts';

const none = 'no node list or reservation, and nothing that no node group has';

/** What ties a job to this site's own nodes cannot be had in the cloud; devices, features and licences where a node group has them. */
export const placement: ShapeRule = {
  name: 'placement',
  of: 'shape',
  otherwise: 'never',
  key: (job) =>
    ties(job)
      ? `${job.requiredNodes}|${job.reservation}|${job.licenses}|${job.features}|${job.gres}|${job.minNodes}`
      : 0,
  judge(context) {
    if (!ties(context.job)) return { pass: true, measured: 'none', limit: none };
    const found = wanting(context);
    return {
      pass: found.length === 0,
      measured: found.length === 0 ? asked(context.job) : found,
      limit: none,
    };
  },
};

const ties = (job: Shape): boolean =>
  job.requiredNodes + job.reservation + job.licenses + job.features + job.gres !== '';

const asked = ({ licenses, features, gres }: Shape): string =>
  [
    ['licences', licenses],
    ['features', features],
    ['GRES', gres],
  ]
    .flatMap(([what, of]) => (of === '' ? [] : [`${what} ${of}`]))
    .join(', ');

function wanting({ job, groups, snapshot, setup }: ShapeContext): string {
  const found: string[] = [];
  if (job.requiredNodes) found.push(`node list ${job.requiredNodes}`);
  if (job.reservation) found.push(`reservation ${job.reservation}`);
  // The group that comes nearest is not known, so the first one's word stands for all where none has it.
  const told = groups.map(({ group }) => lacks(job, group));
  const [first] = told;
  if (groups.length === 0 && asked(job) !== '') found.push(asked(job));
  else if (first !== undefined && !told.includes(undefined)) found.push(first);
  const virtual = lacksVirtual(
    job,
    snapshot.nodes.filter((n) => n.partitions.includes(setup.burstPartition)),
  );
  if (virtual !== undefined) found.push(`no node of partition ${setup.burstPartition}: ${virtual}`);
  return found.join(', ');
}
