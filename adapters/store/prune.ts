import { type Kysely, sql } from 'kysely';
import type { Retention } from '../../src/ports.ts';
import { nowMs } from './lease.ts';
import type { Tables } from './tables.ts';

/**
 * Retention. A chain goes as a whole, once all of it is anchored, and its end is anchored once more as `pruned`: the stub by which a
 * chain that was taken away differs from one that is missing. The heads of an old anchor go when newer anchors have what is still
 * needed of them; which anchors keep their heads stands in each newer anchor.
 */

/** Chains at a time: locks are short. */
const atATime = 200;
/** Anchors whose heads go at a time. */
const anchorsAtATime = 500;
/** A commit's id is asked for again within seconds, or never. */
const commitsForMs = 3_600_000;
const commitsAtATime = 20_000;

/** One batch within the caller's transaction; whether there is more to take. */
export async function prune(tx: Kysely<Tables>, { auditMs, receiptsMs }: Retention): Promise<boolean> {
  const bursts = await ended(tx, 'bursts', auditMs);
  await take(tx, 'bursts', bursts);
  const instances = await ended(tx, 'instances', auditMs);
  await take(tx, 'instances', instances);
  // What was on it is told with it, or not at all.
  if (instances.length > 0) await sql`delete from stays where instance = any(${instances})`.execute(tx);
  const told = await pruneOrders(tx, auditMs);
  const tokens = await over(tx, auditMs);
  await take(tx, 'tokens', tokens);
  const attempts = await silent(tx, receiptsMs);
  await takeReceipts(tx, attempts);
  const { numAffectedRows: commits = 0n } = await sql`
    delete from commits where id in (
      select id from commits where at < now() - make_interval(secs => ${commitsForMs / 1000}) limit ${commitsAtATime}
    )`.execute(tx);
  // Nobody asked for them again in all that time.
  await sql`
    delete from deliveries where id in (
      select id from deliveries where dead_at < ${nowMs} - ${auditMs}::bigint limit ${commitsAtATime}
    )`.execute(tx);
  if (Math.max(bursts.length, instances.length, told, tokens.length, attempts.length) >= atATime) return true;
  // Not before: what is about to go needs no new anchor.
  return (await forgetHeads(tx, Math.max(auditMs, receiptsMs))) || commits >= commitsAtATime;
}

async function ended(tx: Kysely<Tables>, table: 'bursts' | 'instances', forMs: number): Promise<string[]> {
  // By age, which has an index; what ended later than it began waits for its time.
  const { rows } = await sql<{ id: string }>`
    select id from ${sql.table(table)} t
    where created_at < ${nowMs} - ${forMs}::bigint and updated_at < ${nowMs} - ${forMs}::bigint and not live
      and not exists (select 1 from unanchored u where u.chain = 'audit/' || t.id)
    order by created_at, id limit ${atATime} for update skip locked`.execute(tx);
  return rows.map((r) => r.id);
}

/** Those that were left without an end, too: by then nobody will learn it. How many went. */
async function pruneOrders(tx: Kysely<Tables>, forMs: number): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    select id from orders o where updated_at < ${nowMs} - ${forMs}::bigint
      and not exists (select 1 from unanchored u where u.chain = 'audit/' || o.id)
      and not exists (select 1 from deliveries d where d.asked_by = o.id)
    order by updated_at, id limit ${atATime} for update skip locked`.execute(tx);
  await take(
    tx,
    'orders',
    rows.map((r) => r.id),
  );
  return rows.length;
}

/** Tokens that ended by then; by the time of their rows in the audit, which has an index. */
async function over(tx: Kysely<Tables>, forMs: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select t.id from tokens t join audit a on a.subject = t.id and a.seq = 1
    where a.at < ${nowMs} - ${forMs}::bigint and (t.data->>'until')::bigint < ${nowMs} - ${forMs}::bigint
      and not exists (select 1 from unanchored u where u.chain = 'audit/' || t.id)
    order by a.at limit ${atATime} for update of t skip locked`.execute(tx);
  return rows.map((r) => r.id);
}

async function take(
  tx: Kysely<Tables>,
  table: 'bursts' | 'instances' | 'orders' | 'tokens',
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  await sql`
    with gone as (delete from ${sql.table(table)} where id = any(${[...ids]}) returning id, rev, head),
      rows as (delete from audit where subject = any(${[...ids]})),
      done as (delete from intents where subject = any(${[...ids]}))
    insert into unanchored (chain, seq, hash, pruned) select 'audit/' || id, rev, head, true from gone`.execute(
    tx,
  );
}

/** Attempts of which no receipt was written for so long, and which no live burst carries. */
async function silent(tx: Kysely<Tables>, forMs: number): Promise<string[]> {
  const { rows } = await sql<{ attempt: string }>`
    select attempt from receipts
    where attempt in (
        select attempt from receipts where at < ${nowMs} - ${forMs}::bigint order by at limit ${atATime * 5}
      )
      and not exists (select 1 from bursts b where b.live and b.cluster = receipts.cluster and b.attempt = receipts.attempt)
      and not exists (select 1 from unanchored u where u.chain = 'receipts/' || receipts.attempt)
    group by attempt having max(at) < ${nowMs} - ${forMs}::bigint
    order by attempt limit ${atATime}`.execute(tx);
  return rows.map((r) => r.attempt);
}

async function takeReceipts(tx: Kysely<Tables>, attempts: readonly string[]): Promise<void> {
  if (attempts.length === 0) return;
  await sql`
    with gone as (delete from receipts where attempt = any(${[...attempts]}) returning id, attempt, seq, hash),
      counts as (delete from seen_again s using gone g where s.receipt = g.id)
    insert into unanchored (chain, seq, hash, pruned)
      select distinct on (attempt) 'receipts/' || attempt, seq, hash, true from gone order by attempt, seq desc`.execute(
    tx,
  );
}

/**
 * Three steps, each behind an anchor: what is still needed of old heads is put before the next anchor again; that anchor says from
 * where on heads are kept; then the older ones go.
 */
async function forgetHeads(tx: Kysely<Tables>, forMs: number): Promise<boolean> {
  await sql`
    with last as (select heads_from from anchors order by seq desc limit 1),
      gone as (delete from anchored a using last where a.anchor < last.heads_from)
    delete from anchors a using last where a.seq < last.heads_from`.execute(tx);
  const { rows } = await sql<{ from: number; to: number | null }>`
    select heads_from as "from", (
      select max(seq) + 1 from (
        select seq, at from anchors where seq >= heads_from order by seq limit ${anchorsAtATime}
      ) old where at < ${nowMs} - ${forMs}::bigint
    ) as "to"
    from meta`.execute(tx);
  const [range] = rows;
  if (range === undefined || range.to === null || range.to <= range.from) return false;
  await sql`
    insert into unanchored (chain, seq, hash, pruned)
    select chain, seq, hash, false from anchored a
    where a.anchor >= ${range.from} and a.anchor < ${range.to} and not a.pruned
      and not exists (select 1 from anchored b where b.chain = a.chain and b.anchor > a.anchor)
      and not exists (select 1 from unanchored u where u.chain = a.chain)`.execute(tx);
  await sql`update meta set heads_from = ${range.to}`.execute(tx);
  return range.to - range.from >= anchorsAtATime;
}
