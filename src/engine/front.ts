/** What portals ask of the cluster itself through this gateway: the queue as it was last seen, one job, and what a user orders as himself. */
import { faultOf, PortError } from '../domain/fault.ts';
import { type ClusterName, type Instant, instant, type JobRef } from '../domain/ids.ts';
import type { ClusterFacts, Job, JobDetail, Snapshot } from '../domain/job.ts';
import type { OrderedOfJob } from '../domain/job-order.ts';
import { type JobRecord, type SubmitOrder, takesKey, type UserInfo } from '../domain/submit.ts';
import type { Clock, Entropy, SlurmPort, UsersPort } from '../ports.ts';
import { sortedJobs } from './queue-view.ts';

export type { JobRecord, SubmitOrder, UserInfo } from '../domain/submit.ts';

export interface FrontCluster {
  readonly name: ClusterName;
  readonly snapshot: Snapshot | undefined;
  readonly slurm: Pick<SlurmPort, 'job' | 'script'>;
  facts(): Promise<ClusterFacts>;
  readonly users: UsersPort;
  /** Whether users submit and cancel here through the gateway. */
  readonly submits: boolean;
}

export interface FrontGiven {
  readonly clusters: readonly FrontCluster[];
  readonly clock: Clock;
  readonly entropy: Pick<Entropy, 'uuid'>;
  readonly pause: (ms: number) => Promise<void>;
  readonly log: (line: { readonly level: 'info' | 'warn'; readonly text: string }) => void;
}

export type Known =
  | { readonly kind: 'live'; readonly job: JobDetail }
  | { readonly kind: 'over'; readonly record: JobRecord };

/** sbatch answers within a second or two; slurmctld may be slow. */
const orderMs = 15_000;
/** After a lost answer: Slurm may take the job for so long still, and then it is found by its key. */
const findAfterMs = [1_000, 4_000, 10_000] as const;

export class Front {
  readonly #given: FrontGiven;

  constructor(given: FrontGiven) {
    this.#given = given;
  }

  get clusters(): readonly FrontCluster[] {
    return this.#given.clusters;
  }

  cluster(name: string): FrontCluster | undefined {
    return this.#given.clusters.find((c) => c.name === name);
  }

  /** The newest first; of all users where none is named. Undefined: this gateway has not looked at the queue. */
  live(cluster: FrontCluster, user: string | undefined): readonly Job[] | undefined {
    if (cluster.snapshot === undefined) return undefined;
    const { all, byUser } = sortedJobs(cluster.snapshot);
    return user === undefined ? all : (byUser.get(user) ?? []);
  }

  records(
    cluster: FrontCluster,
    user: string | undefined,
    of: JobRef | { readonly since: Instant },
  ): Promise<readonly JobRecord[]> {
    return cluster.users.records(user, of);
  }

  /** As Slurm knows it now, or as slurmdbd kept it; undefined where it is not this user's, too. */
  async job(cluster: FrontCluster, user: string | undefined, ref: JobRef): Promise<Known | undefined> {
    const job = await cluster.slurm.job(ref);
    if (job !== undefined) return user === undefined || job.user === user ? { kind: 'live', job } : undefined;
    const [record] = await this.records(cluster, user, ref);
    return record && { kind: 'over', record };
  }

  /**
   * The same for what is shown: of an array's own id all of its tasks, in the queue and after it, since one of them that has ended says nothing of
   * the others. Empty where it is not this user's, too.
   */
  async runs(
    cluster: FrontCluster,
    user: string | undefined,
    ref: JobRef,
  ): Promise<readonly (Known | { readonly kind: 'listed'; readonly job: Job })[]> {
    const known = await this.job(cluster, user, ref);
    if (known === undefined) return [];
    const found = known.kind === 'live' ? known.job : known.record;
    // The array's last task has the array's id as its own number; as `4711_3`, or by a number of its own, it is itself alone.
    const array = known.kind === 'live' ? known.job.arrayJobId !== undefined : found.ref.includes('_');
    if (!array || ref.includes('_') || found.ref.split('_')[0] !== ref) return [known];
    const listed = (this.live(cluster, found.user) ?? []).filter((j) => `${j.arrayJobId}` === ref);
    const there = new Set<string>(listed.map((j) => j.ref));
    const over = (await this.records(cluster, found.user, ref)).filter(
      (r) => r.endAt !== undefined && !there.has(r.ref),
    );
    const all = [
      ...listed.map((job) => ({ kind: 'listed' as const, job })),
      ...over.map((record) => ({ kind: 'over' as const, record })),
    ];
    return all.length === 0 ? [known] : all;
  }

  script = (cluster: FrontCluster, id: number): Promise<string | undefined> => cluster.slurm.script(id);

  /** `not_found`: there is no such user. */
  info(cluster: FrontCluster, user: string): Promise<UserInfo> {
    return cluster.users.info(user);
  }

  /**
   * Submitted once. A lost answer is looked up by the script's key; a job that is not found then may still come, so that the caller is told
   * `unknown`, and nothing is ever submitted a second time.
   */
  async submit(cluster: FrontCluster, user: string, order: SubmitOrder): Promise<number> {
    const users = writing(cluster);
    const { clock, entropy, pause, log } = this.#given;
    const [key, began] = [entropy.uuid(), clock.now()];
    try {
      const id = await users.submit(user, order, key, instant(began + orderMs));
      log({ level: 'info', text: `job ${id} is submitted on ${cluster.name} for ${user}` });
      return id;
    } catch (e) {
      if (faultOf(e) !== 'unknown' || !takesKey(order.script)) throw e;
      for (const ms of findAfterMs) {
        await pause(ms);
        const found = await users.submitted(user, key, began).catch(() => undefined);
        if (found === undefined) continue;
        log({
          level: 'info',
          text: `job ${found} was submitted on ${cluster.name} for ${user}; the answer was lost`,
        });
        return found;
      }
      log({ level: 'warn', text: `whether a job of ${user} was submitted on ${cluster.name} is not known` });
      throw e;
    }
  }

  async alter(cluster: FrontCluster, user: string, what: OrderedOfJob, ref: JobRef): Promise<void> {
    const { clock, log } = this.#given;
    await writing(cluster).alter(user, what, ref, instant(clock.now() + orderMs));
    log({ level: 'info', text: `${what} of job ${ref} on ${cluster.name} for ${user}` });
  }

  /** `refused`: nothing may be ordered there through this gateway. */
  writing(cluster: FrontCluster): void {
    writing(cluster);
  }

  async cancel(cluster: FrontCluster, user: string, ref: JobRef): Promise<void> {
    const { clock, log } = this.#given;
    await writing(cluster).cancel(user, ref, instant(clock.now() + orderMs));
    log({ level: 'info', text: `job ${ref} is cancelled on ${cluster.name} for ${user}` });
  }
}

function writing({ users, submits, name }: FrontCluster): UsersPort {
  if (submits) return users;
  throw new PortError(
    'refused',
    'users',
    `nothing is submitted, cancelled or held on ${name} through this gateway (clusters[].submit)`,
  );
}
