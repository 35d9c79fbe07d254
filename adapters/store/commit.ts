import { createHash } from 'node:crypto';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { auditChain, type Head, receiptChain } from '../../src/domain/anchor.ts';
import { canonical, chainStart, receiptHash, unstorable } from '../../src/domain/chain.ts';
import {
  type AuditLink,
  auditLink,
  burstIsLive,
  foreign,
  type Held,
  instanceIsLive,
  type Staged,
  stage,
} from '../../src/domain/change.ts';
import type { Receipt } from '../../src/domain/decision.ts';
import { PortError } from '../../src/domain/fault.ts';
import type { ClusterName, Uuid } from '../../src/domain/ids.ts';
import type { Intent, Write } from '../../src/ports.ts';
import { keepLedger } from './ledger.ts';
import type { Tables } from './tables.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

export interface Commit {
  readonly id: Uuid;
  readonly cluster: ClusterName;
  readonly epoch: number;
  readonly writes: readonly Write[];
}

/** Thrown to roll back: a rev had moved. */
export class Conflict extends Error {}

/** What the database holds of all that a commit touches, read and locked in one statement. */
interface Ground {
  readonly fresh: boolean;
  readonly epoch: number;
  readonly at: number;
  readonly held: readonly (Held & { readonly id: string; readonly head: string })[];
  readonly chains: readonly { readonly attempt: string; readonly seq: number; readonly hash: string }[];
  readonly intents: readonly string[];
}

/** Number of the advisory lock of a cluster's lease: commits share it, who takes the lease over holds it alone. */
export function leaseLock(cluster: ClusterName): string {
  return createHash('sha256').update(`spillway lease ${cluster}`).digest().readBigInt64BE().toString();
}

/** What is wrong with a commit whatever the database holds. */
export function malformed(c: Commit): PortError | undefined {
  const bad = unstorable(c.writes) ?? foreign(c.cluster, c.writes);
  return bad === undefined ? undefined : new PortError('invalid', 'store.commit', bad);
}

/**
 * The transaction up to its COMMIT, on one connection. Statements: lock, ground, changes (and new bursts apart, since the unique
 * index on live attempts must see first which ended).
 */
export async function perform(db: Kysely<Tables>, c: Commit): Promise<void> {
  // The lock has a statement of its own: what the next one reads of the lease is then read under it.
  await sql`begin; select pg_advisory_xact_lock_shared(${sql.lit(leaseLock(c.cluster))})`.execute(db);
  const ground = await survey(db, c);
  if (!ground.fresh) return;
  if (ground.epoch > c.epoch)
    throw new PortError(
      'stale',
      'store.commit',
      `epoch ${c.epoch} is over: another gateway leads ${c.cluster}`,
    );

  const held = new Map(ground.held.map((h) => [h.id, h]));
  const changes = c.writes.filter((w) => w.kind === 'burst' || w.kind === 'instance');
  const staging = stage(changes, (id) => held.get(id));
  if (!staging.ok && staging.fault === 'conflict') throw new Conflict(staging.text);
  if (!staging.ok) throw new PortError('invalid', 'store.commit', staging.text);

  const heads = new Map(ground.held.map((h) => [h.id, h.head]));
  const links: AuditLink[] = [];
  const last = new Map<string, Staged>();
  for (const change of staging.staged) {
    const link = auditLink(change, ground.at, heads.get(change.after.id), sha256);
    heads.set(link.subject, link.hash);
    links.push(link);
    last.set(link.subject, change);
  }
  const rows = [...last.values()].map((s) => row(s, heads.get(s.after.id) ?? chainStart, ground.at));
  const [old, fresh] = [rows.filter((r) => held.has(r.id)), rows.filter((r) => !held.has(r.id))];

  const parts = [
    update(
      'bursts',
      old.filter((r) => r.kind === 'burst'),
    ),
    update(
      'instances',
      old.filter((r) => r.kind === 'instance'),
    ),
    ...insertAudit(links),
    ...insertReceipts(c.writes, ground.chains),
    ...intentParts(c.writes, new Set(ground.intents)),
    insert(
      'instances',
      fresh.filter((r) => r.kind === 'instance'),
    ),
  ].filter((p) => p !== undefined);
  await keepLedger(db, c.cluster, c.writes);
  await together(db, parts);
  await together(
    db,
    [
      insert(
        'bursts',
        fresh.filter((r) => r.kind === 'burst'),
      ),
    ].filter((p) => p !== undefined),
  );
}

async function survey(db: Kysely<Tables>, c: Commit): Promise<Ground> {
  const bursts = ids(c.writes.map((w) => (w.kind === 'burst' ? w.burst.id : undefined)));
  const instances = ids(c.writes.map((w) => (w.kind === 'instance' ? w.instance.id : undefined)));
  const attempts = ids(c.writes.map((w) => (w.kind === 'receipt' ? w.receipt.attempt : undefined)));
  const answered = ids(c.writes.map((w) => (w.kind === 'answered' ? w.intent : undefined)));
  const holding = (table: RawBuilder<unknown>, wanted: string[]) =>
    sql`select id, rev, state, head from ${table} where id = any(${wanted}) order by id for update`;
  const found = (part: RawBuilder<unknown>) =>
    sql`(select coalesce(json_agg(row_to_json(x)), '[]') from (${part}) x)`;
  const none = sql`'[]'::json`;
  const result = await sql<Omit<Ground, 'held'> & { bursts: Ground['held']; instances: Ground['held'] }>`
    with mine as (
      insert into commits (id, cluster) values (${c.id}, ${c.cluster}) on conflict (id) do nothing returning id
    )
    select
      exists (select 1 from mine) as fresh,
      (select greatest(epoch_floor, (select epoch from leases where cluster = ${c.cluster})) from meta) as epoch,
      (extract(epoch from clock_timestamp()) * 1000)::bigint as at,
      ${bursts.length > 0 ? found(holding(sql`bursts`, bursts)) : none} as bursts,
      ${instances.length > 0 ? found(holding(sql`instances`, instances)) : none} as instances,
      ${
        attempts.length > 0
          ? found(sql`select distinct on (attempt) attempt, seq, hash from receipts
              where attempt = any(${attempts}) order by attempt, seq desc`)
          : none
      } as chains,
      ${answered.length > 0 ? sql`(select coalesce(json_agg(id), '[]') from intents where id = any(${answered}))` : none} as intents
  `.execute(db);
  const ground = result.rows[0];
  if (ground === undefined) throw new Error('a select without a row');
  return { ...ground, held: [...ground.bursts, ...ground.instances] };
}

function ids(all: readonly (string | undefined)[]): string[] {
  return [...new Set(all.filter((x) => x !== undefined))];
}

type Row = ReturnType<typeof row>;

function row(s: Staged, head: string, at: number) {
  const common = {
    id: s.after.id,
    cluster: s.after.cluster,
    state: s.after.state,
    rev: s.after.rev,
    head,
    data: s.after,
    created_at: s.after.createdAt,
    updated_at: at,
  };
  if (s.kind === 'instance') return { ...common, kind: s.kind, live: instanceIsLive(s.after) };
  const { ref, jobId, attempt } = s.after;
  return { ...common, kind: s.kind, live: burstIsLive(s.after), ref, job_id: jobId, attempt };
}

type Part = RawBuilder<unknown> | undefined;

/** Rows travel as one JSON text, so that a statement's text does not depend on their number. */
function records(rows: readonly unknown[], columns: string): RawBuilder<unknown> {
  return sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(${sql.raw(columns)})`;
}

const columns = {
  bursts:
    'id text, cluster text, ref text, job_id bigint, attempt text, state text, live boolean, rev bigint, head text, data jsonb, created_at bigint, updated_at bigint',
  instances:
    'id text, cluster text, state text, live boolean, rev bigint, head text, data jsonb, created_at bigint, updated_at bigint',
  audit:
    'subject text, seq bigint, at bigint, "from" text, "to" text, why text, data text, prev text, hash text',
  receipts:
    'id text, cluster text, ref text, attempt text, seq bigint, kind text, at bigint, data jsonb, prev text, hash text',
  intents:
    'id text, subject text, effect text, spec jsonb, epoch bigint, at bigint, deadline bigint, answer text, answered_at bigint',
} as const;

function names(list: string): string {
  return list.replaceAll(/ (text|bigint|boolean|jsonb)/g, '');
}

function insert(table: 'bursts' | 'instances' | 'receipts' | 'intents', rows: readonly unknown[]): Part {
  if (rows.length === 0) return undefined;
  const list = names(columns[table]);
  return sql`insert into ${sql.table(table)} (${sql.raw(list)}) select ${sql.raw(list)} from ${records(rows, columns[table])}`;
}

function update(table: 'bursts' | 'instances', rows: readonly Row[]): Part {
  if (rows.length === 0) return undefined;
  const set = names(columns[table])
    .split(', ')
    .filter((c) => c !== 'id' && c !== 'cluster' && c !== 'created_at')
    .map((c) => `${c} = r.${c}`);
  return sql`update ${sql.table(table)} t set ${sql.raw(set.join(', '))} from ${records(rows, columns[table])} where t.id = r.id`;
}

function insertAudit(links: readonly AuditLink[]): Part[] {
  if (links.length === 0) return [];
  const rows = sql`insert into audit (subject, seq, at, from_state, to_state, why, data, prev, hash)
    select subject, seq, at, "from", "to", why, data, prev, hash from ${records(links, columns.audit)}`;
  return [rows, toAnchor(links.map(({ subject, seq, hash }) => ({ chain: auditChain(subject), seq, hash })))];
}

/** The next anchor takes these in. */
function toAnchor(heads: readonly Omit<Head, 'pruned'>[]): Part {
  if (heads.length === 0) return undefined;
  return sql`insert into unanchored (chain, seq, hash)
    select chain, seq, hash from ${records(heads, 'chain text, seq bigint, hash text')}`;
}

function insertReceipts(writes: readonly Write[], chains: Ground['chains']): Part[] {
  const ends = new Map(chains.map((c) => [c.attempt, { seq: c.seq, hash: c.hash }]));
  const rows: unknown[] = [];
  const heads: Omit<Head, 'pruned'>[] = [];
  for (const w of writes) {
    if (w.kind !== 'receipt') continue;
    const data: Receipt = w.receipt;
    const end = ends.get(data.attempt) ?? { seq: 0, hash: chainStart };
    const seq = end.seq + 1;
    const hash = receiptHash(data, seq, end.hash, sha256);
    ends.set(data.attempt, { seq, hash });
    const { id, cluster, ref, attempt, kind, at } = data;
    rows.push({ id, cluster, ref, attempt, seq, kind, at, data, prev: end.hash, hash });
    heads.push({ chain: receiptChain(attempt), seq, hash });
  }
  return [insert('receipts', rows), toAnchor(heads)];
}

/** An intent that is answered in its own commit is stored answered; a first answer stays. */
function intentParts(writes: readonly Write[], known: ReadonlySet<string>): Part[] {
  const made = new Map<string, Intent & { answer?: string; answered_at?: number }>();
  const answers: { id: string; answer: string; answered_at: number }[] = [];
  for (const w of writes) {
    if (w.kind !== 'intent') continue;
    if (made.has(w.intent.id))
      throw new PortError('invalid', 'store.commit', `intent ${w.intent.id} exists already`);
    made.set(w.intent.id, w.intent);
  }
  for (const w of writes) {
    if (w.kind !== 'answered') continue;
    const own = made.get(w.intent);
    if (own === undefined && !known.has(w.intent))
      throw new PortError('invalid', 'store.commit', `intent ${w.intent} does not exist`);
    if (own === undefined) answers.push({ id: w.intent, answer: w.answer, answered_at: w.at });
    else if (own.answer === undefined) made.set(w.intent, { ...own, answer: w.answer, answered_at: w.at });
  }
  if (answers.length === 0) return [insert('intents', [...made.values()])];
  const answer = sql`update intents t set answer = r.answer, answered_at = r.answered_at
    from ${records(answers, 'id text, answer text, answered_at bigint')} where t.id = r.id and t.answer is null`;
  return [insert('intents', [...made.values()]), answer];
}

/** Several changes as one statement: one way to the server and back. */
async function together(db: Kysely<Tables>, parts: readonly RawBuilder<unknown>[]): Promise<void> {
  const [first, ...others] = parts;
  if (first === undefined) return;
  const named = others.map((p, i) => sql`${sql.raw(`c${i}`)} as (${p})`);
  await (named.length === 0 ? first : sql`with ${sql.join(named)} ${first}`).execute(db);
}

/** For `audit verify`, the tests and reports: the canonical text whose hash stands in an audit row. */
export const dataHash = (value: unknown): string => sha256(canonical(value));
