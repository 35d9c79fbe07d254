/** Which nodes serve which jobs, and what binds them there: processors, memory, GRES, and the nodes of each partition. Pure. */
import { Backfill, type Bounds, type JobColumns, needsOf } from '../../decide/backfill.ts';
import { partitionsOf } from '../../domain/job.ts';
import type { NodeSum, PastJob, PastNodes } from '../../domain/past.ts';
import type { PlayedNodes } from '../../engine/replayed.ts';

/** Nodes that one queue is served from. */
export interface NodeSet {
  readonly partitions: readonly string[];
  readonly processors: number;
  readonly bounds: Bounds;
}

export interface NodeSets {
  readonly sets: readonly NodeSet[];
  /** Of each job of the trace, by its place in `sets`. */
  readonly of: Int32Array;
}

/** What jobs of a set must have besides processors. */
interface Named {
  /** `memory`, a GRES such as `gpu:a100`, or `debug: cpus` of a partition that has some of the nodes alone. */
  readonly name: string;
  readonly most: number;
  readonly need: (job: PastJob) => number;
}

interface NodesOfSite {
  readonly told: readonly PlayedNodes[];
  /** The place of the set that serves it; undefined: none does, or it is larger than all of it. */
  setOf(job: PastJob): number | undefined;
  /** For these jobs alone, in this order. */
  setsFor(jobs: readonly PastJob[]): NodeSets;
}

/** `jobs`: all that there were, by which is told what did not bind. */
export function siteOf(nodes: readonly PastNodes[], jobs: readonly PastJob[]): NodesOfSite {
  const place = new Map(
    nodes.flatMap(({ partitions }, at) => partitions.map(({ name }) => [name, at] as const)),
  );
  const placeOf = (job: PastJob): number | undefined =>
    partitionsOf(job).flatMap((name) => place.get(name) ?? [])[0];
  const came = nodes.map((): PastJob[] => []);
  for (const job of jobs) {
    const at = placeOf(job);
    if (at !== undefined) came[at]?.push(job);
  }
  const played = nodes.map((set, at) => {
    const all = came[at] ?? [];
    const ran = all.filter((job) => !job.inCloud);
    // What nobody needs binds nobody, whether or not the site has it noted.
    const needed = boundsOf(set).filter(({ need }) => all.some((job) => need(job) > 0));
    const isExceeded = ({ need, most }: Named): boolean => peakOf(ran, need) > most;
    const exceeded = new Set(needed.filter(isExceeded));
    return {
      binds: needed.filter((one) => !exceeded.has(one)),
      told: {
        ...{ partitions: set.partitions.map((p) => p.name), cpus: set.cpus },
        cpusInUse: peakOf(ran, (job) => job.cpus),
        exceeded: [...exceeded].map((one) => one.name),
        unused: sumBounds(set).flatMap(({ name }) => (needed.some((one) => one.name === name) ? [] : [name])),
      },
    };
  });
  const setOf = (job: PastJob): number | undefined => {
    const at = placeOf(job);
    if (at === undefined || job.cpus > (nodes[at]?.cpus ?? 0)) return undefined;
    return played[at]?.binds.every(({ need, most }) => need(job) <= most) ? at : undefined;
  };
  return {
    setOf,
    told: played.map(({ told, binds }) => ({ ...told, binds: binds.map((one) => one.name) })),
    setsFor: (kept) => {
      const of = Int32Array.from(kept, (job) => setOf(job) ?? 0);
      const needs = needsOf(kept.length, (i) =>
        (played[of[i] as number]?.binds ?? []).map(({ need }) => need(kept[i] as PastJob)),
      );
      const sets = played.map(({ told: { partitions, cpus: processors }, binds }) => ({
        ...{ partitions, processors, bounds: { most: binds.map((one) => one.most), needs } },
      }));
      return { of, sets };
    },
  };
}

/** A set's own, and those of each partition that has some of its nodes alone: they bind whoever can run on no others. */
function boundsOf(set: PastNodes): readonly Named[] {
  const own = sumBounds(set);
  const ofSet = new Map(own.map(({ name, most }) => [name, most]));
  const inSet = new Set(set.partitions.map((p) => p.name));
  const within = set.partitions.flatMap((part) => {
    const alike = set.partitions.filter((p) => p.holds.includes(part.name) && part.holds.includes(p.name));
    if (part.cpus >= set.cpus || alike[0] !== part) return [];
    const known = new Map<string, boolean>();
    const isBound = (job: PastJob): boolean => {
      const bound = known.get(job.partition) ?? isWithin(partitionsOf(job), part.holds, inSet);
      known.set(job.partition, bound);
      return bound;
    };
    const cpus: Named = { name: 'cpus', most: part.cpus, need: (job) => job.cpus };
    return [cpus, ...sumBounds(part)]
      .filter(({ name, most }) => most < (ofSet.get(name) ?? Number.POSITIVE_INFINITY))
      .map(({ name, most, need }) => ({
        ...{ name: `${alike.map((p) => p.name).join('+')}: ${name}`, most },
        need: (job: PastJob) => (isBound(job) ? need(job) : 0),
      }));
  });
  return [...own, ...within];
}

/** Who may start elsewhere in the set is not bound; partitions that have no nodes there are no choice. */
const isWithin = (names: readonly string[], holds: readonly string[], inSet: ReadonlySet<string>): boolean =>
  names.every((name) => holds.includes(name) || !inSet.has(name));

const sumBounds = ({ memoryMib, gres }: NodeSum): readonly Named[] => [
  ...(memoryMib > 0 ? [{ name: 'memory', most: memoryMib, need: (job: PastJob) => job.memoryMib ?? 0 }] : []),
  ...[...gres].map(([name, most]) => ({ name, most, need: (job: PastJob) => job.gres.get(name) ?? 0 })),
];

/** The most that was in use at once. Who ends in the moment that another begins has given it back. */
function peakOf(ran: readonly PastJob[], need: (job: PastJob) => number): number {
  const changes: [at: number, by: number][] = [];
  for (const job of ran) if (need(job) > 0) changes.push([job.startMs, need(job)], [job.endMs, -need(job)]);
  changes.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let [now, peak] = [0, 0];
  for (const [, by] of changes) {
    now += by;
    peak = Math.max(peak, now);
  }
  return peak;
}

/** All sets of a site, each with its queue, as one machine to whoever plays it. */
export class Machines {
  readonly #each: readonly Backfill[];
  readonly #of: Int32Array;

  constructor({ sets, of }: NodeSets, jobs: JobColumns & { readonly rank?: Float64Array }) {
    this.#each = sets.map(({ processors, bounds }) => new Backfill(processors, jobs, jobs, bounds));
    this.#of = of;
  }

  get length(): number {
    return this.#each.reduce((sum, one) => sum + one.length, 0);
  }

  get running(): number {
    return this.#each.reduce((sum, one) => sum + one.running, 0);
  }

  get free(): number {
    return this.#each.reduce((sum, one) => sum + one.free, 0);
  }

  isFreeFor(job: number): boolean {
    return this.#for(job).isFreeFor(job);
  }

  at(i: number): number {
    let left = i;
    for (const one of this.#each) {
      if (left < one.length) return one.at(left);
      left -= one.length;
    }
    return -1;
  }

  runningAt(i: number): number {
    let left = i;
    for (const one of this.#each) {
      if (left < one.running) return one.runningAt(left);
      left -= one.running;
    }
    return -1;
  }

  submit(job: number): void {
    this.#for(job).submit(job);
  }

  withdraw(job: number): boolean {
    return this.#for(job).withdraw(job);
  }

  end(job: number): void {
    this.#for(job).end(job);
  }

  pass(now: number, started: (job: number) => void): void {
    for (const one of this.#each) one.pass(now, started);
  }

  #for(job: number): Backfill {
    return this.#each[this.#of[job] as number] as Backfill;
  }
}
