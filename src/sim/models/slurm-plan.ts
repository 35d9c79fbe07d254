/** The backfill scheduler's thinking, apart from any state: who may start now without delaying anybody before him. */
import { type Need, place, type Room, type Share } from './slurm-fit.ts';

export interface PlannedNode {
  readonly name: string;
  readonly cpus: number;
  readonly memoryMib: number;
}

const none: readonly Hold[] = [];

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

/** The room that the node has, all of the time from `from` to `to`. Plain loops: most of a backfill's time is spent here. */
function roomDuring(node: PlannedNode, holds: readonly Hold[], from: number, to: number): Room {
  let cpus = 0;
  let memoryMib = 0;
  let rises = false;
  for (const { from: begins, to: ends, share } of holds) {
    if (begins > from) rises ||= begins < to;
    else if (ends > from) {
      cpus += share.cpus;
      memoryMib += share.memoryMib;
    }
  }
  // Use only rises where a hold begins.
  if (rises)
    for (const { from: at } of holds) {
      if (at <= from || at >= to) continue;
      let c = 0;
      let m = 0;
      for (const hold of holds)
        if (hold.from <= at && hold.to > at) {
          c += hold.share.cpus;
          m += hold.share.memoryMib;
        }
      if (c > cpus) cpus = c;
      if (m > memoryMib) memoryMib = m;
    }
  return {
    node: node.name,
    cpus: node.cpus - cpus,
    memoryMib: node.memoryMib - memoryMib,
    allCpus: node.cpus,
    allMemoryMib: node.memoryMib,
  };
}

/**
 * Goes through those who wait in their order. `start` is told who fits now until his time limit, and says whether he was started;
 * of everybody else the first `reserves` get the first stretch of time that is free for them, and `expect` is told when that begins.
 */
export function backfill<T>(
  now: number,
  untilMs: number,
  running: readonly Hold[],
  waiting: readonly Waiting<T>[],
  start: (who: T, shares: readonly Share[]) => boolean,
  expect: (who: T, at: number) => void,
  reserves = Number.POSITIVE_INFINITY,
): void {
  let reserved = 0;
  const holds = new Map<string, Hold[]>();
  const ends = new Set<number>();
  const take = (hold: Hold): void => {
    const known = holds.get(hold.share.node);
    if (known === undefined) holds.set(hold.share.node, [hold]);
    else known.push(hold);
    if (hold.to > now && Number.isFinite(hold.to)) ends.add(hold.to);
  };
  for (const hold of running) take(hold);
  let moments: readonly number[] = [];
  let stale = true;
  for (const { who, need, limitMs, nodes } of waiting) {
    if (stale) {
      moments = [now, ...[...ends].sort((a, b) => a - b)];
      stale = false;
    }
    for (const at of moments) {
      if (at > now + untilMs || (at > now && reserved >= reserves)) break;
      const rooms = nodes.map((node) => roomDuring(node, holds.get(node.name) ?? none, at, at + limitMs));
      const shares = place(need, rooms);
      if (shares === undefined) continue;
      if (at === now && !start(who, shares)) break;
      if (at > now) {
        reserved += 1;
        expect(who, at);
      }
      for (const share of shares) take({ share, from: at, to: at + limitMs });
      stale = true;
      break;
    }
  }
}
