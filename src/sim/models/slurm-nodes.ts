/** The nodes and what is taken of them. */
import type { Room, Share } from './slurm-fit.ts';
import type { JobRecord, NodeRecord } from './slurm-record.ts';
import type { NodeSpec, PartitionSpec } from './slurm-types.ts';

export function newNode(spec: NodeSpec, partitions: readonly PartitionSpec[]): NodeRecord {
  const over = partitions.filter(({ nodes }) => nodes.includes(spec.name));
  return {
    spec,
    partitions: over.map(({ name }) => name).sort(),
    up: true,
    cpus: spec.cpus,
    memoryMib: spec.memoryMib,
    jobs: new Set(),
    processes: new Set(),
  };
}

/** All that the node has, free or not. */
export function wholeRoom({ spec }: NodeRecord): Room {
  const { name, cpus, memoryMib } = spec;
  return { node: name, cpus, memoryMib, allCpus: cpus, allMemoryMib: memoryMib };
}

export function freeRoom({ spec, cpus, memoryMib }: NodeRecord): Room {
  return { node: spec.name, cpus, memoryMib, allCpus: spec.cpus, allMemoryMib: spec.memoryMib };
}

export function take(nodes: ReadonlyMap<string, NodeRecord>, job: JobRecord, shares: readonly Share[]): void {
  for (const share of shares) {
    const node = nodes.get(share.node);
    if (node === undefined) continue;
    node.cpus -= share.cpus;
    node.memoryMib -= share.memoryMib;
    node.jobs.add(job);
  }
  job.shares = shares;
}

export function free(nodes: ReadonlyMap<string, NodeRecord>, job: JobRecord): void {
  for (const share of job.shares) {
    const node = nodes.get(share.node);
    if (node === undefined) continue;
    node.cpus += share.cpus;
    node.memoryMib += share.memoryMib;
    node.jobs.delete(job);
  }
  job.shares = [];
}

/** `sinfo %T`. */
export function nodeState({ spec, up, cpus, jobs }: NodeRecord): string {
  if (!up) return 'down*';
  if (jobs.size === 0) return 'idle';
  if ([...jobs].every((job) => job.completing)) return 'completing';
  return cpus === 0 || cpus > spec.cpus ? 'allocated' : 'mixed';
}

/** `n[1-3,7],login1`, as Slurm writes lists of nodes. */
export function hostlist(names: readonly string[]): string {
  const [first = ''] = names;
  if (names.length <= 1) return first;
  const groups = new Map<string, number[]>();
  for (const name of names) {
    const [, prefix = name, number] = /^(.*?)(\d+)$/.exec(name) ?? [];
    const known = groups.get(prefix) ?? [];
    if (number !== undefined) known.push(Number(number));
    groups.set(prefix, known);
  }
  return [...groups]
    .map(([prefix, numbers]) => {
      const [only] = numbers;
      if (only === undefined) return prefix;
      return numbers.length === 1 ? `${prefix}${only}` : `${prefix}[${ranges(numbers)}]`;
    })
    .join(',');
}

/** `3-5,9`. */
export function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  const sorted = [...numbers].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; ) {
    const first = sorted[i] ?? 0;
    let last = first;
    while (sorted[i + 1] === last + 1) {
      last += 1;
      i += 1;
    }
    parts.push(first === last ? `${first}` : `${first}-${last}`);
    i += 1;
  }
  return parts.join(',');
}
