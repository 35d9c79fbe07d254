/** Where a job fits: nodes with room for its tasks, as few as it may have and as full as they may be. */
import type { Memory } from './slurm-types.ts';

/** What a node has left, now or over a stretch of time. */
export interface Room {
  readonly node: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly allCpus: number;
  readonly allMemoryMib: number;
}

export interface Need {
  readonly minNodes: number;
  readonly maxNodes: number | undefined;
  /** Undefined: one for each node. */
  readonly tasks: number | undefined;
  readonly cpusPerTask: number;
  readonly memory: Memory;
  readonly exclusive: boolean;
}

export interface Share {
  readonly node: string;
  readonly cpus: number;
  readonly memoryMib: number;
}

/** How many of the job's tasks the room holds; 0 where it cannot be part of the job. */
function holds(need: Need, room: Room): number {
  const { memory, cpusPerTask } = need;
  if (need.exclusive && room.cpus < room.allCpus) return 0;
  const byCpu = Math.floor(room.cpus / cpusPerTask);
  if (memory.per === 'cpu')
    return memory.mib === 0
      ? byCpu
      : Math.min(byCpu, Math.floor(room.memoryMib / (memory.mib * cpusPerTask)));
  const asked = memory.mib === 0 ? room.allMemoryMib : memory.mib;
  return room.memoryMib >= asked ? byCpu : 0;
}

/** Undefined: it does not fit. Of rooms that serve alike the first is taken. */
export function place(need: Need, rooms: readonly Room[]): Share[] | undefined {
  const tasks = Math.max(need.tasks ?? 1, need.minNodes);
  const most = need.maxNodes ?? Number.POSITIVE_INFINITY;
  // A range without a task count is a wish for nodes: Slurm gives as many as it can.
  const spreads = need.tasks === undefined && most > need.minNodes && need.maxNodes !== undefined;
  const able: { readonly room: Room; readonly tasks: number }[] = [];
  let snug: { readonly room: Room; readonly tasks: number } | undefined;
  for (const room of rooms) {
    const n = holds(need, room);
    if (n < 1) continue;
    const one = { room, tasks: n };
    able.push(one);
    if (n >= tasks && (snug === undefined || n < snug.tasks)) snug = one;
  }
  if (!spreads && need.minNodes <= 1) {
    if (snug !== undefined) return [share(need, snug.room, tasks)];
    if (most <= 1) return undefined;
  }
  if (able.length < need.minNodes) return undefined;
  able.sort((a, b) => b.tasks - a.tasks);
  const wanted = spreads ? Math.min(most, able.length) : need.minNodes;
  let count = 0;
  let room = 0;
  while (count < wanted || room < tasks) {
    const next = able[count];
    if (next === undefined || count >= most) return undefined;
    room += next.tasks;
    count += 1;
  }
  return spread(need, able.slice(0, count), Math.max(tasks, count));
}

/** Each node has a task, and the rest fills the first ones. */
function spread(
  need: Need,
  nodes: readonly { readonly room: Room; readonly tasks: number }[],
  tasks: number,
): Share[] {
  let left = tasks - nodes.length;
  return nodes.map(({ room, tasks: most }) => {
    const more = Math.min(left, most - 1);
    left -= more;
    return share(need, room, 1 + more);
  });
}

function share(need: Need, room: Room, tasks: number): Share {
  const cpus = need.exclusive ? room.allCpus : tasks * need.cpusPerTask;
  const { per, mib } = need.memory;
  const memoryMib = per === 'cpu' ? mib * cpus : mib === 0 ? room.allMemoryMib : mib;
  return { node: room.node, cpus, memoryMib };
}
