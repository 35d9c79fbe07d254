/** What a user orders of a job of his in Slurm, as himself, with a row in the audit before Slurm is asked and one after. */
import { faultOf } from '../domain/fault.ts';
import { type JobRef, jobRef } from '../domain/ids.ts';
import type { JobOrder, JobOrderState, OrderedOfJob } from '../domain/job-order.ts';
import type { DeskPort, Entropy } from '../ports.ts';
import type { Front, FrontCluster } from './front.ts';

export type { JobOrder, OrderedOfJob } from '../domain/job-order.ts';

export interface JobOrdered {
  readonly what: OrderedOfJob;
  readonly ref: string;
  /** Undefined: in whichever cluster has it, if only one does. */
  readonly cluster: string | undefined;
  /** As whom it is done. */
  readonly user: string;
  /** Whether he sees everybody's jobs; what he may do to them is Slurm's to say. */
  readonly seesAll: boolean;
  /** As he stands in the audit. */
  readonly by: string;
  readonly why: string;
}

export type JobOrderSaid =
  | { readonly kind: 'done'; readonly order: JobOrder }
  /** `none`: no such job of his is there. `several`: in these clusters. `over`: it has ended. */
  | { readonly kind: 'none' | 'over' }
  | { readonly kind: 'several'; readonly clusters: readonly string[] };

export interface OrdersGiven {
  readonly front: Front;
  readonly desk: Pick<DeskPort, 'beginJobOrder' | 'endJobOrder'>;
  readonly entropy: Pick<Entropy, 'uuid'>;
  readonly log: (text: string) => void;
}

export class Orders {
  readonly #given: OrdersGiven;

  constructor(given: OrdersGiven) {
    this.#given = given;
  }

  /** Faults as of `UsersPort.cancel`, and of the store: without its row in the audit Slurm is not asked. */
  async order(asked: JobOrdered): Promise<JobOrderSaid> {
    const { front, desk, entropy } = this.#given;
    const found = await this.#find(asked);
    if (found.kind !== 'one') return found;
    const { cluster } = found;
    const { what, user, by, why } = asked;
    const ref = jobRef(asked.ref);
    const id = `order/${entropy.uuid()}`;
    // Where nothing may be ordered through this gateway, nothing was.
    front.writing(cluster);
    const order = await desk.beginJobOrder({ id, cluster: cluster.name, ref, user, what, by, why });
    try {
      await front.alter(cluster, user, what, ref);
    } catch (e) {
      await this.#end(id, faultOf(e) === 'unknown' ? 'unknown' : 'refused', (e as Error).message);
      throw e;
    }
    await this.#end(id, 'done', why);
    return { kind: 'done', order: { ...order, state: 'done' } };
  }

  /** What was done is done, whatever becomes of its row: that says `asked` then. */
  async #end(id: string, state: Exclude<JobOrderState, 'asked'>, why: string): Promise<void> {
    const end = () => this.#given.desk.endJobOrder(id, state, storable(why));
    await end()
      .catch(end)
      .catch((e: unknown) =>
        this.#given.log(`${id} is ${state}, which the audit does not say: ${String(e)}`),
      );
  }

  async #find({
    ref,
    cluster,
    user,
    seesAll,
  }: JobOrdered): Promise<
    { readonly kind: 'one'; readonly cluster: FrontCluster } | Exclude<JobOrderSaid, { kind: 'done' }>
  > {
    const { front } = this.#given;
    const where = front.clusters.filter(({ name }) => cluster === undefined || name === cluster);
    const known = await Promise.all(
      where.map((c) => front.job(c, seesAll ? undefined : user, jobRef(ref) as JobRef)),
    );
    const live = where.filter((_, i) => known[i]?.kind === 'live');
    const [one, ...others] = live;
    if (one === undefined) return { kind: known.some((k) => k !== undefined) ? 'over' : 'none' };
    if (others.length > 0) return { kind: 'several', clusters: live.map(({ name }) => name) };
    return { kind: 'one', cluster: one };
  }
}

/** Slurm's words may be any. */
const storable = (words: string): string =>
  words
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, 500)
    .replace(/\p{Cs}/gu, '');
