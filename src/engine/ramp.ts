import { priceOf } from '../decide/price.ts';
import { rampDayOf } from '../decide/ramp-day.ts';
import type { Instant } from '../domain/ids.ts';
import { periodStart } from '../domain/money.ts';
import type { Lift, Ramp, RampDay } from '../domain/ramp.ts';
import { nodesOf } from '../domain/ranks.ts';
import { plus } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import type { Standing } from './adopt.ts';
import type { Cluster } from './context.ts';

/** What a person has said of bursting in this cluster, as the store has it now. */
export async function standing({ name, settings, ports }: Omit<Ramped, 'offered'>): Promise<Standing> {
  const { mode, ramp } = settings.setup;
  return {
    stopped: (await ports.store.stopped(name)) !== undefined,
    onRamp: mode === 'auto' && ramp !== undefined && (await ports.store.rampLifted(name)) === undefined,
  };
}

/** More than any ramp lets begin in a day, with those that gave their job back. */
const burstsAtMost = 10_000;

type Ramped = Pick<Cluster, 'name' | 'settings' | 'ports' | 'offered'>;

/** What today's bursts count, by what the store has of them, so whoever began them; undefined: nothing holds this cluster back. */
export async function rampToday(engine: Ramped, at: Instant): Promise<RampDay | undefined> {
  const { setup } = engine.settings;
  if (setup.mode !== 'auto' || setup.ramp === undefined) return undefined;
  if ((await engine.ports.store.rampLifted(engine.name)) !== undefined) return undefined;
  return dayOf(engine, setup.ramp, at);
}

async function dayOf(engine: Ramped, ramp: Ramp, at: Instant): Promise<RampDay> {
  const since = periodStart('day', at);
  const today = await engine.ports.store.bursts({ cluster: engine.name, since, limit: burstsAtMost });
  const margin = engine.settings.policy.limitMarginMs;
  return rampDayOf(ramp, today, at, (b) => {
    const offered = engine.offered.find((o) => o.group.name === b.group);
    const needs = plus(b.needs, keeperNeeds);
    const cost =
      offered && priceOf(needs, b.saved.timeLimitMs, offered, margin, nodesOf(b), b.data?.egress?.held);
    return cost?.kind === 'known' ? cost.price.held : 0;
  });
}

/** A cluster's ramp as it stands; `day` undefined: none is configured. */
export interface RampState {
  readonly cluster: Cluster['name'];
  readonly mode: Cluster['settings']['setup']['mode'];
  readonly day: RampDay | undefined;
  readonly lift: Lift | undefined;
}

export async function rampState(engine: Ramped, at: Instant): Promise<RampState> {
  const { ramp, mode } = engine.settings.setup;
  return {
    cluster: engine.name,
    mode,
    day: ramp === undefined ? undefined : await dayOf(engine, ramp, at),
    lift: await engine.ports.store.rampLifted(engine.name),
  };
}
