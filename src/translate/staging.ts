/** Which of a job's data would have to be carried to its pod and back, and whether they may be. Pure: no file is looked at. */
import { type StagedPath, within } from './script/staged.ts';

/** An administrator's word on it. */
export interface StagingLimits {
  /** Only what lies below one of these. */
  readonly paths: readonly string[];
  /** Of one job, each way; of one of several nodes, what each node may send back. */
  readonly maxBytes: number;
  /** What a path is taken for whose owner says no size. */
  readonly assumedBytes: number;
  /** A file that is longer is sent in parts of that size. */
  readonly partBytes?: number | undefined;
  /** So long what was staged in stays in the store, for reuse. */
  readonly keepMs?: number | undefined;
  /** What the cloud asks for each GiB that leaves it. */
  readonly egressMicroUsdPerGiB?: number | undefined;
  /** The store and what stands in front of its keys, for people: `s3://BUCKET/PREFIX`. */
  readonly where?: string | undefined;
}

export interface Carried extends StagedPath {
  /** What it is reckoned with. */
  readonly reckonedBytes: number;
}

export interface Staging {
  /** Under a mount, so the pod sees them where they are. */
  readonly seen: readonly StagedPath[];
  readonly carried: readonly Carried[];
  /** Why they may not be carried, with what to do. */
  readonly against: string | undefined;
}

/** What a path is taken for where nothing is configured. */
const usualBytes = 10 * 2 ** 30;

/** Undefined: its script says nothing of data. */
export function stagingOf(
  staged: readonly StagedPath[],
  mounts: readonly { readonly path: string }[],
  limits: StagingLimits | undefined,
): Staging | undefined {
  if (staged.length === 0) return undefined;
  const bare = mounts.map(({ path }) => path.replace(/(.)\/$/, '$1'));
  const seen = staged.filter(({ path }) => bare.some((mount) => within(path, mount)));
  const carried = staged
    .filter((one) => !seen.includes(one))
    .map((one) => ({ ...one, reckonedBytes: one.bytes ?? limits?.assumedBytes ?? usualBytes }));
  return { seen, carried, against: againstOf(carried, limits, bare) };
}

/** Never silently less: a job that runs without its data, or whose results stay in a pod that is gone, is worse than one that waits. */
function againstOf(
  carried: readonly Carried[],
  limits: StagingLimits | undefined,
  mounts: readonly string[],
): string | undefined {
  const [first] = carried;
  if (first === undefined) return undefined;
  const where =
    mounts.length === 0 ? 'and no mount is configured' : `and is under no mount (${mounts.join(', ')})`;
  if (limits === undefined)
    return `${named(first)} would have to be carried ${where}: the site has no store for that (staging)`;
  const outside = carried.find(({ path }) => !limits.paths.some((allowed) => within(path, allowed)));
  if (outside !== undefined)
    return `${named(outside)} may not be carried: the site allows ${limits.paths.join(', ')} (staging.paths)`;
  for (const way of ['in', 'out'] as const) {
    const bytes = carried.reduce((sum, one) => sum + (one.way === way ? one.reckonedBytes : 0), 0);
    if (bytes > limits.maxBytes)
      return `${gib(bytes)} ${way} are more than one job may carry, ${gib(limits.maxBytes)} (staging.maxSize)`;
  }
  return undefined;
}

const named = ({ line, way, path }: StagedPath): string => `line ${line} of its script: stage-${way}=${path}`;

/** Such as `20 GiB`, `1.5 GiB`, `300 MiB`. */
export function gib(bytes: number): string {
  const [factor, unit] = bytes >= 2 ** 30 ? [2 ** 30, 'GiB'] : [2 ** 20, 'MiB'];
  return `${Math.round((bytes / factor) * 10) / 10} ${unit}`;
}

/** The allowed path that each lies below: in the pod an empty directory stands there, for what is carried. */
export function stagedRoots(paths: readonly string[], allowed: readonly string[]): readonly string[] {
  const rootOf = (path: string): string =>
    allowed.filter((one) => within(path, one)).sort((a, b) => b.length - a.length)[0] ?? path;
  return [...new Set(paths.map(rootOf))].sort();
}
