/**
 * Costs as FOCUS 1.2 (FinOps Open Cost and Usage Specification, dataset CostAndUsage): a row for each job and day, boot and idle as rows of
 * their own for each instance and day. Pure. Where the nodes of a job were of several types, zones or prices, a row for each: FOCUS knows one
 * unit price a row.
 */
import type { CostPiece, Mark } from '../domain/cost.ts';
import { type InstanceId, type Instant, instant } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import { periodStart } from '../domain/money.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** By column name; undefined is null. */
export type FocusRow = Readonly<Record<(typeof focusColumns)[number], string | undefined>>;

/** FOCUS's own, then ours, which begin with `x_` as it asks. */
export const focusColumns = [
  ...([
    'AvailabilityZone',
    'BilledCost',
    'BillingAccountId',
    'BillingAccountName',
    'BillingCurrency',
  ] as const),
  ...([
    'BillingPeriodEnd',
    'BillingPeriodStart',
    'ChargeCategory',
    'ChargeClass',
    'ChargeDescription',
  ] as const),
  ...(['ChargeFrequency', 'ChargePeriodEnd', 'ChargePeriodStart', 'CommitmentDiscountStatus'] as const),
  ...(['ConsumedQuantity', 'ConsumedUnit'] as const),
  ...(['ContractedCost', 'ContractedUnitPrice', 'EffectiveCost', 'InvoiceId', 'InvoiceIssuerName'] as const),
  ...(['ListCost', 'ListUnitPrice', 'PricingCategory', 'PricingCurrency'] as const),
  ...(['PricingCurrencyContractedUnitPrice', 'PricingCurrencyEffectiveCost'] as const),
  ...(['PricingCurrencyListUnitPrice', 'PricingQuantity', 'PricingUnit'] as const),
  ...(['ProviderName', 'PublisherName', 'RegionId', 'RegionName', 'ResourceId', 'ResourceName'] as const),
  ...(['ResourceType', 'ServiceCategory', 'ServiceName', 'ServiceSubcategory', 'SkuId', 'SkuMeter'] as const),
  ...(['SkuPriceDetails', 'SkuPriceId', 'SubAccountId', 'SubAccountName', 'Tags'] as const),
  ...([
    'x_Purpose',
    'x_SlurmCluster',
    'x_SlurmJobId',
    'x_SlurmUser',
    'x_SlurmAccount',
    'x_NodeGroup',
  ] as const),
  ...(['x_InstanceIds', 'x_PriceFrom', 'x_TimesFrom', 'x_StillRuns', 'x_Marks'] as const),
] as const;

export interface FocusExport {
  readonly rows: readonly FocusRow[];
  /** Of instances without a price: FOCUS has no cost that is not known, so they have no row. */
  readonly leftOutMs: number;
}

export function focusOf(
  all: readonly CostPiece[],
  since: Instant,
  marks: (instance: InstanceId) => readonly Mark[],
): FocusExport {
  const pieces = all.filter((p) => p.day >= since);
  const groups = new Map<string, CostPiece[]>();
  let leftOutMs = 0;
  for (const piece of pieces) {
    if (piece.microUsd === undefined) {
      leftOutMs += piece.machineMs;
      continue;
    }
    const { purpose, burst, day, instance } = piece;
    const { type, zone, price } = instance;
    const whose = burst?.job ?? (purpose === 'job' ? `?${instance.id}` : instance.id);
    const key = JSON.stringify([
      day,
      purpose,
      whose,
      type,
      zone,
      price?.microUsd,
      instance.spec.capacityType,
    ]);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [piece]);
    else known.push(piece);
  }
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return { rows: sorted.map(([, of]) => rowOf(of, marks)), leftOutMs };
}

/** A machine that was there before is the site's own. */
function sellerOf({ spec }: CostPiece['instance']) {
  const own = spec.fixed !== undefined;
  // Whose cloud it is the gateway is not told.
  const others = spec.external !== undefined;
  const name = own ? 'On-premises' : others ? 'Kubernetes' : 'AWS';
  return {
    ...{ InvoiceIssuerName: name, ProviderName: name, PublisherName: name },
    ServiceName: own ? 'Fixed nodes' : others ? 'Autoscaled nodes' : 'Amazon Elastic Compute Cloud',
  };
}

function rowOf(of: readonly CostPiece[], marks: (instance: InstanceId) => readonly Mark[]): FocusRow {
  const [first] = of;
  if (first === undefined) throw new Error('a row of nothing');
  const { instance, burst, purpose, day } = first;
  const cost = usd(of.reduce((sum, p) => sum + (p.microUsd ?? 0), 0));
  const hours = decimal(of.reduce((sum, p) => sum + p.machineMs, 0) / hourMs);
  const unit = usd(instance.price?.microUsd ?? 0);
  const month = periodStart('month', day);
  const spot = instance.spec.capacityType === 'spot';
  const region = regionOf(instance.zone);
  const ids = [...new Set(of.map((p) => p.instance.cloudId ?? p.instance.id))].sort();
  return {
    AvailabilityZone: instance.zone,
    ...{ BilledCost: cost, ContractedCost: cost, EffectiveCost: cost, ListCost: cost },
    ...{ ListUnitPrice: unit, ContractedUnitPrice: unit },
    BillingAccountId: instance.cluster,
    BillingAccountName: `Slurm cluster ${instance.cluster}`,
    ...{ BillingCurrency: 'USD', PricingCurrency: 'USD', PricingCurrencyEffectiveCost: cost },
    ...{ PricingCurrencyListUnitPrice: unit, PricingCurrencyContractedUnitPrice: unit },
    BillingPeriodStart: iso(month),
    BillingPeriodEnd: iso(periodStart('month', instant(month + 32 * dayMs))),
    ChargeCategory: 'Usage',
    ChargeClass: undefined,
    ChargeDescription: descriptionOf(first, spot),
    ChargeFrequency: 'Usage-Based',
    // Of savings plans and reservations nothing is known here.
    CommitmentDiscountStatus: undefined,
    ChargePeriodStart: iso(day),
    ChargePeriodEnd: iso(instant(day + dayMs)),
    ...{ ConsumedQuantity: hours, ConsumedUnit: 'Hours', PricingQuantity: hours, PricingUnit: 'Hours' },
    InvoiceId: undefined,
    ...sellerOf(instance),
    PricingCategory: spot ? 'Dynamic' : 'Standard',
    ...{ RegionId: region, RegionName: region },
    ...resourceOf(first, ids),
    ...{ ServiceCategory: 'Compute', ServiceSubcategory: 'Virtual Machines' },
    SkuId: instance.type,
    SkuMeter: 'Machine time',
    SkuPriceId: `${instance.type}/${spot ? 'spot' : 'on-demand'}/${unit}`,
    SkuPriceDetails: JSON.stringify({ InstanceType: instance.type ?? '' }),
    SubAccountId: burst?.account,
    SubAccountName: burst && `Slurm account ${burst.account}`,
    Tags: JSON.stringify(tagsOf(first)),
    x_Purpose: purpose,
    x_SlurmCluster: instance.cluster,
    x_SlurmJobId: burst?.ref,
    x_SlurmUser: burst?.user,
    x_SlurmAccount: burst?.account,
    x_NodeGroup: instance.group,
    x_InstanceIds: ids.join(' '),
    x_PriceFrom: priceFrom(instance.price),
    x_TimesFrom: of.some((p) => p.toldBy === 'script') ? 'script' : 'pod',
    x_StillRuns: of.some((p) => p.open) ? 'true' : 'false',
    x_Marks: [...new Set(of.flatMap((p) => marks(p.instance.id)))].sort().join(', ') || undefined,
  };
}

/** A job is a resource of its own: its nodes' instances may be many, and stand in `x_InstanceIds`. */
function resourceOf({ instance, burst, purpose }: CostPiece, ids: readonly string[]) {
  if (purpose === 'job' && burst !== undefined)
    return {
      ResourceId: burst.job,
      ResourceName: `${burst.cluster}/${burst.ref}`,
      ResourceType: 'Slurm job',
    };
  return { ResourceId: ids[0], ResourceName: instance.node, ResourceType: 'Instance' };
}

function descriptionOf({ instance, burst, purpose }: CostPiece, spot: boolean): string {
  const on = `${instance.type ?? 'instance'}${spot ? ' (spot)' : ''}`;
  switch (purpose) {
    case 'job':
      return burst === undefined
        ? `Job that is not known any more, on ${on}`
        : `Job ${burst.ref} of ${burst.user}: its share of ${on}`;
    case 'boot':
      return `${on} before its first job`;
    case 'idle':
      return `${on} without a job`;
  }
}

function tagsOf({ instance, burst, purpose }: CostPiece): Record<string, string> {
  const own = { 'spillway.dev/cluster': instance.cluster, 'spillway.dev/group': instance.group };
  const job = burst && {
    'spillway.dev/job': burst.ref,
    'spillway.dev/user': burst.user,
    'spillway.dev/account': burst.account,
  };
  return { ...own, 'spillway.dev/purpose': purpose, ...job };
}

/** `eu-central-1` of `eu-central-1a` and of its local zones. */
function regionOf(zone: string | undefined): string | undefined {
  return zone === undefined ? undefined : (/^[a-z]+(?:-[a-z]+)+-\d+/.exec(zone)?.[0] ?? zone);
}

const iso = (at: Instant): string => new Date(at).toISOString().replace('.000Z', 'Z');
const dayOf = (at: Instant): string => iso(at).slice(0, 10);
/** Micro-dollars as dollars, exactly. */
const usd = (micro: number): string => (micro / 1_000_000).toFixed(6);
const decimal = (n: number): string => n.toFixed(9).replace(/\.?0+$/, '');

/** RFC 4180, a header first. */
export function* csvOf(rows: readonly FocusRow[]): Generator<string> {
  yield focusColumns.join(',');
  for (const row of rows) yield focusColumns.map((name) => cell(row[name])).join(',');
}

const cell = (text: string | undefined): string =>
  text === undefined ? '' : /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function priceFrom(price: Instance['price']): string {
  if (price?.spot !== undefined) return price.spot === 'history' ? 'spot price history' : 'spot cap';
  return price?.from === undefined ? 'nodeGroups.prices' : `pricesFrom ${dayOf(price.from)}`;
}
