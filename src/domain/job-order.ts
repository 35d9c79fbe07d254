import { type AuditLink, auditHash, canonical, chainStart, type Sha256 } from './chain.ts';
import type { ClusterName, Instant, JobRef } from './ids.ts';

/** What a user may order of a job of his in Slurm, besides submitting and cancelling it. */
export const orderedOfJobs = ['hold', 'release'] as const;
export type OrderedOfJob = (typeof orderedOfJobs)[number];

/** What became of it. `asked`: written before Slurm is asked, so a gateway that dies meanwhile leaves it so. `unknown`: no answer came. */
export type JobOrderState = 'asked' | 'done' | 'refused' | 'unknown';

/** One such order, carried out as the user himself; kept for the audit alone. */
export interface JobOrder {
  /** `order/UUID`, the subject of its audit rows. */
  readonly id: string;
  readonly cluster: ClusterName;
  readonly ref: JobRef;
  /** As whom, which is who asked. */
  readonly user: string;
  readonly what: OrderedOfJob;
  readonly state: JobOrderState;
  /** As he stands in the audit: with his token's name. */
  readonly by: string;
  /** His reason, or Slurm's words. */
  readonly why: string;
  readonly at: Instant;
  readonly rev: number;
}

/** The audit row of one step; `prev` is the hash of the one before. */
export function jobOrderLink(order: JobOrder, prev: string | undefined, sha256: Sha256): AuditLink {
  const { id, rev, at, state, by, what, ref, cluster, why } = order;
  const said = `by ${by}: ${what} job ${ref} on ${cluster}`;
  const body = {
    ...{ subject: id, seq: rev, at, from: rev === 1 ? undefined : 'asked', to: state },
    why: why === '' ? said : `${said}: ${why}`,
    data: sha256(canonical(order)),
    prev: prev ?? chainStart,
  };
  return { ...body, hash: auditHash(body, sha256) };
}
