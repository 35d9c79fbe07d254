import { assertNever } from '../../domain/fault.ts';
import type { NeverRule } from '../../domain/policy.ts';
import type { Shape, ShapeRule } from '../rule.ts';

/** The site's own list of what never bursts. */
export const never: ShapeRule = {
  name: 'never',
  of: 'shape',
  otherwise: 'never',
  key: ({ account, partition, minNodes }) => `${account}|${minNodes}|${partition}`,
  judge({ job, policy }) {
    const hit = policy.never.find((r) => matches(r, job));
    return {
      pass: hit === undefined,
      measured: hit === undefined ? 'no rule matches' : describe(hit),
      limit: `none of ${policy.never.length} never-rules`,
    };
  },
};

function matches(rule: NeverRule, job: Shape): boolean {
  switch (rule.kind) {
    case 'nodesAbove':
      return job.minNodes > rule.nodes;
    case 'account':
      return job.account === rule.account;
    case 'partition':
      return job.partition.split(',').includes(rule.partition);
    default:
      return assertNever(rule);
  }
}

function describe(rule: NeverRule): string {
  return Object.entries(rule)
    .filter(([k]) => k !== 'kind')
    .map(([, v]) => `${rule.kind}: ${v}`)
    .join(', ');
}
