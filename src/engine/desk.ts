import { tasksOf } from '../decide/backlog.ts';
import type { Burst } from '../domain/burst.ts';
import type { Receipt } from '../domain/decision.ts';
import { type ClusterName, type JobRef, jobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { Stop } from '../domain/stop.ts';
import type { AuditRow, SeenAgain, StorePort } from '../ports.ts';
import type { ClusterEngine } from './cluster.ts';
import type { Gateway, Readiness } from './gateway.ts';

/** What it needs of a gateway. */
export type Served = Pick<Gateway, 'readiness' | 'bursts' | 'decisions' | 'instances' | 'budgets'> & {
  readonly clusters: readonly Pick<ClusterEngine, 'name' | 'snapshot'>[];
};

/** A cluster and, while nobody may begin bursts there, who stopped it. */
export interface ClusterStop {
  readonly cluster: ClusterName;
  readonly stop: Stop | undefined;
}

export interface Told {
  readonly receipt: Receipt;
  readonly again: SeenAgain | undefined;
}

/** What is known of one job: its newest decision, and each burst with its steps, newest first. */
export interface JobStory {
  readonly cluster: ClusterName;
  readonly ref: JobRef;
  readonly decision: Told | undefined;
  readonly bursts: readonly { readonly burst: Burst; readonly steps: readonly AuditRow[] }[];
}

const receiptsAtMost = 50;
/** Of an array by its bare id, so many tasks. */
const tasksAtMost = 20;

/** What people ask of a gateway and tell it, beside the lists that it keeps itself. */
export class Desk {
  readonly #gateway: Served;
  readonly #store: StorePort;

  constructor(gateway: Served, store: StorePort) {
    this.#gateway = gateway;
    this.#store = store;
  }

  async readiness(): Promise<Readiness & { readonly stopped: readonly ClusterStop[] }> {
    const readiness = await this.#gateway.readiness();
    // A store that is away has a check of its own.
    const stopped = await this.stops().catch(() => []);
    return { ...readiness, stopped: stopped.filter((s) => s.stop !== undefined) };
  }

  bursts = (limit: number, live?: boolean) => this.#gateway.bursts(limit, live);
  decisions = (limit: number) => this.#gateway.decisions(limit);
  instances = (limit: number) => this.#gateway.instances(limit);
  budgets = () => this.#gateway.budgets();

  stops(): Promise<readonly ClusterStop[]> {
    return Promise.all(
      this.#gateway.clusters.map(async ({ name }) => ({
        cluster: name,
        stop: await this.#store.stopped(name),
      })),
    );
  }

  /** Of all clusters of this gateway. */
  async stop(by: string, why: string): Promise<void> {
    for (const { name } of this.#gateway.clusters) await this.#store.stop(name, by, why);
  }

  async resume(by: string, why: string): Promise<void> {
    for (const { name } of this.#gateway.clusters) await this.#store.resume(name, by, why);
  }

  /** By `12`, `12_3`, or a task's own bare id; an array's id gives its tasks. Empty: nothing is known of it. */
  async why(id: string): Promise<readonly JobStory[]> {
    const stories: JobStory[] = [];
    for (const { name, snapshot } of this.#gateway.clusters) {
      for (const ref of await this.#refs(name, id, snapshot?.jobs ?? []))
        stories.push(await this.#story(name, ref));
    }
    return stories.filter((s) => s.decision !== undefined || s.bursts.length > 0);
  }

  async #refs(cluster: ClusterName, id: string, lines: readonly Job[]): Promise<readonly JobRef[]> {
    const own = jobRef(id);
    const known = [
      ...(await this.#store.receipts(cluster, own, 1)),
      ...(await this.#store.burstsOfJob(cluster, own)),
    ];
    if (known.length > 0 || id.includes('_')) return [own];
    const number = Number(id);
    const refs = [
      ...(await this.#store.burstsOfJob(cluster, number)).map((b) => b.ref),
      ...lines
        .filter((j) => j.id === number || j.arrayJobId === number)
        .flatMap((j) => tasksOf(j).map((t) => t.ref)),
      ...(await this.#store.receipts(cluster, undefined, 1_000))
        .map((r) => r.ref)
        .filter((r) => r.startsWith(`${id}_`)),
    ];
    return [...new Set(refs)].slice(0, tasksAtMost);
  }

  async #story(cluster: ClusterName, ref: JobRef): Promise<JobStory> {
    const receipts = await this.#store.receipts(cluster, ref, receiptsAtMost);
    const receipt = receipts.find((r) => r.kind === 'decision');
    const seen = receipt === undefined ? undefined : await this.#store.seen([receipt.id]);
    const bursts = await this.#store.burstsOfJob(cluster, ref);
    return {
      cluster,
      ref,
      decision: receipt && { receipt, again: seen?.get(receipt.id) },
      bursts: await Promise.all(
        bursts.map(async (burst) => ({ burst, steps: await this.#store.audit(burst.id) })),
      ),
    };
  }
}
