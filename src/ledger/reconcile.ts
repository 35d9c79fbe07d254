/** What was reckoned, held against what the cloud charged. Pure. */
import type { Bill, Billed, CostPiece, Drift, Reconciled } from '../domain/cost.ts';
import type { CloudId, InstanceId, Instant } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import { endOf } from './costs.ts';

/** A bill is complete a day or two after the usage; what is older than this lacks newer usage, and may have been corrected since. */
const oldAfterMs = 48 * 3_600_000;
/** One part in so many: 5 %. */
const tolerance = 20;

/** Only instances that ended, and whose whole life the bill covers, can be held against it. */
export function reconciled(pieces: readonly CostPiece[], bill: Bill, now: Instant): Reconciled {
  const { instances: billed, ...about } = bill;
  const drifts: Drift[] = [];
  const [missing, outside, unpriced]: [CloudId[], CloudId[], CloudId[]] = [[], [], []];
  for (const { instance, microUsd } of costsOf(pieces).values()) {
    const { cloudId } = instance;
    if (cloudId === undefined) continue;
    const charged = billed.get(cloudId);
    if (!within(instance, bill)) outside.push(cloudId);
    else if (charged === undefined) missing.push(cloudId);
    else if (microUsd === undefined) unpriced.push(cloudId);
    else drifts.push(driftOf(instance.id, cloudId, microUsd, charged));
  }
  const sum = (of: 'reckoned' | 'billed' | 'besides'): number => drifts.reduce((s, d) => s + d[of], 0);
  const [reckoned, charged] = [sum('reckoned'), sum('billed')];
  return {
    bill: about,
    old: now - bill.asOf > oldAfterMs,
    drifts: drifts.sort((a, b) => Math.abs(b.billed - b.reckoned) - Math.abs(a.billed - a.reckoned)),
    all: { reckoned, billed: charged, besides: sum('besides'), over: isOver(reckoned, charged) },
    ...{ missing, outside, unpriced },
  };
}

function costsOf(pieces: readonly CostPiece[]) {
  const costs = new Map<InstanceId, { readonly instance: Instance; readonly microUsd: number | undefined }>();
  for (const { instance, microUsd } of pieces) {
    const known = costs.get(instance.id);
    const before = known === undefined ? 0 : known.microUsd;
    const sum = before === undefined || microUsd === undefined ? undefined : before + microUsd;
    costs.set(instance.id, { instance, microUsd: sum });
  }
  return costs;
}

function within(instance: Instance, bill: Bill): boolean {
  const end = endOf(instance);
  return end !== undefined && (instance.launchedAt ?? end) >= bill.from && end <= bill.asOf;
}

const driftOf = (instance: InstanceId, cloudId: CloudId, reckoned: number, charged: Billed): Drift => ({
  ...{ instance, cloudId, reckoned },
  billed: charged.microUsd,
  besides: charged.besidesMicroUsd,
  over: isOver(reckoned, charged.microUsd),
});

function isOver(reckoned: number, billed: number): boolean {
  return Math.abs(billed - reckoned) * tolerance > Math.abs(billed);
}
