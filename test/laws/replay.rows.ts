/** Decisions as rows: from the gateway's receipts, from a replay, and where the two part. */
import { type Decision, sameDecision } from '../../src/domain/decision.ts';
import { type Instant, instant, type JobRef } from '../../src/domain/ids.ts';
import type { CapacityType } from '../../src/domain/instance.ts';
import { historyEveryMs, historyLagMs } from '../../src/engine/history.ts';
import { asGateway, type GatewayTerms } from '../../src/sim/replay/gateway.ts';
import { type Played, type Site as PlaySite, play } from '../../src/sim/replay/play.ts';
import { columnsOf, type Policy } from '../../src/sim/replay/policy.ts';
import type { TraceJob } from '../../src/sim/trace/job.ts';
import { keeperNeeds } from '../../src/translate/index.ts';
import { cluster, group, offeredAt, type Ran, readyMs, type Site } from '../sim/gateway.world.ts';

/** One decision on one job, told when it differs from the one before it. */
export interface Row {
  readonly look: Instant;
  readonly verdict: Decision['verdict'];
  /** The rules that failed. */
  readonly failed: string;
  /** Of who bursts: spot or on demand. */
  readonly buys: CapacityType | undefined;
  /** What the policy and the budgets measured: forecasts, worth and dollars, to the digit that is shown. */
  readonly measured: string;
}

export type Rows = ReadonlyMap<JobRef, readonly Row[]>;

function rowOf(look: Instant, { verdict, because }: Decision, buys: CapacityType | undefined): Row {
  const failed = because.filter((r) => !r.pass).map((r) => r.rule);
  const measured = because.filter((r) => r.rule === 'burst-when' || r.rule === 'budget');
  return {
    look,
    verdict,
    failed: failed.join(', '),
    buys: verdict === 'burst' ? buys : undefined,
    measured: measured.map((r) => r.measured).join('; '),
  };
}

/** By the receipts that it wrote, oldest first. */
export async function rowsOfGateway({ store }: Ran): Promise<Rows> {
  const rows = new Map<JobRef, Row[]>();
  const receipts = await store.receipts(cluster, undefined, Number.POSITIVE_INFINITY);
  for (const { kind, ref, snapshotAt, at, decision, basis } of [...receipts].reverse()) {
    if (kind !== 'decision') continue;
    const row = rowOf(snapshotAt ?? at, decision, basis?.offer?.capacity);
    rows.set(ref, [...(rows.get(ref) ?? []), row]);
  }
  return rows;
}

const pool = { type: group.types[0] ?? '', zone: group.zones[0] ?? '' };

/** A model of a cloud that takes no time to boot takes a moment to start a script. */
const bootMsOf = ({ boots }: Site): number => (boots?.ms ?? 0) + readyMs;

/** What the gateway's looks and its reading of the history are to a replay. */
export function asPlayed(site: Site): PlaySite {
  const { processors, startAt, setup } = site;
  return {
    processors,
    cloud: {
      ...{ bootMs: bootMsOf(site), processors: Number.POSITIVE_INFINITY },
      // The model of the cloud takes nothing back by itself.
      spot: site.spotMicroUsd === undefined ? undefined : { history: [], lossesPerHour: 0, seed: 1 },
    },
    tickMs: setup.pollMs,
    looks: { fromMs: startAt, everyMs: setup.pollMs },
    // Of two timers of one moment the one that was set first comes first: a look that is seldom, before the reading of the history.
    learns: {
      fromMs: startAt + (setup.pollMs > historyEveryMs ? 1 : 0),
      everyMs: historyEveryMs,
      lagMs: historyLagMs,
    },
  };
}

export interface Replayed {
  readonly rows: Rows;
  readonly played: Played;
  /** Each `burst`, said again or not, with its look. */
  readonly looks: readonly string[];
}

/** As the gateway's notebook does, of what comes again the rows keep the first. */
export function rowsOfReplay(jobs: readonly TraceJob[], site: Site): Replayed {
  const rows = new Map<JobRef, Row[]>();
  const looks: string[] = [];
  const last = new Map<JobRef, Decision>();
  const told: GatewayTerms['told'] = (at, decided, _, buys) => {
    for (const { job, decision } of decided) {
      if (decision.verdict === 'burst') looks.push(`${at} ${job.id}`);
      const before = last.get(job.ref);
      if (before !== undefined && sameDecision(before, decision)) continue;
      last.set(job.ref, decision);
      rows.set(job.ref, [...(rows.get(job.ref) ?? []), rowOf(at, decision, buys(job))]);
    }
  };
  const trace = columnsOf(jobs);
  const { setup, policy, forecaster } = site;
  const terms = {
    setup,
    policy,
    forecaster,
    groups: [offeredAt(site)],
    ...(site.spotMicroUsd === undefined
      ? {}
      : { spotPrices: [{ ...pool, microUsd: site.spotMicroUsd, from: instant(0) }] }),
    beside: keeperNeeds,
    bootMs: bootMsOf(site),
    told,
  };
  return { rows, played: play(trace, asPlayed(site), asGateway(trace, terms)), looks: looks.sort() };
}

/** Who would go at each look, under a policy of replay's own: nobody goes. */
export function goesOfReplay(jobs: readonly TraceJob[], site: Site, policy: Policy): readonly string[] {
  const goes: string[] = [];
  const observed: Policy = {
    chosen(sight) {
      for (const job of policy.chosen?.(sight) ?? []) goes.push(`${sight.nowMs} ${job + 1}`);
      return [];
    },
  };
  play(columnsOf(jobs), asPlayed(site), observed);
  return goes.sort();
}

/** The first row in which they part, in words; undefined: they are the same, row by row. */
export function parting(gateway: Rows, replay: Rows): string | undefined {
  for (const ref of new Set([...gateway.keys(), ...replay.keys()])) {
    const [g, r] = [gateway.get(ref) ?? [], replay.get(ref) ?? []];
    for (let i = 0; i < Math.max(g.length, r.length); i++) {
      const [one, other] = [inWords(g[i]), inWords(r[i])];
      if (one !== other) return `job ${ref}, row ${i + 1}: the gateway ${one}; replay ${other}`;
    }
  }
  return undefined;
}

const inWords = (row: Row | undefined): string =>
  row === undefined
    ? 'has none'
    : `says ${row.verdict}${row.buys === undefined ? '' : ` on ${row.buys}`} at ${new Date(instant(row.look)).toISOString()} (failed: ${row.failed || 'none'}; ${row.measured})`;
