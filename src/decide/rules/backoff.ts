import type { Cause } from '../../domain/burst.ts';
import type { ClusterSetup, Policy } from '../../domain/policy.ts';
import type { JobRule, Judged, RuleContext } from '../rule.ts';
import { onceFor } from '../words.ts';

/**
 * A job that was given back is left alone for a while, so that it does not swing between both sides: twice as long each time, and after so
 * many times for good, as each may have bought a machine. Changed by nobody but its owner (submitted anew), the site (policy.returns) or a
 * person who says that it may (`spillway again`).
 */
export const backOff: JobRule = { name: 'back-off', of: 'job', otherwise: 'wait', judge: leftAlone };

/** So often a machine is bought for a job whose pod then does not run. */
const futileAtMost = 2;

/** Whether what sent it home keeps it there, until a person says otherwise. */
export function staysFor({ kind }: Cause, { onFailure }: Pick<ClusterSetup, 'onFailure'>): boolean {
  if (kind === 'out_of_memory') return true;
  return (kind === 'image_failed' || kind === 'image_unsigned') && onFailure?.image === 'stay';
}

const limitOf = (forMs: number, returns: number): string =>
  `not given back or turned down within ${Math.round(forMs / 60_000)} min, nor given back ${returns} times`;

const never = onceFor(
  ({ backOffMs, returns }: Policy): Judged => ({
    pass: true,
    measured: 'never given back or turned down',
    limit: limitOf(backOffMs, returns),
  }),
);

export function leftAlone({
  returned,
  now,
  policy,
  setup,
}: Pick<RuleContext, 'returned' | 'now' | 'policy' | 'setup'>): Judged {
  if (returned === undefined) return never(policy);
  const { backOffMs, returns } = policy;
  const { times, futile = 0 } = returned;
  const forMs = backOffMs * 2 ** Math.max(0, times - 1);
  const limit = limitOf(forMs, returns);
  if (returned.because !== undefined && staysFor(returned.because, setup))
    return {
      ...{ pass: false, measured: `given back, and stays: ${returned.because.text}` },
      limit: 'none that came home for its memory, or for its image where onFailure.image is stay',
    };
  const ago = now - returned.at;
  if (futile >= futileAtMost)
    return {
      pass: false,
      measured: `machines were launched for it ${futile} times, and its pod never ran`,
      limit: `fewer than ${futileAtMost} times, or a person says that it may (spillway again)`,
    };
  const often = times > 1 ? `, ${times} times by now` : '';
  return {
    pass: ago >= forMs && times < returns,
    measured: `given back or turned down ${Math.round(ago / 1000)} s ago${often}`,
    limit,
  };
}
