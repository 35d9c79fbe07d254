/** Which nodes serve which jobs, and what binds them there: processors, memory, GRES, and the nodes of each partition. Pure. */
import { Backfill, type Bound, type JobColumns } from '../../decide/backfill.ts';
import { partitionsOf } from '../../domain/job.ts';
import type { NodeSum, PastJob, PastNodes } from '../../domain/past.ts';
import type { PlayedNodes } from '../../engine/replayed.ts';

/** Nodes that one queue is served from. */
export interface NodeSet {
  readonly partitions: readonly string[];
  readonly processors: number;
  readonly bounds: readonly Bound[];
}

export interface NodeSets {
  readonly sets: readonly NodeSet[];
  /** Of each job of the trace, by its place in `sets`. */
  readonly of: Int32Array;
}

/** What every job of a set must have besides processors. */
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

/** `jobs`: all that ran, by which is told what did not bind. */
export function siteOf(nodes: readonly PastNodes[], jobs: readonly PastJob[]): NodesOfSite {
  const place = new Map(
    nodes.flatMap(({ partitions }, at) => partitions.map(({ name }) => [name, at] as const)),
  );
  const placeOf = (job: PastJob): number | undefined =>
    partitionsOf(job).flatMap((name) => place.get(name) ?? [])[0];
  const ran = nodes.map((): PastJob[] => []);
  for (const job of jobs) {
    const at = job.inCloud ? undefined : placeOf(job);
    if (at !== undefined) ran[at]?.push(job);
  }
  const bound = nodes.map((set, at) => {
    const all = boundsOf(set).map((one) => ({
      ...one,
      exceeded: peakOf(ran[at] ?? [], one.need) > one.most,
    }));
    return { binds: all.filter((b) => !b.exceeded), exceeded: all.filter((b) => b.exceeded) };
  });
  const setOf = (job: PastJob): number | undefined => {
    const at = placeOf(job);
    if (at === undefined || job.cpus > (nodes[at]?.cpus ?? 0)) return undefined;
    return bound[at]?.binds.every(({ need, most }) => need(job) <= most) ? at : undefined;
  };
  return {
    setOf,
    told: nodes.map(({ partitions, cpus }, at) => ({
      ...{ partitions: partitions.map((p) => p.name), cpus },
      binds: (bound[at]?.binds ?? []).map((b) => b.name),
      exceeded: (bound[at]?.exceeded ?? []).map((b) => b.name),
    })),
    setsFor: (kept) => ({
      of: Int32Array.from(kept, (job) => setOf(job) ?? 0),
      sets: nodes.map(({ partitions, cpus }, at) => ({
        ...{ partitions: partitions.map((p) => p.name), processors: cpus },
        bounds: (bound[at]?.binds ?? []).map(({ most, need }) => ({
          ...{ most, needs: Float64Array.from(kept, need) },
        })),
      })),
    }),
  };
}

/** A set's own, and those of each partition that has some of its nodes alone. */
function boundsOf(set: PastNodes): readonly Named[] {
  const within = set.partitions
    .filter(({ cpus }) => cpus < set.cpus)
    .flatMap((part) => {
      const isIn = (job: PastJob): boolean => job.partition === part.name;
      const cpus: Named = { name: 'cpus', most: part.cpus, need: (job) => job.cpus };
      return [cpus, ...sumBounds(part)].map(({ name, most, need }) => ({
        ...{ name: `${part.name}: ${name}`, most, need: (job: PastJob) => (isIn(job) ? need(job) : 0) },
      }));
    });
  return [...sumBounds(set), ...within];
}

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
