/** A write whose effect lies outside of the store: what a user has Slurm do, or an event that is sent anew. */
import { type AuditLink, auditHash, canonical, chainStart, type Sha256 } from './chain.ts';
import type { ClusterName, Instant, JobRef, Uuid } from './ids.ts';

/** `failed`: nothing came of it, so it may be asked for again. `unknown`: asked, and no answer came. */
export const orderEnds = ['done', 'failed', 'unknown'] as const;
export type OrderEnd = (typeof orderEnds)[number];
export const orderStates = ['asked', ...orderEnds] as const;
export type OrderState = (typeof orderStates)[number];

/** Who asks for what. */
export interface OrderAsked {
  /** `order/UUID`, the subject of its audit rows. */
  readonly id: string;
  /** As he stands in the audit. */
  readonly by: string;
  /** In words, without what a script or a variable holds. */
  readonly what: string;
  readonly cluster?: ClusterName | undefined;
  /** The job there that it is about. */
  readonly ref?: JobRef | undefined;
  /** As whom it is done. */
  readonly user?: string | undefined;
}

/** Written before its effect. One that stays `asked` was left by a process that ended: whether it was done, nobody here knows. */
export interface Order extends OrderAsked {
  readonly state: OrderState;
  /** What came of it, in words; empty while it is asked, and where its state says all. */
  readonly outcome: string;
  /** The job that it made. */
  readonly job?: number | undefined;
  /** When it was first asked; then the time of the last change. */
  readonly askedAt: Instant;
  readonly at: Instant;
  readonly rev: number;
}

export const orderId = (id: Uuid): string => `order/${id}`;

/** Undefined: it may have been done already, so it is not begun a second time. */
export function begun(before: Order | undefined, asked: OrderAsked, at: Instant): Order | undefined {
  if (before !== undefined && before.state !== 'failed') return undefined;
  return { ...asked, state: 'asked', outcome: '', askedAt: at, at, rev: (before?.rev ?? 0) + 1 };
}

export interface Outcome {
  readonly state: OrderEnd;
  readonly outcome: string;
  readonly job?: number | undefined;
}

/** Undefined: that was known already. What is done or failed stays so; of what was unknown it may be learnt. */
export function ended(before: Order, { state, outcome, job }: Outcome, at: Instant): Order | undefined {
  if (before.state === 'done' || before.state === 'failed' || before.state === state) return undefined;
  return { ...before, state, outcome, ...(job === undefined ? {} : { job }), at, rev: before.rev + 1 };
}

/** The audit row of one step; `prev` is the hash of the one before it. */
export function orderLink(
  after: Order,
  before: { readonly state: OrderState; readonly head: string } | undefined,
  sha256: Sha256,
): AuditLink {
  const { what, by, outcome } = after;
  const body = {
    subject: after.id,
    seq: after.rev,
    at: after.at,
    from: before?.state,
    to: after.state,
    why: outcome === '' ? `by ${by}: ${what}` : `by ${by}: ${what}: ${outcome}`,
    data: sha256(canonical(after)),
    prev: before?.head ?? chainStart,
  };
  return { ...body, hash: auditHash(body, sha256) };
}
