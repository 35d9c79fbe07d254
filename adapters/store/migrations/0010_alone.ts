import { type Kysely, type Migration, sql } from 'kysely';

/**
 * `apply_commits` of [0007_group.ts], told whether others may come to wait behind it. A group of one may have them too: it gives way to
 * them after half a second, and is asked again `by_itself`, on a connection that nobody waits for, for as long as locks may take.
 */
const applyCommits = `
create function apply_commits(all_of jsonb, by_itself boolean) returns text[] language plpgsql as $body$
begin
  if by_itself then return array[apply_commit(all_of->0)]; end if;
  if jsonb_array_length(all_of) > 1 then return apply_commits(all_of); end if;
  perform set_config('lock_timeout', '500ms', true);
  return array[apply_commit(all_of->0)];
exception when lock_not_available then
  if by_itself then raise; end if;
  return array_fill('alone'::text, array[jsonb_array_length(all_of)]);
end
$body$`;

async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(applyCommits).execute(db);
}

export const alone: Migration = { up };
