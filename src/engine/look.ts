/** All that a cluster's queue is decided on besides Slurm's own word: what live bursts take, what is left of budgets, who stopped what. */
import { takesOf } from '../decide/backlog.ts';
import { type Counted, countByGroup } from '../decide/chances.ts';
import { budgetsOf } from '../decide/funding.ts';
import type { Look } from '../decide/look.ts';
import { priceOf } from '../decide/price.ts';
import { type BudgetLeft, Purse } from '../decide/purse.ts';
import { returnedOf } from '../decide/returned.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { usualRates } from '../decide/staging.ts';
import type { Burst } from '../domain/burst.ts';
import type { Instant } from '../domain/ids.ts';
import type { Snapshot } from '../domain/job.ts';
import { periodStart } from '../domain/money.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { nodesOf } from '../domain/ranks.ts';
import { plus } from '../domain/resources.ts';
import type { Stop } from '../domain/stop.ts';
import { keeperNeeds } from '../translate/index.ts';
import { shutGroups } from './breakers.ts';
import type { Cluster } from './context.ts';
import { policyNow } from './funds.ts';
import { memoOf } from './memo.ts';
import { rampToday } from './ramp.ts';

/** Given-back jobs within the back-off, and how long it took until bursts ran, are read from the newest so many. */
const recentBursts = 2_000;

/** What is asked of a cluster; a dry run has no more. */
export type Looking = Pick<
  Cluster,
  'name' | 'settings' | 'ports' | 'offered' | 'snapshot' | 'examined' | 'carries'
>;

export interface LookedFor {
  readonly look: Look;
  /** What became of this site's bursts, by offer. */
  readonly counted: ReadonlyMap<string, Readonly<Counted>>;
  readonly drained: ReadonlyMap<string, string>;
}

/** By the policy that the cluster's settings have. Only reads. */
export async function lookFor(
  engine: Looking,
  snapshot: Snapshot,
  live: readonly Burst[],
  stop: Stop | undefined,
  at: Instant,
): Promise<LookedFor> {
  const { ports, settings } = engine;
  const budgets = await budgetsLeft(engine, live, at);
  const ramp = await rampToday(engine, at);
  const gone = new Set(live.map((b) => b.ref));
  const ended = await ports.store.bursts({ cluster: engine.name, live: false, limit: recentBursts });
  const drained = await shutGroups(ports.store, engine.name, settings.groups, at);
  const lastIf = ({ group }: OfferedGroup): number => (drained.has(group.name) ? 1 : 0);
  const look: Look = {
    snapshot,
    now: at,
    setup: settings.setup,
    policy: policyNow(settings, at),
    groups: [...engine.offered].sort((a, b) => lastIf(a) - lastIf(b)),
    stop,
    drained,
    gone,
    ended,
    liveBursts: live.reduce((sum, b) => sum + nodesOf(b), 0),
    returned: returnedOf(ended),
    budgets,
    had: tookOf(live, settings.groups),
    ramp,
    beside: keeperNeeds,
    staging: settings.pods.staging && {
      rates: settings.pods.stagingRates ?? usualRates,
      ended,
      sizes: (job) => (engine.carries.size === 0 ? undefined : engine.carries.get(memoOf(job))?.sizes),
    },
    examined: (job) => (engine.examined.size === 0 ? undefined : engine.examined.get(memoOf(job))?.because),
  };
  return { look, counted: countByGroup(ended), drained };
}

/** What the bursts that are alive may take of the cloud for each account, as `takes` of decide/backlog.ts counts it. */
function tookOf(live: readonly Burst[], groups: readonly NodeGroup[]): Map<string, number> {
  const took = new Map<string, number>();
  for (const { account, group, needs, saved, others } of live) {
    const vcpuPerCpu = groups.find((g) => g.name === group)?.vcpuPerCpu ?? 1;
    const cpus = (nodesOf({ others }) * needs.cpuMillis) / 1_000 / vcpuPerCpu;
    const takes = takesOf(cpus, saved.timeLimitMs);
    took.set(account, (took.get(account) ?? 0) + takes);
  }
  return took;
}

/** What is left of each hard budget now. Bursts that were begun and hold nothing yet will hold it before whatever comes now. */
async function budgetsLeft(
  engine: Looking,
  live: readonly Burst[],
  at: Instant,
): Promise<readonly BudgetLeft[]> {
  const { budgets, limitMarginMs } = policyNow(engine.settings, at);
  // Of thousands that a site may have, those of who is there now.
  const owners = [...(engine.snapshot?.jobs ?? []), ...live];
  const left = await Promise.all(
    budgetsOf(budgets, owners)
      .filter((b) => b.hard)
      .map(async ({ account, user, microUsd, per, source }) => {
        const { held, spent } = await engine.ports.store.money(engine.name, {
          account,
          user,
          since: periodStart(per, at),
        });
        return { account, user, source, left: microUsd - held - spent };
      }),
  );
  const purse = new Purse(left);
  for (const b of live) {
    if (b.state !== 'proposed' && b.state !== 'approved') continue;
    const offered = engine.offered.find((o) => o.group.name === b.group);
    if (offered === undefined) continue;
    const needs = plus(b.needs, keeperNeeds);
    const cost = priceOf(
      needs,
      b.saved.timeLimitMs,
      offered,
      limitMarginMs,
      nodesOf(b),
      b.data?.egress?.held,
    );
    if (cost.kind === 'known') purse.take(b, cost.price.held);
  }
  return purse.budgets;
}
