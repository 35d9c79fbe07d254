import { tasksOf } from '../decide/tasks.ts';
import { type Answering, answered, delegated, isDelegate, isOpen, lapsed } from '../domain/answer.ts';
import { type Burst, terminalStates } from '../domain/burst.ts';
import type { Receipt } from '../domain/decision.ts';
import { faultOf, PortError } from '../domain/fault.ts';
import { type BurstId, type ClusterName, type Instant, type JobRef, jobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import { accountName } from '../domain/money.ts';
import { inWords, type Stop } from '../domain/stop.ts';
import type { AuditRow, Entropy, SeenAgain, StorePort } from '../ports.ts';
import type { DrainOrder } from './capacity.ts';
import type { ClusterEngine } from './cluster.ts';
import type { Gateway, Readiness } from './gateway.ts';

/** What it needs of a gateway. */
export type Served = Pick<
  Gateway,
  'readiness' | 'capacities' | 'turnDrain' | 'budgets' | 'ramps' | 'reports' | 'wake'
> & {
  readonly clusters: readonly Pick<ClusterEngine, 'name' | 'snapshot'>[];
};

/** A cluster and, while nobody may begin bursts there, who stopped it. */
export interface ClusterStop {
  readonly cluster: ClusterName;
  readonly stop: Stop | undefined;
}

/** A burst with the answer that stands now, or why it cannot be given any more. */
export type Answered =
  | { readonly burst: Burst; readonly refused?: never }
  | { readonly burst: Burst; readonly refused: string };

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

/** Who is let answer a quote, and for how long. */
export interface Delegating {
  readonly to: string;
  /** Undefined: as long as the quote holds. Over: who was let answer it is so no more. */
  readonly until: Instant | undefined;
  readonly by: string;
  readonly why: string;
}

/** The accounts of a user by a cluster's own slurmdbd; undefined: it knows no such user. Faults: nobody can say now. */
export type AccountsOf = (cluster: ClusterName, user: string) => Promise<readonly string[] | undefined>;

/** Somebody else was first, or began to lead in this moment: tried so often. */
const triesAtMost = 20;
const receiptsAtMost = 50;
/** Of an array by its bare id, so many tasks. */
const tasksAtMost = 20;

/** What people ask of a gateway and tell it, beside the lists that it keeps itself. */
export class Desk {
  readonly #gateway: Served;
  readonly #store: StorePort;
  readonly #entropy: Entropy;
  readonly #accountsOf: AccountsOf | undefined;

  /** Without `accountsOf` nobody can be a delegate. */
  constructor(gateway: Served, store: StorePort, entropy: Entropy, accountsOf?: AccountsOf) {
    this.#gateway = gateway;
    this.#store = store;
    this.#entropy = entropy;
    this.#accountsOf = accountsOf;
  }

  async readiness(): Promise<Readiness & { readonly stopped: readonly ClusterStop[] }> {
    const readiness = await this.#gateway.readiness();
    // A store that is away has a check of its own.
    const stopped = await this.stops().catch(() => []);
    return { ...readiness, stopped: stopped.filter((s) => s.stop !== undefined) };
  }

  budgets = () => this.#gateway.budgets();
  capacities = () => this.#gateway.capacities();
  turnDrain = (order: DrainOrder) => this.#gateway.turnDrain(order);
  ramps = () => this.#gateway.ramps();
  reports = (forMs: number) => this.#gateway.reports(forMs);

  /** Of all clusters of this gateway. */
  async liftRamp(by: string, why: string): Promise<void> {
    for (const { name } of this.#gateway.clusters) await this.#store.liftRamp(name, by, why);
  }

  async limitRamp(by: string, why: string): Promise<void> {
    for (const { name } of this.#gateway.clusters) await this.#store.limitRamp(name, by, why);
  }

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

  /** What waits for a person's word, the one that ends first in front. */
  async quotes(): Promise<readonly Burst[]> {
    const at = await this.#store.now();
    const live = await Promise.all(this.#gateway.clusters.map(({ name }) => this.#store.liveBursts(name)));
    return live
      .flat()
      .filter((b) => isOpen(b, at))
      .sort((a, b) => (a.quote?.until ?? 0) - (b.quote?.until ?? 0));
  }

  /** Undefined: there is none of our clusters'. */
  async burst(id: BurstId): Promise<Burst | undefined> {
    const burst = await this.#store.burst(id);
    return burst !== undefined && this.#gateway.clusters.some((c) => c.name === burst.cluster)
      ? burst
      : undefined;
  }

  /**
   * A person's word on a quote, written on the burst; whoever leads its cluster acts on it. Undefined: no such burst. `delegate`: who may say it
   * only where it was delegated to him.
   */
  answer(
    id: BurstId,
    yes: boolean,
    by: string,
    why: string,
    delegate?: string,
  ): Promise<Answered | undefined> {
    return this.#word(id, async (burst, at) => {
      if (delegate !== undefined && !isDelegate(burst, delegate, at))
        return { kind: 'refused', why: `its answer is not ${delegate}'s to give any more` };
      const whose = delegate === undefined ? by : `${by}, whom ${burst.delegated?.by} lets answer`;
      const made = answered(burst, { yes, by: whose, at, why });
      const stop = yes && made.kind === 'write' ? await this.#store.stopped(burst.cluster) : undefined;
      return stop === undefined ? made : { kind: 'refused', why: `bursting is ${inWords(stop)}` };
    });
  }

  /** Lets somebody of the burst's account answer its quote too. Undefined: no such burst. */
  delegate(id: BurstId, { to, until, by, why }: Delegating): Promise<Answered | undefined> {
    return this.#word(id, async (burst, at) => {
      const end = until ?? burst.quote?.until ?? at;
      // A right that ends sooner needs nobody's word: not that of a slurmdbd that is away, nor for who left the account.
      const sooner = burst.delegated?.to === to && end <= burst.delegated.until;
      if (end <= at && until !== undefined && !sooner)
        return { kind: 'refused', why: 'until is over already' };
      const made = delegated(burst, { to, until: end, by, at }, why);
      if (made.kind !== 'write' || sooner || (await this.#isOf(burst, to))) return made;
      const refused = `${to} has no association with account ${burst.account} in the slurmdbd of ${burst.cluster}; name somebody of it`;
      return { kind: 'refused', why: refused };
    });
  }

  /** Lets a quote end now. Undefined: no such burst. */
  expire(id: BurstId, by: string, why: string): Promise<Answered | undefined> {
    return this.#word(id, async (burst, at) => lapsed(burst, at, by, why));
  }

  /** Whether he was let answer it, and is still of its account. */
  async mayAnswer(id: BurstId, name: string): Promise<boolean> {
    const burst = await this.burst(id);
    if (burst === undefined || !isDelegate(burst, name, await this.#store.now())) return false;
    return this.#isOf(burst, name);
  }

  async #isOf({ cluster, account }: Burst, user: string): Promise<boolean> {
    const accounts = (await this.#accountsOf?.(cluster, user)) ?? [];
    return accounts.some((a) => accountName(a) === accountName(account));
  }

  async #word(
    id: BurstId,
    make: (burst: Burst, at: Instant) => Promise<Answering>,
  ): Promise<Answered | undefined> {
    for (let turn = 0; turn < triesAtMost; turn++) {
      const burst = await this.burst(id);
      if (burst === undefined) return undefined;
      const made = await make(burst, await this.#store.now());
      if (made.kind === 'stands') return { burst };
      if (made.kind === 'refused') return { burst, refused: made.why };
      if (!(await this.#note(made.burst, made.why))) continue;
      await this.#gateway.wake(id);
      return { burst: made.burst };
    }
    throw new PortError('conflict', 'desk.answer', `burst ${id} changes all the time; ask again`);
  }

  /**
   * A person's word that a job which came back may burst again: what came back until now counts no more [decide/returned.ts]. Answers the
   * bursts that say so, none where nothing of the job ever came back. Who said it first stays.
   */
  async again(id: string, by: string, why: string): Promise<readonly Burst[]> {
    const said: Burst[] = [];
    for (const { name, snapshot } of this.#gateway.clusters)
      for (const ref of await this.#refs(name, id, snapshot?.jobs ?? [])) {
        const burst = await this.#forgive(name, ref, { by, why });
        if (burst !== undefined) said.push(burst);
      }
    return said;
  }

  async #forgive(
    cluster: ClusterName,
    ref: JobRef,
    { by, why }: { readonly by: string; readonly why: string },
  ): Promise<Burst | undefined> {
    for (let turn = 0; turn < triesAtMost; turn++) {
      const newest = (await this.#store.burstsOfJob(cluster, ref))[0];
      if (newest === undefined || !terminalStates.has(newest.state) || newest.state === 'settled')
        return undefined;
      if (newest.again !== undefined) return newest;
      const again = { by, why, at: await this.#store.now() };
      const words = `${by} lets the job burst again${why === '' ? '' : `: ${why}`}`;
      const burst: Burst = { ...newest, again };
      if (await this.#note(burst, words)) return burst;
    }
    throw new PortError('conflict', 'desk.again', `job ${ref} changes all the time; ask again`);
  }

  async #note(burst: Burst, why: string): Promise<boolean> {
    const { cluster } = burst;
    try {
      const epoch = await this.#store.newestEpoch(cluster);
      const written = await this.#store.commit(this.#entropy.uuid(), cluster, epoch, [
        { kind: 'burst', burst, why },
      ]);
      return written === 'ok';
    } catch (e) {
      if (faultOf(e) !== 'stale') throw e;
      return false;
    }
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
