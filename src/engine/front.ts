/** What portals ask of the cluster itself through this gateway: the queue as it was last seen, one job, and what a user orders as himself. */
import { PortError } from '../domain/fault.ts';
import { type ClusterName, type Instant, instant, type JobRef, type Uuid } from '../domain/ids.ts';
import type { ClusterFacts, Job, JobDetail, Snapshot } from '../domain/job.ts';
import { type Order, type OrderAsked, orderId } from '../domain/order.ts';
import {
  type JobRecord,
  type OrderedOfJob,
  type SubmitOrder,
  takesKey,
  type UserInfo,
} from '../domain/submit.ts';
import type { Clock, DeskPort, Entropy, SlurmPort, UsersPort } from '../ports.ts';
import { readScript, writtenAll } from '../translate/index.ts';
import { endOf, OrderRows } from './order-rows.ts';
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
  readonly orders: Pick<DeskPort, 'askOrder' | 'endOrder'>;
  readonly pause: (ms: number) => Promise<void>;
  readonly log: (line: { readonly level: 'info' | 'warn'; readonly text: string }) => void;
}

/** Who gives an order. */
export interface Orderer {
  /** As whom it is done. */
  readonly user: string;
  /** As he stands in the audit. */
  readonly by: string;
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
  readonly #rows: OrderRows;

  constructor(given: FrontGiven) {
    this.#given = given;
    this.#rows = new OrderRows(given);
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
   * Submitted once. The order stands in the audit before anything is asked, and what became of it after. A lost answer is looked up by the script's
   * key; a job that is not found then may still come, so that the caller is told `unknown`, and nothing is ever submitted a second time: who comes
   * again as `named` is told of the job that there is.
   */
  async submit(cluster: FrontCluster, who: Orderer, order: SubmitOrder, named?: Uuid): Promise<number> {
    const users = writing(cluster);
    await refuseElsewhere(cluster, order);
    const key = named ?? this.#given.entropy.uuid();
    const asked = orderOf(cluster, who, key, submitInWords(order));
    const before = await this.#rows.ask(asked);
    if (before !== undefined) return this.#again(cluster, who.user, order, before, key);
    const { clock, log } = this.#given;
    const began = clock.now();
    const { user } = who;
    try {
      const id = await users.submit(user, order, key, instant(began + orderMs));
      log({ level: 'info', text: `job ${id} is submitted on ${cluster.name} for ${user}` });
      await this.#rows.end(asked.id, { state: 'done', outcome: `job ${id}`, job: id });
      return id;
    } catch (e) {
      const found = endOf(e) === 'unknown' ? await this.#find(cluster, user, order, key, began) : undefined;
      if (found === undefined) {
        await this.#rows.end(asked.id, { state: endOf(e), outcome: (e as Error).message });
        throw e;
      }
      log({
        level: 'info',
        text: `job ${found} was submitted on ${cluster.name} for ${user}; the answer was lost`,
      });
      await this.#rows.end(asked.id, {
        state: 'done',
        outcome: `job ${found}, whose number was lost`,
        job: found,
      });
      return found;
    }
  }

  async cancel(cluster: FrontCluster, who: Orderer, ref: JobRef): Promise<void> {
    await this.#ofJob(
      cluster,
      who,
      { ref, what: `scancel ${ref}`, outcome: 'asked of Slurm' },
      (users, until) => users.cancel(who.user, ref, until),
    );
    this.#given.log({
      level: 'info',
      text: `job ${ref} is cancelled on ${cluster.name} for ${who.user}`,
    });
  }

  /** Holds or releases; `why` is in his words. When it was asked. Faults as of `UsersPort.alter`, and of the store: without its row Slurm is not asked. */
  async alter(
    cluster: FrontCluster,
    who: Orderer,
    what: OrderedOfJob,
    ref: JobRef,
    why: string,
  ): Promise<Instant> {
    const at = await this.#ofJob(cluster, who, { ref, what: `${what} job ${ref}`, why }, (users, until) =>
      users.alter(who.user, what, ref, until),
    );
    this.#given.log({ level: 'info', text: `${what} of job ${ref} on ${cluster.name} for ${who.user}` });
    return at;
  }

  async #ofJob(
    cluster: FrontCluster,
    who: Orderer,
    said: { readonly ref: JobRef; readonly what: string; readonly why?: string; readonly outcome?: string },
    act: (users: UsersPort, until: Instant) => Promise<void>,
  ): Promise<Instant> {
    const users = writing(cluster);
    const { clock, entropy } = this.#given;
    const asked = { ...orderOf(cluster, who, entropy.uuid(), said.what, said.why), ref: said.ref };
    return this.#rows.around(asked, said.outcome ?? '', async () => {
      const at = clock.now();
      await act(users, instant(at + orderMs));
      return at;
    });
  }

  /** Undefined: none is there so far. */
  async #find(
    cluster: FrontCluster,
    user: string,
    order: SubmitOrder,
    key: Uuid,
    began: Instant,
  ): Promise<number | undefined> {
    const { pause, log } = this.#given;
    for (const ms of takesKey(order.script) ? findAfterMs : []) {
      await pause(ms);
      const found = await cluster.users.submitted(user, key, began).catch(() => undefined);
      if (found !== undefined) return found;
    }
    log({ level: 'warn', text: `whether a job of ${user} was submitted on ${cluster.name} is not known` });
    return undefined;
  }

  /** What an earlier request of this name came to, whichever gateway had it: nothing is submitted. */
  async #again(
    cluster: FrontCluster,
    user: string,
    order: SubmitOrder,
    before: Order,
    key: Uuid,
  ): Promise<number> {
    if (before.job !== undefined) return before.job;
    const found = takesKey(order.script)
      ? await cluster.users.submitted(user, key, before.askedAt)
      : undefined;
    if (found === undefined)
      throw new PortError(
        'unknown',
        'front.submit',
        'an earlier request with this Idempotency-Key got no answer',
      );
    await this.#rows.end(before.id, { state: 'done', outcome: `job ${found}, found by its key`, job: found });
    return found;
  }
}

function orderOf(
  { name }: FrontCluster,
  { user, by }: Orderer,
  key: Uuid,
  what: string,
  why = '',
): OrderAsked {
  const said = `${what} on ${name} as ${user}`;
  return { id: orderId(key), by, what: why === '' ? said : `${said}: ${why}`, cluster: name, user };
}

/** What a script or a variable holds may be a secret. */
function submitInWords({ script, name, account, partition }: SubmitOrder): string {
  const given = Object.entries({ name, account, partition }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key} ${cut(value, 100)}`],
  );
  return ['sbatch', 'path' in script ? `of ${cut(script.path, 200)}` : 'of a script', ...given].join(', ');
}

/** No half of a character. */
const cut = (text: string, most: number): string => [...text].slice(0, most).join('');

/** A job of another cluster would be told by a number that means another job here. */
async function refuseElsewhere({ name, users }: FrontCluster, { script }: SubmitOrder): Promise<void> {
  const asked = 'text' in script ? writtenAll(readScript(script.text), 'clusters') : [];
  if (asked.length === 0) return;
  const own = await users.slurmName();
  const other = asked.find((value) => value.toLowerCase() !== own.toLowerCase());
  if (other === undefined) return;
  throw new PortError(
    'refused',
    'front.submit',
    `the script asks for --clusters=${other.slice(0, 64)}, and ${name} is Slurm's cluster ${own}: leave it out, or submit where that cluster is served`,
  );
}

function writing({ users, submits, name }: FrontCluster): UsersPort {
  if (submits) return users;
  throw new PortError(
    'refused',
    'users',
    `nothing is submitted, cancelled or held on ${name} through this gateway (clusters[].submit)`,
  );
}
