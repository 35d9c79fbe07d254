import { type Kysely, type Migration, sql } from 'kysely';

/**
 * People filter bursts by account as they do by user. A row's content is stored apart from it and compressed, which the planner does not reckon with:
 * by age it would rather read some hundred of them until a page is full. The age is therefore written as no other index has it [lists.ts].
 */
async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index bursts_of_account on bursts ((data->>'account'), (created_at + 0) desc, id desc)`.execute(
    db,
  );
}

export const listed: Migration = { up };
