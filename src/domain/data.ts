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

/** Each is set once, in this order, and never unset. */
export interface BurstData {
  readonly paths: readonly DataPath[];
  /** What the cloud asks for what leaves it: for a GiB, and for as much as its results were taken for. */
  readonly egress?: { readonly perGiB: MicroUsd; readonly held: MicroUsd } | undefined;
  /** When its stand-in called: nothing of its data was read before. */
  readonly since?: Instant | undefined;
  /** All that its script needs is in the store. */
  readonly up?: Blob | undefined;
  /** It lies in the pod, since then, and so much of it. */
  readonly there?: Instant | undefined;
  readonly inBytes?: number | undefined;
  /** All that its script made is in the store. */
  readonly results?: Blob | undefined;
  /** So much left the cloud for it. */
  readonly resultBytes?: number | undefined;
  /** It lies here, on the disk. */
  readonly home?: boolean | undefined;
  /** Since then: its machine was held for it. */
  readonly homeAt?: Instant | undefined;
  /** It does not, and this says why, and where it is: the last word on it. */
  readonly kept?: string | undefined;
  /** What the pod left out, for the owner. */
  readonly told?: readonly string[] | undefined;
  /** Tries of what is being done now that failed, and when the next is due. */
  readonly tries?: number | undefined;
  readonly againAt?: Instant | undefined;
}

export const pathsOf = (data: BurstData | undefined, way: DataPath['way']): readonly string[] =>
  (data?.paths ?? []).flatMap((one) => (one.way === way ? one.path : []));
