/** The most that a job could cost, by what the configuration alone tells. */
import { dollars, type MicroUsd } from '../domain/money.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { Asked } from '../translate/script/asked.ts';

export interface Cost {
  readonly group: string;
  /** For an hour that it runs. */
  readonly perHour: MicroUsd | undefined;
  /** For its whole time limit; undefined: it has none here, or no price is known. */
  readonly atMost: MicroUsd | undefined;
  readonly text: string;
}

const usualMarginMs = 10 * 60_000;

/**
 * The dearest type of the group, whole, for each node: how large its types are, and so which share of one a pod is, only the cloud tells, so what
 * is held for it is this or less.
 */
export function costOf(
  { timeMs, nodes }: Pick<Asked, 'timeMs' | 'nodes'>,
  { name, types, prices = {} }: Pick<NodeGroup, 'name' | 'types' | 'prices'>,
  marginMs = usualMarginMs,
): Cost {
  const bare = types.filter((type) => prices[type] === undefined);
  const none = { group: name, perHour: undefined, atMost: undefined };
  if (bare.length > 0)
    return { ...none, text: `no price is configured for ${bare.join(', ')} (nodeGroups[].prices)` };
  const [dearest = ''] = [...types].sort((a, b) => (prices[b] ?? 0) - (prices[a] ?? 0));
  const perHour = nodes * (prices[dearest] ?? 0);
  const alone = nodes === 1 ? 'were it alone on the machine' : `${nodes} of them, were it alone on each`;
  const hourly = `${dollars(perHour)} an hour at most (${dearest}, ${alone})`;
  if (typeof timeMs !== 'number')
    return { ...none, perHour, text: `${hourly}; without --time it has no most` };
  const atMost = Math.ceil((perHour * (timeMs + marginMs)) / 3_600_000);
  const minutes = Math.round(timeMs / 60_000);
  return {
    group: name,
    perHour,
    atMost,
    text: `${hourly}; ${dollars(atMost)} at most for its ${minutes} minutes and ${Math.round(marginMs / 60_000)} of margin`,
  };
}
