/** Nodes: `sinfo -N` prints one line for each node and partition. */
import type { SlurmNode } from '../../src/domain/job.ts';
import { excerpt, separator } from './table.ts';
import { count, Unreadable, word } from './time.ts';

/** Name, partition (the default one with a star), state, CPUs, CPUs A/I/O/T, memory, features, GRES. */
export const nodeFormat = ['%N', '%P', '%T', '%c', '%C', '%m', '%f', '%G'].join(separator);

export function readNodes(text: string): {
  readonly nodes: readonly SlurmNode[];
  readonly partial: readonly string[];
} {
  const nodes = new Map<string, SlurmNode>();
  const partial: string[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const node = nodeOf(line.split(separator));
      const known = nodes.get(node.name);
      const partitions = [...(known?.partitions ?? []), ...node.partitions].sort();
      nodes.set(node.name, { ...node, partitions });
    } catch (error) {
      partial.push(`sinfo: ${excerpt(line)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { nodes: [...nodes.values()], partial };
}

function nodeOf(fields: readonly string[]): SlurmNode {
  const [name = '', partition = '', state = '', cpus = '', use = '', memory = '', features = '', gres = ''] =
    fields;
  if (fields.length !== 8) throw new Unreadable('a line of sinfo', fields.join(' '));
  return {
    name,
    state,
    partitions: partition === '' ? [] : [partition.replace(/\*$/, '')],
    cpus: count(cpus, 'CPUs'),
    allocatedCpus: count(use.split('/')[0] ?? '', 'CPUs(A/I/O/T)'),
    memoryMib: count(memory, 'memory'),
    features: word(features),
    gres: word(gres),
  };
}
