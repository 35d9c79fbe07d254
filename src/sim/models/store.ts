import { createHash } from 'node:crypto';
import { type Breaker, breakerSwitch } from '../../domain/boot.ts';
import type { Burst } from '../../domain/burst.ts';
import { type AuditLink, unstorable } from '../../domain/chain.ts';
import { auditLink, burstIsLive, foreign, instanceIsLive, type Staged, stage } from '../../domain/change.ts';
import type { Receipt } from '../../domain/decision.ts';
import { type Drain, drainSwitch } from '../../domain/drain.ts';
import { epochFloor } from '../../domain/epoch.ts';
import { PortError } from '../../domain/fault.ts';
import { type ForecastError, keptErrors } from '../../domain/forecast.ts';
import {
  type AttemptKey,
  type BurstId,
  type ClusterName,
  type InstanceId,
  type Instant,
  instant,
  type JobRef,
  type Uuid,
} from '../../domain/ids.ts';
import type { Instance } from '../../domain/instance.ts';
import { type LedgerRow, type Money, type MoneyOf, moneyOf, passed } from '../../domain/ledger.ts';
import type { Activation, ActivationOrder, PolicyVersion } from '../../domain/policy-version.ts';
import { type Lift, rampSwitch } from '../../domain/ramp.ts';
import { type Stop, stopSwitch } from '../../domain/stop.ts';
import { type SwitchKind, turnOf, type Which } from '../../domain/switch.ts';
import type {
  AuditRow,
  Clock,
  Entropy,
  Intent,
  Lease,
  Recovery,
  SeenAgain,
  StorePort,
  Write,
} from '../../ports.ts';
import { type Contents, copyOf, empty, type StoreSnapshot } from './store-contents.ts';
import { activatePolicy, keepPolicy, policyLinks } from './store-policies.ts';
import { isSeen, switchLinks, switchOf, turnedIn, turnSwitch } from './store-switch.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

type Of<K extends Write['kind']> = Extract<Write, { kind: K }>;

/**
 * The store in memory, for the simulator and for tests: the same contract as Postgres, on a given clock. What is written is
 * copied and frozen, so nothing changes but through `commit`. It outlives the gateways that use it: `close` closes nothing.
 */
export class MemStore implements StorePort {
  private readonly clock: Clock;
  private readonly entropy: Entropy;
  private held: Contents = empty();
  private generationId: Uuid;
  private recovery: Recovery | undefined;
  /** What `recovering` last said: `recovered` speaks of that one. */
  private told: Recovery | undefined;
  /** Every epoch given from now on is higher. */
  private epochFloor = 0;

  constructor(given: { readonly clock: Clock; readonly entropy: Entropy }) {
    this.clock = given.clock;
    this.entropy = given.entropy;
    this.generationId = given.entropy.uuid();
  }

  /** A store of its own that begins with an older copy of another. */
  static restored(
    snapshot: StoreSnapshot,
    given: { readonly clock: Clock; readonly entropy: Entropy },
    why?: string,
  ): MemStore {
    const store = new MemStore(given);
    store.restore(snapshot, why);
    return store;
  }

  snapshot(): StoreSnapshot {
    return copyOf(this.held) as StoreSnapshot;
  }

  /** Sets this store back under whoever uses it: what was written since the snapshot is gone, and `recovering` says so. */
  restore(snapshot: StoreSnapshot, why = 'a backup was restored'): void {
    this.held = copyOf(snapshot);
    this.generationId = this.entropy.uuid();
    const now = this.clock.now();
    this.recovery = { since: instant(Math.max(now, (this.recovery?.since ?? 0) + 1)), why };
    const known = [...this.held.leases.values()].map((l) => l.epoch);
    this.epochFloor = epochFloor(now, [this.epochFloor, ...known]);
    for (const [cluster, lease] of this.held.leases)
      this.held.leases.set(cluster, { holder: undefined, epoch: this.epochFloor, until: lease.until });
  }

  async commit(
    id: Uuid,
    cluster: ClusterName,
    epoch: number,
    writes: readonly Write[],
  ): Promise<'ok' | 'conflict' | 'over_budget'> {
    const invalid = (text: string) => new PortError('invalid', 'store.commit', text);
    const bad = unstorable(writes) ?? foreign(cluster, writes);
    if (bad !== undefined) throw invalid(bad);
    if (this.held.commits.has(id)) return 'ok';
    if (this.lastEpoch(cluster) > epoch)
      throw new PortError(
        'stale',
        'store.commit',
        `epoch ${epoch} is over: another gateway leads ${cluster}`,
      );

    const changes = writes.filter((w) => w.kind === 'burst' || w.kind === 'instance');
    const held = (of: string) =>
      this.held.bursts.get(of as BurstId) ?? this.held.instances.get(of as InstanceId);
    const staging = stage(changes, held);
    if (!staging.ok) {
      if (staging.fault === 'conflict') return 'conflict';
      throw invalid(staging.text);
    }
    const unknown = this.unfit(writes);
    if (unknown !== undefined) throw invalid(unknown);
    const attempts = this.attemptsAfter(staging.staged);
    if (attempts === 'conflict') return 'conflict';
    const ledger = this.ledgerAfter(cluster, writes);
    if (ledger === 'over_budget') return 'over_budget';

    this.held.commits.add(id);
    for (const [attempt, burst] of attempts) {
      if (burst === undefined) this.held.liveAttempts.delete(attempt);
      else this.held.liveAttempts.set(attempt, burst);
    }
    for (const row of ledger) this.held.ledger.set(row.burst, row);
    for (const change of staging.staged) this.apply(change);
    for (const write of writes) this.record(write);
    return 'ok';
  }

  /** Which burst each touched attempt's live one is afterwards; two of them are a conflict. */
  private attemptsAfter(staged: readonly Staged[]): Map<string, BurstId | undefined> | 'conflict' {
    const last = new Map<BurstId, Burst>();
    for (const s of staged) if (s.kind === 'burst') last.set(s.after.id, s.after);
    const after = new Map<string, BurstId | undefined>();
    for (const id of last.keys()) {
      const before = this.held.bursts.get(id);
      if (before && burstIsLive(before)) after.set(slot(before), undefined);
    }
    for (const burst of last.values()) {
      if (!burstIsLive(burst)) continue;
      const holder = after.has(slot(burst))
        ? after.get(slot(burst))
        : this.held.liveAttempts.get(slot(burst));
      if (holder !== undefined && holder !== burst.id) return 'conflict';
      after.set(slot(burst), burst.id);
    }
    return after;
  }

  /** The ledger's changed rows. Settlements come first: what they free may be held at once. */
  private ledgerAfter(cluster: ClusterName, writes: readonly Write[]): readonly LedgerRow[] | 'over_budget' {
    const changed = new Map<LedgerRow['burst'], LedgerRow>();
    for (const w of writes) {
      if (w.kind !== 'settle') continue;
      const row = this.held.ledger.get(w.settles);
      if (row?.state !== 'held' || row.cluster !== cluster) continue;
      changed.set(row.burst, { ...row, state: 'settled', microUsd: w.microUsd, at: w.at });
    }
    for (const w of writes) {
      if (w.kind !== 'hold') continue;
      const { limits, ...row } = w.hold;
      if (this.held.ledger.has(row.burst) || changed.has(row.burst))
        throw new PortError('invalid', 'store.commit', `burst ${row.burst} holds money already`);
      const now = new Map([...this.held.ledger, ...changed]);
      const own = [...now.values()].filter((r) => r.cluster === cluster);
      if (passed(w.hold, (limit) => moneyOf(own, limit)) !== undefined) return 'over_budget';
      changed.set(row.burst, { ...row, state: 'held' });
    }
    return [...changed.values()];
  }

  /** What keys would refuse: an id that exists already, an answer to an intent that does not. */
  private unfit(writes: readonly Write[]): string | undefined {
    const receipts = new Set<Uuid>();
    const intents = new Set<Uuid>();
    for (const w of writes) {
      if (w.kind === 'receipt') {
        if (receipts.has(w.receipt.id) || this.held.receiptIds.has(w.receipt.id))
          return `receipt ${w.receipt.id} exists already`;
        receipts.add(w.receipt.id);
      } else if (w.kind === 'intent') {
        if (intents.has(w.intent.id) || this.held.intents.has(w.intent.id))
          return `intent ${w.intent.id} exists already`;
        intents.add(w.intent.id);
      }
    }
    const answered = writes.filter((w): w is Of<'answered'> => w.kind === 'answered');
    const none = answered.find((w) => !intents.has(w.intent) && !this.held.intents.has(w.intent));
    return none && `intent ${none.intent} does not exist`;
  }

  private apply(change: Staged): void {
    const kept = frozen(change);
    if (kept.kind === 'burst') this.held.bursts.set(kept.after.id, kept.after);
    else this.held.instances.set(kept.after.id, kept.after);
    const rows = this.held.entries.get(kept.after.id) ?? [];
    this.held.entries.set(kept.after.id, [...rows, { change: kept, at: this.clock.now() }]);
  }

  private record(write: Write): void {
    if (write.kind === 'receipt') {
      this.held.receipts.push(frozen(write.receipt));
      this.held.receiptIds.add(write.receipt.id);
    } else if (write.kind === 'intent') {
      this.held.intents.set(write.intent.id, { intent: frozen(write.intent), answer: undefined });
    } else if (write.kind === 'answered') {
      const held = this.held.intents.get(write.intent);
      if (held?.answer === undefined && held !== undefined)
        this.held.intents.set(write.intent, { ...held, answer: write.answer });
    }
  }

  async burst(id: BurstId): Promise<Burst | undefined> {
    return this.held.bursts.get(id);
  }

  async liveBursts(cluster: ClusterName): Promise<readonly Burst[]> {
    const live = [...this.held.liveAttempts.values()].flatMap((id) => this.held.bursts.get(id) ?? []);
    return live
      .filter((b) => b.cluster === cluster)
      .sort(newestFirst)
      .reverse();
  }

  async burstsOfJob(cluster: ClusterName, ref: JobRef | number): Promise<readonly Burst[]> {
    const all = [...this.held.bursts.values()];
    return all
      .filter((b) => b.cluster === cluster && (typeof ref === 'number' ? b.jobId === ref : b.ref === ref))
      .sort(newestFirst);
  }

  async bursts(filter: Parameters<StorePort['bursts']>[0]): Promise<readonly Burst[]> {
    return [...this.held.bursts.values()]
      .filter((b) => filter.cluster === undefined || b.cluster === filter.cluster)
      .filter((b) => filter.live === undefined || burstIsLive(b) === filter.live)
      .filter((b) => b.createdAt >= (filter.since ?? 0))
      .sort(newestFirst)
      .slice(0, filter.limit);
  }

  async money(cluster: ClusterName, of: MoneyOf): Promise<Money> {
    return moneyOf(
      [...this.held.ledger.values()].filter((r) => r.cluster === cluster),
      of,
    );
  }

  async instance(id: InstanceId): Promise<Instance | undefined> {
    return this.held.instances.get(id);
  }

  async liveInstances(cluster: ClusterName): Promise<readonly Instance[]> {
    const all = [...this.held.instances.values()];
    return all
      .filter((i) => i.cluster === cluster && instanceIsLive(i))
      .sort(newestFirst)
      .reverse();
  }

  async instances(limit: number): Promise<readonly Instance[]> {
    return [...this.held.instances.values()].sort(newestFirst).slice(0, limit);
  }

  async receipts(cluster: ClusterName, ref: JobRef | undefined, limit: number): Promise<readonly Receipt[]> {
    const found = this.receiptsNewestFirst(
      (r) => r.cluster === cluster && (r.ref === ref || ref === undefined),
    );
    if (ref === undefined) found.sort((a, b) => b.at - a.at);
    return found.slice(0, limit);
  }

  async burstDecisions(cluster: ClusterName, from: Instant, to: Instant): Promise<readonly Receipt[]> {
    return this.held.receipts
      .filter((r) => r.cluster === cluster && r.kind === 'decision' && r.decision.verdict === 'burst')
      .filter(({ at }) => at >= from && at < to)
      .sort((a, b) => a.at - b.at);
  }

  async lastDecisions(cluster: ClusterName, refs: readonly JobRef[]): Promise<readonly Receipt[]> {
    const wanted = new Set(refs);
    const newest = new Map<AttemptKey, Receipt>();
    for (const r of this.receiptsNewestFirst(
      (r) => r.cluster === cluster && r.kind === 'decision' && wanted.has(r.ref),
    ))
      if (!newest.has(r.attempt)) newest.set(r.attempt, r);
    return [...newest.values()];
  }

  private receiptsNewestFirst(wanted: (r: Receipt) => boolean): Receipt[] {
    return this.held.receipts.filter(wanted).reverse();
  }

  async seenAgain(seen: ReadonlyMap<Uuid, SeenAgain>): Promise<void> {
    for (const [id, { times, last }] of seen) {
      if (!this.held.receiptIds.has(id)) continue;
      const before = this.held.seen.get(id) ?? { times: 0, last };
      this.held.seen.set(id, { times: before.times + times, last: instant(Math.max(before.last, last)) });
    }
  }

  async seen(receipts: readonly Uuid[]): Promise<ReadonlyMap<Uuid, SeenAgain>> {
    return new Map(receipts.flatMap((id) => [[id, this.held.seen.get(id)] as const]).filter(isSeen));
  }

  async forecastErrors(cluster: ClusterName): Promise<readonly ForecastError[]> {
    return this.held.errors.get(cluster) ?? [];
  }

  async addForecastErrors(cluster: ClusterName, errors: readonly ForecastError[]): Promise<void> {
    const all = [...(this.held.errors.get(cluster) ?? []), ...errors];
    this.held.errors.set(cluster, all.slice(-keptErrors));
  }

  async stopped(cluster: ClusterName): Promise<Stop | undefined> {
    return turnOf(stopSwitch, switchOf(this.held.switches, stopSwitch, { cluster }));
  }

  async stop(cluster: ClusterName, by: string, why: string): Promise<void> {
    this.turn(stopSwitch, { cluster }, 'stopped', by, why);
  }

  async resume(cluster: ClusterName, by: string, why: string): Promise<void> {
    this.turn(stopSwitch, { cluster }, 'resumed', by, why);
  }

  async rampLifted(cluster: ClusterName): Promise<Lift | undefined> {
    return turnOf(rampSwitch, switchOf(this.held.switches, rampSwitch, { cluster }));
  }

  async liftRamp(cluster: ClusterName, by: string, why: string): Promise<void> {
    this.turn(rampSwitch, { cluster }, 'lifted', by, why);
  }

  async limitRamp(cluster: ClusterName, by: string, why: string): Promise<void> {
    this.turn(rampSwitch, { cluster }, 'limited', by, why);
  }

  async drains(cluster: ClusterName): Promise<readonly Drain[]> {
    return turnedIn(this.held.switches, drainSwitch, cluster);
  }

  async drainGroup(cluster: ClusterName, group: string, by: string, why: string): Promise<void> {
    this.turn(drainSwitch, { cluster, group }, 'drained', by, why);
  }

  async openGroup(cluster: ClusterName, group: string, by: string, why: string): Promise<void> {
    this.turn(drainSwitch, { cluster, group }, 'open', by, why);
  }

  async breakers(cluster: ClusterName): Promise<readonly Breaker[]> {
    return turnedIn(this.held.switches, breakerSwitch, cluster);
  }

  async tripBreaker(cluster: ClusterName, group: string, by: string, why: string): Promise<void> {
    this.turn(breakerSwitch, { cluster, group }, 'tripped', by, why);
  }

  async closeBreaker(cluster: ClusterName, group: string, by: string, why: string): Promise<void> {
    this.turn(breakerSwitch, { cluster, group }, 'closed', by, why);
  }

  private turn(kind: SwitchKind, which: Which, state: string, by: string, why: string): void {
    turnSwitch(this.held.switches, kind, which, state, { by, why, at: this.clock.now() });
  }

  async keepPolicy(text: string, by: string, why: string): Promise<PolicyVersion> {
    return keepPolicy(this.held.policies, { text, by, why, at: this.clock.now() }, sha256);
  }

  async policyVersion(version: number): Promise<PolicyVersion | undefined> {
    return this.held.policies.find((v) => v.version === version);
  }

  async policyVersions(limit: number, below = Number.POSITIVE_INFINITY): Promise<readonly PolicyVersion[]> {
    return this.held.policies
      .filter((v) => v.version < below)
      .reverse()
      .slice(0, limit);
  }

  async activePolicy(cluster: ClusterName): Promise<Activation | undefined> {
    return this.held.activations.get(cluster)?.at(-1);
  }

  async activatePolicy(
    seen: ReadonlyMap<ClusterName, number>,
    order: ActivationOrder,
  ): Promise<'ok' | 'conflict'> {
    return activatePolicy(this.held.activations, seen, order, this.clock.now());
  }

  async openIntents(subject: BurstId | InstanceId): Promise<readonly Intent[]> {
    return [...this.held.intents.values()]
      .filter((h) => h.intent.subject === subject && h.answer === undefined)
      .map((h) => h.intent);
  }

  async audit(subject: string): Promise<readonly AuditRow[]> {
    const { switches, policies, activations } = this.held;
    const links: AuditLink[] = [
      ...switchLinks(switches, subject, sha256),
      ...policyLinks(policies, activations, subject, sha256),
    ];
    for (const { change, at } of this.held.entries.get(subject) ?? [])
      links.push(auditLink(change, at, links.at(-1)?.hash, sha256));
    return links.map(({ data, ...row }) => ({ ...row, at: instant(row.at) }));
  }

  async lease(cluster: ClusterName, holder: string, forMs: number): Promise<Lease | undefined> {
    const now = this.clock.now();
    const held = this.held.leases.get(cluster);
    const ours = held?.holder === holder;
    if (held && !ours && held.holder !== undefined && held.until > now) return undefined;
    const epoch = ours ? held.epoch : this.lastEpoch(cluster) + 1;
    const until = instant(now + forMs);
    this.held.leases.set(cluster, { holder, epoch, until });
    return { cluster, holder, epoch, until };
  }

  async releaseLease(cluster: ClusterName, holder: string): Promise<void> {
    const held = this.held.leases.get(cluster);
    if (held?.holder === holder) this.held.leases.set(cluster, { ...held, holder: undefined });
  }

  async newestEpoch(cluster: ClusterName): Promise<number> {
    return this.lastEpoch(cluster);
  }

  /** Who leads by the store's word, for whoever checks a run. */
  holderOf(cluster: ClusterName): { readonly name: string; readonly until: Instant } | undefined {
    const lease = this.held.leases.get(cluster);
    return lease?.holder === undefined ? undefined : { name: lease.holder, until: lease.until };
  }

  private lastEpoch(cluster: ClusterName): number {
    return Math.max(this.held.leases.get(cluster)?.epoch ?? 0, this.epochFloor);
  }

  async generation(): Promise<Uuid> {
    return this.generationId;
  }

  async recovering(cluster: ClusterName): Promise<Recovery | undefined> {
    this.told = this.recovery;
    const done = this.held.recovered.get(cluster) ?? 0;
    return this.recovery !== undefined && this.recovery.since > done ? this.recovery : undefined;
  }

  async recovered(cluster: ClusterName): Promise<void> {
    if (this.told !== undefined) this.held.recovered.set(cluster, this.told.since);
  }

  async now(): Promise<Instant> {
    return this.clock.now();
  }

  async ping(): Promise<void> {}

  async close(): Promise<void> {}
}

const slot = (b: Burst): string => `${b.cluster}|${b.attempt}`;

function newestFirst(a: Burst | Instance, b: Burst | Instance): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1);
}

function frozen<T>(value: T): T {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return Object.freeze(value.map(frozen)) as T;
  const copy: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) copy[key] = frozen(inner);
  return Object.freeze(copy) as T;
}
