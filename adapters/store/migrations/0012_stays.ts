import { type Kysely, type Migration, sql } from 'kysely';

/**
 * When which pod of a burst was on which instance: what an instance cost is shared by it. A projection of the bursts' own rows, kept in
 * the same transaction, from the pod's uid being known to the pod being forgotten. `others` are the ranks of a job of several nodes
 * beside its first. No foreign keys: a restore fills tables in any order, and a stay goes with its instance.
 */
const noteStays = `
create function note_stays(of_burst text, of_cluster text, b jsonb, moment bigint) returns void language plpgsql as $body$
declare
  pods jsonb;
begin
  select coalesce(jsonb_object_agg(p->'pod'->>'uid', p->>'instance'), '{}') into pods
    from jsonb_array_elements(jsonb_build_array(b) || case jsonb_typeof(b->'others') when 'array' then b->'others' else '[]' end) p
    where p->'pod'->>'uid' is not null and p->>'instance' is not null;
  insert into stays (burst, pod, cluster, instance, from_at, told_by)
    select of_burst, key, of_cluster, value, moment, 'pod' from jsonb_each_text(pods)
    on conflict do nothing;
  update stays set until_at = moment where burst = of_burst and until_at is null and not pods ? pod;
end
$body$`;

/** Where `apply_commit` has written the rows of a commit, and what is put in front. */
const written = '  if jsonb_array_length(links) > 0 then';
const noted = `  for x in select jsonb_array_elements(c->'rows') loop
    if x->>'kind' = 'burst' then perform note_stays(x->>'id', of_cluster, x->'data', moment); end if;
  end loop;
${written}`;

async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table stays (
    burst text not null,
    pod text not null,
    cluster text not null,
    instance text not null,
    from_at bigint not null,
    until_at bigint,
    told_by text not null check (told_by in ('pod', 'script')),
    primary key (burst, pod)
  )`.execute(db);
  await sql`create index stays_instance on stays (instance)`.execute(db);
  await sql.raw(noteStays).execute(db);
  // Of bursts from before: their pods' times were not kept, the script's were.
  await sql`
    insert into stays (burst, pod, cluster, instance, from_at, until_at, told_by)
    select id, coalesce(data->'pod'->>'uid', data->'grant'->>'podUid', ''), cluster, data->>'instance', (data->>'startedAt')::bigint,
      case when live and data->'pod'->>'uid' is not null then null
        else greatest((data->>'startedAt')::bigint, coalesce((data->>'endedAt')::bigint, updated_at)) end,
      'script'
    from bursts where data->>'instance' is not null and data->>'startedAt' is not null`.execute(db);
  const found = await sql<{ body: string }>`
    select pg_get_functiondef('apply_commit(jsonb)'::regprocedure) as body`.execute(db);
  const body = found.rows[0]?.body ?? '';
  if (body.split(written).length !== 2)
    throw new Error(`apply_commit is not what it was: no single "${written}"`);
  await sql.raw(body.replace(written, () => noted)).execute(db);
}

export const stays: Migration = { up };
