import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Burst } from '../../src/domain/burst.ts';
import type { Receipt, Verdict } from '../../src/domain/decision.ts';
import { burstId, type ClusterName, clusterName, instant, jobRef, type Uuid } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type {
  AuditFilter,
  BurstFilter,
  InstanceFilter,
  LedgerFilter,
  Mark,
  Page,
  Paged,
  ReceiptCounts,
  ReceiptFilter,
  SeenBy,
} from '../../src/domain/page.ts';
import type { AuditEvent, LedgerRow } from '../../src/ports.ts';
import { Remembered } from './remembered.ts';
import { readBurst, readInstance, readReceipt } from './schema.ts';
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

interface Whose {
  readonly cluster?: ClusterName | undefined;
  readonly user?: string | undefined;
  readonly account?: string | undefined;
  readonly seenBy?: SeenBy | undefined;
}

/** Of the accounts that he coordinates, those that a filter names, by cluster. */
function coordinated({ seenBy, cluster, account }: Whose): readonly (readonly [ClusterName, string[]])[] {
  return [...(seenBy?.accounts ?? [])]
    .filter(([of]) => cluster === undefined || of === cluster)
    .map(([of, accounts]) => [of, [...accounts].filter((a) => account === undefined || a === account)]);
}

/**
 * The newest that fit, for whoever looks: his own and those of each account that he coordinates, each read by its own index to the end of a page and
 * no further, since no index has the order of what the one condition or the other lets through. What is both comes once.
 */
function newestSeen<Row, F extends Whose>(
  f: F,
  newest: (f: F, inAccount?: Condition) => RawBuilder<Row>,
  account: RawBuilder<unknown>,
  order: RawBuilder<unknown>,
  limit: number,
): RawBuilder<Row> {
  if (f.seenBy === undefined) return newest(f);
  const pairs = coordinated(f).flatMap(([cluster, accounts]) => accounts.map((a) => [cluster, a] as const));
  const [clusters, accounts] = [pairs.map(([cluster]) => cluster), pairs.map(([, account]) => account)];
  const each = { ...f, cluster: undefined, account: undefined, seenBy: undefined };
  const inAccount = sql<boolean>`cluster = in_cluster and ${account} = in_account`;
  const theirs = sql`
    select one.* from unnest(${clusters}::text[], ${accounts}::text[]) as coordinated (in_cluster, in_account)
    cross join lateral (${newest(each, inAccount)}) as one`;
  // Of another user there is nothing of his own.
  if (f.user !== undefined) return sql`select * from (${theirs}) as seen order by ${order} limit ${limit}`;
  const own = newest({ ...f, user: f.seenBy.user, seenBy: undefined });
  return sql`select * from ((${own}) union (${theirs})) as seen order by ${order} limit ${limit}`;
}

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

const receiptsOf = (f: ReceiptFilter, age = sql`at`): readonly (Condition | undefined)[] => [
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
  given(f.from, (v) => sql`${age} >= ${v}`),
  given(f.to, (v) => sql`${age} < ${v}`),
];

const account = sql`data->>'account'`;

export async function receiptsPage(db: Db, f: ReceiptFilter, page: Page): Promise<Paged<Receipt>> {
  const limit = page.limit + 1;
  const newest = (of: ReceiptFilter, inAccount?: Condition) => {
    // As its index has it [migrations/0026_coordinated.ts].
    const age = of.account === undefined && inAccount === undefined ? sql`at` : sql`(at + 0)`;
    const conditions = [
      inAccount,
      ...receiptsOf(of, age),
      given(page.after, ([at, n]) => sql`(${age}, n) < (${at}::bigint, ${n}::bigint)`),
    ];
    return sql<{ n: number; at: number; hash: string }>`
      select n, at, hash from receipts where ${where(conditions)} order by ${age} desc, n desc limit ${limit}`;
  };
  const { rows } = await newestSeen(f, newest, account, sql`at desc, n desc`, limit).execute(db);
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

export async function receiptById(db: Db, id: Uuid): Promise<Receipt | undefined> {
  const { rows } = await sql<{ data: unknown }>`select data from receipts where id = ${id}`.execute(db);
  return rows[0] && readReceipt(rows[0].data);
}

const failed = sql.lit('$.decision.because[*] ? (@.pass == false).rule');

/** Each row once: his own are none of his accounts'. */
function receiptsSeen(f: ReceiptFilter, what: RawBuilder<unknown>): RawBuilder<unknown> {
  const { seenBy, ...rest } = f;
  const among = (conditions: readonly (Condition | undefined)[]) =>
    sql`select ${what} from receipts where ${where(conditions)}`;
  if (seenBy === undefined) return among(receiptsOf(f));
  const { user } = seenBy;
  const own = rest.user === undefined ? receiptsOf({ ...rest, user }) : [sql<boolean>`false`];
  const theirs = coordinated(f).map(([cluster, accounts]) => [
    ...receiptsOf({ ...rest, cluster, account: undefined }),
    sql<boolean>`${account} = any(${accounts}::text[]) and data->>'user' is distinct from ${user}`,
  ]);
  return sql.join([own, ...theirs].map(among), sql` union all `);
}

/** Each is read to be counted, 5 µs on a free machine: of more than these a page would wait too long, and the database with it. */
const mostCounted = 200_000;

/** In one walk over what fits; of the same verdict for the same rules there are few. */
export async function countReceipts(db: Db, fits: ReceiptFilter, most = mostCounted): Promise<ReceiptCounts> {
  const beyond = await sql<{ at: number }>`
    select at from (${receiptsSeen(fits, sql`at`)}) as seen order by at desc offset ${most} limit 1`.execute(
    db,
  );
  const since = beyond.rows[0]?.at;
  const f = since === undefined ? fits : { ...fits, from: instant(since) };
  const { rows } = await sql<{ verdict: Verdict; rules: readonly string[]; times: number }>`
    select data->'decision'->>'verdict' as verdict, jsonb_path_query_array(data, ${failed}) as rules, count(*) as times
    from (${receiptsSeen(f, sql`data`)}) as seen group by 1, 2`.execute(db);
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
    since: f === fits ? undefined : f.from,
    receipts: sum(verdicts),
    verdicts,
    rules: [...byRule]
      .map(([rule, of]) => ({ rule, ...of }))
      .sort((a, b) => sum(b) - sum(a) || (a.rule < b.rule ? -1 : 1)),
  };
}

export async function burstsPage(db: Db, f: BurstFilter, page: Page): Promise<Paged<Burst>> {
  const limit = page.limit + 1;
  const newest = (of: BurstFilter, inAccount?: Condition) => {
    // As its index has it [migrations/0025_listed.ts].
    const age = of.account === undefined && inAccount === undefined ? sql`created_at` : sql`(created_at + 0)`;
    const conditions = [
      inAccount,
      given(of.cluster, (v) => sql`cluster = ${v}`),
      given(of.live, (v) => sql`live = ${sql.lit(v)}`),
      given(of.state, (v) => sql`state = ${v}`),
      given(of.user, (v) => sql`data->>'user' = ${v}`),
      given(of.account, (v) => sql`${account} = ${v}`),
      given(of.from, (v) => sql`${age} >= ${v}`),
      given(of.to, (v) => sql`${age} < ${v}`),
      given(page.after, ([at, id]) => sql`(${age}, id) < (${at}::bigint, ${id}::text collate "C")`),
    ];
    return sql<{ id: string; created_at: number; hash: string }>`
      select id, created_at, head as hash from bursts where ${where(conditions)}
      order by ${age} desc, id desc limit ${limit}`;
  };
  const { rows } = await newestSeen(f, newest, account, sql`created_at desc, id desc`, limit).execute(db);
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

export async function instancesPage(db: Db, f: InstanceFilter, page: Page): Promise<Paged<Instance>> {
  const conditions = [
    given(f.cluster, (v) => sql`cluster = ${v}`),
    given(f.live, (v) => sql`live = ${sql.lit(v)}`),
    given(page.after, ([at, id]) => sql`(created_at, id) < (${at}::bigint, ${id}::text collate "C")`),
  ];
  const { rows } = await sql<{ id: string; created_at: number; data: unknown }>`
    select id, created_at, data from instances where ${where(conditions)}
    order by created_at desc, id desc limit ${page.limit + 1}`.execute(db);
  return paged(
    rows,
    page.limit,
    (r) => readInstance(r.data),
    (r) => [r.created_at, r.id],
  );
}

export async function ledgerPage(db: Db, f: LedgerFilter, page: Page): Promise<Paged<LedgerRow>> {
  const limit = page.limit + 1;
  const newest = (of: LedgerFilter, inAccount?: Condition) => {
    // As its index has it [migrations/0026_coordinated.ts].
    const age = of.account === undefined && inAccount === undefined ? sql`at` : sql`(at + 0)`;
    const conditions = [
      inAccount,
      given(of.cluster, (v) => sql`cluster = ${v}`),
      given(of.burst, (v) => sql`burst = ${v}`),
      given(of.user, (v) => sql`user_name = ${v}`),
      given(of.account, (v) => sql`account = ${v}`),
      given(of.state, (v) => sql`state = ${v}`),
      given(of.from, (v) => sql`${age} >= ${v}`),
      given(of.to, (v) => sql`${age} < ${v}`),
      given(page.after, ([at, burst]) => sql`(${age}, burst) < (${at}::bigint, ${burst}::text)`),
    ];
    return sql<Tables['ledger']>`
      select burst, cluster, account, user_name, micro_usd, state, at from ledger where ${where(conditions)}
      order by ${age} desc, burst desc limit ${limit}`;
  };
  const { rows } = await newestSeen(f, newest, sql`account`, sql`at desc, burst desc`, limit).execute(db);
  const groups = await groupsOf(
    db,
    rows.map((r) => ownerOf(r.burst)),
  );
  return paged(
    rows,
    page.limit,
    (r) => ledgerRow(r, groups.get(ownerOf(r.burst))),
    (r) => [r.at, r.burst],
  );
}

/** The burst, or the instance of a top-up [src/domain/overhead.ts]. */
const ownerOf = (burst: string): string => burst.replace(/\/\d+$/, '');

/** By the id of a burst or an instance. */
async function groupsOf(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<{ id: string; group_name: string | null }>`
    select id, data->>'group' as group_name from bursts where id = any(${ids}::text[])
    union all select id, data->>'group' from instances where id = any(${ids}::text[])`.execute(db);
  return new Map(
    rows.flatMap(({ id, group_name }) => (group_name === null ? [] : [[id, group_name] as const])),
  );
}

const ledgerRow = (r: Tables['ledger'], group: string | undefined): LedgerRow => ({
  burst: burstId(r.burst),
  cluster: clusterName(r.cluster),
  account: r.account,
  user: r.user_name ?? undefined,
  group,
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
  readonly account: string | null;
  readonly ref: string | null;
}

const events = sql`
  select a.subject, a.seq, a.at, a.from_state, a.to_state, a.why, a.prev, a.hash, a.xid::text as xid, a.n,
    coalesce(b.cluster, i.cluster, o.data->>'cluster') as cluster, b.data->>'account' as account, coalesce(b.data->>'user', o.data->>'user') as user_name,
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
  account: r.account ?? undefined,
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
