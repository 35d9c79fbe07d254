import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Burst } from '../../src/domain/burst.ts';
import type { Receipt, Verdict } from '../../src/domain/decision.ts';
import { burstId, clusterName, instant, jobRef } from '../../src/domain/ids.ts';
import type {
  AuditFilter,
  BurstFilter,
  LedgerFilter,
  Mark,
  Page,
  Paged,
  ReceiptCounts,
  ReceiptFilter,
} from '../../src/domain/page.ts';
import type { AuditEvent, LedgerRow } from '../../src/ports.ts';
import { Remembered } from './remembered.ts';
import { readBurst, readReceipt } from './schema.ts';
import type { Tables } from './tables.ts';

/**
 * Lists by page. A page begins behind the sort keys of the last row of the one before, so rows that come meanwhile neither repeat nor hide
 * one; one row more than is wanted is read, to know whether there are more.
 */
type Db = Kysely<Tables>;
type Condition = RawBuilder<boolean>;

function where(conditions: readonly (Condition | undefined)[]) {
  const all = conditions.filter((c) => c !== undefined);
  return all.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(all, sql` and `)}`;
}

const given = <T>(value: T | undefined, condition: (value: T) => Condition): Condition | undefined =>
  value === undefined ? undefined : condition(value);

function paged<Row, T>(
  rows: readonly Row[],
  limit: number,
  read: (row: Row) => T,
  mark: (row: Row) => Mark,
): Paged<T> {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  return { rows: kept.map(read), next: rows.length > limit && last !== undefined ? mark(last) : undefined };
}

/**
 * A row's content is sent and read where it is not remembered: a page that is looked at again and again is a page of hashes to the database.
 * One that was taken away meanwhile is left out; one that changed is as it is now.
 */
async function recalled<Row extends { readonly hash: string }, Key, T>(
  memory: Remembered<T>,
  page: Paged<Row>,
  key: (row: Row) => Key,
  read: (keys: readonly Key[]) => Promise<readonly (readonly [Key, string, T])[]>,
): Promise<Paged<T>> {
  const known = new Map<Key, T>();
  const unknown: Key[] = [];
  for (const row of page.rows) {
    const held = memory.known(row.hash);
    if (held === undefined) unknown.push(key(row));
    else known.set(key(row), held);
  }
  if (unknown.length > 0)
    for (const [of, hash, value] of await read(unknown)) known.set(of, memory.keep(hash, value));
  const rows = page.rows.map((row) => known.get(key(row))).filter((value) => value !== undefined);
  return { rows, next: page.next };
}

/** A hash covers its row's content, and in its chain the row's name: no two rows have the same. Some 10 MiB when full. */
const receipts = new Remembered<Receipt>(2_000);
const bursts = new Remembered<Burst>(1_000);

const receiptsOf = (f: ReceiptFilter): readonly (Condition | undefined)[] => [
  given(f.cluster, (v) => sql`cluster = ${v}`),
  given(f.ref, (v) => sql`ref = ${v}`),
  given(f.kind, (v) => sql`kind = ${v}`),
  given(f.user, (v) => sql`data->>'user' = ${v}`),
  given(f.account, (v) => sql`data->>'account' = ${v}`),
  given(f.verdict, (v) => sql`data->'decision'->>'verdict' = ${v}`),
  given(
    f.rule,
    (v) => sql`data->'decision'->'because' @> ${JSON.stringify([{ rule: v, pass: false }])}::jsonb`,
  ),
  given(f.from, (v) => sql`at >= ${v}`),
  given(f.to, (v) => sql`at < ${v}`),
];

export async function receiptsPage(db: Db, f: ReceiptFilter, page: Page): Promise<Paged<Receipt>> {
  const conditions = [
    ...receiptsOf(f),
    given(page.after, ([at, n]) => sql`(at, n) < (${at}::bigint, ${n}::bigint)`),
  ];
  const { rows } = await sql<{ n: number; at: number; hash: string }>`
    select n, at, hash from receipts where ${where(conditions)}
    order by at desc, n desc limit ${page.limit + 1}`.execute(db);
  const found = paged(
    rows,
    page.limit,
    (r) => r,
    (r) => [r.at, r.n],
  );
  return recalled(
    receipts,
    found,
    ({ n }) => n,
    async (keys) => {
      const of = sql<{ n: number; hash: string; data: unknown }>`
        select n, hash, data from receipts where n = any(${keys}::bigint[])`;
      return (await of.execute(db)).rows.map((r) => [r.n, r.hash, readReceipt(r.data)] as const);
    },
  );
}

const failed = sql.lit('$.decision.because[*] ? (@.pass == false).rule');

/** In one walk over what fits; of the same verdict for the same rules there are few. */
export async function countReceipts(db: Db, f: ReceiptFilter): Promise<ReceiptCounts> {
  const { rows } = await sql<{ verdict: Verdict; rules: readonly string[]; times: number }>`
    select data->'decision'->>'verdict' as verdict, jsonb_path_query_array(data, ${failed}) as rules, count(*) as times
    from receipts where ${where(receiptsOf(f))} group by 1, 2`.execute(db);
  const none = { burst: 0, wait: 0, never: 0 };
  const verdicts = { ...none };
  const byRule = new Map<string, typeof none>();
  for (const { verdict, rules, times } of rows) {
    verdicts[verdict] += times;
    for (const rule of new Set(rules)) {
      const of = byRule.get(rule) ?? { ...none };
      of[verdict] += times;
      byRule.set(rule, of);
    }
  }
  const sum = (of: typeof none): number => of.burst + of.wait + of.never;
  return {
    receipts: sum(verdicts),
    verdicts,
    rules: [...byRule]
      .map(([rule, of]) => ({ rule, ...of }))
      .sort((a, b) => sum(b) - sum(a) || (a.rule < b.rule ? -1 : 1)),
  };
}

export async function burstsPage(db: Db, f: BurstFilter, page: Page): Promise<Paged<Burst>> {
  // As its index has it [migrations/0025_listed.ts].
  const age = f.account === undefined ? sql`created_at` : sql`(created_at + 0)`;
  const conditions = [
    given(f.cluster, (v) => sql`cluster = ${v}`),
    given(f.live, (v) => sql`live = ${sql.lit(v)}`),
    given(f.state, (v) => sql`state = ${v}`),
    given(f.user, (v) => sql`data->>'user' = ${v}`),
    given(f.account, (v) => sql`data->>'account' = ${v}`),
    given(f.from, (v) => sql`${age} >= ${v}`),
    given(f.to, (v) => sql`${age} < ${v}`),
    given(page.after, ([at, id]) => sql`(${age}, id) < (${at}::bigint, ${id}::text collate "C")`),
  ];
  const { rows } = await sql<{ id: string; created_at: number; hash: string }>`
    select id, created_at, head as hash from bursts where ${where(conditions)}
    order by ${age} desc, id desc limit ${page.limit + 1}`.execute(db);
  const found = paged(
    rows,
    page.limit,
    (r) => r,
    (r) => [r.created_at, r.id],
  );
  return recalled(
    bursts,
    found,
    ({ id }) => id,
    async (keys) => {
      const of = sql<{ id: string; head: string; data: unknown }>`
        select id, head, data from bursts where id = any(${keys}::text[])`;
      return (await of.execute(db)).rows.map((r) => [r.id, r.head, readBurst(r.data)] as const);
    },
  );
}

export async function ledgerPage(db: Db, f: LedgerFilter, page: Page): Promise<Paged<LedgerRow>> {
  const conditions = [
    given(f.cluster, (v) => sql`cluster = ${v}`),
    given(f.user, (v) => sql`user_name = ${v}`),
    given(f.account, (v) => sql`account = ${v}`),
    given(f.state, (v) => sql`state = ${v}`),
    given(f.from, (v) => sql`at >= ${v}`),
    given(f.to, (v) => sql`at < ${v}`),
    given(page.after, ([at, burst]) => sql`(at, burst) < (${at}::bigint, ${burst}::text)`),
  ];
  const { rows } = await sql<Tables['ledger']>`
    select burst, cluster, account, user_name, micro_usd, state, at from ledger where ${where(conditions)}
    order by at desc, burst desc limit ${page.limit + 1}`.execute(db);
  return paged(rows, page.limit, ledgerRow, (r) => [r.at, r.burst]);
}

const ledgerRow = (r: Tables['ledger']): LedgerRow => ({
  burst: burstId(r.burst),
  cluster: clusterName(r.cluster),
  account: r.account,
  user: r.user_name ?? undefined,
  microUsd: r.micro_usd,
  state: r.state === 'held' ? 'held' : 'settled',
  at: instant(r.at),
});

interface EventRow {
  readonly subject: string;
  readonly seq: number;
  readonly at: number;
  readonly from_state: string | null;
  readonly to_state: string;
  readonly why: string;
  readonly prev: string;
  readonly hash: string;
  readonly xid: string;
  readonly n: number;
  readonly cluster: string | null;
  readonly user_name: string | null;
  readonly ref: string | null;
}

const events = sql`
  select a.subject, a.seq, a.at, a.from_state, a.to_state, a.why, a.prev, a.hash, a.xid::text as xid, a.n,
    coalesce(b.cluster, i.cluster, o.data->>'cluster') as cluster, coalesce(b.data->>'user', o.data->>'user') as user_name,
    coalesce(b.ref, o.data->>'ref', o.data->>'job') as ref
  from audit a left join bursts b on b.id = a.subject left join instances i on i.id = a.subject
    left join orders o on o.id = a.subject`;

const eventOf = (r: EventRow): AuditEvent => ({
  subject: r.subject,
  seq: r.seq,
  at: instant(r.at),
  from: r.from_state ?? undefined,
  to: r.to_state,
  why: r.why,
  prev: r.prev,
  hash: r.hash,
  cluster: r.cluster === null ? clusterOf(r.subject) : clusterName(r.cluster),
  user: r.user_name ?? undefined,
  job: r.ref === null ? undefined : jobRef(r.ref),
  mark: markOf(r),
});

const markOf = (r: Pick<EventRow, 'xid' | 'n'>): Mark => [r.xid, r.n];

/** A switch names its cluster itself. */
function clusterOf(subject: string) {
  const name = /^(?:stop|ramp|policy)\/(.+)$/.exec(subject)?.[1];
  return name === undefined ? undefined : clusterName(name);
}

export async function auditPage(db: Db, f: AuditFilter, page: Page): Promise<Paged<AuditEvent>> {
  const conditions = [
    given(f.subject, (v) => sql`a.subject = ${v}`),
    given(f.from, (v) => sql`a.at >= ${v}`),
    given(f.to, (v) => sql`a.at < ${v}`),
    given(page.after, ([xid, n]) => sql`(a.xid, a.n) < (${String(xid)}::xid8, ${n}::bigint)`),
  ];
  const { rows } = await sql<EventRow>`
    ${events} where ${where(conditions)} order by a.xid desc, a.n desc limit ${page.limit + 1}`.execute(db);
  return paged(rows, page.limit, eventOf, markOf);
}

/** What is over by now can get nothing in front of it any more. */
const over = sql<boolean>`a.xid < pg_snapshot_xmin(pg_current_snapshot())`;

export async function eventsAfter(db: Db, after: Mark | undefined, limit: number) {
  if (after === undefined) {
    const { rows } = await sql<Pick<EventRow, 'xid' | 'n'>>`
      select a.xid::text as xid, a.n from audit a where ${over} order by a.xid desc, a.n desc limit 1`.execute(
      db,
    );
    return { rows: [], next: rows[0] === undefined ? ['0', 0] : markOf(rows[0]) };
  }
  const [xid, n] = after;
  const { rows } = await sql<EventRow>`
    ${events} where ${over} and (a.xid, a.n) > (${String(xid)}::xid8, ${n}::bigint)
    order by a.xid, a.n limit ${limit}`.execute(db);
  const last = rows.at(-1);
  return { rows: rows.map(eventOf), next: last === undefined ? after : markOf(last) };
}
