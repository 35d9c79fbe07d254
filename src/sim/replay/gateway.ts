/**
 * The gateway's own policy as a replay's: at each look the queue is told as Slurm would tell it, and what the cycle asks is asked [decide/look.ts]: every
 * rule and condition, budgets and caps, who goes first. It takes an object for each job that waits, so it is for a site's months, not for its decade.
 */
import { type Decided, takesOf } from '../../decide/backlog.ts';
import { type Counted, countByGroup } from '../../decide/chances.ts';
import { type Forecaster, usualForecaster } from '../../decide/forecast.ts';
import { Foresight } from '../../decide/foresight.ts';
import { decideOn, type Looked } from '../../decide/look.ts';
import { costOf, spentBy, worstCaseOf } from '../../decide/price.ts';
import type { Price } from '../../decide/priced.ts';
import type { BudgetLeft } from '../../decide/purse.ts';
import { type Ready, readyByGroup } from '../../decide/ready.ts';
import type { OfferedGroup } from '../../decide/rule.ts';
import { stretchesOf } from '../../decide/spot.ts';
import type { Burst } from '../../domain/burst.ts';
import { burstId, type Instant, instant, type JobRef, jobRef } from '../../domain/ids.ts';
import type { CapacityType, SpotPrice } from '../../domain/instance.ts';
import { type Job, type Partition, partitionsOf, type SlurmNode, type Snapshot } from '../../domain/job.ts';
import { type LedgerRow, moneyOf } from '../../domain/ledger.ts';
import { periodStart } from '../../domain/money.ts';
import type { ClusterSetup, Policy as GatewayPolicy } from '../../domain/policy.ts';
import type { Resources } from '../../domain/resources.ts';
import { byLine, chooseFor } from '../../engine/choose.ts';
import type { NodeSets } from './node-sets.ts';
import type { Known, Policy, Sight } from './policy.ts';
import type { CloudRun } from './spot.ts';

export interface GatewayTerms {
  readonly setup: ClusterSetup;
  readonly policy: GatewayPolicy;
  readonly groups: readonly OfferedGroup[];
  readonly forecaster?: Forecaster;
  /** What every pod needs besides its job. */
  readonly beside: Resources;
  /** From a burst to the job's first second in the cloud, as this replay's cloud has it. */
  readonly bootMs: number;
  /** Undefined: one machine serves all partitions. */
  readonly nodes?: NodeSets | undefined;
  /** Of the types of groups that may be bought so; left out: nothing is. */
  readonly spotPrices?: readonly SpotPrice[];
  /** Told of each look at which somebody waits; `buys`: what is taken for who goes. */
  readonly told?: (
    at: Instant,
    decided: readonly Decided[],
    foresight: Foresight,
    buys: (job: Job) => CapacityType | undefined,
  ) => void;
}

/** Where a log names none. */
const usualPartition = 'batch';
const newestEnded = 2_000;

/** In mode observe nobody goes: what would have been is told. */
export function asGateway(known: Known, terms: GatewayTerms): Policy {
  return new AsGateway(known, terms);
}

interface Gone {
  readonly at: Instant;
  readonly group: string;
  readonly price: Price | undefined;
  readonly capacityType: CapacityType;
}

/** One run that is over, as the store would have it. */
type Over =
  Parameters<typeof countByGroup>[0] extends Iterable<infer E>
    ? E & Pick<Burst, 'createdAt' | 'data'>
    : never;

class AsGateway implements Policy {
  readonly claims = 'late';
  readonly #known: Known;
  readonly #terms: GatewayTerms;
  #foresight: Foresight | undefined;
  readonly #gone = new Map<number, Gone>();
  readonly #ended: Over[] = [];
  /** What is known from those, until another has ended. */
  #ready: ReadonlyMap<string, Ready> | undefined;
  #counted: ReadonlyMap<string, Readonly<Counted>> | undefined;
  readonly #ledger = new Map<number, LedgerRow>();
  readonly #lines: (Job | undefined)[];
  readonly #partitions: readonly string[];

  constructor(known: Known, terms: GatewayTerms) {
    this.#known = known;
    this.#partitions = [
      ...new Set(known.jobs.flatMap((j) => partitionsOf({ partition: j.partition || usualPartition }))),
    ];
    this.#terms = { ...terms, setup: { ...terms.setup, watch: this.#partitions, explicit: undefined } };
    this.#lines = new Array(known.jobs.length);
  }

  chosen(sight: Sight): readonly number[] {
    const { setup, policy, groups, beside, forecaster = usualForecaster } = this.#terms;
    this.#foresight ??= new Foresight(forecaster, sight.learned);
    const now = instant(sight.nowMs);
    this.#settle(sight);
    const snapshot = this.#snapshot(sight, now);
    this.#ready ??= readyByGroup(this.#ended);
    const looked = decideOn(this.#foresight, {
      ...{ snapshot, now, setup, policy, groups, beside },
      ...{ stop: undefined, gone: this.#bound(sight), ready: this.#ready, returned: new Map() },
      liveBursts: sight.away.size,
      budgets: this.#budgetsLeft(now),
      had: this.#had(sight),
      examined: () => undefined,
    });
    const { decided } = looked;
    const bought = this.#bought(snapshot, looked);
    if (sight.machine.length > 0)
      this.#terms.told?.(now, decided, this.#foresight, (job) => bought.get(job.ref));
    if (setup.mode === 'observe') return [];
    return decided.flatMap(({ job, decision }) => {
      if (decision.verdict !== 'burst' || decision.group === undefined) return [];
      const taken = groups.filter(({ group }) => group.name === decision.group);
      const cost = worstCaseOf(job, taken, beside, policy.limitMarginMs);
      const price = cost.kind === 'known' ? cost.price : undefined;
      const capacityType = bought.get(job.ref) ?? 'on-demand';
      this.#gone.set(job.id - 1, { at: now, group: decision.group, price, capacityType });
      return [job.id - 1];
    });
  }

  onSpot(job: number): boolean {
    return this.#gone.get(job)?.capacityType === 'spot';
  }

  /** As the cycle buys: by what each offer is expected to cost. */
  #bought(snapshot: Snapshot, { decided, readyIn, carrying }: Looked): ReadonlyMap<JobRef, CapacityType> {
    const { setup, policy, groups, beside, spotPrices } = this.#terms;
    const { at } = snapshot;
    const burst = decided.filter(({ decision }) => decision.verdict === 'burst');
    if (burst.length === 0) return new Map();
    const buying = {
      settings: { setup, policy, pods: {} },
      offered: groups,
      foresight: this.#foresight as Foresight,
      spot: { seen: spotPrices && { at, ok: true as const, value: spotPrices }, avoided: () => [] },
      ports: { clock: { now: () => at } },
      beside,
    };
    this.#counted ??= countByGroup(this.#ended);
    const sees = { snapshot, readyIn, carrying, drained: new Map(), counted: this.#counted };
    return new Map(
      burst.flatMap(({ job, decision: { group } }) => {
        const choice = chooseFor(buying, job, byLine(job, group), sees);
        return choice === undefined ? [] : [[job.ref, choice.taken.capacityType] as const];
      }),
    );
  }

  /** Whose run in the cloud is over since the last look: money that is held becomes money that is spent. */
  #settle(sight: Sight): void {
    for (const [job, { at, group, price, capacityType }] of this.#gone) {
      // The cloud had no room, or it started here first.
      if (sight.burstMs[job] !== at) {
        this.#gone.delete(job);
        this.#ledger.delete(job);
      } else if (sight.away.has(job)) {
        if (price !== undefined && !this.#ledger.has(job))
          this.#ledger.set(job, this.#row(job, price.held, at));
      } else {
        const endedAt = instant(sight.endedMs[job] as number);
        const runs = sight.spotRuns.get(job) ?? [
          ...[{ bookedMs: at, fromMs: at + this.#terms.bootMs, toMs: endedAt, spot: false, lost: false }],
        ];
        this.#gone.delete(job);
        for (const [n, run] of runs.entries())
          this.#ended.unshift(overOf(run, group, n === 0 ? 'decision' : 'requeue'));
        if (this.#ended.length > newestEnded) this.#ended.length = newestEnded;
        this.#ready = undefined;
        this.#counted = undefined;
        if (price === undefined) continue;
        const spent = runs.reduce((sum, run) => sum + this.#spentBy(run, group, price, capacityType), 0);
        this.#ledger.set(job, { ...this.#row(job, spent, endedAt), state: 'settled' });
      }
    }
  }

  #spentBy(run: CloudRun, group: string, price: Price, capacityType: CapacityType): number {
    const [startedAt, endedAt] = [instant(run.fromMs), instant(run.toMs)];
    const onDemand = spentBy({ price, startedAt, endedAt }, endedAt);
    const offered = this.#terms.groups.find((g) => g.group.name === group)?.group;
    const { spotPrices = [] } = this.#terms;
    const [type = ''] = Object.keys(price.rates);
    const [whole, share] = [offered?.prices?.[type], price.rates[type]];
    if (capacityType !== 'spot' || !run.spot || whole === undefined || share === undefined) return onDemand;
    const pool = { type, zone: offered?.zones[0] ?? '' };
    const stretches = stretchesOf(spotPrices, pool, startedAt, endedAt);
    if (stretches === undefined) return onDemand;
    return stretches.reduce((sum, { ms, microUsd }) => sum + costOf((share * microUsd) / whole, ms), 0);
  }

  /** Still in the queue. */
  #bound({ away, machine }: Sight): ReadonlySet<JobRef> {
    const bound = new Set<JobRef>();
    for (let i = 0; i < machine.length && bound.size < away.size; i++)
      if (away.has(machine.at(i))) bound.add(this.#line(machine.at(i)).ref);
    return bound;
  }

  #row(job: number, microUsd: number, at: Instant): LedgerRow {
    const { account, user, id } = this.#known.jobs[job] as Known['jobs'][number];
    return {
      burst: burstId(id),
      cluster: this.#terms.setup.name,
      account,
      user,
      microUsd,
      state: 'held',
      at,
    };
  }

  #budgetsLeft(now: Instant): readonly BudgetLeft[] {
    return this.#terms.policy.budgets
      .filter((b) => b.hard)
      .map(({ account, user, source, microUsd, per }) => {
        const since = periodStart(per, now);
        const { held, spent } = moneyOf(this.#ledger.values(), { account, user, since });
        return { account, user, source, left: microUsd - held - spent };
      });
  }

  #had({ away }: Sight): Map<string, number> {
    const had = new Map<string, number>();
    for (const job of away) {
      const { account } = this.#known.jobs[job] as Known['jobs'][number];
      const takes = takesOf(this.#known.processors[job] as number, this.#known.limitMs[job] as number);
      had.set(account, (had.get(account) ?? 0) + takes);
    }
    return had;
  }

  /** As `squeue` and `sinfo` would tell it: one node as large as each set of nodes, times in whole seconds. */
  #snapshot({ machine, startedMs, processors }: Sight, at: Instant): Snapshot {
    const { nodes } = this.#terms;
    const sets = nodes?.sets ?? [{ partitions: this.#partitions, processors }];
    const taken = sets.map(() => 0);
    const jobs: Job[] = [];
    for (let i = 0; i < machine.running; i++) {
      const job = machine.runningAt(i);
      const set = nodes?.of[job] ?? 0;
      taken[set] = (taken[set] ?? 0) + (this.#known.processors[job] as number);
      const startAt = instant(1_000 * Math.floor((startedMs[job] as number) / 1_000));
      jobs.push({ ...this.#line(job), state: 'RUNNING', reason: 'None', startAt, nodeList: nameOf(set) });
    }
    for (let i = 0; i < machine.length; i++) jobs.push(this.#line(machine.at(i)));
    // As slurmctld has them, whatever the order in which they should be over.
    jobs.sort((a, b) => a.id - b.id);
    return {
      ...{ cluster: this.#terms.setup.name, at, tookMs: 0, jobs, partial: [] },
      partitions: sets.flatMap(({ partitions, processors: totalCpus }, i) =>
        partitions.map((name) => ({ ...partition, name, nodes: nameOf(i), totalCpus })),
      ),
      nodes: sets.map(({ partitions, processors: cpus }, i) => ({
        ...{ ...node, name: nameOf(i), partitions, cpus, allocatedCpus: taken[i] ?? 0 },
      })),
    };
  }

  #line(job: number): Job {
    const made = this.#lines[job] ?? this.#pending(job);
    this.#lines[job] = made;
    return made;
  }

  #pending(job: number): Job {
    const { user, account, partition: own, priority } = this.#known.jobs[job] as Known['jobs'][number];
    const submitAt = instant(this.#known.submitMs[job] as number);
    return {
      ...{ ref: jobRef(`${job + 1}`), id: job + 1, arrayJobId: undefined, arrayTask: undefined },
      ...{ name: 'replay', user, account, qos: 'normal', partition: own || usualPartition },
      ...{ state: 'PENDING', reason: 'Priority', submitAt, eligibleAt: submitAt, startAt: undefined },
      // In the order in which they came, where nothing else is known.
      ...{ priority: priority ?? 1, timeLimitMs: this.#known.limitMs[job] as number },
      ...{ minNodes: 1, maxNodes: undefined, cpus: this.#known.processors[job] as number, batch: true },
      ...{ hetJob: false, dependency: '', features: '', licenses: '', reservation: '', requiredNodes: '' },
      ...{ gres: '', restarts: 0, nodeList: '' },
    };
  }
}

function overOf(
  { bookedMs, fromMs, toMs, spot, lost }: CloudRun,
  group: string,
  origin: Over['origin'],
): Over {
  const endedAt = instant(toMs);
  return {
    ...{ origin, group, cause: undefined, createdAt: instant(bookedMs), startedAt: instant(fromMs), endedAt },
    ...{ exit: undefined, others: undefined, spotRefused: undefined },
    capacityType: spot ? 'spot' : undefined,
    reclaimedAt: lost ? endedAt : undefined,
  };
}

/** Of the one node that stands for a set. */
const nameOf = (set: number): string => `machine${set}`;

const node: SlurmNode = {
  name: nameOf(0),
  state: 'MIXED',
  partitions: [],
  ...{ cpus: 0, allocatedCpus: 0, memoryMib: 0, features: '', gres: '' },
};

const partition: Partition = {
  ...{ name: usualPartition, up: true, defaultTimeMs: undefined, maxTimeMs: 'unlimited' },
  ...{ defMemory: undefined, priorityJobFactor: 1, nodes: node.name, totalNodes: 1, totalCpus: 0 },
  overSubscribe: 'NO',
};
