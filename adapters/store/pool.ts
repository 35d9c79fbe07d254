import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { PortError } from '../../src/domain/fault.ts';
import { lostConnection, NeverSent } from './faults.ts';

/** Ours in the database, so that a server's own users of it are left alone. */
export const schemaName = 'spillway';

export interface PoolOptions {
  readonly url: string;
  readonly name: string;
  readonly max: number;
  /** Limits on statements, locks and idle transactions; migrations go without. */
  readonly hurried: boolean;
  /** Another schema than ours. */
  readonly schema?: string;
  readonly onError: (e: unknown) => void;
}

/** `int8` as a number where it is one; beyond 2^53 it would silently be another. */
function int8(text: string): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n)) throw new RangeError(`${text} is too large a number`);
  return n;
}

export const int8Types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? int8
      : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
};

export function makePool(o: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: o.url,
    application_name: o.name,
    options: `-c search_path=${o.schema ?? schemaName}`,
    max: o.max,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: int8Types,
    ...(o.hurried && {
      statement_timeout: 10_000,
      lock_timeout: 5_000,
      // A gateway that was paused in the midst of a commit must not keep another from leading.
      idle_in_transaction_session_timeout: 3_000,
      query_timeout: 15_000,
    }),
  });
  // An idle connection that breaks is replaced at the next use; without a listener it would end the process.
  pool.on('error', o.onError);
  pool.on('connect', (client) => client.on('error', o.onError));
  return pool;
}

/** How long a statement text is remembered by the server as prepared; the store has few texts, each used all the time. */
const mostPrepared = 100;

/** The pool as kysely wants it; a connection whose last answer was lost is never used again. */
export class KyselyPool implements PostgresPool {
  private readonly pool: pg.Pool;
  private readonly vet: ((client: pg.PoolClient) => Promise<boolean>) | undefined;
  private readonly vetted = new WeakSet<pg.PoolClient>();
  private readonly names = new Map<string, string>();

  /** `vet` looks at each new connection before anything else is asked of it, and again for as long as it answers false. */
  constructor(pool: pg.Pool, vet?: (client: pg.PoolClient) => Promise<boolean>) {
    this.pool = pool;
    this.vet = vet;
  }

  /** One statement, prepared under this name on each connection. */
  async ask<T>(name: string, text: string, values: readonly unknown[]): Promise<readonly T[]> {
    const client = await this.enter();
    let broken = false;
    try {
      return (await client.query({ name, text, values: [...values] })).rows as T[];
    } catch (e) {
      broken = lostConnection(e);
      throw e;
    } finally {
      client.release(broken);
    }
  }

  private async enter(): Promise<pg.PoolClient> {
    let client: pg.PoolClient;
    try {
      client = await this.pool.connect();
    } catch (e) {
      throw new NeverSent(e);
    }
    if (this.vet !== undefined && !this.vetted.has(client)) {
      try {
        if (await this.vet(client)) this.vetted.add(client);
      } catch (e) {
        client.release(true);
        throw e instanceof PortError || !lostConnection(e) ? e : new NeverSent(e);
      }
    }
    return client;
  }

  async connect(): Promise<PostgresPoolClient> {
    const client = await this.enter();
    let broken = false;
    const query = async (text: string, values: readonly unknown[]) => {
      try {
        const name = values.length > 0 ? this.nameOf(text) : undefined;
        return await client.query(
          name === undefined ? { text, values: [...values] } : { name, text, values: [...values] },
        );
      } catch (e) {
        broken ||= lostConnection(e);
        throw e;
      }
    };
    // kysely's cursors, its other way of asking, are not used.
    return { query: query as unknown as PostgresPoolClient['query'], release: () => client.release(broken) };
  }

  private nameOf(text: string): string | undefined {
    const known = this.names.get(text);
    if (known !== undefined || this.names.size >= mostPrepared) return known;
    const name = `s${this.names.size}`;
    this.names.set(text, name);
    return name;
  }

  end(): Promise<void> {
    return this.pool.end();
  }
}
