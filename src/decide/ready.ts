/** From the yes to the job's first line in the cloud: launch, boot, join, image, claim and stand-in, as this site's bursts had it. */
import type { Burst } from '../domain/burst.ts';
import { quantile } from './forecast.ts';

export interface Ready {
  /** In ms, ascending. */
  readonly samples: readonly number[];
  readonly p50: number;
  readonly p90: number;
  /** How many of them this site has measured itself. */
  readonly measured: number;
  /** What of it carrying the job's data takes, in the middle. */
  readonly dataMs?: number | undefined;
}

/** Before a site has measured its own: a node that boots in one to two minutes and an image to pull. [facts: EC2, kubelet registered after 39 s at best, minutes with large images] */
const assumedMs: readonly number[] = [90_000, 120_000, 150_000, 180_000, 240_000, 300_000, 420_000];
/** From so many on the assumed ones are left out. */
const enough = 20;
const newest = 200;

export const assumed: Ready = readyOf([]);

export function readyOf(measured: readonly number[]): Ready {
  const samples = [...measured, ...(measured.length >= enough ? [] : assumedMs)].sort((a, b) => a - b);
  return { samples, p50: quantile(samples, 0.5), p90: quantile(samples, 0.9), measured: measured.length };
}

/** And then its data: each as likely with each. `of`: ascending, in ms. */
export function sumOf(
  ready: Ready,
  of: { readonly samples: readonly number[]; readonly p50: number },
): Ready {
  const samples = ready.samples.flatMap((ms) => of.samples.map((more) => ms + more)).sort((a, b) => a - b);
  const { measured } = ready;
  return { samples, p50: quantile(samples, 0.5), p90: quantile(samples, 0.9), measured, dataMs: of.p50 };
}

export type Ended = Pick<Burst, 'origin' | 'group' | 'createdAt' | 'startedAt' | 'data'>;

/** By node group. `ended`: newest first. A burst that was adopted or requeued was not begun by a decision, so its beginning says nothing. */
export function readyByGroup(ended: Iterable<Ended>): ReadonlyMap<string, Ready> {
  const measured = new Map<string, number[]>();
  for (const { origin, group, createdAt, startedAt, data } of ended) {
    if (origin !== 'decision' || startedAt === undefined) continue;
    const own = measured.get(group) ?? [];
    if (own.length < newest) own.push(Math.max(0, startedAt - createdAt - carriedMs(data)));
    measured.set(group, own);
  }
  return new Map([...measured].map(([group, own]) => [group, readyOf(own)]));
}

/** A job's own data say nothing of its group. */
const carriedMs = (data: Ended['data']): number =>
  data?.since === undefined || data.there === undefined ? 0 : Math.max(0, data.there - data.since);
