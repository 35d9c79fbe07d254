/** A burst's data that lie under no mount of its pod, and how far they were carried. */
import type { Instant } from './ids.ts';
import type { MicroUsd } from './money.ts';

/** A content, named by what is in it. */
export interface Blob {
  /** 64 hex digits. */
  readonly sha256: string;
  readonly size: number;
}

export interface DataPath {
  /** `in`: there before the script begins; `out`: brought back when it has ended. */
  readonly way: 'in' | 'out';
  readonly path: string;
}

/** What one of the job's nodes has of its results, and how far bringing them to the store came. */
export interface Gathered {
  /** All that was made there is in the store. */
  readonly results?: Blob | undefined;
  /** It will not come any more, and why. */
  readonly lost?: string | undefined;
  /** Tries of what is being done now that failed, and when the next is due. */
  readonly tries?: number | undefined;
  readonly againAt?: Instant | undefined;
}

/**
 * Each is set once, in this order, and never unset. What was gathered stands here for rank 0, on which the script ran, as in a burst of one
 * node; `others` has it of ranks 1 to n-1, each once something is known of it.
 */
export interface BurstData extends Gathered {
  readonly paths: readonly DataPath[];
  /** What the cloud asks for what leaves it: for a GiB, and for as much as its results were taken for. */
  readonly egress?: { readonly perGiB: MicroUsd; readonly held: MicroUsd } | undefined;
  /** When its stand-in called: nothing of its data was read before. */
  readonly since?: Instant | undefined;
  /** All that its script needs is in the store. */
  readonly up?: Blob | undefined;
  /** It lies in every pod of the job, since then, and so much of it in each. */
  readonly there?: Instant | undefined;
  readonly inBytes?: number | undefined;
  readonly others?: readonly (Gathered & { readonly rank: number })[] | undefined;
  /** So much left the cloud for it, from all its nodes. */
  readonly resultBytes?: number | undefined;
  /** It lies here, on the disk. */
  readonly home?: boolean | undefined;
  /** Since then: its machine was held for it. */
  readonly homeAt?: Instant | undefined;
  /** It does not, and this says why, and where it is: the last word on it. */
  readonly kept?: string | undefined;
  /** What the pods left out, for the owner. */
  readonly told?: readonly string[] | undefined;
}

export const pathsOf = (data: BurstData | undefined, way: DataPath['way']): readonly string[] =>
  (data?.paths ?? []).flatMap((one) => (one.way === way ? one.path : []));

export function gatheredOf(data: BurstData, rank: number): Gathered {
  return rank === 0 ? data : (data.others?.find((one) => one.rank === rank) ?? {});
}

/** The same, with something of one node changed. */
export function withGathered(data: BurstData, rank: number, change: Gathered): BurstData {
  if (rank === 0) return { ...data, ...change };
  const others = (data.others ?? []).filter((one) => one.rank !== rank);
  const of = { ...gatheredOf(data, rank), ...change, rank };
  return { ...data, others: [...others, of].sort((a, b) => a.rank - b.rank) };
}

/** The lists of what is in the store, by the node that it was made on. */
export function listsOf(data: BurstData): readonly { readonly rank: number; readonly list: Blob }[] {
  const all = [{ rank: 0, results: data.results }, ...(data.others ?? [])];
  return all.flatMap(({ rank, results }) => (results === undefined ? [] : [{ rank, list: results }]));
}

/** Of which node they will not come, and why. */
export function lostOf(data: BurstData): readonly { readonly rank: number; readonly why: string }[] {
  const all = [{ rank: 0, lost: data.lost }, ...(data.others ?? [])];
  return all.flatMap(({ rank, lost }) => (lost === undefined ? [] : [{ rank, why: lost }]));
}
