import { setImmediate } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { type Breaker, breakerSwitch } from '../../src/domain/boot.ts';
import type { Burst } from '../../src/domain/burst.ts';
import type { Receipt } from '../../src/domain/decision.ts';
import { type Drain, drainSwitch } from '../../src/domain/drain.ts';
import { PortError } from '../../src/domain/fault.ts';
import type { ForecastError } from '../../src/domain/forecast.ts';
import {
  type BurstId,
  type ClusterName,
  type InstanceId,
  type Instant,
  instant,
  type JobRef,
  type Uuid,
  uuid,
} from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { Money, MoneyOf } from '../../src/domain/ledger.ts';
import type {
  Activation,
  ActivationOrder,
  DamagedVersion,
  PolicyVersion,
} from '../../src/domain/policy-version.ts';
import { type Lift, rampSwitch } from '../../src/domain/ramp.ts';
import { type Stop, stopSwitch } from '../../src/domain/stop.ts';
import { type Turn, turnOf } from '../../src/domain/switch.ts';
import type { AuditRow, Intent, Lease, Recovery, SeenAgain, StorePort, Write } from '../../src/ports.ts';
import { beginAnew, endRecovery, recoveringOf, vet } from './age.ts';
import { databaseNow } from './audit-row.ts';
import { argument, type Commit, malformed } from './commit.ts';
import { addErrors, readErrors } from './errors.ts';
import { asFault, constraintOf, lostConnection, NeverSent, sqlState, worthRepeating } from './faults.ts';
import { Group } from './group.ts';
import { newestEpoch, releaseLease, takeLease } from './lease.ts';
import { moneyOf } from './ledger.ts';
import { migrate } from './migrate.ts';
import { activatePolicy, keepPolicy, readActivation, readVersion, readVersions } from './policies.ts';
import { KyselyPool, makePool } from './pool.ts';
import { Rows } from './rows.ts';
import { readBurst, readInstance, readIntent, readReceipt } from './schema.ts';
import { readSeen } from './seen.ts';
import { Shared } from './shared.ts';
import {
  drainsStatement,
  type KnownSwitch,
  readSwitch,
  readTurned,
  switchStatement,
  turnSwitch,
} from './switch.ts';
import type { Tables } from './tables.ts';

export interface PostgresStoreOptions {
  readonly url: string;
  /** What goes wrong where nobody waits for it: a broken idle connection. */
  readonly onError: (e: unknown) => void;
  /** Connections at most; each commit uses one. */
  readonly max?: number;
  /** How long a lost COMMIT answer is looked up before `unknown`. */
  readonly lookUpMs?: number;
  /** A store in which nothing was ever done makes its first gateway recover [age.ts]. */
  readonly newTakesStock?: boolean;
}

/** Migrates, then opens. Faults: `unreachable`, `refused` (a newer schema, missing rights). */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<StorePort> {
  await migrate(options.url);
  const store = new PostgresStore(options);
  if (options.newTakesStock === true) await store.beginAnew();
  return store;
}

export class PostgresStore implements StorePort {
  private readonly pool: KyselyPool;
  private readonly db: Kysely<Tables>;
  private readonly lookUpMs: number;
  /** What `recovering` last said: `recovered` speaks of that one. */
  private told: Recovery | undefined;
  private closing: Promise<void> | undefined;
  private readonly group: Group;
  private readonly burstRows: Rows<Burst>;
  private readonly instanceRows: Rows<Instance>;
  private readonly sharedBursts = new Shared<ClusterName, readonly Burst[]>();
  private readonly sharedStops = new Shared<ClusterName, Stop | undefined>();
  private readonly sharedDrains = new Shared<ClusterName, readonly Drain[]>();
  private readonly sharedBreakers = new Shared<ClusterName, readonly Breaker[]>();
  private readonly sharedInstances = new Shared<ClusterName, readonly Instance[]>();

  constructor(options: PostgresStoreOptions) {
    const { url, onError, max = 12 } = options;
    const pool = makePool({ url, name: 'spillway', max, hurried: true, onError });
    this.pool = new KyselyPool(pool, vet);
    this.db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: this.pool }) });
    this.group = new Group(this.pool);
    this.burstRows = new Rows(this.pool, 'bursts', readBurst);
    this.instanceRows = new Rows(this.pool, 'instances', readInstance);
    this.lookUpMs = options.lookUpMs ?? 15_000;
  }

  beginAnew(): Promise<void> {
    return this.read('beginAnew', beginAnew);
  }

  async commit(
    id: Uuid,
    cluster: ClusterName,
    epoch: number,
    writes: readonly Write[],
  ): Promise<'ok' | 'conflict' | 'over_budget'> {
    const commit = { id, cluster, epoch, writes };
    const bad = malformed(commit);
    if (bad !== undefined) throw bad;
    const json = argument(commit);
    let lost: unknown;
    let until = Number.POSITIVE_INFINITY;
    for (let turn = 0; ; turn++) {
      const answer = await this.attempt(commit, json);
      if (answer === 'ok' || answer === 'conflict' || answer === 'over_budget') return answer;
      if (answer.kind === 'repeat' && turn < 50) {
        await pause(Math.min(50, 2 ** turn) * Math.random());
      } else if (
        answer.kind === 'lost' ||
        (lost !== undefined && answer.kind === 'failed' && !answer.final)
      ) {
        // Asked again under the same id: its insert waits for a first transaction that still goes on, and finds it if it was
        // committed. So a repeat here can never write twice.
        if (lost === undefined) until = performance.now() + this.lookUpMs;
        lost = answer.error;
        if (performance.now() > until)
          throw new PortError(
            'unknown',
            'store.commit',
            'the answer to COMMIT was lost and the database stays away',
            { cause: lost },
          );
        await pause(50 + 200 * Math.random());
      } else {
        throw asFault(answer.error, 'store.commit', false);
      }
    }
  }

  /** In one statement, which is its own transaction: once it was sent, a lost connection may have done it. */
  private async attempt(commit: Commit, json: string): Promise<Answer> {
    try {
      const answer = await this.group.commit(json);
      if (answer === 'ok' || answer === 'conflict') return answer;
      const error =
        answer === 'stale'
          ? new PortError(
              'stale',
              'store.commit',
              `epoch ${commit.epoch} is over: another gateway leads ${commit.cluster}`,
            )
          : new PortError('invalid', 'store.commit', answer.replace(/^invalid:/, ''));
      return { kind: 'failed', error, final: true };
    } catch (e) {
      if (e instanceof PortError) return { kind: 'failed', error: e, final: true };
      if (e instanceof NeverSent) return { kind: 'failed', error: e, final: false };
      if (lostConnection(e)) return { kind: 'lost', error: e };
      if (sqlState(e) === overBudget) return 'over_budget';
      const constraint = constraintOf(e);
      if (constraint !== undefined && conflicting.has(constraint)) return 'conflict';
      // Two commits lengthened one chain, or got in each other's way: nothing was written, the second goes again.
      if (lengthening.has(constraint ?? '') || worthRepeating(e)) return { kind: 'repeat', error: e };
      return { kind: 'failed', error: e, final: true };
    }
  }

  private async read<T>(method: string, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await work(this.db);
    } catch (e) {
      throw asFault(e, `store.${method}`, false);
    }
  }

  private async change<T>(method: string, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await work(this.db);
    } catch (e) {
      throw asFault(e, `store.${method}`, true);
    }
  }

  money(cluster: ClusterName, of: MoneyOf): Promise<Money> {
    return this.read('money', (db) => moneyOf(db, cluster, of));
  }

  burst(id: BurstId): Promise<Burst | undefined> {
    return this.read('burst', () => this.burstRows.get(id));
  }

  liveBursts(cluster: ClusterName): Promise<readonly Burst[]> {
    return this.sharedBursts.get(cluster, () => this.read('liveBursts', () => this.burstRows.live(cluster)));
  }

  burstsOfJob(cluster: ClusterName, ref: JobRef | number): Promise<readonly Burst[]> {
    return this.read('burstsOfJob', async (db) => {
      const of = db.selectFrom('bursts').select('data').where('cluster', '=', cluster);
      const job = typeof ref === 'number' ? of.where('job_id', '=', ref) : of.where('ref', '=', ref);
      const rows = await job.orderBy('created_at', 'desc').orderBy('id', 'desc').execute();
      return rows.map((r) => readBurst(r.data));
    });
  }

  bursts(filter: Parameters<StorePort['bursts']>[0]): Promise<readonly Burst[]> {
    return this.read('bursts', async (db) => {
      const rows = await db
        .selectFrom('bursts')
        .select('data')
        .$if(filter.cluster !== undefined, (q) => q.where('cluster', '=', filter.cluster ?? ''))
        .$if(filter.live !== undefined, (q) => q.where('live', '=', sql.lit(filter.live === true)))
        .$if(filter.since !== undefined, (q) => q.where('created_at', '>=', filter.since ?? 0))
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(filter.limit)
        .execute();
      const read: Burst[] = [];
      for (const [i, { data }] of rows.entries()) {
        // Ten thousand in one piece would hold up whatever else this process has to do, for up to a second.
        if (i > 0 && i % readAtOnce === 0) await setImmediate();
        read.push(readBurst(data));
      }
      return read;
    });
  }

  instance(id: InstanceId): Promise<Instance | undefined> {
    return this.read('instance', () => this.instanceRows.get(id));
  }

  liveInstances(cluster: ClusterName): Promise<readonly Instance[]> {
    return this.sharedInstances.get(cluster, () =>
      this.read('liveInstances', () => this.instanceRows.live(cluster)),
    );
  }

  instances(limit: number): Promise<readonly Instance[]> {
    return this.read('instances', async (db) => {
      const all = db
        .selectFrom('instances')
        .select('data')
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc');
      return (await all.limit(limit).execute()).map((r) => readInstance(r.data));
    });
  }

  receipts(cluster: ClusterName, ref: JobRef | undefined, limit: number): Promise<readonly Receipt[]> {
    return this.read('receipts', async (db) => {
      const all = db.selectFrom('receipts').select('data').where('cluster', '=', cluster);
      // Each by its own index.
      const of = ref === undefined ? all.orderBy('at', 'desc') : all.where('ref', '=', ref);
      const rows = await of.orderBy('n', 'desc').limit(limit).execute();
      return rows.map((r) => readReceipt(r.data));
    });
  }

  burstDecisions(cluster: ClusterName, from: Instant, to: Instant): Promise<readonly Receipt[]> {
    return this.read('burstDecisions', async (db) => {
      const rows = await sql<{ data: unknown }>`
        select data from receipts
        where cluster = ${cluster} and at >= ${from} and at < ${to}
          and kind = 'decision' and data->'decision'->>'verdict' = 'burst'
        order by at, n`.execute(db);
      return rows.rows.map((r) => readReceipt(r.data));
    });
  }

  lastDecisions(cluster: ClusterName, refs: readonly JobRef[]): Promise<readonly Receipt[]> {
    return this.read('lastDecisions', async (db) => {
      const rows = await sql<{ data: unknown }>`
        select distinct on (attempt) data from receipts
        where cluster = ${cluster} and ref = any(${[...refs]}) and kind = 'decision'
        order by attempt, seq desc`.execute(db);
      return rows.rows.map((r) => readReceipt(r.data));
    });
  }

  async seenAgain(seen: ReadonlyMap<Uuid, SeenAgain>): Promise<void> {
    const all = [...seen];
    for (let i = 0; i < all.length; i += seenAtOnce) {
      const some = all.slice(i, i + seenAtOnce);
      const [times, lasts] = [some.map(([, s]) => s.times), some.map(([, s]) => s.last)];
      await this.change('seenAgain', async (db) => {
        await sql`
          insert into seen_again as s (receipt, times, last_at)
          select r.id, n.times, n.last_at
          from unnest(${some.map(([id]) => id)}::text[], ${times}::int[], ${lasts}::bigint[]) as n (id, times, last_at)
          join receipts r on r.id = n.id order by r.id
          on conflict (receipt) do update
          set times = s.times + excluded.times, last_at = greatest(s.last_at, excluded.last_at)`.execute(db);
      });
    }
  }

  seen(receipts: readonly Uuid[]): Promise<ReadonlyMap<Uuid, SeenAgain>> {
    return this.read('seen', (db) => readSeen(db, receipts));
  }

  forecastErrors(cluster: ClusterName): Promise<readonly ForecastError[]> {
    return this.read('forecastErrors', (db) => readErrors(db, cluster));
  }

  async addForecastErrors(cluster: ClusterName, errors: readonly ForecastError[]): Promise<void> {
    if (errors.length > 0) await this.change('addForecastErrors', (db) => addErrors(db, cluster, errors));
  }

  stopped(cluster: ClusterName): Promise<Stop | undefined> {
    return this.sharedStops.get(cluster, () => this.turnOf(stopSwitch, cluster));
  }

  private turnOf(kind: KnownSwitch, cluster: ClusterName): Promise<Turn | undefined> {
    return this.read(kind.name, async () =>
      turnOf<string>(
        kind,
        readSwitch(await this.pool.ask(`${kind.name}_switch`, switchStatement(kind), [cluster])),
      ),
    );
  }

  async stop(cluster: ClusterName, by: string, why: string): Promise<void> {
    await this.change('stop', (db) => turnSwitch(db, stopSwitch, { cluster }, 'stopped', by, why));
  }

  async resume(cluster: ClusterName, by: string, why: string): Promise<void> {
    await this.change('resume', (db) => turnSwitch(db, stopSwitch, { cluster }, 'resumed', by, why));
  }

  drains(cluster: ClusterName): Promise<readonly Drain[]> {
    return this.sharedDrains.get(cluster, () =>
      this.read('drains', async () =>
        readTurned(await this.pool.ask('drains_of_cluster', drainsStatement, [cluster]), drainSwitch),
      ),
    );
  }

  async drainGroup(cluster: ClusterName, group: string, by: string, why: string): Promise<void> {
    await this.change('drainGroup', (db) =>
      turnSwitch(db, drainSwitch, { cluster, group }, 'drained', by, why),
    );
  }

  async openGroup(cluster: ClusterName, group: string, by: string, why: string): Promise<void> {
    await this.change('openGroup', (db) => turnSwitch(db, drainSwitch, { cluster, group }, 'open', by, why));
  }

  breakers(cluster: ClusterName): Promise<readonly Breaker[]> {
    return this.sharedBreakers.get(cluster, () =>
      this.read('breakers', async () =>
        readTurned(await this.pool.ask('drains_of_cluster', drainsStatement, [cluster]), breakerSwitch),
      ),
    );
  }

  async tripBreaker(cluster: ClusterName, group: string, by: string, why: string): Promise<void> {
    await this.change('tripBreaker', (db) =>
      turnSwitch(db, breakerSwitch, { cluster, group }, 'tripped', by, why),
    );
  }

  async closeBreaker(cluster: ClusterName, group: string, by: string, why: string): Promise<void> {
    await this.change('closeBreaker', (db) =>
      turnSwitch(db, breakerSwitch, { cluster, group }, 'closed', by, why),
    );
  }

  rampLifted(cluster: ClusterName): Promise<Lift | undefined> {
    return this.turnOf(rampSwitch, cluster);
  }

  async liftRamp(cluster: ClusterName, by: string, why: string): Promise<void> {
    await this.change('liftRamp', (db) => turnSwitch(db, rampSwitch, { cluster }, 'lifted', by, why));
  }

  async limitRamp(cluster: ClusterName, by: string, why: string): Promise<void> {
    await this.change('limitRamp', (db) => turnSwitch(db, rampSwitch, { cluster }, 'limited', by, why));
  }

  keepPolicy(text: string, by: string, why: string): Promise<PolicyVersion> {
    return this.change('keepPolicy', (db) => keepPolicy(db, text, by, why));
  }

  policyVersion(version: number): Promise<PolicyVersion | undefined> {
    return this.read('policyVersion', (db) => readVersion(db, version));
  }

  policyVersions(limit: number, below?: number): Promise<readonly (PolicyVersion | DamagedVersion)[]> {
    return this.read('policyVersions', (db) => readVersions(db, limit, below));
  }

  activePolicy(cluster: ClusterName): Promise<Activation | undefined> {
    return this.read('activePolicy', (db) => readActivation(db, cluster));
  }

  activatePolicy(seen: ReadonlyMap<ClusterName, number>, order: ActivationOrder): Promise<'ok' | 'conflict'> {
    return this.change('activatePolicy', (db) => activatePolicy(db, seen, order));
  }

  openIntents(subject: BurstId | InstanceId): Promise<readonly Intent[]> {
    return this.read('openIntents', async (db) => {
      const rows = await db
        .selectFrom('intents')
        .select(['id', 'subject', 'effect', 'spec', 'epoch', 'at', 'deadline'])
        .where('subject', '=', subject)
        .where('answer', 'is', null)
        .orderBy('n')
        .execute();
      return rows.map(readIntent);
    });
  }

  audit(subject: string): Promise<readonly AuditRow[]> {
    return this.read('audit', async (db) => {
      const rows = await db
        .selectFrom('audit')
        .selectAll()
        .where('subject', '=', subject)
        .orderBy('seq')
        .execute();
      return rows.map((r) => ({
        subject: r.subject,
        seq: r.seq,
        at: instant(r.at),
        from: r.from_state ?? undefined,
        to: r.to_state,
        why: r.why,
        prev: r.prev,
        hash: r.hash,
      }));
    });
  }

  lease(cluster: ClusterName, holder: string, forMs: number): Promise<Lease | undefined> {
    return this.change('lease', (db) => takeLease(db, cluster, holder, forMs));
  }

  releaseLease(cluster: ClusterName, holder: string): Promise<void> {
    return this.change('releaseLease', (db) => releaseLease(db, cluster, holder));
  }

  newestEpoch(cluster: ClusterName): Promise<number> {
    return this.read('newestEpoch', (db) => newestEpoch(db, cluster));
  }

  generation(): Promise<Uuid> {
    return this.read('generation', async (db) => {
      const row = await db.selectFrom('meta').select('generation').executeTakeFirstOrThrow();
      return uuid(row.generation);
    });
  }

  recovering(cluster: ClusterName): Promise<Recovery | undefined> {
    return this.read('recovering', async (db) => {
      const found = await recoveringOf(db, cluster);
      this.told = found?.recovery;
      return found?.done === false ? found.recovery : undefined;
    });
  }

  recovered(cluster: ClusterName): Promise<void> {
    return this.change('recovered', async (db) => {
      if (this.told !== undefined) await endRecovery(db, cluster, this.told.since);
    });
  }

  now(): Promise<Instant> {
    return this.read('now', databaseNow);
  }

  ping(): Promise<void> {
    return this.read('ping', async (db) => {
      await sql`select 1`.execute(db);
    });
  }

  close(): Promise<void> {
    this.closing ??= this.db.destroy();
    return this.closing;
  }
}

type Answer =
  | 'ok'
  | 'conflict'
  | 'over_budget'
  /** Rolled back for a reason that passes. */
  | { readonly kind: 'repeat'; readonly error: unknown }
  /** It was sent and nothing came back. */
  | { readonly kind: 'lost'; readonly error: unknown }
  /** Nothing was written. `final`: the database said so, or the commit itself is wrong. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly final: boolean };

/** What `apply_commit` raises when a hold would pass a limit. */
const overBudget = 'SP001';

/** A new row whose id exists, or a second live burst of an attempt. */
const conflicting: ReadonlySet<string> = new Set(['bursts_pkey', 'instances_pkey', 'bursts_live_attempt']);

/** Rows of one statement. */
const seenAtOnce = 5_000;
const readAtOnce = 500;

/** The next link of a chain, which another commit was first to write; of a subject, its first, when both made it. */
const lengthening: ReadonlySet<string> = new Set(['receipts_chain', 'audit_pkey']);

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
