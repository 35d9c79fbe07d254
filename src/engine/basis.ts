/** What a decision was made from, for its receipt. */
import type { Chances } from '../decide/chances.ts';
import { type Offer, offersOf } from '../decide/offers.ts';
import type { Ready } from '../decide/ready.ts';
import { cpusOfNode, groupFor } from '../decide/rules/size.ts';
import type { Basis, Decision, OfferTold } from '../domain/decision.ts';
import type { StartRange } from '../domain/forecast.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { plus, type Resources } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import type { Cluster } from './context.ts';
import { policyHashNow } from './funds.ts';

/** What a turn sees besides the store. */
export interface Sees {
  readonly snapshot: Snapshot;
  readonly readyIn: (group: string) => Ready;
  readonly chancesIn: (group: NodeGroup) => Chances;
}

type Engine = Pick<Cluster, 'settings' | 'offered' | 'foresight'>;

/** `needs`: of the job in full; undefined: its line tells no memory, so what is reckoned from it is the least that it can be. */
export function basisOf(
  engine: Engine,
  job: Job,
  decision: Decision,
  sees: Sees,
  needs: Resources | undefined,
): Basis {
  const forecast = engine.foresight.of(job.ref);
  const group = groupFor(job, engine.offered)?.group.name;
  const ready = group === undefined ? undefined : sees.readyIn(group);
  const here = forecast && startsIn(forecast.range);
  return {
    policy: policyHashNow(engine.settings),
    forecast: forecast && here && { by: forecast.by, startsIn: here },
    ready:
      ready && group !== undefined
        ? { group, p50Ms: Math.round(ready.p50), p90Ms: Math.round(ready.p90), measured: ready.measured }
        : undefined,
    offer: decision.verdict === 'burst' ? offerOf(engine, job, decision, sees, needs, here) : undefined,
  };
}

type StartsIn = NonNullable<Basis['forecast']>['startsIn'];

function startsIn({ p10, p50, p90 }: StartRange): StartsIn {
  if (!Number.isFinite(p90)) return 'never';
  return { p10Ms: Math.round(p10), p50Ms: Math.round(p50), p90Ms: Math.round(p90) };
}

function offerOf(
  { settings, offered, foresight }: Engine,
  job: Job,
  decision: Decision,
  sees: Sees,
  needs: Resources | undefined,
  here: StartsIn | undefined,
): OfferTold | undefined {
  const chosen = offered.find((o) => o.group.name === decision.group);
  const { timeLimitMs } = job;
  // Whose end nobody knows has no expected run time either.
  if (chosen === undefined || typeof timeLimitMs !== 'number') return undefined;
  const { group } = chosen;
  const own = needs ?? {
    ...{ cpuMillis: Math.ceil(cpusOfNode(job) * group.vcpuPerCpu * 1000), memoryBytes: 0, extended: {} },
  };
  const chances = sees.chancesIn(group);
  const expectedMs = foresight.expectedMs({ user: job.user, requestMs: timeLimitMs, processors: job.cpus });
  const [offer] = offersOf(
    {
      ...{ needs: plus(own, keeperNeeds), nodes: Math.max(1, job.minNodes), timeLimitMs, expectedMs },
      marginMs: settings.policy.limitMarginMs,
      again: (settings.setup.onFailure?.nodeLost ?? settings.setup.onLost) === 'requeue',
    },
    chosen,
    sees.readyIn(group.name),
    chances,
  );
  return offer && { ...told(offer, chances, here), pricedFrom: group.pricedFrom?.[offer.type] };
}

const hundredth = (p: number): number => Math.round(p * 100) / 100;

function told(offer: Offer, { asked }: Chances, here: StartsIn | undefined): OfferTold {
  const { group, type, zones, capacityType, cost, readyMs } = offer;
  return {
    ...{ group, type, zones, capacity: capacityType },
    perHourMicroUsd: cost?.perHour,
    expectedMicroUsd: cost?.expected,
    worstMicroUsd: cost?.worst,
    noCapacity: hundredth(offer.noCapacity),
    interrupted: hundredth(offer.interrupted),
    measured: asked,
    savesMs: here === 'never' ? 'never starts here' : here && Math.round(here.p50Ms - readyMs.p50),
  };
}
