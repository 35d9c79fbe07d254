import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { z } from 'zod';
import { instant, type Uuid, uuid } from '../../src/domain/ids.ts';
import type { OrderAsked, Outcome } from '../../src/domain/order.ts';
import type { Mark, Page, Paged } from '../../src/domain/page.ts';
import type { DeadDelivery, Delivery } from '../../src/domain/webhook.ts';
import type { HookCounts, HookPlace, OutboxPort } from '../../src/ports.ts';
import { vet } from './age.ts';
import { asFault } from './faults.ts';
import { nowMs } from './lease.ts';
import { askOrder, endOrder } from './orders.ts';
import { KyselyPool, makePool } from './pool.ts';
import type { Tables } from './tables.ts';

const text = z.string();
const row = z.object({
  id: z.string().transform(uuid),
  ...{ hook: text, event: text, body: text, tries: z.number() },
  first_at: z.number().transform(instant),
  dead_at: z.number().transform(instant).nullable(),
  why: text.nullable(),
});

function deliveryOf(given: unknown): Delivery & { readonly deadAt: DeadDelivery['deadAt'] | null } {
  const { first_at, dead_at, why, ...rest } = row.parse(given);
  return { ...rest, firstAt: first_at, deadAt: dead_at, why: why ?? undefined };
}

const columns = sql`id, hook, event, body, tries, first_at, dead_at, why`;

/** The outbox of an open store; its few connections are nobody else's, so that slow receivers keep no commit waiting. */
export class PostgresOutbox implements OutboxPort {
  readonly #db: Kysely<Tables>;
  readonly #newId: () => Uuid;
  #closing: Promise<void> | undefined;

  constructor(options: {
    readonly url: string;
    readonly onError: (e: unknown) => void;
    readonly newId: () => Uuid;
  }) {
    const { url, onError, newId } = options;
    const pool = makePool({ url, name: 'spillway outbox', max: 2, hurried: true, onError });
    this.#db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new KyselyPool(pool, vet) }) });
    this.#newId = newId;
  }

  place = (hook: string, begin: Mark): Promise<HookPlace> =>
    this.#ask('place', true, async (db) => {
      const [xid, n] = begin;
      await sql`
        insert into hook_places (hook, generation, xid, n)
        select ${hook}, generation, ${String(xid)}, ${Number(n)} from meta
        on conflict (hook) do nothing`.execute(db);
      const { generation, ...mark } = await db
        .selectFrom('hook_places')
        .select(['generation', 'xid', 'n'])
        .where('hook', '=', hook)
        .executeTakeFirstOrThrow();
      return { generation: uuid(generation), mark: [mark.xid, mark.n] };
    });

  advance = (
    hook: string,
    from: HookPlace,
    to: HookPlace,
    news: readonly { readonly event: string; readonly body: string }[],
  ): Promise<boolean> =>
    this.#ask('advance', true, (db) =>
      db.transaction().execute(async (tx) => {
        const [xid, n] = to.mark;
        const { numUpdatedRows } = await tx
          .updateTable('hook_places')
          .set({ generation: to.generation, xid: String(xid), n: Number(n) })
          .where('hook', '=', hook)
          .where('generation', '=', from.generation)
          .where('xid', '=', String(from.mark[0]))
          .where('n', '=', Number(from.mark[1]))
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return false;
        if (news.length === 0) return true;
        const rows = news.map(
          ({ event, body }) => sql`(${this.#newId()}, ${hook}, ${event}, ${body}, 0, ${nowMs}, ${nowMs})`,
        );
        await sql`
          insert into deliveries (id, hook, event, body, tries, first_at, due_at) values ${sql.join(rows)}
          on conflict (hook, event) do nothing`.execute(tx);
        return true;
      }),
    );

  waiting = (hook: string, most: number): Promise<number> =>
    this.#ask('waiting', false, async (db) => {
      const { rows } = await sql<{ n: number }>`
        select count(*) as n from (
          select 1 from deliveries where hook = ${hook} and dead_at is null limit ${most}
        ) counted`.execute(db);
      return rows[0]?.n ?? 0;
    });

  claim = (hook: string, limit: number, forMs: number): Promise<readonly Delivery[]> =>
    this.#ask('claim', true, async (db) => {
      const { rows } = await sql`
        with due as (
          select id, n from deliveries where hook = ${hook} and dead_at is null and due_at <= ${nowMs}
          order by due_at, n limit ${limit} for update skip locked
        ), claimed as (
          update deliveries d set due_at = ${nowMs} + ${forMs}::bigint from due where d.id = due.id
          returning d.*
        )
        select ${columns} from claimed order by n`.execute(db);
      return rows.map(deliveryOf);
    });

  delivered = (id: Uuid): Promise<void> =>
    this.#ask('delivered', true, (db) =>
      db.transaction().execute(async (tx) => {
        const gone = tx.deleteFrom('deliveries').where('id', '=', id).returning('asked_by as id');
        await ended(tx, await gone.execute(), { state: 'done', outcome: 'taken' });
      }),
    );

  failed = (id: Uuid, why: string, againMs: number | undefined): Promise<void> =>
    this.#ask('failed', true, (db) =>
      db.transaction().execute(async (tx) => {
        if (againMs === undefined) {
          const { rows } = await sql<{ id: string | null }>`
            with given as (select id, asked_by from deliveries where id = ${id} and dead_at is null for update)
            update deliveries d set tries = tries + 1, why = ${why}, dead_at = ${nowMs}, asked_by = null
            from given where d.id = given.id returning given.asked_by as id`.execute(tx);
          return ended(tx, rows, { state: 'failed', outcome: `given up: ${why}` });
        }
        await sql`
          update deliveries set tries = tries + 1, why = ${why}, due_at = ${nowMs} + ${Math.round(againMs)}::bigint
          where id = ${id} and dead_at is null`.execute(tx);
      }),
    );

  counts = (): Promise<readonly HookCounts[]> =>
    this.#ask('counts', false, async (db) => {
      const { rows } = await sql<{
        hook: string;
        waiting: number;
        dead: number;
        oldest: number | null;
        why: string | null;
      }>`
        select hook, count(*) filter (where dead_at is null) as waiting,
          count(*) filter (where dead_at is not null) as dead,
          min(first_at) filter (where dead_at is null) as oldest,
          (array_agg(why order by due_at desc) filter (where dead_at is null and why is not null))[1] as why
        from deliveries group by hook`.execute(db);
      return rows.map((r) => ({
        ...{ hook: r.hook, waiting: r.waiting, dead: r.dead },
        oldestAt: r.oldest === null ? undefined : instant(r.oldest),
        why: r.why ?? undefined,
      }));
    });

  dead = (hook: string | undefined, { limit, after }: Page): Promise<Paged<DeadDelivery>> =>
    this.#ask('dead', false, async (db) => {
      const [at, n] = after ?? [];
      const { rows } = await sql<{ n: number; dead_at: number }>`
        select ${columns}, n from deliveries where dead_at is not null
          ${hook === undefined ? sql`` : sql`and hook = ${hook}`}
          ${after === undefined ? sql`` : sql`and (dead_at, n) < (${at}::bigint, ${n}::bigint)`}
        order by dead_at desc, n desc limit ${limit + 1}`.execute(db);
      const kept = rows.slice(0, limit);
      const last = kept.at(-1);
      return {
        rows: kept.map(deliveryOf).flatMap(({ deadAt, ...d }) => (deadAt === null ? [] : [{ ...d, deadAt }])),
        next: rows.length > limit && last !== undefined ? [last.dead_at, last.n] : undefined,
      };
    });

  again = (id: Uuid, asked: OrderAsked): Promise<boolean> =>
    this.#ask('again', true, (db) =>
      db.transaction().execute(async (tx) => {
        const { rows } = await sql`
          update deliveries set dead_at = null, tries = 0, first_at = ${nowMs}, due_at = ${nowMs}, asked_by = ${asked.id}
          where id = ${id} and dead_at is not null returning 1`.execute(tx);
        if (rows.length > 0) await askOrder(tx, asked);
        return rows.length > 0;
      }),
    );

  close(): Promise<void> {
    this.#closing ??= this.#db.destroy();
    return this.#closing;
  }

  async #ask<T>(method: string, changes: boolean, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await work(this.#db);
    } catch (e) {
      throw asFault(e, `outbox.${method}`, changes);
    }
  }
}

/** What became of a delivery that somebody had sent anew. */
async function ended(
  tx: Transaction<Tables>,
  orders: readonly { readonly id: string | null }[],
  outcome: Outcome,
): Promise<void> {
  for (const { id } of orders) if (id !== null) await endOrder(tx, id, outcome);
}
