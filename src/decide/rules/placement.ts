import type { Shape, ShapeRule } from '../rule.ts';

/** What ties a job to this site's own nodes or counters cannot be had in the cloud. */
export const placement: ShapeRule = {
  name: 'placement',
  of: 'shape',
  otherwise: 'never',
  key: (job) =>
    ties(job) ? `${job.requiredNodes}|${job.reservation}|${job.licenses}|${job.features}|${job.gres}` : 0,
  judge({ job }) {
    const found: string[] = [];
    if (job.requiredNodes) found.push(`node list ${job.requiredNodes}`);
    if (job.reservation) found.push(`reservation ${job.reservation}`);
    if (job.licenses) found.push(`licences ${job.licenses}`);
    if (job.features) found.push(`features ${job.features}`);
    if (job.gres) found.push(`GRES ${job.gres}`);
    return {
      pass: found.length === 0,
      measured: found.length === 0 ? 'none' : found.join(', '),
      limit: 'no node list, reservation, licence, feature or GRES',
    };
  },
};

const ties = (job: Shape): boolean =>
  job.requiredNodes !== '' ||
  job.reservation !== '' ||
  job.licenses !== '' ||
  job.features !== '' ||
  job.gres !== '';
