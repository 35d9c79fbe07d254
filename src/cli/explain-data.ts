/** What a script says of its data: what the pod sees anyhow, and what would have to be carried, for how long and for how much. */
import { costOfStaging, type StagingRates } from '../decide/staging.ts';
import type { RuleVerdict } from '../domain/decision.ts';
import { dollars } from '../domain/money.ts';
import type { StagedPath } from '../translate/script/staged.ts';
import { gib, type Staging, stagingOf } from '../translate/staging.ts';
import type { Site, SiteStaging } from './explain-site.ts';

export interface Data extends Staging {
  /** For people. */
  readonly lines: readonly string[];
}

/** Undefined: it says nothing of data, or nothing of the site is known. */
export function dataOf(
  staged: readonly StagedPath[],
  { from, mounts, staging }: Pick<Site, 'from' | 'mounts' | 'staging'>,
  nodes = 1,
): Data | undefined {
  const found = from === undefined ? undefined : stagingOf(staged, mounts, staging?.limits);
  return found && { ...found, lines: linesOf(found, staging, nodes) };
}

export function againstData(data: Data | undefined): readonly RuleVerdict[] {
  if (data?.against === undefined) return [];
  const limit = 'all that it names is under a mount of the pod';
  return [{ rule: 'staging', pass: false, measured: data.against, limit }];
}

function linesOf({ seen, carried }: Staging, site: SiteStaging | undefined, nodes: number): string[] {
  return [
    ...seen.map(({ way, path }) => `stage-${way} ${path}: under a mount, nothing is carried`),
    ...carried.map(
      ({ way, path, bytes, reckonedBytes }) =>
        `stage-${way} ${path}: ${gib(reckonedBytes)}, ${bytes === undefined ? 'assumed, for no size is written' : 'as written; nobody has looked'}`,
    ),
    ...(nodes > 1 ? carriedToSeveral(carried, nodes) : []),
    ...(carried.length === 0 || site === undefined
      ? []
      : [costLine(carried, site.rates), ...rulesOf(carried, site)]),
  ];
}

function carriedToSeveral(carried: Staging['carried'], nodes: number): string[] {
  const has = (of: 'in' | 'out'): boolean => carried.some(({ way }) => way === of);
  return [
    ...(has('in')
      ? [`each of its ${nodes} nodes gets all that is staged in, at the same time, before the script begins`]
      : []),
    ...(has('out')
      ? [
          `what each node has made comes back; a file that several made with different contents comes from each of them: the first node's under its name, the others' beside it as NAME.spill-JOBID-rankN, which the job's stderr tells`,
        ]
      : []),
  ];
}

function rulesOf(carried: Staging['carried'], { limits: { partBytes } }: SiteStaging): string[] {
  return [
    ...(partBytes === undefined
      ? []
      : [
          `a file longer than ${gib(partBytes)} goes in parts: where a connection breaks off, it goes on there`,
        ]),
    ...(carried.some(({ way }) => way === 'out')
      ? [
          'what is as it was staged in does not come back; where what it has made cannot come home, the job does not end with 0, and its stderr says where it is',
        ]
      : []),
  ];
}

function costLine(carried: Staging['carried'], rates: StagingRates): string {
  const bytes = (of: 'in' | 'out'): number =>
    carried.reduce((sum, { way, reckonedBytes }) => sum + (way === of ? reckonedBytes : 0), 0);
  const { upMs, downMs, fromPodMs, backMs, egressMicroUsd } = costOfStaging(
    { inBytes: bytes('in'), outBytes: bytes('out') },
    rates,
  );
  const minutes = (ms: number): string => `${Math.ceil(ms / 60_000)} min`;
  return `at most ${minutes(upMs)} up (less for what an earlier job has left in the store), ${minutes(downMs + fromPodMs)} in the pod and ${minutes(backMs)} back, all of which its time limit counts; ${dollars(egressMicroUsd)} for what leaves the cloud`;
}
