import { type Kysely, type Migration, sql } from 'kysely';

/** Where `apply_commit` sums what counts against a limit, and what is put in front: a limit of one user, in all accounts or in one. */
const sums = "if y->>'account' is null then";
const ofUser = `if y->>'user' is not null then
          select coalesce(sum(l.micro_usd) filter (where l.state = 'held'), 0),
              coalesce(sum(l.micro_usd) filter (where l.state = 'settled' and l.at >= (y->>'since')::bigint), 0)
            into held_sum, spent_sum from ledger l
            where l.cluster = of_cluster and l.user_name = y->>'user'
              and (y->>'account' is null or l.account = y->>'account');
        elsif y->>'account' is null then`;
const insert = 'insert into ledger (burst, cluster, account, micro_usd, state, at)';
const insertUser = 'insert into ledger (burst, cluster, account, user_name, micro_usd, state, at)';
const values = "values (x->>'burst', of_cluster, x->>'account', (x->>'micro_usd')";
const valuesUser = "values (x->>'burst', of_cluster, x->>'account', x->>'user', (x->>'micro_usd')";

/**
 * Budgets of users: the ledger knows whose job each hold was for. The function is changed as it stands, whichever migration made it
 * last, and only where exactly what is to be changed is found.
 */
async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table ledger add column user_name text`.execute(db);
  await sql`update ledger l set user_name = b.data->>'user' from bursts b where b.id = l.burst`.execute(db);
  await sql`create index ledger_user on ledger (cluster, user_name, state, at)`.execute(db);
  const found = await sql<{ body: string }>`
    select pg_get_functiondef('apply_commit(jsonb)'::regprocedure) as body`.execute(db);
  let body = found.rows[0]?.body ?? '';
  for (const [old, fresh] of [
    [sums, ofUser],
    [insert, insertUser],
    [values, valuesUser],
  ] as const) {
    if (body.split(old).length !== 2) throw new Error(`apply_commit is not what it was: no single "${old}"`);
    body = body.replace(old, () => fresh);
  }
  await sql.raw(body).execute(db);
}

export const userBudgets: Migration = { up };
