import { canonical, chainStart, type Sha256 } from './chain.ts';
import type { Instant, Uuid } from './ids.ts';

/**
 * Anchors: a hash chain of its own over the heads of all others. An audit row or a receipt is tied to the one before it, which shows
 * a change within a chain; that its end was cut off, or that a whole chain is missing, shows only against an anchor. Each anchor takes
 * in the heads that moved since the one before, so its cost is that of what happened, not of what is kept; all anchors together
 * cover every chain. Kept outside of the store too, they bear witness against it.
 */

/** The newest link of a chain. `pruned`: retention took the chain away, and this was its last one. */
export interface Head {
  /** `audit/SUBJECT` or `receipts/ATTEMPT`. */
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
  readonly pruned: boolean;
}

export const auditChain = (subject: string): string => `audit/${subject}`;

export interface Anchor {
  /** Counts from 1; jumps when the store was set back, above every anchor that was exported before. */
  readonly seq: number;
  /** The store's clock. */
  readonly at: Instant;
  readonly generation: Uuid;
  /** The store keeps the heads of anchors from this one on; those before were taken by retention. */
  readonly from: number;
  readonly heads: number;
  /** Of the heads, in order of their chains' names by byte. */
  readonly root: string;
  readonly prev: string;
  readonly hash: string;
}

/** The root of no heads. */
export const noHeads = chainStart;

/** Heads are taken in one after another, so that any number of them is a stream. */
export function withHead(root: string, { chain, seq, hash, pruned }: Head, sha256: Sha256): string {
  return sha256(canonical({ chain, seq, hash, pruned, root }));
}

export function anchorHash(body: Omit<Anchor, 'hash'>, sha256: Sha256): string {
  const { seq, at, generation, from, heads, root, prev } = body;
  return sha256(canonical({ seq, at, generation, from, heads, root, prev }));
}

/** The next anchor; `floor`: the highest number that was ever given elsewhere. */
export function nextAnchor(
  last: Anchor | undefined,
  floor: number,
  of: Pick<Anchor, 'at' | 'generation' | 'from' | 'heads' | 'root'>,
  sha256: Sha256,
): Anchor {
  const seq = Math.max(last?.seq ?? 0, floor) + 1;
  const body = { ...of, seq, prev: last?.hash ?? chainStart };
  return { ...body, hash: anchorHash(body, sha256) };
}

/**
 * Whether `next` may stand right behind `last` in a store, or at its beginning. Where the numbers jump the store was set back, to
 * `last` or to nothing.
 */
export function follows(last: Anchor | undefined, next: Anchor): boolean {
  if (next.prev !== (last?.hash ?? chainStart)) return false;
  return next.seq === (last?.seq ?? 0) + 1 || isSetBack(last, next);
}

/** Every other anchor takes in a head, and is of the generation of the one before it. */
export function isSetBack(last: Anchor | undefined, next: Anchor): boolean {
  return next.heads === 0 && next.seq > (last?.seq ?? 0) && next.generation !== last?.generation;
}
