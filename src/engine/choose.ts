/** What is bought for a job: every node group that would hold it, on demand and as spot, of which one is taken. */
import type { Carrying } from '../decide/carry.ts';
import { type Chances, type Counted, chancesOf, countedAs } from '../decide/chances.ts';
import { type Candidate, type Choice, choose } from '../decide/choose.ts';
import { fittingTypes } from '../decide/group.ts';
import { offersOf, type Wanted } from '../decide/offers.ts';
import type { Ready } from '../decide/ready.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { cpusOfNode, suitable } from '../decide/rules/size.ts';
import { soldOut } from '../decide/sold-out.ts';
import { standOf } from '../decide/spot.ts';
import type { CapacityType } from '../domain/instance.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import type { NodeGroup, Policy } from '../domain/policy.ts';
import { plus, type Resources } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import type { Cluster } from './context.ts';
import type { Shortage } from './shortage.ts';

/** What a turn sees besides the store. */
export interface Sees {
  readonly snapshot: Snapshot;
  readonly readyIn: (group: string, job: Job) => Ready;
  readonly carrying: (job: Job) => Carrying | undefined;
  /** The node groups that somebody drained, in words. */
  readonly drained: ReadonlyMap<string, string>;
  /** What became of this site's bursts, by offer [decide/chances.ts, countedAs]. */
  readonly counted: ReadonlyMap<string, Readonly<Counted>>;
}

export type Choosing = Pick<Cluster, 'settings' | 'offered' | 'spot' | 'shortage' | 'ports' | 'carries'> & {
  readonly foresight: Pick<Cluster['foresight'], 'of' | 'expectedMs'>;
};

/** What of it is asked here; a replay has no more. */
export interface Buying {
  readonly settings: Pick<Choosing['settings'], 'policy' | 'setup'> & {
    readonly pods: Pick<Choosing['settings']['pods'], 'staging'>;
  };
  readonly offered: readonly OfferedGroup[];
  readonly foresight: Pick<Choosing['foresight'], 'of' | 'expectedMs'>;
  readonly spot: Pick<Choosing['spot'], 'seen' | 'avoided'>;
  /** Left out: nothing is known to be sold out. */
  readonly shortage?: Pick<Shortage, 'lacks'> | undefined;
  readonly ports: { readonly clock: Pick<Choosing['ports']['clock'], 'now'> };
  /** What its pod needs besides the job; left out: as the gateway's pods do. */
  readonly beside?: Resources | undefined;
}

/** After so many runs that were taken back it goes on demand. */
export const reclaimsAtMost = 2;
/** A spot launch that is refused is answered in seconds, and planned on demand at once. */
const spotRefusedMs = 60_000;

/** What is known of the job besides its line; what is not is taken for the likelier. */
export interface Known {
  /** The group of which the rules were asked. */
  readonly judged: string | undefined;
  /** Of one of its nodes in a group, without the keeper. Undefined: it does not fit there. */
  needs(offered: OfferedGroup): Resources | undefined;
  /** Undefined: its line does not tell. */
  readonly requeue: boolean | undefined;
  readonly reclaims: number;
  /** Why what is left of budgets and ramp does not hold its worst case there; left out: not asked. `needs`: as above. */
  unfunded?(offered: OfferedGroup, needs: Resources): string | undefined;
}

/** By its line alone, which tells neither memory nor whether it may be requeued. */
export function byLine(job: Job, judged: string | undefined): Known {
  return {
    judged,
    needs: ({ group }) => ({
      ...{ cpuMillis: Math.ceil(cpusOfNode(job) * group.vcpuPerCpu * 1000), memoryBytes: 0, extended: {} },
    }),
    requeue: undefined,
    reclaims: 0,
  };
}

/** Undefined: nothing holds it, or it has no time limit of its own, so that nobody knows what it would cost. */
export function chooseFor(engine: Buying, job: Job, known: Known, sees: Sees): Choice | undefined {
  const { timeLimitMs } = job;
  if (typeof timeLimitMs !== 'number') return undefined;
  const candidates = suitable(job, engine.offered).flatMap((offered) =>
    candidatesIn(engine, job, timeLimitMs, offered, known, sees),
  );
  const at = engine.ports.clock.now();
  const here = engine.foresight.of(job.ref)?.range.p50;
  const soon = {
    startsHereMs: here !== undefined && Number.isFinite(here) ? here : undefined,
    deadlineMs: job.deadlineAt === undefined ? undefined : job.deadlineAt - at,
  };
  const there = candidates.map((c) => (c.soldOut === true ? { ...c, offers: [], barred: noneLeft } : c));
  // Where all are sold out, what would have been taken is waited for.
  return choose(there, soon) ?? choose(candidates, soon);
}

const noneLeft = 'the cloud had none of what holds it there, a moment ago';

function candidatesIn(
  engine: Buying,
  job: Job,
  timeLimitMs: number,
  offered: OfferedGroup,
  known: Known,
  sees: Sees,
): readonly (Candidate & { readonly soldOut?: boolean })[] {
  const { settings, foresight } = engine;
  const { group } = offered;
  const own = known.needs(offered);
  if (own === undefined) return [];
  const unasked = sees.drained.get(group.name) ?? unaskedOf(engine, job, group, known.judged, sees);
  if (unasked !== undefined)
    return [{ offered, capacityType: group.capacityType, offers: [], barred: unasked }];
  // As spot too: held is the worst case on demand.
  const unfunded = known.unfunded?.(offered, own);
  if (unfunded !== undefined)
    return [{ offered, capacityType: group.capacityType, offers: [], barred: unfunded }];
  const needs = plus(own, engine.beside ?? keeperNeeds);
  const expectedMs = foresight.expectedMs({ user: job.user, requestMs: timeLimitMs, processors: job.cpus });
  const wanted = {
    ...{ needs, nodes: Math.max(1, job.minNodes), timeLimitMs, expectedMs },
    marginMs: settings.policy.limitMarginMs,
    ...carriedIn(sees.carrying(job), settings.pods.staging?.egressMicroUsdPerGiB),
  };
  const onDemand: Wanted = {
    ...wanted,
    again:
      (settings.setup.onFailure?.nodeLost ?? settings.setup.onLost) === 'requeue' && known.requeue !== false,
    noCapacityMs: settings.policy.backOffMs,
  };
  const ready = sees.readyIn(group.name, job);
  const chances = chancesFor(sees, group.name, group.capacityType);
  const types = fittingTypes(offered, needs);
  const found = [
    {
      ...{ offered, capacityType: group.capacityType, offers: offersOf(onDemand, offered, ready, chances) },
      soldOut: soldOut(group, types, group.capacityType, engine.shortage?.lacks([group]) ?? []),
    },
  ];
  if (group.spot === undefined) return found;
  const barred = barredFrom(engine, known);
  const stand = standOf(group, types, engine.spot.seen, engine.spot.avoided(), engine.ports.clock.now());
  if (barred !== undefined || stand.kind === 'none') {
    const why = barred ?? (stand.kind === 'none' ? stand.why : '');
    return [...found, { offered, capacityType: 'spot', offers: [], barred: why }];
  }
  const spot: Wanted = { ...wanted, again: known.requeue !== false, noCapacityMs: spotRefusedMs };
  const offers = offersOf(spot, offered, ready, chancesFor(sees, group.name, 'spot'), stand);
  return [...found, { offered, capacityType: 'spot', offers }];
}

function carriedIn(
  carrying: Carrying | undefined,
  egressMicroUsdPerGiB = 0,
): Pick<Wanted, 'carrying' | 'egressMicroUsd'> {
  if (carrying === undefined) return {};
  return {
    carrying: { inMs: carrying.in.p50, outMs: carrying.out.p50 },
    egressMicroUsd: Math.ceil((carrying.out.bytes / 2 ** 30) * egressMicroUsdPerGiB),
  };
}

/**
 * The rules were asked of one group [decide/places.ts]. What they said holds for another one only if that is as soon ready, and no expression looks at
 * what is offered. Undefined: it does.
 */
function unaskedOf(
  { settings }: Buying,
  job: Job,
  { name }: NodeGroup,
  judged: string | undefined,
  { readyIn }: Sees,
): string | undefined {
  if (judged === undefined || name === judged) return undefined;
  if (offersNamed(settings.policy).size > 0)
    return `the policy's expressions look at the offer, and were asked of ${judged}`;
  const [here, there] = [readyIn(judged, job), readyIn(name, job)];
  if (there.p50 > here.p50 || there.p90 > here.p90)
    return `it takes longer to be ready than ${judged}, of which the rules were asked`;
  return undefined;
}

const named = new WeakMap<Policy, ReadonlySet<string>>();

/** The fields of the offer that the policy's expressions look at. */
function offersNamed(policy: Policy): ReadonlySet<string> {
  const known = named.get(policy);
  if (known !== undefined) return known;
  const names = new Set(
    [...policy.burstWhen, ...policy.never]
      .flatMap((c) => (c.kind === 'cel' ? (policy.expressions?.(c.expr).names ?? []) : []))
      .filter((name) => name.startsWith('offer.')),
  );
  named.set(policy, names);
  return names;
}

/** Why this job does not go on spot, whatever it costs. */
export function barredFrom(
  { settings }: Pick<Buying, 'settings'>,
  { requeue, reclaims }: Pick<Known, 'requeue' | 'reclaims'>,
): string | undefined {
  if (offersNamed(settings.policy).has('offer.capacityType'))
    return "the policy's expressions look at offer.capacityType, and were asked of on-demand";
  if (requeue === false && settings.policy.spot !== 'any')
    return 'it may not be requeued (--no-requeue), and spot may be taken back';
  if (reclaims >= reclaimsAtMost) return `${reclaims} of its runs were taken back already`;
  return undefined;
}

export const chancesFor = ({ counted }: Sees, group: string, capacityType: CapacityType): Chances =>
  chancesOf(counted.get(countedAs(group, capacityType)), capacityType);
