import type { Head } from './anchor.ts';
import { chainStart } from './chain.ts';

/** One link as it stands in the store. */
export interface Link {
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
  /** The hash that its content has. */
  readonly computed: string;
}

/** A head as an anchor has it; `anchor` undefined: written with its link, and no anchor came since. */
export interface Witnessed extends Head {
  readonly anchor: number | undefined;
}

/** The subject's own row, which repeats its newest link. */
export interface Standing {
  readonly seq: number;
  readonly hash: string;
  /** The hash that its content has, and the one that its newest audit row names. */
  readonly data: string;
  readonly audited: string | undefined;
}

/** What is wrong with one chain, each as a sentence; none: it is as it was anchored. */
export function faultsOf(
  links: readonly Link[],
  witnessed: readonly Witnessed[],
  standing: Standing | 'none' | 'not kept',
): readonly string[] {
  // What was before retention took the chain away is over; a chain of that name may have begun anew since.
  const stub = witnessed.findLastIndex((w) => w.pruned);
  const heads = witnessed.slice(stub + 1);
  const last = links.at(-1);
  if (last === undefined) {
    const gone = heads.at(-1);
    if (gone !== undefined) return [`all of it is missing; ${by(gone)} has it up to number ${gone.seq}`];
    return standing === 'none' || standing === 'not kept'
      ? []
      : ['has no rows, though what they tell of is there'];
  }
  return [...linkFaults(links), ...headFaults(links, heads, last), ...standingFaults(last, standing)];
}

function linkFaults(links: readonly Link[]): string[] {
  const faults: string[] = [];
  let before = { seq: 0, hash: chainStart };
  for (const link of links) {
    if (link.seq !== before.seq + 1)
      faults.push(
        link.seq > before.seq + 2
          ? `numbers ${before.seq + 1} to ${link.seq - 1} are missing`
          : link.seq > before.seq
            ? `number ${before.seq + 1} is missing`
            : `number ${link.seq} stands there twice`,
      );
    else if (link.prev !== before.hash) faults.push(`number ${link.seq} does not follow the one before it`);
    if (link.hash !== link.computed) faults.push(`number ${link.seq} was changed`);
    before = link;
  }
  return faults;
}

function headFaults(links: readonly Link[], heads: readonly Witnessed[], last: Link): string[] {
  const faults: string[] = [];
  const bySeq = new Map(links.map((l) => [l.seq, l]));
  const cut = heads.filter((h) => h.seq > last.seq).at(-1);
  if (cut !== undefined)
    faults.push(`its end was cut off: number ${last.seq} is the last, ${by(cut)} has number ${cut.seq}`);
  const other = heads.find((h) => h.seq <= last.seq && bySeq.has(h.seq) && bySeq.get(h.seq)?.hash !== h.hash);
  if (other !== undefined) faults.push(`number ${other.seq} is not the one that ${by(other)} has`);
  const newest = Math.max(0, ...heads.map((h) => h.seq));
  if (last.seq > newest)
    faults.push(`number ${last.seq} was put there beside the gateway: it waits for no anchor`);
  return faults;
}

function standingFaults(last: Link, standing: Standing | 'none' | 'not kept'): string[] {
  if (standing === 'not kept') return [];
  if (standing === 'none') return ['has rows, but what they tell of is missing'];
  if (standing.seq !== last.seq || standing.hash !== last.hash)
    return [`is at ${standing.seq} by its own row, at ${last.seq} by its audit`];
  return standing.data === standing.audited
    ? []
    : [`is not what its audit row number ${last.seq} says of it`];
}

const by = (head: Witnessed): string =>
  head.anchor === undefined ? 'the next anchor' : `anchor ${head.anchor}`;
