import type { Condition } from '../../domain/policy.ts';
import type { RuleContext } from '../rule.ts';

export type Of<K extends Condition['kind']> = Extract<Condition, { readonly kind: K }>;

export const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;

/** As Slurm counts age: since it could have run. */
export const waitedMs = ({ job, now }: Pick<RuleContext, 'job' | 'now'>): number =>
  Math.max(0, now - (job.eligibleAt ?? job.submitAt));
