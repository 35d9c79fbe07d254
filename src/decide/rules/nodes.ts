import type { ShapeRule } from '../rule.ts';

/** One pod stands for one node. A range such as 1-4 is pinned to its minimum at the claim. */
export const nodes: ShapeRule = {
  name: 'nodes',
  of: 'shape',
  otherwise: 'never',
  key: ({ minNodes, maxNodes }) =>
    maxNodes === undefined || maxNodes === minNodes ? minNodes : `${minNodes}-${maxNodes}`,
  judge({ job }) {
    const max = job.maxNodes === undefined || job.maxNodes === job.minNodes ? '' : `-${job.maxNodes}`;
    return { pass: job.minNodes <= 1, measured: `${job.minNodes}${max} nodes`, limit: 'can run on 1 node' };
  },
};
