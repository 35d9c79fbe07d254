/** What differs between two runs of one script because they are two runs: its number, its directory, its node, the time. */

import { expandHosts } from '../../src/translate/index.ts';

export interface Own {
  /** Where it was submitted, and writes. */
  readonly dir: string;
  /** Ids of the job and of its array's tasks, each with what stands for it. */
  readonly ids: ReadonlyMap<string, string>;
  /** Every name that its nodes go by. */
  readonly nodes: readonly string[];
}

/** The partitions that a run is submitted to: which of them is all that differs between the two. */
export const asked = { onprem: 'batch', burst: 'cloud' } as const;

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** So that neither an id within a longer number nor a node's name within a longer word is taken for one. */
const word = (any: readonly string[]): RegExp =>
  new RegExp(`(?<![A-Za-z0-9])(?<!\\d\\.)(?:${any.map(escaped).join('|')})(?![A-Za-z0-9])`, 'g');

/**
 * Slurm's copy of the script, which is `$0`: in slurmd's spool on-prem, in the pod under another path. [src/translate/differences.ts, unmeasured: $0]
 */
const spooled = /\/[^\s:'"]*\/job(?:\d+)?\/slurm_script/g;
/** Where several slurmds share a machine, as in the lab, their steps say whose they are. */
const stepd = /slurmstepd-<node>:/g;
/** In what bash says of a child's end: its process id. */
const childsEnd = /(: line \d+:) +\d+ (?=[A-Z])/g;
/** Slurm frees the CPUs of a step some time after its srun has ended; on a busy machine the next one waits for them, and says so. */
const stepWaits =
  /^srun: (?:Job <job> step creation temporarily disabled, retrying \(.*\)|Step created for job <job>)\n/gm;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/g;

/** What Slurm may write of several nodes, `n[1-2,4]`, and what it is once the single names are replaced. */
const bracketed = /(?<![A-Za-z0-9])([a-z][A-Za-z0-9.-]*)\[\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*\]/g;
const nodeList = /<node(?:s:\d+)?>(?:,<node(?:s:\d+)?>)+/g;
const count = (one: string): number => Number(/\d+/.exec(one)?.[0] ?? 1);

/** How many nodes a list has is the run's; which is its own. */
function withoutLists(text: string, nodes: ReadonlySet<string>): string {
  return text.replace(bracketed, (list, prefix: string) => {
    if (![...nodes].some((name) => name.startsWith(prefix))) return list;
    const named = expandHosts(list);
    return named.every((name) => nodes.has(name)) ? `<nodes:${named.length}>` : list;
  });
}

/** One run's text with what is its own replaced by what it is. */
export function withoutOwn(own: Own): (text: string) => string {
  const ids = [...own.ids.keys()];
  const anyId = word(ids);
  const anyNode = own.nodes.length === 0 ? undefined : word(own.nodes);
  const nodes = new Set(own.nodes);
  const partition = word(Object.values(asked));
  return (text) => {
    let said = text
      .replaceAll(own.dir, '<dir>')
      .replace(spooled, '<script>')
      .replace(time, '<time>')
      .replace(childsEnd, '$1 <pid> ')
      .replace(partition, '<partition>');
    if (ids.length > 0) said = said.replace(anyId, (id) => own.ids.get(id) ?? id);
    if (anyNode !== undefined)
      said = withoutLists(said, nodes)
        .replace(anyNode, '<node>')
        .replace(nodeList, (list) => `<nodes:${list.split(',').reduce((sum, one) => sum + count(one), 0)}>`);
    return said.replace(stepd, 'slurmstepd:').replace(stepWaits, '');
  };
}
