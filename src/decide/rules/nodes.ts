import type { ShapeRule } from '../rule.ts';
import { groupFor, heldBy } from './size.ts';

/**
 * Each node of the job is a virtual node and an instance of its own, all of one group. A range such as 2-4 is pinned to its minimum at the
 * claim.
 */
export const nodes: ShapeRule = {
  name: 'nodes',
  of: 'shape',
  otherwise: 'never',
  key({ minNodes, maxNodes, cpus, gres, features, licenses }) {
    if (minNodes <= 1) return maxNodes === undefined ? 1 : `1-${maxNodes}`;
    // Which groups are able hangs on all that it asks for.
    return `${minNodes}-${maxNodes}/${cpus}|${gres}|${features}|${licenses}`;
  },
  judge({ job, groups, snapshot, setup }) {
    const max = job.maxNodes === undefined || job.maxNodes === job.minNodes ? '' : `-${job.maxNodes}`;
    const measured = `${job.minNodes}${max} nodes`;
    if (job.minNodes <= 1) return { pass: true, measured, limit: 'one node always can' };
    const virtual = snapshot.nodes.filter((n) => n.partitions.includes(setup.burstPartition)).length;
    const able = heldBy(job, groups);
    const most = Math.max(0, ...able.map(({ group }) => group.max));
    // Where no group holds one node of it, its size says so.
    const room = able.length === 0 || groupFor(job, groups) !== undefined;
    const enough = virtual === 0 || job.minNodes <= virtual;
    return {
      pass: room && enough,
      measured,
      limit: `at most ${virtual === 0 ? '' : `the ${virtual} virtual nodes of ${setup.burstPartition} and `}${most} instances of a node group (nodeGroups[].max)`,
    };
  },
};
