/** What a decision was made from, for its receipt. */
import type { Chances, Counted } from '../decide/chances.ts';
import type { Choice } from '../decide/choose.ts';
import type { Offer } from '../decide/offers.ts';
import type { Ready } from '../decide/ready.ts';
import { groupFor } from '../decide/rules/size.ts';
import type { Basis, Decision, OfferTold } from '../domain/decision.ts';
import type { StartRange } from '../domain/forecast.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import { byLine, type Choosing, chancesFor, chooseFor } from './choose.ts';
import { policyHashNow } from './funds.ts';

/** What a turn sees besides the store. */
export interface Sees {
  readonly snapshot: Snapshot;
  readonly readyIn: (group: string) => Ready;
  /** What became of this site's bursts, by offer [decide/chances.ts, countedAs]. */
  readonly counted: ReadonlyMap<string, Readonly<Counted>>;
}

/** `choice`: what was chosen for the job in full; undefined: by its line, which tells no memory, so what is reckoned from it is the least that it can be. */
export function basisOf(engine: Choosing, job: Job, decision: Decision, sees: Sees, choice?: Choice): Basis {
  const forecast = engine.foresight.of(job.ref);
  const bursts = decision.verdict === 'burst';
  const chosen = choice ?? (bursts ? chooseFor(engine, job, byLine(job, decision.group), sees) : undefined);
  const group = chosen?.offer.group ?? groupFor(job, engine.offered)?.group.name;
  const ready = group === undefined ? undefined : sees.readyIn(group);
  const here = forecast && startsIn(forecast.range);
  return {
    policy: policyHashNow(engine.settings),
    forecast: forecast && here && { by: forecast.by, startsIn: here },
    ready:
      ready && group !== undefined
        ? { group, p50Ms: Math.round(ready.p50), p90Ms: Math.round(ready.p90), measured: ready.measured }
        : undefined,
    ...(bursts && chosen !== undefined ? offered(chosen, sees, here) : {}),
  };
}

type StartsIn = NonNullable<Basis['forecast']>['startsIn'];

function startsIn({ p10, p50, p90 }: StartRange): StartsIn {
  if (!Number.isFinite(p90)) return 'never';
  return { p10Ms: Math.round(p10), p50Ms: Math.round(p50), p90Ms: Math.round(p90) };
}

function offered({ taken, offer, passedOver }: Choice, sees: Sees, here: StartsIn | undefined) {
  const { group, type, capacityType } = offer;
  const chances = chancesFor(sees, group, capacityType);
  const pricedFrom = capacityType === 'spot' ? undefined : taken.offered.group.pricedFrom?.[type];
  return {
    offer: { ...told(offer, chances, here), pricedFrom },
    ...(passedOver.length === 0 ? {} : { passedOver }),
  };
}

const hundredth = (p: number): number => Math.round(p * 100) / 100;

function told(offer: Offer, { asked }: Chances, here: StartsIn | undefined): OfferTold {
  const { group, type, zones, capacityType, cost, readyMs } = offer;
  return {
    ...{ group, type, zones, capacity: capacityType },
    perHourMicroUsd: cost?.perHour,
    expectedMicroUsd: cost?.expected,
    worstMicroUsd: cost?.worst,
    ...(cost?.cap === undefined ? {} : { capMicroUsd: cost.cap, spotPriceSince: cost.since }),
    expectedStartMs: Math.round(offer.expectedStartMs),
    expectedEndMs: Math.round(offer.expectedEndMs),
    noCapacity: hundredth(offer.noCapacity),
    interrupted: hundredth(offer.interrupted),
    measured: asked,
    savesMs: here === 'never' ? 'never starts here' : here && Math.round(here.p50Ms - readyMs.p50),
  };
}
