import type { Condition } from '../../domain/policy.ts';
import type { RuleContext } from '../rule.ts';

export type Of<K extends Condition['kind']> = Extract<Condition, { readonly kind: K }>;

export const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;

/** Rounded down: what is shown must not pass a limit that the number itself does not pass. */
export const percent = (share: number): string => `${Math.floor(100 * share + 1e-9)} %`;

/** As Slurm counts age: since it could have run, which with `--begin` is not since it came. */
export const waitedMs = ({
  job,
  now,
}: {
  readonly job: Pick<RuleContext['job'], 'eligibleAt' | 'submitAt'>;
  readonly now: number;
}): number => Math.max(0, now - (job.eligibleAt ?? job.submitAt));
