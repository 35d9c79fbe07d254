/** From what the store knows of instances and pods to what they cost, and whom. Pure. */
import type {
  CostFacts,
  CostKey,
  CostLine,
  CostPiece,
  CostReport,
  CostSources,
  Mark,
  Purpose,
  Reconciled,
  Stay,
} from '../domain/cost.ts';
import { type BurstId, type InstanceId, type Instant, instant } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import { nothing, plus } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import { type Guest, type Life, sharesOf } from './share.ts';

/** All pieces of every instance, days before the span that was asked for included: together they are what the instance cost. */
export function piecesOf({ at, instances, stays, bursts }: CostFacts): readonly CostPiece[] {
  const byInstance = new Map<InstanceId, Stay[]>();
  for (const stay of stays) {
    const known = byInstance.get(stay.instance);
    if (known === undefined) byInstance.set(stay.instance, [stay]);
    else known.push(stay);
  }
  return instances.flatMap((instance) => {
    const life = lifeOf(instance, at);
    if (life === undefined) return [];
    const on = byInstance.get(instance.id) ?? [];
    const needsOf = (id: BurstId) => plus(bursts.get(id)?.needs ?? nothing, keeperNeeds);
    const guests = on.map(
      ({ burst, from, until = at }): Guest => ({ burst, needs: needsOf(burst), from, until }),
    );
    const byScript = new Set(on.filter((s) => s.toldBy === 'script').map((s) => s.burst));
    return sharesOf(life, guests).map(
      ({ burst, ...share }): CostPiece => ({
        ...share,
        instance,
        burst: burst === undefined ? undefined : bursts.get(burst),
        toldBy: burst !== undefined && byScript.has(burst) ? 'script' : 'pod',
        open: endOf(instance) === undefined,
      }),
    );
  });
}

/** Undefined: it was never launched. */
function lifeOf(instance: Instance, now: Instant): Life | undefined {
  const { launchedAt: from, readyAt, price, capacity } = instance;
  if (from === undefined) return undefined;
  const until = endOf(instance) ?? now;
  return { from, until: instant(Math.max(from, until)), readyAt, perHour: price?.microUsd, capacity };
}

/** When it was billed no more. Undefined: it still is. */
export function endOf({ releasedAt, endedAt, state, enteredAt }: Instance): Instant | undefined {
  return releasedAt ?? endedAt ?? (state === 'gone' ? enteredAt : undefined);
}

export interface Asked {
  /** The first moment of a day, UTC. */
  readonly since: Instant;
  readonly at: Instant;
  readonly by: CostKey;
  readonly bill: Reconciled | undefined;
}

export function reportOf(all: readonly CostPiece[], { since, at, by, bill }: Asked): CostReport {
  const pieces = all.filter((p) => p.day >= since);
  const marks = marksOf(bill);
  const groups = new Map<string | undefined, CostPiece[]>();
  for (const piece of pieces) {
    // Who is to pay for boot and idle is the site's to say; a node group has them itself.
    if (piece.purpose !== 'job' && by !== 'group') continue;
    const key = keyOf(piece, by);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [piece]);
    else known.push(piece);
  }
  const lines = [...groups].map(([key, of]) => lineOf(key, of, marks));
  return {
    ...{ since, at, by },
    lines: lines.sort((a, b) => sumOf(b) - sumOf(a) || (a.key ?? '').localeCompare(b.key ?? '')),
    all: lineOf(undefined, pieces, marks),
    sources: sourcesOf(pieces),
    bill,
  };
}

/** Money of jobs, boot and idle together. */
export const sumOf = (l: Pick<CostLine, 'jobMicroUsd' | 'bootMicroUsd' | 'idleMicroUsd'>): number =>
  l.jobMicroUsd + l.bootMicroUsd + l.idleMicroUsd;

function keyOf({ burst, instance }: CostPiece, by: CostKey): string | undefined {
  switch (by) {
    case 'group':
      return instance.group;
    case 'job':
      return burst && `${burst.cluster}/${burst.ref}`;
    default:
      return burst?.[by];
  }
}

/** Which marks the money of an instance carries. */
export function marksOf(bill: Reconciled | undefined): (instance: InstanceId) => readonly Mark[] {
  const held = new Map(bill?.drifts.map((d) => [d.instance, d]));
  return (instance) => {
    const drift = held.get(instance);
    if (drift === undefined) return [];
    return [...(drift.over ? ['drift' as const] : []), ...(bill?.old === true ? ['old bill' as const] : [])];
  };
}

function lineOf(
  key: string | undefined,
  pieces: readonly CostPiece[],
  marks: (instance: InstanceId) => readonly Mark[],
): CostLine {
  const money = (purpose: Purpose): number =>
    pieces.reduce((sum, p) => sum + (p.purpose === purpose ? (p.microUsd ?? 0) : 0), 0);
  const bursts = new Map(pieces.flatMap(({ burst }) => (burst === undefined ? [] : [[burst.id, burst]])));
  const holds = [...bursts.values()].map((b) => b.price?.held);
  const time = (of: readonly CostPiece[]): number => of.reduce((sum, p) => sum + p.machineMs, 0);
  return {
    key,
    jobs: new Set([...bursts.values()].map((b) => b.job)).size,
    heldMicroUsd: holds.reduce<number>((sum, h) => sum + (h ?? 0), 0),
    withoutHold: holds.filter((h) => h === undefined).length,
    jobMicroUsd: money('job'),
    bootMicroUsd: money('boot'),
    idleMicroUsd: money('idle'),
    machineMs: time(pieces),
    unpricedMs: time(pieces.filter((p) => p.microUsd === undefined)),
    marks: [...new Set(pieces.flatMap((p) => marks(p.instance.id)))].sort(),
  };
}

function sourcesOf(pieces: readonly CostPiece[]): CostSources {
  const instances = [...new Map(pieces.map((p) => [p.instance.id, p.instance])).values()];
  const dates = instances.flatMap(({ price }) => (price?.from === undefined ? [] : [price.from]));
  const oldest = dates.length === 0 ? undefined : instant(Math.min(...dates));
  const unpriced = instances.filter((i) => i.price === undefined).length;
  return {
    configured: instances.length - unpriced - dates.length,
    listed: dates.length,
    oldestPrice: oldest,
    unpriced,
    byScript: new Set(pieces.flatMap((p) => (p.toldBy === 'script' && p.burst ? [p.burst.id] : []))).size,
    open: instances.filter((i) => endOf(i) === undefined).length,
  };
}
