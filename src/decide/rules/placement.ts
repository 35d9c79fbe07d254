import type { Rule } from '../rule.ts';

/** What ties a job to this site's own nodes or counters cannot be had in the cloud. */
export const placement: Rule = {
  name: 'placement',
  otherwise: 'never',
  judge({ job }) {
    const ties: string[] = [];
    if (job.requiredNodes) ties.push(`node list ${job.requiredNodes}`);
    if (job.reservation) ties.push(`reservation ${job.reservation}`);
    if (job.licenses) ties.push(`licences ${job.licenses}`);
    if (job.features) ties.push(`features ${job.features}`);
    if (job.gres) ties.push(`GRES ${job.gres}`);
    return {
      pass: ties.length === 0,
      measured: ties.length === 0 ? 'none' : ties.join(', '),
      limit: 'no node list, reservation, licence, feature or GRES',
    };
  },
};
