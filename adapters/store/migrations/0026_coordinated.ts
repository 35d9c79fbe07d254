import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Whoever coordinates accounts reads the newest rows of each of them. By age alone, the planner would read everybody's until a page is full, which of
 * an account with few rows is all there are: as with bursts [0025_listed.ts], the age is written as no other index has it [lists.ts].
 */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`drop index receipts_of_account`,
    sql`create index receipts_of_account on receipts ((data->>'account'), (at + 0) desc, n desc)`,
    sql`create index ledger_of_account on ledger (account, (at + 0) desc, burst desc)`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const coordinated: Migration = { up };
