import { Kysely, PostgresDialect } from 'kysely';
import { type Instant, type Uuid, uuid } from '../../src/domain/ids.ts';
import type { OrderAsked, Outcome } from '../../src/domain/order.ts';
import type {
  AuditFilter,
  BurstFilter,
  InstanceFilter,
  LedgerFilter,
  Mark,
  Page,
  ReceiptFilter,
} from '../../src/domain/page.ts';
import type { ApiToken } from '../../src/domain/token.ts';
import type { DeskPort } from '../../src/ports.ts';
import { vet } from './age.ts';
import { databaseNow } from './audit-row.ts';
import { asFault } from './faults.ts';
import {
  auditPage,
  burstsPage,
  countReceipts,
  eventsAfter,
  instancesPage,
  ledgerPage,
  receiptById,
  receiptsPage,
} from './lists.ts';
import { beginOnce, finishOnce, forgetOnce } from './once.ts';
import { askOrder, endOrder } from './orders.ts';
import { KyselyPool, makePool } from './pool.ts';
import type { Tables } from './tables.ts';
import { makeToken, noteUse, readToken, readTokens, revokeToken } from './tokens.ts';

/** Connections of its own: readers who ask for much never keep a commit waiting for one. */
export class PostgresDesk implements DeskPort {
  readonly #db: Kysely<Tables>;
  #closing: Promise<void> | undefined;

  /** The schema must be this version's already: `openPostgresStore` comes first. */
  constructor(options: {
    readonly url: string;
    readonly onError: (e: unknown) => void;
    readonly max?: number;
  }) {
    const { url, onError, max = 6 } = options;
    const pool = makePool({ url, name: 'spillway', max, hurried: true, onError });
    this.#db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new KyselyPool(pool, vet) }) });
  }

  receipts = (filter: ReceiptFilter, page: Page) =>
    this.#ask('receipts', false, (db) => receiptsPage(db, filter, page));
  receipt = (id: Uuid) => this.#ask('receipt', false, (db) => receiptById(db, id));
  receiptCounts = (filter: ReceiptFilter) =>
    this.#ask('receiptCounts', false, (db) => countReceipts(db, filter));
  bursts = (filter: BurstFilter, page: Page) =>
    this.#ask('bursts', false, (db) => burstsPage(db, filter, page));
  instances = (filter: InstanceFilter, page: Page) =>
    this.#ask('instances', false, (db) => instancesPage(db, filter, page));
  ledger = (filter: LedgerFilter, page: Page) =>
    this.#ask('ledger', false, (db) => ledgerPage(db, filter, page));
  auditRows = (filter: AuditFilter, page: Page) =>
    this.#ask('auditRows', false, (db) => auditPage(db, filter, page));
  events = (after: Mark | undefined, limit: number) =>
    this.#ask('events', false, (db) => eventsAfter(db, after, limit));

  makeToken = (token: Omit<ApiToken, 'at' | 'state' | 'rev'>) =>
    this.#ask('makeToken', true, (db) => makeToken(db, token));
  revokeToken = (id: string, by: string, why: string) =>
    this.#ask('revokeToken', true, (db) => revokeToken(db, id, by, why));
  tokens = () => this.#ask('tokens', false, readTokens);
  token = (id: string) => this.#ask('token', false, (db) => readToken(db, id));
  tokenUsed = (id: string) => this.#ask('tokenUsed', true, (db) => noteUse(db, id));

  askOrder = (asked: OrderAsked) =>
    this.#ask('askOrder', true, (db) => db.transaction().execute((tx) => askOrder(tx, asked)));
  endOrder = (id: string, outcome: Outcome) =>
    this.#ask('endOrder', true, (db) => db.transaction().execute((tx) => endOrder(tx, id, outcome)));

  once = (caller: string, key: string, what: string, forMs: number) =>
    this.#ask('once', true, (db) => beginOnce(db, caller, key, what, forMs));
  finish = (caller: string, key: string, answer: unknown, forMs: number) =>
    this.#ask('finish', true, (db) => finishOnce(db, caller, key, answer, forMs));
  forget = (caller: string, key: string) => this.#ask('forget', true, (db) => forgetOnce(db, caller, key));

  generation = (): Promise<Uuid> =>
    this.#ask('generation', false, async (db) => {
      const row = await db.selectFrom('meta').select('generation').executeTakeFirstOrThrow();
      return uuid(row.generation);
    });
  now = (): Promise<Instant> => this.#ask('now', false, databaseNow);

  close(): Promise<void> {
    this.#closing ??= this.#db.destroy();
    return this.#closing;
  }

  async #ask<T>(method: string, changes: boolean, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await work(this.#db);
    } catch (e) {
      throw asFault(e, `desk.${method}`, changes);
    }
  }
}
