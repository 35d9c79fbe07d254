import { assertNever } from '../../domain/fault.ts';
import type { Job } from '../../domain/job.ts';
import type { NeverRule } from '../../domain/policy.ts';
import type { Rule } from '../rule.ts';

/** The site's own list of what never bursts. */
export const never: Rule = {
  name: 'never',
  otherwise: 'never',
  judge({ job, policy }) {
    const hit = policy.never.find((r) => matches(r, job));
    return {
      pass: hit === undefined,
      measured: hit === undefined ? 'no rule matches' : describe(hit),
      limit: `none of ${policy.never.length} never-rules`,
    };
  },
};

function matches(rule: NeverRule, job: Job): boolean {
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
