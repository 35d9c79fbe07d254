/** CreateFleet's choice: which offers are taken in which order, and why the others were not. */
import {
  type CapacityType,
  Ec2Error,
  type FleetError,
  type FleetRequest,
  type Machine,
  type Offer,
  type OfferRule,
  type Override,
  type TypeSpec,
} from './cloud-types.ts';

export interface Stock {
  readonly live: readonly Machine[];
  readonly rules: readonly OfferRule[];
  readonly zones: readonly string[];
  readonly defaultVpc: boolean;
  readonly vcpuLimit: number;
  readonly spotLimit: number;
  readonly addressesPerZone: number;
  readonly reserved: readonly { readonly type: string; readonly zone: string; readonly count: number }[];
  /** What spot costs now, in micro-dollars an hour. */
  readonly spotPrice: (type: TypeSpec, zone: string) => number;
  /** Takes from the account's launch rate. */
  readonly mayLaunch: () => boolean;
}

interface Choice {
  readonly offers: readonly Offer[];
  readonly errors: readonly FleetError[];
}

export function answerFleet(request: FleetRequest, types: readonly TypeSpec[], stock: Stock): Choice {
  const taken: Offer[] = [];
  const errors: FleetError[] = [];
  for (const override of ordered(request, types, stock)) {
    const { maxPrice, placementGroup: _, ...pool } = override;
    const offer: Offer = { ...pool, capacityType: request.capacityType };
    const type = types.find(({ name }) => name === offer.type);
    while (taken.length < request.target) {
      const no =
        type === undefined ? unknownType(offer) : refusal(offer, type, types, taken, stock, maxPrice);
      if (no !== undefined) {
        if (ruleOf(offer, stock)?.whole === true) throw new Ec2Error(no[0], no[1]);
        errors.push({ ...offer, code: no[0], message: no[1] });
        break;
      }
      taken.push(offer);
    }
  }
  if (taken.length >= request.minTarget) return { offers: taken, errors };
  const [first] = request.overrides;
  if (first === undefined) throw new Ec2Error('MissingParameter', 'No overrides were given.');
  const offer = { ...first, capacityType: request.capacityType };
  const code = 'UnfulfillableCapacity';
  const message = `Only ${taken.length} of at least ${request.minTarget} instances can be had.`;
  return { offers: [], errors: [...errors, { ...offer, code, message }] };
}

/** On demand: the cheapest first. Spot: the most room first, then the cheapest (price-capacity-optimized). */
function ordered(request: FleetRequest, types: readonly TypeSpec[], stock: Stock): Override[] {
  const { capacityType } = request;
  const price = ({ type, zone }: Override) => {
    const of = types.find((t) => t.name === type);
    return of === undefined
      ? 0
      : capacityType === 'spot'
        ? stock.spotPrice(of, zone)
        : of.price[capacityType];
  };
  const room = (override: Override) => Math.min(10, left({ ...override, capacityType }, [], stock));
  const reserved = (override: Override) =>
    request.reservedFirst === true && isReserved(override, stock) ? 1 : 0;
  return [...request.overrides].sort(
    (a, b) =>
      (capacityType === 'spot' ? room(b) - room(a) : reserved(b) - reserved(a)) || price(a) - price(b),
  );
}

/** More is reserved of it than is in use. */
function isReserved({ type, zone }: Override, { reserved, live }: Stock): boolean {
  const of = reserved.find((r) => r.type === type && r.zone === zone)?.count ?? 0;
  return live.filter((m) => m.type === type && m.zone === zone && m.capacityType === 'on-demand').length < of;
}

type Refusal = readonly [code: string, message: string];

function refusal(
  offer: Offer,
  type: TypeSpec,
  types: readonly TypeSpec[],
  taken: readonly Offer[],
  stock: Stock,
  maxPrice = type.price['on-demand'],
): Refusal | undefined {
  const { capacityType, zone, subnet } = offer;
  const all: Offer[] = [...stock.live, ...taken];
  const vcpus = (o: Offer) => types.find(({ name }) => name === o.type)?.vcpus ?? 0;
  const used = (of: CapacityType) => all.filter((o) => o.capacityType === of);
  if (!stock.zones.includes(zone)) return ['InvalidParameterValue', `Invalid availability zone: [${zone}]`];
  if (subnet === undefined && !stock.defaultVpc)
    return [
      'VPCIdNotSpecified',
      'No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.',
    ];
  if (type.zones !== undefined && !type.zones.includes(zone))
    return ['Unsupported', `Your requested instance type (${type.name}) is not supported in ${zone}.`];
  const rule = ruleOf(offer, stock);
  if (rule?.code !== undefined && (rule.atMost === undefined || left(offer, taken, stock) < 1))
    return [rule.code, `${type.name} in ${zone}: ${rule.code}.`];
  if (capacityType === 'on-demand') {
    const now = used('on-demand').reduce((sum, o) => sum + vcpus(o), 0);
    if (now + type.vcpus > stock.vcpuLimit)
      return [
        'VcpuLimitExceeded',
        `You have requested more vCPU capacity than your limit of ${stock.vcpuLimit}.`,
      ];
  } else if (used('spot').length >= stock.spotLimit)
    return ['MaxSpotInstanceCountExceeded', 'Max spot instance count exceeded'];
  if (capacityType === 'spot' && maxPrice < stock.spotPrice(type, zone))
    return [
      'SpotMaxPriceTooLow',
      `Your Spot request price of ${maxPrice / 1e6} is lower than the minimum required Spot request fulfillment price of ${stock.spotPrice(type, zone) / 1e6}.`,
    ];
  if (all.filter((o) => o.zone === zone).length >= stock.addressesPerZone)
    return ['InsufficientFreeAddressesInSubnet', `The subnet of ${zone} has no free addresses.`];
  if (left(offer, taken, stock) < 1)
    return [
      'InsufficientInstanceCapacity',
      `We currently do not have sufficient ${type.name} capacity in the Availability Zone you requested (${zone}).`,
    ];
  if (!stock.mayLaunch()) return ['RequestLimitExceeded', 'Request limit exceeded.'];
  return undefined;
}

const unknownType = ({ type }: Offer): Refusal => [
  'InvalidInstanceType',
  `The following supplied instance types do not exist: [${type}]`,
];

function left(offer: Offer, taken: readonly Offer[], stock: Stock): number {
  const rule = ruleOf(offer, stock);
  if (rule?.atMost === undefined) return Number.MAX_SAFE_INTEGER;
  return rule.atMost - [...stock.live, ...taken].filter((o) => matches(rule.match, o)).length;
}

const ruleOf = (offer: Offer, { rules }: Stock): OfferRule | undefined =>
  rules.findLast(({ match }) => matches(match, offer));

function matches(match: Partial<Offer>, offer: Offer): boolean {
  return (
    (match.type ?? offer.type) === offer.type &&
    (match.zone ?? offer.zone) === offer.zone &&
    (match.capacityType ?? offer.capacityType) === offer.capacityType
  );
}
