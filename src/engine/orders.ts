/** What a user orders of a job of his in Slurm, as himself: where it is, and then the order. */
import { type ClusterName, type Instant, type JobRef, jobRef } from '../domain/ids.ts';
import type { OrderedOfJob } from '../domain/submit.ts';
import type { Front, FrontCluster, Orderer } from './front.ts';

export type { OrderedOfJob } from '../domain/submit.ts';

export interface JobOrdered extends Orderer {
  readonly what: OrderedOfJob;
  readonly ref: string;
  /** Undefined: in whichever cluster has it, if only one does. */
  readonly cluster: string | undefined;
  /** Whether he sees everybody's jobs; what he may do to them is Slurm's to say. */
  readonly seesAll: boolean;
  readonly why: string;
}

export type JobOrderSaid =
  /** `at`: when Slurm was asked. */
  | { readonly kind: 'done'; readonly cluster: ClusterName; readonly ref: JobRef; readonly at: Instant }
  /** `none`: no such job of his is there. `over`: it has ended. */
  | { readonly kind: 'none' | 'over' }
  /** `several`: in these clusters. `elsewhere`: there is no such cluster, there are these. */
  | { readonly kind: 'several' | 'elsewhere'; readonly clusters: readonly string[] };

/** Faults as of `Front.alter`. */
export async function orderOfJob(front: Front, asked: JobOrdered): Promise<JobOrderSaid> {
  const ref = jobRef(asked.ref);
  const found = await find(front, ref, asked);
  if (found.kind !== 'one') return found;
  const at = await front.alter(found.cluster, asked, asked.what, ref, asked.why);
  return { kind: 'done', cluster: found.cluster.name, ref, at };
}

async function find(
  front: Front,
  ref: JobRef,
  { cluster, user, seesAll }: JobOrdered,
): Promise<
  { readonly kind: 'one'; readonly cluster: FrontCluster } | Exclude<JobOrderSaid, { kind: 'done' }>
> {
  const where = front.clusters.filter(({ name }) => cluster === undefined || name === cluster);
  if (where.length === 0) return { kind: 'elsewhere', clusters: front.clusters.map(({ name }) => name) };
  const known = await Promise.all(where.map((c) => front.job(c, seesAll ? undefined : user, ref)));
  const live = where.filter((_, i) => known[i]?.kind === 'live');
  const [one, ...others] = live;
  if (one === undefined) return { kind: known.some((k) => k !== undefined) ? 'over' : 'none' };
  if (others.length > 0) return { kind: 'several', clusters: live.map(({ name }) => name) };
  return { kind: 'one', cluster: one };
}
