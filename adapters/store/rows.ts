import type { KyselyPool } from './pool.ts';

/** Ids of one statement at most. */
const most = 500;
/** Digits of a head in the list of what is live: 64 bits. */
const headOfList = 16;
/** Rows that are remembered beside the live ones, the latest read of all. */
const spare = 1_000;

interface Found {
  readonly id: string;
  readonly head: string;
  /** Null: as it is known already. */
  readonly data: unknown;
}

/** What `live` asks for: one row of the list, and one of each that changed. */
type Line = Found | { readonly id: null; readonly list: string | null; readonly since: string };

interface Known<T> {
  readonly head: string;
  readonly row: T;
}

/** The live rows of a cluster as they were last read. */
interface Live<T> {
  /** A line each, with the id and the begin of the head; what it is equal to is unchanged. */
  readonly list: string;
  /** Every transaction before this one was over by then. */
  readonly since: string;
  readonly known: ReadonlyMap<string, Known<T>>;
  readonly rows: readonly T[];
}

/**
 * Rows of one table by id. Many who ask at once share a statement, which begins after all of them asked. A row that was read before is
 * neither sent nor parsed again while its `head` is the same: that is the hash of its newest audit row, which covers its content and
 * all that came before, so that not even an older store that was put in place can show another row under it. (A rev would not do.)
 */
export class Rows<T extends { readonly id: string }> {
  private readonly pool: KyselyPool;
  private readonly table: 'bursts' | 'instances';
  private readonly parse: (data: unknown) => T;
  /** Oldest use first. */
  private readonly known = new Map<string, Known<T>>();
  private readonly lives = new Map<string, Live<T>>();
  private waiting = new Map<string, ((found: Promise<ReadonlyMap<string, T>>) => void)[]>();
  private running = false;

  constructor(pool: KyselyPool, table: 'bursts' | 'instances', parse: (data: unknown) => T) {
    this.pool = pool;
    this.table = table;
    this.parse = parse;
  }

  async get(id: string): Promise<T | undefined> {
    const all = new Promise<ReadonlyMap<string, T>>((resolve) => {
      const others = this.waiting.get(id);
      if (others === undefined) this.waiting.set(id, [resolve]);
      else others.push(resolve);
    });
    if (!this.running) {
      this.running = true;
      // Those who ask in this round of the event loop come along.
      setImmediate(() => void this.work());
    }
    return (await all).get(id);
  }

  private async work(): Promise<void> {
    while (this.waiting.size > 0) {
      const asked = [...this.waiting].slice(0, most);
      for (const [id] of asked) this.waiting.delete(id);
      const reading = this.read(asked.map(([id]) => id));
      for (const [, resolvers] of asked) for (const resolve of resolvers) resolve(reading);
      await reading.catch(() => undefined);
      await new Promise(setImmediate);
    }
    this.running = false;
  }

  private async read(ids: readonly string[]): Promise<ReadonlyMap<string, T>> {
    const before = new Map(ids.map((id) => [id, this.knownOf(id)]));
    const found = await this.pool.ask<Found>(
      `${this.table}_by_id`,
      `select t.id, t.head, case when t.head = k.head then null else t.data end as data
       from unnest($1::text[], $2::text[]) as k(id, head) join ${this.table} t on t.id = k.id`,
      [ids, ids.map((id) => before.get(id)?.head ?? '')],
    );
    const rows = new Map<string, T>();
    for (const f of found) {
      const known = this.take(f, before.get(f.id));
      this.known.delete(f.id);
      this.known.set(f.id, known);
      rows.set(f.id, known.row);
    }
    for (const id of this.known.keys()) {
      if (this.known.size <= spare) break;
      this.known.delete(id);
    }
    return rows;
  }

  private knownOf(id: string): Known<T> | undefined {
    const latest = this.known.get(id);
    if (latest !== undefined) return latest;
    for (const live of this.lives.values()) {
      const known = live.known.get(id);
      if (known !== undefined) return known;
    }
    return undefined;
  }

  private take({ head, data }: Found, before: Known<T> | undefined): Known<T> {
    return before?.head === head ? before : { head, row: this.parse(data) };
  }

  /** All live rows of a cluster, oldest first. Whoever asks for one cluster twice at once gets two readings. */
  async live(cluster: string): Promise<readonly T[]> {
    const live = (await this.liveSince(cluster, this.lives.get(cluster))) ?? (await this.liveSince(cluster));
    if (live === undefined) throw new Error(`${this.table}: a list and its rows differ`);
    this.lives.set(cluster, live);
    return live.rows;
  }

  /**
   * Only what changed is sent: what a transaction wrote that was not over at the last reading. That is a hint, since another server may
   * have come in place of that one; the list is the truth, and what it says differently is read in full. (Undefined.)
   */
  private async liveSince(cluster: string, last?: Live<T>): Promise<Live<T> | undefined> {
    const of = `from ${this.table} t where t.cluster = $1 and t.live`;
    const lines = await this.pool.ask<Line>(
      `${this.table}_live`,
      `select null as id, null as head, null::jsonb as data, pg_snapshot_xmin(pg_current_snapshot())::xid::text as since,
         string_agg(t.id || ' ' || left(t.head, ${headOfList}), E'\n' order by t.created_at, t.id) as list ${of}
       union all
       select t.id, t.head, t.data, null, null ${of} and ($2::text is null or age(t.xmin) <= age($2::text::xid))`,
      [cluster, last?.since ?? null],
    );
    let list = '';
    let since = '';
    const changed = new Map<string, Known<T>>();
    for (const line of lines) {
      if (line.id !== null) changed.set(line.id, this.take(line, this.knownOf(line.id)));
      else {
        list = line.list ?? '';
        since = line.since;
      }
    }
    if (list === last?.list) return { ...last, since };
    const known = new Map<string, Known<T>>();
    for (const line of list === '' ? [] : list.split('\n')) {
      const [id = '', head = ''] = line.split(' ');
      const row = changed.get(id) ?? last?.known.get(id);
      if (row?.head.startsWith(head) !== true) return undefined;
      // Not under the key that was cut from the list: it would keep all of the list.
      known.set(row.row.id, row);
    }
    return { list, since, known, rows: [...known.values()].map((k) => k.row) };
  }
}
