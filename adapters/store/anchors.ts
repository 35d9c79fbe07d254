import { Kysely, PostgresDialect, sql } from 'kysely';
import {
  type Anchor,
  anchorHash,
  type Head,
  nextAnchor,
  noHeads,
  withHead,
} from '../../src/domain/anchor.ts';
import { type Instant, instant, type Uuid, uuid } from '../../src/domain/ids.ts';
import type { AnchorPort, Retention } from '../../src/ports.ts';
import { asking, recoverWithin, vet } from './age.ts';
import { sha256 } from './commit.ts';
import { asFault } from './faults.ts';
import { KyselyPool, makePool } from './pool.ts';
import { prune } from './prune.ts';
import type { Tables } from './tables.ts';

/** The advisory lock of whoever makes an anchor. */
const anchorLock = 7_305_415_921;
/** Most rows that one anchor takes in: its transaction stays short, however long no gateway ran. */
const mostAtOnce = 10_000;

export interface PostgresAnchorsOptions {
  readonly url: string;
  readonly onError: (e: unknown) => void;
}

/** The anchors of an open store. */
export class PostgresAnchors implements AnchorPort {
  private readonly db: Kysely<Tables>;
  private closing: Promise<void> | undefined;

  constructor({ url, onError }: PostgresAnchorsOptions) {
    const pool = makePool({ url, name: 'spillway anchors', max: 2, hurried: true, onError });
    this.db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new KyselyPool(pool, vet) }) });
  }

  anchor(): Promise<{ readonly anchor: Anchor; readonly more: boolean } | undefined> {
    return this.change('anchor', (tx) => this.next(tx));
  }

  private async next(tx: Kysely<Tables>) {
    if (!(await locked(tx))) return undefined;
    const heads = await sql<Head & { taken: number }>`
      with batch as (
        select n, chain from unanchored u order by n limit ${mostAtOnce}
      ), taken as (
        delete from unanchored u using batch b
        where u.n = b.n
          -- A chain that began anew after retention took it away waits until its end is anchored.
          and not exists (select 1 from unanchored p where p.chain = u.chain and p.pruned and p.n < u.n)
        returning u.n, u.chain, u.seq, u.hash, u.pruned
      )
      select distinct on (chain collate "C") chain, seq, hash, pruned, (select count(*) from taken) as taken
      from taken order by chain collate "C", n desc`.execute(tx);
    if (heads.rows.length === 0) return undefined;
    const root = heads.rows.reduce((root, head) => withHead(root, head, sha256), noHeads);
    const anchor = await put(tx, { heads: heads.rows.length, root });
    await sql`
      insert into anchored (anchor, chain, seq, hash, pruned)
      select ${anchor.seq}, chain, seq, hash, pruned
      from jsonb_to_recordset(${JSON.stringify(heads.rows)}::jsonb) as r(chain text, seq bigint, hash text, pruned boolean)`.execute(
      tx,
    );
    return { anchor, more: (heads.rows[0]?.taken ?? 0) >= mostAtOnce };
  }

  async after(seq: number, limit: number): Promise<readonly Anchor[]> {
    return this.read('after', async (db) => {
      const rows = await db
        .selectFrom('anchors')
        .selectAll()
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(limit)
        .execute();
      return rows.map(readAnchor);
    });
  }

  knows(anchor: Anchor): Promise<boolean> {
    return this.read('knows', (db) => knows(db, anchor));
  }

  async olderThan(witness: Anchor): Promise<void> {
    await this.change('olderThan', async (tx) => {
      await sql`select pg_advisory_xact_lock(${sql.lit(anchorLock)})`.execute(tx);
      if (await knows(tx, witness)) return;
      const own = await lastAnchor(tx);
      const why =
        own !== undefined && own.seq >= witness.seq
          ? `the anchor ${witness.seq} that was exported is not the one in the store`
          : `anchors were exported up to ${witness.seq} (${new Date(witness.at).toISOString()}), the store has them up to ${own?.seq ?? 0}`;
      await recoverWithin(asking(tx), `the store is older than what was done with it: ${why}`);
      await sql`update meta set anchor_floor = greatest(anchor_floor, ${witness.seq})`.execute(tx);
      await put(tx, { heads: 0, root: noHeads });
    });
  }

  prune(retention: Retention): Promise<boolean> {
    return this.change('prune', (tx) => prune(tx, retention));
  }

  close(): Promise<void> {
    this.closing ??= this.db.destroy();
    return this.closing;
  }

  private async read<T>(method: string, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await work(this.db);
    } catch (e) {
      throw asFault(e, `anchors.${method}`, false);
    }
  }

  private async change<T>(method: string, work: (tx: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await this.db.transaction().execute(work);
    } catch (e) {
      throw asFault(e, `anchors.${method}`, true);
    }
  }
}

async function locked(tx: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ got: boolean }>`
    select pg_try_advisory_xact_lock(${sql.lit(anchorLock)}) as got`.execute(tx);
  return rows[0]?.got === true;
}

async function lastAnchor(db: Kysely<Tables>): Promise<Anchor | undefined> {
  const row = await db.selectFrom('anchors').selectAll().orderBy('seq', 'desc').limit(1).executeTakeFirst();
  return row && readAnchor(row);
}

async function knows(db: Kysely<Tables>, anchor: Anchor): Promise<boolean> {
  const { rows } = await sql<{ hash: string | null; floor: number; oldest: number | null }>`
    select (select hash from anchors where seq = ${anchor.seq}) as hash, anchor_floor as floor,
      (select min(seq) from anchors) as oldest from meta`.execute(db);
  const [row] = rows;
  if (row === undefined) return false;
  if (row.hash !== null) return row.hash === anchor.hash || anchor.seq <= row.floor;
  return anchor.seq <= row.floor || (row.oldest !== null && anchor.seq < row.oldest);
}

async function put(tx: Kysely<Tables>, of: Pick<Anchor, 'heads' | 'root'>): Promise<Anchor> {
  const { rows } = await sql<{ at: Instant; generation: Uuid; from: number; floor: number }>`
    select (extract(epoch from clock_timestamp()) * 1000)::bigint as at, generation::text, heads_from as "from",
      anchor_floor as floor from meta`.execute(tx);
  const [now] = rows;
  if (now === undefined) throw new Error('a store without meta');
  const { floor, ...known } = now;
  const anchor = nextAnchor(await lastAnchor(tx), floor, { ...known, ...of }, sha256);
  const { from, ...row } = anchor;
  await tx
    .insertInto('anchors')
    .values({ ...row, heads_from: from })
    .execute();
  return anchor;
}

export function readAnchor(row: {
  readonly seq: number;
  readonly at: number;
  readonly generation: string;
  readonly heads_from: number;
  readonly heads: number;
  readonly root: string;
  readonly prev: string;
  readonly hash: string;
}): Anchor {
  const { heads_from, at, generation, ...rest } = row;
  return { ...rest, from: heads_from, at: instant(at), generation: uuid(generation) };
}

/** That an anchor is what its hash says. */
export const isWhole = (anchor: Anchor): boolean => anchorHash(anchor, sha256) === anchor.hash;
