import { leftToPay, paidThere } from '../decide/overhead.ts';
import type { Burst } from '../domain/burst.ts';
import type { BurstId, Instant } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import type { MicroUsd } from '../domain/money.ts';
import { overheadId } from '../domain/overhead.ts';
import { ranksOf } from '../domain/ranks.ts';
import type { StorePort, Write } from '../ports.ts';

type Bursts = Pick<StorePort, 'burst'>;

/** What those bursts paid for the instance, each for as many of its nodes as were on it. */
export async function paidBy(
  store: Bursts,
  instance: Instance,
  ids: readonly BurstId[],
  at: Instant,
): Promise<MicroUsd> {
  let sum = 0;
  for (const id of ids) {
    const burst = await store.burst(id);
    if (burst !== undefined) sum += paidThere(burst, instance.type, at) * nodesOn(burst, instance);
  }
  return sum;
}

const nodesOn = (burst: Burst, { id }: Instance): number =>
  Math.max(1, ranksOf(burst).filter(({ instance }) => instance === id).length);

/** An instance that is gone: what it came to besides its bursts is spent, and the rest of what it held is free again. */
export async function settles(
  store: Bursts,
  instance: Instance,
  besides: MicroUsd,
  at: Instant,
): Promise<readonly Write[]> {
  const { hold, launchedAt, releasedAt = at, price } = instance;
  if (hold === undefined) return [];
  const relieved = hold.relieved + (await paidBy(store, instance, hold.on, at));
  const perHour = price === undefined ? hold.perHour : price.microUsd + besides;
  const spent = launchedAt === undefined ? 0 : leftToPay(perHour, { from: launchedAt, relieved }, releasedAt);
  return Array.from({ length: hold.rows }, (_, nth) => {
    const microUsd = nth === 0 ? spent : 0;
    return { kind: 'settle', settles: overheadId(instance.id, nth), microUsd, at };
  });
}
