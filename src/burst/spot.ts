/** A burst on spot: its instances may be taken back, and what they cost went up and down. */
import { costOf, rateOf, spentBy } from '../decide/price.ts';
import { stretchesOf } from '../decide/spot.ts';
import type { Burst } from '../domain/burst.ts';
import { type Instant, instant } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import type { MicroUsd } from '../domain/money.ts';
import { ranksOf } from '../domain/ranks.ts';
import { plus } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import { after, type BurstContext, change, leave, type Next, now } from './context.ts';
import { requeueOnce } from './requeue.ts';

/** From the notice until Slurm is asked to requeue the job: of two minutes, KillWait and the way of the last output are left. */
const requeueAfterMs = 75_000;

async function instancesOf(ctx: BurstContext, burst: Burst): Promise<readonly (Instance | undefined)[]> {
  return Promise.all(
    ranksOf(burst).map(async ({ instance }) =>
      instance === undefined ? undefined : ctx.store.instance(instance),
    ),
  );
}

/** The first of its instances that the cloud takes or took back. */
export async function reclaimedOf(ctx: BurstContext, burst: Burst): Promise<Instance | undefined> {
  if (burst.capacityType !== 'spot') return undefined;
  const taken = (await instancesOf(ctx, burst)).filter((i) => i?.reclaimedAt !== undefined);
  return taken.find((i) => i?.state === 'gone') ?? taken[0];
}

/** What is said of a run that was taken back; undefined: somebody else changed the burst first. */
export async function noteReclaim(ctx: BurstContext, burst: Burst): Promise<Burst | undefined> {
  if (burst.reclaimedAt !== undefined) return burst;
  const taken = await reclaimedOf(ctx, burst);
  if (taken === undefined) return burst;
  const text = `the cloud takes its spot instance ${taken.cloudId} back`;
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  return change(ctx, burst, { reclaimedAt: taken.reclaimedAt }, text);
}

/**
 * Leaves where an instance is taken back before anything of the job ran. It counts as a run that was taken back: who was unlucky so often goes on
 * demand. Undefined: nothing is taken back.
 */
export async function leaveReclaimed(
  ctx: BurstContext,
  burst: Burst,
  when: string,
): Promise<Next | undefined> {
  const taken = await reclaimedOf(ctx, burst);
  if (taken === undefined) return undefined;
  const text = `the cloud takes spot instance ${taken.cloudId} back before ${when}`;
  return leave(ctx, burst, { kind: 'no_capacity', text }, { reclaimedAt: taken.reclaimedAt });
}

/**
 * While it runs: after the notice the script gets its own `--signal` early and goes on for a while, which is its time to save what it has; then
 * Slurm is asked to requeue the job where it may be.
 * Once the cloud says that the instance is terminated it is lost at once, whatever its streams look like. Undefined: nothing is taken back.
 */
export async function watchReclaim(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  const taken = await reclaimedOf(ctx, burst);
  if (taken?.reclaimedAt === undefined) return undefined;
  if (burst.reclaimedAt === undefined) {
    await noteReclaim(ctx, burst);
    return now;
  }
  if (taken.state === 'gone') {
    const reason = `its spot instance ${taken.cloudId} was taken back`;
    const endedAt = burst.endedAt ?? ctx.clock.now();
    await change(ctx, burst, { state: 'lost', exit: { lost: true, reason }, endedAt }, reason);
    return now;
  }
  if (burst.signal !== undefined)
    ctx.streams.signal(burst.id, `greclaim-${burst.restarts}`, burst.signal, 'script');
  const left = taken.reclaimedAt + requeueAfterMs - ctx.clock.now();
  if (left > 0) return after(Math.min(left, 5_000));
  const job = await ctx.slurm.job(burst.ref);
  if (job?.state !== 'RUNNING' || job.restarts !== burst.restarts) return undefined;
  return requeueOnce(ctx, burst, job);
}

/**
 * What a burst on spot came to: its share of each machine at the prices as they were while it ran, or (the history is not to be had) at what the instance
 * was bought for. Undefined: nothing of it ran on spot.
 */
export async function spentOnSpot(ctx: BurstContext, burst: Burst, at: Instant): Promise<Burst['spent']> {
  const { startedAt: from, price } = burst;
  if (burst.capacityType !== 'spot' || from === undefined || price === undefined) return undefined;
  const until = instant(Math.max(from, burst.endedAt ?? at));
  const offered = ctx.offered(burst.group);
  let microUsd: MicroUsd = 0;
  let by: 'history' | 'held' = 'history';
  for (const instance of await instancesOf(ctx, burst)) {
    const { type: name, zone, price: bought } = instance ?? {};
    const type = offered?.types.find((t) => t.name === name);
    const isSpot = instance?.spec.capacityType === 'spot';
    if (offered === undefined || type === undefined || zone === undefined || !isSpot) {
      // By its price on demand, which is the most.
      microUsd += spentBy({ price, machine: name, startedAt: from, endedAt: until }, at);
      by = 'held';
      continue;
    }
    const rate = (whole: MicroUsd): MicroUsd =>
      rateOf(whole, plus(burst.needs, keeperNeeds), type, offered.group);
    const pool = { type: type.name, zone };
    const history = await ctx.spotHistory?.(pool, from).catch(() => undefined);
    const stretches = history && stretchesOf(history, pool, from, until);
    if (stretches !== undefined)
      // Between the notice and the end the price may be above the cap, which is never paid.
      microUsd += stretches.reduce(
        (sum, s) => sum + costOf(rate(Math.min(s.microUsd, bought?.capMicroUsd ?? s.microUsd)), s.ms),
        0,
      );
    else {
      by = 'held';
      const held = bought?.microUsd;
      microUsd +=
        held === undefined
          ? spentBy({ price, machine: type.name, startedAt: from, endedAt: until }, at)
          : costOf(rate(held), until - from);
    }
  }
  return { microUsd, by };
}
