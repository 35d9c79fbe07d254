/**
 * The nodes of a job that bursts, by rank. Rank 0, on which the script runs, has its instance and pod where a burst of one node has them;
 * `others` has those of ranks 1 to n-1. What concerns script, output and exit looks at rank 0; money, capacity and the end look at all.
 */
import type { InstanceId } from './ids.ts';
import type { PodRef } from './kube.ts';

export interface PodOnRecord {
  readonly ref: PodRef;
  readonly uid: string | undefined;
}

/** One node of the job. */
export interface Rank {
  readonly rank: number;
  readonly instance: InstanceId | undefined;
  readonly pod: PodOnRecord | undefined;
  /** The type of the instance that its pod waits or ran on. */
  readonly machine?: string | undefined;
}

/** The job's pods by rank; the one that is started, and the TCP port at which each starts processes of the job's steps. */
export interface Team {
  readonly rank: number;
  /** A job of one node has a list of one. */
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
  readonly port: number;
}

interface Ranked extends Omit<Rank, 'rank'> {
  readonly others?: readonly Rank[] | undefined;
}

/** Every node of the job, rank 0 first. */
export function ranksOf({ instance, pod, machine, others = [] }: Ranked): readonly Rank[] {
  return [{ rank: 0, instance, pod, machine }, ...others];
}

export const nodesOf = ({ others }: Pick<Ranked, 'others'>): number => 1 + (others?.length ?? 0);

/** Ranks 1 to n-1 of a burst that has nothing yet; undefined for one node. */
export function othersOf(nodes: number): readonly Rank[] | undefined {
  if (nodes <= 1) return undefined;
  return Array.from({ length: nodes - 1 }, (_, i) => ({
    ...{ rank: i + 1, instance: undefined, pod: undefined },
  }));
}

/** What changes of a burst when these are its nodes now, all of them, rank 0 first. */
export function asRanks(ranks: readonly Rank[]): Ranked {
  const [first, ...others] = ranks;
  return {
    ...{ instance: first?.instance, pod: first?.pod },
    ...(first?.machine === undefined ? {} : { machine: first.machine }),
    ...(others.length === 0 ? {} : { others }),
  };
}

/** The same, with something of one rank, or of each, changed. */
export function withRanks(burst: Ranked, change: (rank: Rank) => Partial<Rank>): Ranked {
  return asRanks(ranksOf(burst).map((r) => ({ ...r, ...change(r) })));
}
