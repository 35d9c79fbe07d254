/** What differs between two runs of one script because they are two runs: its number, its directory, its node, the time. */

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
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/g;

/** One run's text with what is its own replaced by what it is. */
export function withoutOwn(own: Own): (text: string) => string {
  const ids = [...own.ids.keys()];
  const anyId = word(ids);
  const anyNode = own.nodes.length === 0 ? undefined : word(own.nodes);
  const partition = word(Object.values(asked));
  return (text) => {
    let said = text
      .replaceAll(own.dir, '<dir>')
      .replace(spooled, '<script>')
      .replace(time, '<time>')
      .replace(childsEnd, '$1 <pid> ')
      .replace(partition, '<partition>');
    if (ids.length > 0) said = said.replace(anyId, (id) => own.ids.get(id) ?? id);
    if (anyNode !== undefined) said = said.replace(anyNode, '<node>');
    return said.replace(stepd, 'slurmstepd:');
  };
}
