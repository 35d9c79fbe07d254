import { type Kysely, type Migration, sql } from 'kysely';

/**
 * A whole commit as one statement, and so one way to the server and back. Each statement of a function has a snapshot of its own, so what
 * is read after a lock is read under it. Answers what the port answers; `invalid:` goes before a reason. Whatever is not ok leaves
 * nothing: all is looked at before anything is written, and what only shows later is raised (SP001 over a budget, SP002 invalid).
 */
const applyCommit = `
create function apply_commit(c jsonb) returns text language plpgsql as $body$
declare
  commit_id constant text := c->>'id';
  of_cluster constant text := c->>'cluster';
  moment bigint;
  newest bigint;
  held jsonb := '{}';
  links jsonb := '[]';
  illegal text;
  x jsonb;
  y jsonb;
  h jsonb;
  subject_id text;
  line text;
  digest text;
  r record;
  held_sum bigint;
  spent_sum bigint;
begin
  perform pg_advisory_xact_lock_shared((c->>'lease_lock')::bigint);
  insert into commits (id, cluster) values (commit_id, of_cluster) on conflict (id) do nothing;
  if not found then return 'ok'; end if;
  select greatest(m.epoch_floor, (select l.epoch from leases l where l.cluster = of_cluster)),
      (extract(epoch from clock_timestamp()) * 1000)::bigint
    into newest, moment from meta m;
  if newest > (c->>'epoch')::bigint then
    delete from commits where id = commit_id;
    return 'stale';
  end if;

  for subject_id in select jsonb_array_elements_text(c->'bursts') loop
    select jsonb_build_object('rev', b.rev, 'state', b.state, 'head', b.head) into h
      from bursts b where b.id = subject_id for update;
    if found then held := held || jsonb_build_object(subject_id, h); end if;
  end loop;
  for subject_id in select jsonb_array_elements_text(c->'instances') loop
    select jsonb_build_object('rev', i.rev, 'state', i.state, 'head', i.head) into h
      from instances i where i.id = subject_id for update;
    if found then held := held || jsonb_build_object(subject_id, h); end if;
  end loop;

  for x in select jsonb_array_elements(c->'changes') loop
    subject_id := x->>'id';
    h := held->subject_id;
    if coalesce((h->>'rev')::bigint, 0) <> (x->>'rev')::bigint then
      delete from commits where id = commit_id;
      return 'conflict';
    end if;
    if h is not null and illegal is null and jsonb_typeof(x->'legal') = 'array' and not (x->'legal') ? (h->>'state') then
      illegal := format('%s %s may not go from %s to %s', x->>'kind', subject_id, h->>'state', x->>'state');
    end if;
    -- The canonical text of the audit row, as domain/change.ts makes it.
    line := '{"at":' || moment || ',"data":"' || (x->>'data') || '",'
      || coalesce('"from":' || to_json(h->>'state')::text || ',', '')
      || '"prev":"' || coalesce(h->>'head', repeat('0', 64)) || '",' || (x->>'tail');
    digest := encode(sha256(convert_to(line, 'UTF8')), 'hex');
    links := links || jsonb_build_object('subject', subject_id, 'seq', (x->>'rev')::bigint + 1, 'from', h->>'state',
      'to', x->>'state', 'why', x->>'why', 'data', x->>'data', 'prev', coalesce(h->>'head', repeat('0', 64)), 'hash', digest);
    held := held || jsonb_build_object(subject_id,
      jsonb_build_object('rev', (x->>'rev')::bigint + 1, 'state', x->>'state', 'head', digest));
  end loop;
  illegal := coalesce(illegal, c->>'unfit');
  if illegal is null then
    for x in select jsonb_array_elements(c->'answers') loop
      if not exists (select 1 from intents i where i.id = x->>'id') then
        illegal := format('intent %s does not exist', x->>'id');
        exit;
      end if;
    end loop;
  end if;
  if illegal is not null then
    delete from commits where id = commit_id;
    return 'invalid:' || illegal;
  end if;

  -- Settlements come first: what they free may be held at once.
  for x in select jsonb_array_elements(c->'settles') loop
    update ledger set state = 'settled', micro_usd = (x->>'micro_usd')::bigint, at = (x->>'at')::bigint
      where burst = x->>'burst' and cluster = of_cluster and state = 'held';
  end loop;
  if jsonb_array_length(c->'holds') > 0 then
    perform pg_advisory_xact_lock((c->>'ledger_lock')::bigint);
    for x in select jsonb_array_elements(c->'holds') loop
      for y in select jsonb_array_elements(x->'limits') loop
        if y->>'account' is null then
          select coalesce(sum(l.micro_usd) filter (where l.state = 'held'), 0),
              coalesce(sum(l.micro_usd) filter (where l.state = 'settled' and l.at >= (y->>'since')::bigint), 0)
            into held_sum, spent_sum from ledger l where l.cluster = of_cluster;
        else
          select coalesce(sum(l.micro_usd) filter (where l.state = 'held'), 0),
              coalesce(sum(l.micro_usd) filter (where l.state = 'settled' and l.at >= (y->>'since')::bigint), 0)
            into held_sum, spent_sum from ledger l where l.cluster = of_cluster and l.account = y->>'account';
        end if;
        if held_sum + spent_sum + (x->>'micro_usd')::bigint > (y->>'micro_usd')::bigint then
          raise exception using errcode = 'SP001', message = 'a hold would pass a limit';
        end if;
      end loop;
      insert into ledger (burst, cluster, account, micro_usd, state, at)
        values (x->>'burst', of_cluster, x->>'account', (x->>'micro_usd')::bigint, 'held', (x->>'at')::bigint)
        on conflict do nothing;
      if not found then
        raise exception using errcode = 'SP002', message = format('burst %s holds money already', x->>'burst');
      end if;
    end loop;
  end if;

  -- Those that end go before new ones: the unique index on live attempts must see first which ended.
  for x in select jsonb_array_elements(c->'rows') loop
    subject_id := x->>'id';
    h := held->subject_id;
    if x->>'kind' = 'burst' and not (x->>'fresh')::boolean then
      update bursts set ref = x->>'ref', job_id = (x->>'job_id')::bigint, attempt = x->>'attempt', state = x->>'state',
          live = (x->>'live')::boolean, rev = (x->>'rev')::bigint, head = h->>'head', data = x->'data', updated_at = moment
        where id = subject_id;
    elsif x->>'kind' = 'instance' and not (x->>'fresh')::boolean then
      update instances set state = x->>'state', live = (x->>'live')::boolean, rev = (x->>'rev')::bigint,
          head = h->>'head', data = x->'data', updated_at = moment
        where id = subject_id;
    elsif x->>'kind' = 'burst' then
      insert into bursts (id, cluster, ref, job_id, attempt, state, live, rev, head, data, created_at, updated_at)
        values (subject_id, of_cluster, x->>'ref', (x->>'job_id')::bigint, x->>'attempt', x->>'state',
          (x->>'live')::boolean, (x->>'rev')::bigint, h->>'head', x->'data', (x->>'created_at')::bigint, moment);
    else
      insert into instances (id, cluster, state, live, rev, head, data, created_at, updated_at)
        values (subject_id, of_cluster, x->>'state', (x->>'live')::boolean, (x->>'rev')::bigint, h->>'head',
          x->'data', (x->>'created_at')::bigint, moment);
    end if;
  end loop;
  if jsonb_array_length(links) > 0 then
    insert into audit (subject, seq, at, from_state, to_state, why, data, prev, hash)
      select l.subject, l.seq, moment, l."from", l."to", l.why, l.data, l.prev, l.hash
      from jsonb_to_recordset(links) as l(subject text, seq bigint, "from" text, "to" text, why text, data text, prev text, hash text);
    insert into unanchored (chain, seq, hash)
      select 'audit/' || l.subject, l.seq, l.hash
      from jsonb_to_recordset(links) as l(subject text, seq bigint, hash text);
  end if;

  for x in select jsonb_array_elements(c->'receipts') loop
    select t.seq, t.hash into r from receipts t where t.attempt = x->>'attempt' order by t.seq desc limit 1;
    digest := coalesce(r.hash, repeat('0', 64));
    -- As receiptHash in domain/chain.ts.
    line := encode(sha256(convert_to('{"prev":"' || digest || '","receipt":"' || (x->>'content') || '","seq":'
      || (coalesce(r.seq, 0) + 1) || '}', 'UTF8')), 'hex');
    insert into receipts (id, cluster, ref, attempt, seq, kind, at, data, prev, hash)
      values (x->>'id', of_cluster, x->>'ref', x->>'attempt', coalesce(r.seq, 0) + 1, x->>'kind', (x->>'at')::bigint,
        x->'data', digest, line);
    insert into unanchored (chain, seq, hash) values ('receipts/' || (x->>'attempt'), coalesce(r.seq, 0) + 1, line);
  end loop;
  for x in select jsonb_array_elements(c->'intents') loop
    insert into intents (id, subject, effect, spec, epoch, at, deadline, answer, answered_at)
      values (x->>'id', x->>'subject', x->>'effect', x->'spec', (x->>'epoch')::bigint, (x->>'at')::bigint,
        (x->>'deadline')::bigint, x->>'answer', (x->>'answered_at')::bigint);
  end loop;
  for x in select jsonb_array_elements(c->'answers') loop
    update intents set answer = x->>'answer', answered_at = (x->>'answered_at')::bigint
      where id = x->>'id' and answer is null;
  end loop;
  return 'ok';
end
$body$`;

async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(applyCommit).execute(db);
}

export const commitFunction: Migration = { up };
