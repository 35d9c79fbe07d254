import type { Rule } from '../rule.ts';

/** One pod stands for one node. A range such as 1-4 is pinned to its minimum at the claim. */
export const nodes: Rule = {
  name: 'nodes',
  otherwise: 'never',
  judge({ job }) {
    const max = job.maxNodes === undefined || job.maxNodes === job.minNodes ? '' : `-${job.maxNodes}`;
    return { pass: job.minNodes <= 1, measured: `${job.minNodes}${max} nodes`, limit: 'can run on 1 node' };
  },
};
