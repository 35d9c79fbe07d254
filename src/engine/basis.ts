/** What a decision was made from, for its receipt. */
import type { Leg } from '../decide/carry.ts';
import type { Chances } from '../decide/chances.ts';
import type { Choice } from '../decide/choose.ts';
import type { Offer } from '../decide/offers.ts';
import { groupFor } from '../decide/rules/size.ts';
import type { Basis, Decision, OfferTold } from '../domain/decision.ts';
import type { StartRange } from '../domain/forecast.ts';
import type { Job } from '../domain/job.ts';
import { byLine, type Choosing, chancesFor, chooseFor, type Sees } from './choose.ts';
import { policyHashNow } from './funds.ts';
import { memoOf } from './memo.ts';

/** `choice`: what was chosen for the job in full; undefined: by its line, which tells no memory, so what is reckoned from it is the least that it can be. */
export function basisOf(engine: Choosing, job: Job, decision: Decision, sees: Sees, choice?: Choice): Basis {
  const forecast = engine.foresight.of(job.ref);
  const bursts = decision.verdict === 'burst';
  const chosen = choice ?? (bursts ? chooseFor(engine, job, byLine(job, decision.group), sees) : undefined);
  const group = chosen?.offer.group ?? decision.group ?? groupFor(job, engine.offered)?.group.name;
  const ready = group === undefined ? undefined : sees.readyIn(group, job);
  const here = forecast && startsIn(forecast.range);
  return {
    policy: policyHashNow(engine.settings),
    ...(engine.settings.policyVersion === undefined ? {} : { policyVersion: engine.settings.policyVersion }),
    forecast: forecast && here && { by: forecast.by, startsIn: here },
    ready:
      ready && group !== undefined
        ? { group, p50Ms: Math.round(ready.p50), p90Ms: Math.round(ready.p90), measured: ready.measured }
        : undefined,
    ...(engine.settings.pods.staging === undefined ? {} : { data: dataTold(engine, job, sees) }),
    ...(chosen === undefined ? {} : offered(chosen, sees, here)),
  };
}

/** Unknown: nobody has read its script yet, and no job of its name has carried anything. */
function dataTold(engine: Choosing, job: Job, sees: Sees): Basis['data'] {
  const carrying = sees.carrying(job);
  if (carrying === undefined) return engine.carries.has(memoOf(job)) ? undefined : 'unknown';
  const leg = ({ bytes, p50, p90, measured }: Leg) => ({
    ...{ bytes: Math.round(bytes), p50Ms: Math.round(p50), p90Ms: Math.round(p90), measured },
  });
  const { from, jobs } = carrying;
  return { from, jobs, in: leg(carrying.in), out: leg(carrying.out) };
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
