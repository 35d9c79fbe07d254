/** What a span of a gateway's own decisions came to: by its receipts and bursts, and by what sacct says became of the jobs. */
import { type Hindsight, hindsightOf, type WouldBurst } from '../decide/hindsight.ts';
import { spentBy, worstCaseOf } from '../decide/price.ts';
import type { Burst } from '../domain/burst.ts';
import { type Instant, instant, type JobKey, jobKey } from '../domain/ids.ts';
import type { EndedRun } from '../domain/job.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { ClusterSetup } from '../domain/policy.ts';
import { keeperNeeds } from '../translate/index.ts';
import type { Cluster } from './context.ts';
import { policyHashNow } from './funds.ts';

const dayMs = 86_400_000;
/** More are not counted, which the report says. */
const burstsAtMost = 100_000;

/** What was really done. By the number of bursts, unless the name says otherwise. */
export interface Done {
  /** Begun by a decision. */
  readonly begun: number;
  /** Began to run in the cloud, those that run still included. */
  readonly ran: number;
  readonly running: number;
  /** Came back, were declined or withdrawn, or started here first. */
  readonly back: number;
  /** From the decision to their first second in the cloud. */
  readonly waitedMs: number;
  /** What the forecasts of the day said that they would still have waited here, less what they waited: nobody knows what would have been. */
  readonly savedMs: number;
  /** Of those that ran: without a finite forecast, so not in `savedMs`. */
  readonly withoutForecast: number;
  /** Of all that ran, again after a requeue included: each its share of its machine. */
  readonly microUsd: MicroUsd;
  /** Bought without a price, so not in `microUsd`. */
  readonly withoutPrice: number;
  /** There were more bursts than are counted. */
  readonly more: boolean;
}

export interface ClusterReport {
  readonly cluster: Cluster['name'];
  readonly mode: ClusterSetup['mode'];
  readonly since: Instant;
  readonly until: Instant;
  /** Decisions to burst that nobody carried out, as in mode observe. */
  readonly would: Hindsight;
  readonly done: Done;
  /** Rows of sacct that could not be read. */
  readonly unread: number;
}

type Reported = Pick<Cluster, 'name' | 'settings' | 'ports' | 'offered'>;

export async function reportOf(engine: Reported, since: Instant, until: Instant): Promise<ClusterReport> {
  const { ports, settings, name } = engine;
  const would = new Map<JobKey, WouldBurst>();
  const forecasts = new Map<Burst['id'], number>();
  for (const [from, to] of daysOf(since, until))
    for (const { job, at, burst, basis } of await ports.store.burstDecisions(name, from, to)) {
      const said = basis?.forecast?.startsIn;
      if (burst === undefined) {
        // The first: had it been carried out, there would have been no second.
        if (!would.has(job)) would.set(job, { at, basis });
      } else if (said !== undefined && said !== 'never') forecasts.set(burst, said.p50Ms);
    }
  const bursts = await ports.store.bursts({ cluster: name, since, limit: burstsAtMost });
  // Who went in the end is told by what it did.
  for (const { job, startedAt } of bursts) if (startedAt !== undefined) would.delete(job);
  const { runs, unread } = await runsOf(engine, would, until);
  const costOf = (run: Pick<EndedRun, 'cpus' | 'nodes'>, runMs: number): MicroUsd | undefined => {
    const cost = worstCaseOf(
      { cpus: run.cpus, minNodes: run.nodes, timeLimitMs: runMs },
      engine.offered,
      keeperNeeds,
      0,
    );
    return cost.kind === 'known' ? cost.price.held : undefined;
  };
  return {
    ...{ cluster: name, mode: settings.setup.mode, since, until, unread },
    would: hindsightOf(would, runs, policyHashNow(settings), costOf),
    done: doneOf(bursts, forecasts, until),
  };
}

/** A day at a time, as both the store and slurmdbd would have it. */
function* daysOf(since: Instant, until: Instant): Generator<readonly [Instant, Instant]> {
  for (let from: number = since; from < until; from += dayMs)
    yield [instant(from), instant(Math.min(until, from + dayMs))];
}

/** Of each job the run that began first after its decision. sacct is not asked where there is nothing to look for. */
async function runsOf(
  { settings, name }: Reported,
  would: ReadonlyMap<JobKey, WouldBurst>,
  until: Instant,
): Promise<{ readonly runs: ReadonlyMap<JobKey, EndedRun>; readonly unread: number }> {
  const runs = new Map<JobKey, EndedRun>();
  let unread = 0;
  const [first] = [...would.values()].map(({ at }) => at).sort((a, b) => a - b);
  if (first === undefined) return { runs, unread };
  for (const [from, to] of daysOf(first, until)) {
    const day = await settings.slurm.history(from, to);
    unread += day.partial.length;
    for (const run of day.runs) {
      const key = jobKey(name, run.ref, run.submitAt);
      const known = runs.get(key);
      // What Slurm writes in whole seconds may seem to lie before the look.
      if (run.startAt + 1_000 > (would.get(key)?.at ?? Number.POSITIVE_INFINITY))
        if (known === undefined || run.startAt < known.startAt) runs.set(key, run);
    }
  }
  return { runs, unread };
}

function doneOf(bursts: readonly Burst[], forecasts: ReadonlyMap<Burst['id'], number>, until: Instant): Done {
  const begun = bursts.filter((b) => b.origin === 'decision');
  const ran = begun.filter((b) => b.startedAt !== undefined);
  let [waitedMs, savedMs, withoutForecast, microUsd, withoutPrice] = [0, 0, 0, 0, 0];
  for (const b of ran) {
    const waited = Math.max(0, (b.startedAt ?? until) - b.createdAt);
    const said = forecasts.get(b.id);
    waitedMs += waited;
    if (said === undefined) withoutForecast += 1;
    else savedMs += said - waited;
  }
  for (const b of bursts.filter(({ startedAt }) => startedAt !== undefined))
    if (b.price === undefined) withoutPrice += 1;
    else microUsd += spentBy(b, until);
  const over = new Set<Burst['state']>(['returned', 'started_onprem', 'withdrawn']);
  return {
    ...{ begun: begun.length, ran: ran.length },
    running: ran.filter((b) => b.endedAt === undefined).length,
    back: begun.filter((b) => b.startedAt === undefined && over.has(b.state)).length,
    ...{ waitedMs, savedMs, withoutForecast, microUsd, withoutPrice, more: bursts.length === burstsAtMost },
  };
}
