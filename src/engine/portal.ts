import type { Burst } from '../domain/burst.ts';
import type { ForecastError } from '../domain/forecast.ts';
import { type BurstId, type ClusterName, jobRef } from '../domain/ids.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import type {
  AuditFilter,
  BurstFilter,
  LedgerFilter,
  Mark,
  Page,
  Paged,
  ReceiptFilter,
} from '../domain/page.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { AuditRow, DeskPort, StorePort } from '../ports.ts';
import {
  type Backlog,
  backlogOf,
  type CountBy,
  countsOf,
  type JobCount,
  type JobFilter,
  jobsOf,
  type QueueJob,
  type Sight,
} from './queue-view.ts';

export type { AuditEvent, AuditRow, LedgerRow, Once } from '../ports.ts';

/** What it needs of a cluster. */
export interface Watched {
  readonly name: ClusterName;
  readonly snapshot: Snapshot | undefined;
  readonly settings: { readonly groups: readonly NodeGroup[] };
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
}

export interface ForecastState {
  readonly sight: Sight;
  readonly backlog: readonly Backlog[];
  readonly errors: readonly ForecastError[];
}

/** What portals read: from the last look at the queue and from the store, never from Slurm itself. */
export class Portal {
  readonly #clusters: readonly Watched[];
  readonly #store: StorePort;
  readonly #desk: DeskPort;

  constructor(clusters: readonly Watched[], store: StorePort, desk: DeskPort) {
    this.#clusters = clusters;
    this.#store = store;
    this.#desk = desk;
  }

  bursts = (filter: BurstFilter, page: Page) => this.#desk.bursts(filter, page);
  decisions = (filter: ReceiptFilter, page: Page) => this.#desk.receipts(filter, page);
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
    for (const [i, { name, snapshot }] of this.#clusters.entries()) {
      if (i < from || snapshot === undefined || (filter.cluster ?? name) !== name) continue;
      const behind = i === from ? ([Number(id), String(ref)] as const) : undefined;
      const lines = jobsOf(snapshot, filter, behind, limit + 1 - found.length);
      if (lines.length === 0) continue;
      const live = new Map((await this.#store.liveBursts(name)).map((b) => [b.ref, b]));
      found.push(...lines.map((job) => ({ cluster: name, job, burst: live.get(job.ref) })));
      if (found.length > limit) break;
    }
    const rows = found.slice(0, limit);
    const last = rows.at(-1);
    const next: Mark | undefined =
      found.length > limit && last !== undefined ? [last.cluster, last.job.id, last.job.ref] : undefined;
    return { rows, next };
  }

  /** What the last look saw, counted cluster by cluster. */
  counts(
    filter: JobFilter,
    by: CountBy,
  ): readonly { readonly cluster: ClusterName; readonly counts: readonly JobCount[] }[] {
    return this.#clusters.flatMap(({ name, snapshot }) =>
      snapshot === undefined || (filter.cluster ?? name) !== name
        ? []
        : [{ cluster: name, counts: countsOf(snapshot, filter, by) }],
    );
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
      this.#clusters.map(async ({ name, settings }) => {
        const [instances, bursts] = await Promise.all([
          this.#store.liveInstances(name),
          this.#store.liveBursts(name),
        ]);
        return settings.groups.map((group) => {
          const states: Record<string, number> = {};
          for (const i of instances) if (i.group === group.name) states[i.state] = (states[i.state] ?? 0) + 1;
          const own = bursts.filter((b) => b.group === group.name).length;
          return { group, cluster: name, instances: states, bursts: own };
        });
      }),
    );
    return of.flat();
  }

  forecasts(): Promise<readonly ForecastState[]> {
    const sights = this.sights();
    return Promise.all(
      this.#clusters.map(async ({ name, snapshot }, i) => ({
        sight: sights[i] ?? { cluster: name, at: undefined, partial: [] },
        backlog: snapshot === undefined ? [] : backlogOf(snapshot),
        errors: await this.#store.forecastErrors(name),
      })),
    );
  }
}

/** What Slurm said of the end, as the step to `final` noted it [burst/settle.ts]; undefined: it has not, or not yet. */
export function endOf(steps: readonly Pick<AuditRow, 'to' | 'why'>[]): End | undefined {
  for (const { to, why } of steps.toReversed()) {
    const said = to === 'final' ? /^Slurm: ([A-Z_]+) (\d+):(\d+)$/.exec(why) : null;
    if (said?.[1] !== undefined) return { state: said[1], code: Number(said[2]), signal: Number(said[3]) };
  }
  return undefined;
}
