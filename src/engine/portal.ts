import { staleAfterMs } from '../decide/sight.ts';
import { isOpen } from '../domain/answer.ts';
import type { Burst, BurstState } from '../domain/burst.ts';
import type { Receipt } from '../domain/decision.ts';
import type { ForecastError } from '../domain/forecast.ts';
import {
  type BurstId,
  type ClusterName,
  type Instant,
  type JobRef,
  jobRef,
  type Uuid,
} from '../domain/ids.ts';
import { type ToldLack, upStates } from '../domain/instance.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import type { MicroUsd } from '../domain/money.ts';
import type {
  AuditFilter,
  BurstFilter,
  InstanceFilter,
  LedgerFilter,
  Mark,
  Page,
  Paged,
  ReceiptFilter,
} from '../domain/page.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../domain/policy.ts';
import type { AuditRow, Clock, DeskPort, StorePort } from '../ports.ts';
import type { Notebook } from './notebook.ts';
import {
  type Backlog,
  type Beside,
  backlogOf,
  burstsOf,
  byLine,
  type CountBy,
  countsOf,
  type JobCount,
  type JobFilter,
  jobsOf,
  type QueueJob,
  type Sight,
  type Start,
  startsOf,
} from './queue-view.ts';
import type { Shortage } from './shortage.ts';

export type { AuditEvent, AuditRow, LedgerRow, Once } from '../ports.ts';

/** What it needs of a cluster. */
export interface Watched {
  readonly name: ClusterName;
  readonly snapshot: Snapshot | undefined;
  readonly settings: {
    readonly groups: readonly NodeGroup[];
    readonly setup: Pick<ClusterSetup, 'pollMs'>;
    readonly policy: Pick<Policy, 'staleAfterPolls'>;
  };
  readonly notebook: Pick<Notebook, 'last' | 'forecast' | 'turn'>;
  /** Who does not lead remembers no shortage: what he knows is of when he led. */
  readonly leads: boolean;
  readonly shortage: Pick<Shortage, 'told'>;
}

export interface JobNamed {
  readonly cluster: string;
  readonly ref: JobRef;
}

/** A burst under way and what it would cost. */
export interface BurstCost {
  readonly burst: Burst;
  /** It waits for a person's word. */
  readonly open: boolean;
  /** Undefined: its decision tells none. */
  readonly expected: MicroUsd | undefined;
  /** The most that it can cost; undefined: no price is known. */
  readonly most: MicroUsd | undefined;
}

export interface BurstCount {
  readonly cluster: ClusterName;
  readonly state: BurstState;
  readonly bursts: number;
}

/** Bursts under way: counted, and of them all, not of a page, the one whose script has run longest and the one that holds most. */
export interface BurstTotals {
  readonly counts: readonly BurstCount[];
  readonly longest: (Burst & { readonly startedAt: Instant }) | undefined;
  readonly costliest: { readonly burst: Burst; readonly held: MicroUsd } | undefined;
}

/** Instances that may cost something, in all clusters. */
export interface Up {
  readonly instances: number;
  /** An hour of them by their groups' list prices. */
  readonly microUsdPerHour: MicroUsd;
  /** Those of them that no list price is known of: their type is not told yet, it has none, or their group is configured no more. */
  readonly unpriced: number;
}

/** How Slurm says that a job ended: a state of its own each, never folded. */
export interface End {
  readonly state: string;
  readonly code: number;
  readonly signal: number;
}

export interface JobFacts {
  readonly cluster: ClusterName;
  /** As the last look saw it; undefined: it is not in the queue any more, or no look was taken here. */
  readonly line: Job | undefined;
  /** Newest first. */
  readonly bursts: readonly { readonly burst: Burst; readonly steps: readonly AuditRow[] }[];
}

export interface GroupState {
  readonly group: NodeGroup;
  readonly cluster: ClusterName;
  /** Of its instances that live, by state. */
  readonly instances: Readonly<Record<string, number>>;
  readonly bursts: number;
  /** What the cloud had none of a moment ago, or took back; undefined: another gateway leads the cluster, and remembers it. */
  readonly lacks: readonly ToldLack[] | undefined;
}

export interface ForecastState {
  readonly sight: Sight;
  /** On a look that is older nothing is begun. */
  readonly staleAfterMs: number;
  readonly backlog: readonly Backlog[];
  /** By partition, of the newest job there that the asker may see. */
  readonly starts: ReadonlyMap<string, Start>;
  readonly errors: readonly ForecastError[];
}

/** What portals read: from the last look at the queue and from the store, never from Slurm itself. */
export class Portal {
  readonly #clusters: readonly Watched[];
  readonly #store: StorePort;
  readonly #desk: DeskPort;
  readonly #clock: Clock;

  /** `clock` is the one by which looks are dated. */
  constructor(clusters: readonly Watched[], store: StorePort, desk: DeskPort, clock: Clock) {
    this.#clusters = clusters;
    this.#store = store;
    this.#desk = desk;
    this.#clock = clock;
  }

  /** By the clock by which the age of a look is told. */
  now = (): Instant => this.#clock.now();

  bursts = (filter: BurstFilter, page: Page) => this.#desk.bursts(filter, page);
  decisions = (filter: ReceiptFilter, page: Page) => this.#desk.receipts(filter, page);
  /** Undefined: there is none of our clusters'. */
  decision = async (id: Uuid): Promise<Receipt | undefined> => {
    const found = await this.#desk.receipt(id);
    return this.#clusters.some((c) => c.name === found?.cluster) ? found : undefined;
  };
  decisionCounts = (filter: ReceiptFilter) => this.#desk.receiptCounts(filter);
  instances = (filter: InstanceFilter, page: Page) => this.#desk.instances(filter, page);
  ledger = (filter: LedgerFilter, page: Page) => this.#desk.ledger(filter, page);
  audit = (filter: AuditFilter, page: Page) => this.#desk.auditRows(filter, page);
  generation = () => this.#desk.generation();
  once = (caller: string, key: string, what: string, forMs: number) =>
    this.#desk.once(caller, key, what, forMs);
  finish = (caller: string, key: string, answer: unknown, forMs: number) =>
    this.#desk.finish(caller, key, answer, forMs);
  forget = (caller: string, key: string) => this.#desk.forget(caller, key);

  sights = (): readonly Sight[] =>
    this.#clusters.map(({ name, snapshot }) => ({
      cluster: name,
      at: snapshot?.at,
      partial: snapshot?.partial ?? [],
    }));

  /** Cluster by cluster as they are configured; a mark names the cluster, and the last line's id and ref. */
  async jobs(filter: JobFilter, { limit, after }: Page): Promise<Paged<QueueJob>> {
    const found: QueueJob[] = [];
    const [where, id, ref] = after ?? [];
    const from = this.#clusters.findIndex((c) => c.name === where);
    for (const [i, cluster] of this.#clusters.entries()) {
      const { name, snapshot } = cluster;
      if (i < from || snapshot === undefined || (filter.cluster ?? name) !== name) continue;
      const behind = i === from ? ([Number(id), String(ref)] as const) : undefined;
      const beside = await this.#beside(cluster);
      const lines = jobsOf(snapshot, beside, filter, behind, limit + 1 - found.length);
      found.push(...lines.map((job) => ({ cluster: name, job, burst: burstsOf(job, beside)[0] })));
      if (found.length > limit) break;
    }
    const rows = found.slice(0, limit);
    const last = rows.at(-1);
    const next: Mark | undefined =
      found.length > limit && last !== undefined ? [last.cluster, last.job.id, last.job.ref] : undefined;
    return { rows, next };
  }

  /** What the last look saw, counted cluster by cluster. */
  async counts(
    filter: JobFilter,
    by: CountBy,
  ): Promise<readonly { readonly cluster: ClusterName; readonly counts: readonly JobCount[] }[]> {
    const counted = this.#clusters.map(async (cluster) => {
      const { name, snapshot } = cluster;
      if (snapshot === undefined || (filter.cluster ?? name) !== name) return [];
      const beside = filter.burst === undefined ? lineAlone(cluster.notebook) : await this.#beside(cluster);
      return [{ cluster: name, counts: countsOf(snapshot, beside, filter, by) }];
    });
    return (await Promise.all(counted)).flat();
  }

  async #beside({ name, notebook }: Watched): Promise<Beside> {
    const bursts = byLine(await this.#store.liveBursts(name));
    return { ...lineAlone(notebook), bursts: (ref) => bursts.get(ref) ?? [] };
  }

  /** Of these jobs the bursts under way, and what each would cost by the decision that began it; an array that waits has those of its tasks. */
  async costs(jobs: readonly JobNamed[]): Promise<readonly BurstCost[]> {
    const at = await this.#store.now();
    const costs = this.#clusters.map(async ({ name }) => {
      const asked = jobs.filter((j) => j.cluster === name);
      if (asked.length === 0) return [];
      const lines = byLine(await this.#store.liveBursts(name));
      const bursts = [...new Set(asked.flatMap((j) => lines.get(j.ref) ?? []))];
      const refs = bursts.map((b) => b.ref);
      const decided = refs.length === 0 ? [] : await this.#store.lastDecisions(name, refs);
      const offers = new Map(decided.map((r) => [r.burst, r.basis?.offer]));
      return bursts.map((burst): BurstCost => {
        const offer = offers.get(burst.id);
        return {
          ...{ burst, open: isOpen(burst, at), expected: offer?.expectedMicroUsd },
          // What it was offered at or holds counts, not what it was looked at for.
          most: burst.price?.held ?? burst.quote?.microUsd ?? offer?.worstMicroUsd,
        };
      });
    });
    return (await Promise.all(costs)).flat();
  }

  /** Those under way that may be seen, by cluster and state. */
  async burstCounts(may: (burst: Burst) => boolean): Promise<BurstTotals> {
    let longest: BurstTotals['longest'];
    let costliest: BurstTotals['costliest'];
    const counted = this.#clusters.map(async ({ name }) => {
      const states = new Map<BurstState, number>();
      for (const burst of (await this.#store.liveBursts(name)).filter(may)) {
        const { state, startedAt, endedAt, price } = burst;
        states.set(state, (states.get(state) ?? 0) + 1);
        if (
          startedAt !== undefined &&
          endedAt === undefined &&
          startedAt < (longest?.startedAt ?? Number.POSITIVE_INFINITY)
        )
          longest = { ...burst, startedAt };
        if (price !== undefined && price.held > (costliest?.held ?? -1))
          costliest = { burst, held: price.held };
      }
      return [...states].map(([state, bursts]) => ({ cluster: name, state, bursts }));
    });
    const counts = (await Promise.all(counted)).flat();
    return { counts, longest, costliest };
  }

  /** By `12` or `12_3`, in every cluster that knows it. */
  async job(id: string): Promise<readonly JobFacts[]> {
    const facts = await Promise.all(
      this.#clusters.map(async ({ name, snapshot }) => {
        const bursts = await this.#store.burstsOfJob(name, jobRef(id));
        return {
          cluster: name,
          line: snapshot?.jobs.find((j) => j.ref === id),
          bursts: await Promise.all(
            bursts.map(async (burst) => ({ burst, steps: await this.#store.audit(burst.id) })),
          ),
        };
      }),
    );
    return facts.filter((f) => f.line !== undefined || f.bursts.length > 0);
  }

  /** Undefined: there is none of our clusters'. */
  async burst(
    id: BurstId,
  ): Promise<{ readonly burst: Burst; readonly steps: readonly AuditRow[] } | undefined> {
    const burst = await this.#store.burst(id);
    if (burst === undefined || !this.#clusters.some((c) => c.name === burst.cluster)) return undefined;
    return { burst, steps: await this.#store.audit(id) };
  }

  async groups(): Promise<readonly GroupState[]> {
    const of = await Promise.all(
      this.#clusters.map(async ({ name, settings, leads, shortage }) => {
        const [instances, bursts] = await Promise.all([
          this.#store.liveInstances(name),
          this.#store.liveBursts(name),
        ]);
        return settings.groups.map((group) => {
          const states: Record<string, number> = {};
          for (const i of instances) if (i.group === group.name) states[i.state] = (states[i.state] ?? 0) + 1;
          const own = bursts.filter((b) => b.group === group.name).length;
          const lacks = leads ? shortage.told(group) : undefined;
          return { group, cluster: name, instances: states, bursts: own, lacks };
        });
      }),
    );
    return of.flat();
  }

  /** Of node groups that are configured no more too. */
  async up(): Promise<Up> {
    const up = { instances: 0, microUsdPerHour: 0, unpriced: 0 };
    const of = this.#clusters.map(async ({ name, settings: { groups } }) => {
      for (const { state, group, type } of await this.#store.liveInstances(name)) {
        if (!upStates.has(state)) continue;
        const price = groups.find((g) => g.name === group)?.prices?.[type ?? ''];
        up.instances++;
        up.microUsdPerHour += price ?? 0;
        if (price === undefined) up.unpriced++;
      }
    });
    await Promise.all(of);
    return up;
  }

  /** `seen`: whose jobs' own forecasts are told. */
  forecasts(seen: Pick<JobFilter, 'user' | 'seenBy'>): Promise<readonly ForecastState[]> {
    const sights = this.sights();
    return Promise.all(
      this.#clusters.map(async ({ name, snapshot, settings, notebook }, i) => ({
        sight: sights[i] ?? { cluster: name, at: undefined, partial: [] },
        staleAfterMs: staleAfterMs(settings.setup, settings.policy),
        backlog: snapshot === undefined ? [] : backlogOf(snapshot),
        starts: snapshot === undefined ? new Map() : startsOf(snapshot, notebook, seen),
        errors: await this.#store.forecastErrors(name),
      })),
    );
  }
}

/** Where no burst is asked about. */
const lineAlone = (notebook: Watched['notebook']): Beside => ({
  decided: (ref) => notebook.last(ref),
  turn: notebook.turn,
  bursts: () => [],
});

/** What Slurm said of the end, as the step to `final` noted it [burst/settle.ts]; undefined: it has not, or not yet. */
export function endOf(steps: readonly Pick<AuditRow, 'to' | 'why'>[]): End | undefined {
  for (const { to, why } of steps.toReversed()) {
    const said = to === 'final' ? /^Slurm: ([A-Z_]+) (\d+):(\d+)$/.exec(why) : null;
    if (said?.[1] !== undefined) return { state: said[1], code: Number(said[2]), signal: Number(said[3]) };
  }
  return undefined;
}
