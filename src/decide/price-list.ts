/** Prices that stand in a list with dates, as a site takes them from its contract or its cloud's own list. */
import { type Instant, instant } from '../domain/ids.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { ListedPrice, NodeGroup } from '../domain/policy.ts';

export interface PriceNow {
  readonly microUsd: MicroUsd;
  /** Of the oldest line that it rests on. */
  readonly from: Instant;
}

type Priced = Pick<NodeGroup, 'types' | 'zones' | 'capacityType'>;

/**
 * What each type of the group costs now: the newest line that has begun, in the dearest of the group's zones, as nobody knows which one an instance
 * will come from. A type that lacks a price in any of them has none.
 */
export function pricesAt(
  list: readonly ListedPrice[],
  { types, zones, capacityType }: Priced,
  at: Instant,
): Readonly<Record<string, PriceNow>> {
  const begun = list.filter((p) => p.from <= at && p.capacityType === capacityType);
  const found: Record<string, PriceNow> = {};
  for (const type of types) {
    const of = begun.filter((p) => p.type === type);
    const each = zones.map(
      (zone) => newest(of.filter((p) => p.zone === zone)) ?? newest(of.filter((p) => p.zone === undefined)),
    );
    const known = each.filter((p) => p !== undefined);
    if (known.length === 0 || known.length < zones.length) continue;
    found[type] = {
      microUsd: Math.max(...known.map((p) => p.microUsd)),
      from: instant(Math.min(...known.map((p) => p.from))),
    };
  }
  return found;
}

function newest(lines: readonly ListedPrice[]): ListedPrice | undefined {
  return lines.reduce<ListedPrice | undefined>(
    (a, b) => (a === undefined || b.from > a.from ? b : a),
    undefined,
  );
}

/** The group with its prices as they stand whenever they are asked for; what it says itself comes first. */
export function listedGroup(group: NodeGroup, list: readonly ListedPrice[], now: () => Instant): NodeGroup {
  const { prices: own = {} } = group;
  const of = <T>(value: (p: PriceNow) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(pricesAt(list, group, now())).map(([type, p]) => [type, value(p)]));
  return {
    ...group,
    get prices() {
      return { ...of((p) => p.microUsd), ...own };
    },
    get pricedFrom() {
      return Object.fromEntries(
        Object.entries(of((p) => p.from)).filter(([type]) => own[type] === undefined),
      );
    },
  };
}
