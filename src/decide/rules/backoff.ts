import type { JobRule, Judged, RuleContext } from '../rule.ts';

/**
 * A job that was given back is left alone for a while, so that it does not swing between both sides: twice as long each time, and after so
 * many times for good, as each may have bought a machine. Changed by nobody but its owner (submitted anew), the site (policy.returns) or a
 * person who says that it may (`spillway again`).
 */
export const backOff: JobRule = { name: 'back-off', of: 'job', otherwise: 'wait', judge: leftAlone };

export function leftAlone({
  returned,
  now,
  policy: { backOffMs, returns },
}: Pick<RuleContext, 'returned' | 'now' | 'policy'>): Judged {
  const times = returned?.times ?? 0;
  const forMs = backOffMs * 2 ** Math.max(0, times - 1);
  const limit = `not given back or turned down within ${Math.round(forMs / 60_000)} min, nor given back ${returns} times`;
  if (returned === undefined) return { pass: true, measured: 'never given back or turned down', limit };
  const ago = now - returned.at;
  const often = times > 1 ? `, ${times} times by now` : '';
  return {
    pass: ago >= forMs && times < returns,
    measured: `given back or turned down ${Math.round(ago / 1000)} s ago${often}`,
    limit,
  };
}
