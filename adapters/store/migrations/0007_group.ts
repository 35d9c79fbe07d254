import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Many commits as one statement, and so one transaction and one flush. Each is judged by itself: `alone` says that it raised, left
 * nothing, and is to be asked again as the only one, so that whoever asks sees what was raised. All locks that could be waited for in
 * another order by somebody else come first, in one order.
 */
const applyCommits = `
create function apply_commits(all_of jsonb) returns text[] language plpgsql as $body$
declare
  answers text[] := '{}';
  c jsonb;
  lock bigint;
begin
  if jsonb_array_length(all_of) = 1 then return array[apply_commit(all_of->0)]; end if;
  -- Who is held up by somebody else's lock must not hold up the others: all are asked again alone.
  perform set_config('lock_timeout', '500ms', true);
  for lock in select distinct (x->>'lease_lock')::bigint from jsonb_array_elements(all_of) x order by 1 loop
    perform pg_advisory_xact_lock_shared(lock);
  end loop;
  perform from bursts b
    where b.id in (select jsonb_array_elements_text(x->'bursts') from jsonb_array_elements(all_of) x)
    order by b.id for update;
  perform from instances i
    where i.id in (select jsonb_array_elements_text(x->'instances') from jsonb_array_elements(all_of) x)
    order by i.id for update;
  for lock in select distinct (x->>'ledger_lock')::bigint from jsonb_array_elements(all_of) x
    where x ? 'ledger_lock' order by 1 loop
    perform pg_advisory_xact_lock(lock);
  end loop;
  for c in select jsonb_array_elements(all_of) loop
    begin
      answers := answers || apply_commit(c);
    exception when others then
      answers := answers || 'alone'::text;
    end;
  end loop;
  return answers;
end
$body$`;

async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(applyCommits).execute(db);
}

export const group: Migration = { up };
