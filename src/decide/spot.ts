/** Spot: what it costs now, the most that is paid for it, which pools are left, and what a run on it came to. Pure. */
import { type Instant, instant } from '../domain/ids.ts';
import type { InstanceType, SpotPool, SpotPrice } from '../domain/instance.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { Seen } from '../domain/seen.ts';

/** What was read longer ago says nothing of now: spot is not bought on it. */
export const spotFreshMs = 15 * 60_000;
/** A pool that had nothing, or took something back, is left alone so long. [facts: 3 minutes in Karpenter for the former] */
export const refusedMs = 3 * 60_000;
export const reclaimedMs = 10 * 60_000;

/** Undefined: it was never read. */
export type SpotSeen = Seen<readonly SpotPrice[]> | undefined;

/** What of a group can be had as spot now. */
export type SpotStand =
  | {
      readonly kind: 'offered';
      /** Of each type the dearest of the pools that are left, as nobody knows which one an instance comes from; and since when. */
      readonly prices: Readonly<Record<string, { readonly microUsd: MicroUsd; readonly since: Instant }>>;
      readonly caps: Readonly<Record<string, MicroUsd>>;
    }
  | { readonly kind: 'none'; readonly why: string };

/** The most that is paid for an hour of each type as spot. What has no price on demand has none: the cap comes from that. */
export function capsOf({ spot, prices = {}, types }: NodeGroup): Readonly<Record<string, MicroUsd>> {
  if (spot === undefined) return {};
  return Object.fromEntries(
    types.flatMap((type) => {
      const price = prices[type];
      return price === undefined ? [] : [[type, Math.floor((price * spot.capPercent) / 100)]];
    }),
  );
}

/** `types`: those of the group that hold the job. `avoided`: pools that are left alone for now. */
export function standOf(
  group: NodeGroup,
  types: readonly InstanceType[],
  seen: SpotSeen,
  avoided: readonly SpotPool[],
  at: Instant,
): SpotStand {
  const none = (why: string): SpotStand => ({ kind: 'none', why });
  if (seen === undefined) return none('spot prices are not known: they were not read yet');
  if (!seen.ok) return none(`spot prices are not known: ${seen.text}`);
  if (at - seen.at > spotFreshMs)
    return none(`spot prices are not known: they were read ${Math.floor((at - seen.at) / 60_000)} min ago`);
  const caps = capsOf(group);
  const prices: Record<string, { microUsd: MicroUsd; since: Instant }> = {};
  let [dear, resting] = [0, 0];
  for (const { name: type } of types) {
    const cap = caps[type];
    if (cap === undefined) continue;
    for (const zone of group.zones) {
      const price = priceAt(seen.value, { type, zone }, at);
      if (price === undefined) continue;
      if (price.microUsd > cap) dear += 1;
      else if (avoided.some((pool) => pool.type === type && pool.zone === zone)) resting += 1;
      else if (price.microUsd > (prices[type]?.microUsd ?? -1))
        prices[type] = { microUsd: price.microUsd, since: price.from };
    }
  }
  if (Object.keys(prices).length > 0) return { kind: 'offered', prices, caps };
  if (dear + resting === 0)
    return none(
      Object.keys(caps).length === 0
        ? 'its types have no price on demand'
        : 'none of its types is sold as spot',
    );
  const why = [
    ...(dear === 0 ? [] : [`${dear} cost more than is paid`]),
    ...(resting === 0 ? [] : [`${resting} had nothing, or took something back, a moment ago`]),
  ];
  return none(`of its pools ${why.join(' and ')}`);
}

/** Undefined: it has none yet. */
export function priceAt(
  prices: readonly SpotPrice[],
  { type, zone }: SpotPool,
  at: Instant,
): SpotPrice | undefined {
  let held: SpotPrice | undefined;
  for (const p of prices)
    if (p.type === type && p.zone === zone && p.from <= at && (held === undefined || p.from >= held.from))
      held = p;
  return held;
}

/** The stretches of one price between two moments, of one pool. Undefined: what held at first is not known. */
export function stretchesOf(
  history: readonly SpotPrice[],
  pool: SpotPool,
  from: Instant,
  until: Instant,
): readonly { readonly ms: number; readonly microUsd: MicroUsd }[] | undefined {
  const first = priceAt(history, pool, from);
  if (first === undefined) return undefined;
  const changes = history
    .filter((p) => p.type === pool.type && p.zone === pool.zone && p.from > from && p.from < until)
    .sort((a, b) => a.from - b.from);
  const all = [{ ...first, from }, ...changes];
  return all.map(({ microUsd, from: since }, i) => ({
    microUsd,
    ms: Math.max(0, (all[i + 1]?.from ?? instant(until)) - since),
  }));
}
