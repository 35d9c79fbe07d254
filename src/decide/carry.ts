/** How long a job's data take: to its pod before its first line, and home after its last; by what this site's own transfers took. */
import type { Burst } from '../domain/burst.ts';
import type { Told } from '../domain/carrying.ts';
import type { Job } from '../domain/job.ts';
import { quantile } from './forecast.ts';
import { type Ready, sumOf } from './ready.ts';
import { costOfStaging, type StagingRates } from './staging.ts';

/** Of one job, together. */
export interface Sizes {
  readonly inBytes: number;
  readonly outBytes: number;
}

/** One way: all its legs, while its machine is held. */
export interface Leg {
  /** Of the middle one, where earlier jobs tell. */
  readonly bytes: number;
  /** In ms, ascending. */
  readonly samples: readonly number[];
  readonly p50: number;
  readonly p90: number;
  /** From so many of this site's own transfers. */
  readonly measured: number;
}

export interface Carrying {
  readonly from: Told['from'];
  /** Earlier jobs that tell; of a script 0. */
  readonly jobs: number;
  readonly in: Leg;
  readonly out: Leg;
}

/** What ended bursts tell of carrying. */
export interface Transfers {
  readonly rates: StagingRates;
  /** How many times as long as by the configured bandwidths, each way, ascending. */
  readonly in: readonly number[];
  readonly out: readonly number[];
  /** What the newest jobs of a user with that name carried [jobNamed]. */
  readonly earlier: ReadonlyMap<string, readonly Sizes[]>;
}

export type Carried = Pick<Burst, 'user' | 'name' | 'startedAt' | 'endedAt' | 'data'>;

/** Smaller ones tell of what an order takes and not of bandwidth. */
const leastBytes = 256 * 2 ** 20;
const newest = 200;
/** What a job carries changes: its newest runs tell. */
const newestOfName = 5;

const jobNamed = ({ user, name }: Pick<Job, 'user' | 'name'>): string => `${user}/${name}`;

/** `ended`: newest first. Those that carried nothing tell that too, once another of their name carried something. */
export function transfersOf(ended: Iterable<Carried>, rates: StagingRates): Transfers {
  const found = { in: [] as number[], out: [] as number[] };
  const earlier = new Map<string, Sizes[]>();
  const carries = new Set<string>();
  for (const burst of ended) {
    const { data, startedAt, endedAt } = burst;
    // A run whose data never came tells nothing; neither does one that never began.
    if (startedAt === undefined) continue;
    const sizes = { inBytes: data?.inBytes ?? 0, outBytes: data?.resultBytes ?? 0 };
    const name = jobNamed(burst);
    const own = earlier.get(name) ?? [];
    if (own.length < newestOfName) own.push(sizes);
    earlier.set(name, own);
    if (sizes.inBytes + sizes.outBytes > 0) carries.add(name);
    const reckoned = heldMs(sizes, rates);
    const learn = (way: 'in' | 'out', bytes: number, from: number | undefined, to: number | undefined) => {
      if (bytes >= leastBytes && from !== undefined && to !== undefined && found[way].length < newest)
        found[way].push(Math.max(0, to - from) / reckoned[way]);
    };
    learn('in', sizes.inBytes, data?.since, data?.there);
    learn('out', sizes.outBytes, endedAt, data?.homeAt);
  }
  const ascending = (ratios: number[]) => ratios.sort((a, b) => a - b);
  return {
    ...{ rates, in: ascending(found.in), out: ascending(found.out) },
    earlier: new Map([...earlier].filter(([name]) => carries.has(name))),
  };
}

/** `known`: by the job's script; undefined: nobody has read it. Undefined: it carries nothing, or nobody knows of anything. */
export function carryingOf(
  job: Pick<Job, 'user' | 'name'>,
  known: Sizes | undefined,
  transfers: Transfers,
): Carrying | undefined {
  if (known === undefined && transfers.earlier.size === 0) return undefined;
  const all = known === undefined ? transfers.earlier.get(jobNamed(job)) : [known];
  if (all === undefined || all.every(({ inBytes, outBytes }) => inBytes + outBytes === 0)) return undefined;
  const leg = (way: 'in' | 'out', bytesOf: (sizes: Sizes) => number): Leg => {
    const ratios = likely(transfers[way]);
    const samples = all
      .flatMap((sizes) => ratios.map((ratio) => ratio * heldMs(sizes, transfers.rates)[way]))
      .sort((a, b) => a - b);
    const bytes = quantile(
      all.map(bytesOf).sort((a, b) => a - b),
      0.5,
    );
    const measured = transfers[way].length;
    return { bytes, samples, p50: quantile(samples, 0.5), p90: quantile(samples, 0.9), measured };
  };
  return {
    ...(known === undefined
      ? { from: 'earlier' as const, jobs: all.length }
      : { from: 'script' as const, jobs: 0 }),
    in: leg('in', ({ inBytes }) => inBytes),
    out: leg('out', ({ outBytes }) => outBytes),
  };
}

/** As ready as it is with its data there. */
export const readyWith = (ready: Ready, carrying: Carrying | undefined): Ready =>
  carrying === undefined || carrying.in.bytes === 0 ? ready : sumOf(ready, carrying.in);

/** A job's machine is its own from when its stand-in calls until its results are here. */
function heldMs(sizes: Sizes, rates: StagingRates): { readonly in: number; readonly out: number } {
  const { upMs, downMs, fromPodMs, backMs } = costOfStaging(sizes, rates);
  return { in: upMs + downMs, out: fromPodMs + backMs };
}

/** Before a site has transfers of its own: what is configured may be expected, and less of it while others carry too. */
const assumed: readonly number[] = [1, 1, 1, 1.5, 2];
/** From so many on the assumed ones are left out. */
const enough = 10;

/** A few that stand for all: they are crossed with the ready times of a node group. */
function likely(measured: readonly number[]): readonly number[] {
  const ratios = measured.length >= enough ? measured : [...measured, ...assumed].sort((a, b) => a - b);
  return [0.1, 0.3, 0.5, 0.7, 0.9].map((q) => quantile(ratios, q));
}
