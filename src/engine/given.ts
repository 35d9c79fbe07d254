/** What one look at the queue is decided by besides the queue: what is alive, ended and counted, and what is left of money and ramp. */
import { takesOf } from '../decide/backlog.ts';
import { type Counted, countByGroup } from '../decide/chances.ts';
import { budgetsOf } from '../decide/funding.ts';
import type { Look } from '../decide/look.ts';
import { priceOf } from '../decide/price.ts';
import { type BudgetLeft, Purse } from '../decide/purse.ts';
import { readyByGroup } from '../decide/ready.ts';
import { returnedOf } from '../decide/returned.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { usualRates } from '../decide/staging.ts';
import type { Burst } from '../domain/burst.ts';
import type { Instant } from '../domain/ids.ts';
import type { Snapshot } from '../domain/job.ts';
import { type Owner, periodStart } from '../domain/money.ts';
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

export type Giving = Pick<Cluster, 'name' | 'settings' | 'ports' | 'offered' | 'examined' | 'carries'>;

export interface Given {
  readonly look: Look;
  /** The node groups that somebody drained, in words. */
  readonly drained: ReadonlyMap<string, string>;
  readonly counted: ReadonlyMap<string, Readonly<Counted>>;
}

/** `more`: whose budgets count besides those of who is in the queue. */
export async function givenFor(
  engine: Giving,
  snapshot: Snapshot,
  live: readonly Burst[],
  stop: Stop | undefined,
  at: Instant,
  more: readonly Owner[] = [],
): Promise<Given> {
  const { ports, settings } = engine;
  const budgets = await budgetsLeft(engine, live, at, [...snapshot.jobs, ...live, ...more]);
  const ramp = await rampToday(engine, at);
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
    gone: new Set(live.map((b) => b.ref)),
    ready: readyByGroup(ended),
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
  return { look, drained, counted: countByGroup(ended) };
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
  engine: Giving,
  live: readonly Burst[],
  at: Instant,
  owners: readonly Owner[],
): Promise<readonly BudgetLeft[]> {
  const { budgets, limitMarginMs } = policyNow(engine.settings, at);
  const left = await Promise.all(
    // Of thousands that a site may have, those of who is there now.
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
