import type { KyselyPool } from './pool.ts';

/** Ids of one statement at most. */
const most = 500;
/** Rows that are remembered beside the live ones. */
const spare = 1_000;

interface Found {
  readonly id: string;
  readonly head: string;
  /** Null: as it is known already. */
  readonly data: unknown;
}

interface Known<T> {
  readonly head: string;
  readonly row: T;
}

/**
 * Rows of one table by id. Many who ask at once share a statement, which begins after all of them asked. A row that was read before is
 * neither sent nor parsed again while its `head` is the same: that is the hash of its newest audit row, which covers its content and
 * all that came before, so that not even an older store that was put in place can show another row under it. (A rev would not do.)
 */
export class Rows<T> {
  private readonly pool: KyselyPool;
  private readonly table: 'bursts' | 'instances';
  private readonly parse: (data: unknown) => T;
  /** Oldest use first. */
  private readonly known = new Map<string, Known<T>>();
  private waiting = new Map<string, ((found: Promise<ReadonlyMap<string, T>>) => void)[]>();
  private running = false;
  /** How many are live, by cluster. */
  private readonly sizes = new Map<string, number>();

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
    const before = new Map(ids.map((id) => [id, this.known.get(id)]));
    const found = await this.pool.ask<Found>(
      `${this.table}_by_id`,
      `select t.id, t.head, case when t.head = k.head then null else t.data end as data
       from unnest($1::text[], $2::text[]) as k(id, head) join ${this.table} t on t.id = k.id`,
      [ids, ids.map((id) => before.get(id)?.head ?? '')],
    );
    const rows = new Map(found.map((f) => [f.id, this.rowOf(f, before.get(f.id))]));
    this.trim();
    return rows;
  }

  private rowOf({ id, head, data }: Found, before: Known<T> | undefined): T {
    const row = before?.head === head ? before.row : this.parse(data);
    this.known.delete(id);
    this.known.set(id, { head, row });
    return row;
  }

  /** All live rows of a cluster, oldest first; only those that changed are sent. */
  async live(cluster: string): Promise<readonly T[]> {
    const before = new Map(this.known);
    const found = await this.pool.ask<Found>(
      `${this.table}_live`,
      `select t.id, t.head, case when t.head = k.head then null else t.data end as data
       from ${this.table} t left join unnest($2::text[], $3::text[]) as k(id, head) on k.id = t.id
       where t.cluster = $1 and t.live order by t.created_at, t.id`,
      [cluster, [...before.keys()], [...before.values()].map((k) => k.head)],
    );
    const rows = found.map((f) => this.rowOf(f, before.get(f.id)));
    this.sizes.set(cluster, rows.length);
    this.trim();
    return rows;
  }

  /** As many as are live, and some that others hold on to; the latest used are kept. */
  private trim(): void {
    let keep = spare;
    for (const size of this.sizes.values()) keep += size;
    for (const id of this.known.keys()) {
      if (this.known.size <= keep) return;
      this.known.delete(id);
    }
  }
}
