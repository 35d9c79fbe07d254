/** The backfill scheduler's thinking, apart from any state: who may start now without delaying anybody before him. */
import { type Need, place, type Room, type Share } from './slurm-fit.ts';

export interface PlannedNode {
  readonly name: string;
  readonly cpus: number;
  readonly memoryMib: number;
}

/** What holds a share of a node until `to`; by its time limit, since nothing else is known. */
export interface Hold {
  readonly share: Share;
  readonly from: number;
  readonly to: number;
}

export interface Waiting<T> {
  readonly who: T;
  readonly need: Need;
  readonly limitMs: number;
  readonly nodes: readonly PlannedNode[];
}

/** The room that each node has, all of the time from `from` to `to`. */
function roomsDuring(
  nodes: readonly PlannedNode[],
  holds: ReadonlyMap<string, readonly Hold[]>,
  from: number,
  to: number,
): Room[] {
  return nodes.map(({ name, cpus, memoryMib }) => {
    const during = (holds.get(name) ?? []).filter((h) => h.from < to && h.to > from);
    let [usedCpus, usedMib] = [0, 0];
    // Use only rises where a hold begins.
    for (const at of [from, ...during.flatMap((h) => (h.from > from ? [h.from] : []))]) {
      let [c, m] = [0, 0];
      for (const h of during)
        if (h.from <= at && h.to > at) {
          c += h.share.cpus;
          m += h.share.memoryMib;
        }
      usedCpus = Math.max(usedCpus, c);
      usedMib = Math.max(usedMib, m);
    }
    return {
      node: name,
      cpus: cpus - usedCpus,
      memoryMib: memoryMib - usedMib,
      allCpus: cpus,
      allMemoryMib: memoryMib,
    };
  });
}

/**
 * Goes through those who wait in their order. `start` is told who fits now until his time limit, and says whether he was started;
 * everybody else gets the first stretch of time that is free for him, and `expect` is told when that begins.
 */
export function backfill<T>(
  now: number,
  untilMs: number,
  running: readonly Hold[],
  waiting: readonly Waiting<T>[],
  start: (who: T, shares: readonly Share[]) => boolean,
  expect: (who: T, at: number) => void,
): void {
  const holds = new Map<string, Hold[]>();
  const ends = new Set<number>();
  const take = (hold: Hold): void => {
    const known = holds.get(hold.share.node);
    if (known === undefined) holds.set(hold.share.node, [hold]);
    else known.push(hold);
    if (hold.to > now && Number.isFinite(hold.to)) ends.add(hold.to);
  };
  for (const hold of running) take(hold);
  for (const { who, need, limitMs, nodes } of waiting) {
    for (const at of [now, ...[...ends].sort((a, b) => a - b)]) {
      if (at > now + untilMs) break;
      const shares = place(need, roomsDuring(nodes, holds, at, at + limitMs));
      if (shares === undefined) continue;
      if (at === now && !start(who, shares)) break;
      if (at > now) expect(who, at);
      for (const share of shares) take({ share, from: at, to: at + limitMs });
      break;
    }
  }
}
