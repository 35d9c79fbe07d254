/** A store as a busy centre's is after a year: each row a real one's copy with its own job, person, time and outcome. */
import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { instant } from '../src/domain/ids.ts';
import type { DeskPort, StorePort } from '../src/ports.ts';
import { aFullBurst, aReceipt, newId, putBurst, putReceipt } from '../test/contract/samples.ts';
import { cluster } from './site.ts';

export const people = 40;
export const accounts = 12;
export const firstJob = 100_000;
export const userOf = (i: number): string => `user${i % people}`;

/** `decisions` receipts, a tenth as many bursts with five audit rows and a row of the ledger each; one in fifty of them is under way. */
export async function seed(url: string, store: StorePort, decisions: number): Promise<void> {
  const epoch = await store.newestEpoch(cluster);
  const burst = aFullBurst({ cluster, rev: 0, state: 'proposed' });
  await store.commit(newId(), cluster, epoch, [putBurst(burst), putReceipt(aReceipt(burst))]);
  const db = new pg.Client({ connectionString: url, options: '-c search_path=spillway' });
  await db.connect();
  const now = Date.now();
  // The oldest first; a year of them.
  const at = (n: string, of: number) =>
    `(${now} - (${of} - ${n})::bigint * ${Math.floor(31_536_000_000 / of)})::bigint`;
  const person = (n: string) =>
    `jsonb_build_object('user', 'user' || ${n} % ${people}, 'account', 'account' || ${n} % ${accounts})`;
  const bursts = Math.ceil(decisions / 10);
  try {
    await db.query(`
      insert into receipts (id, cluster, ref, attempt, seq, kind, at, data, prev, hash)
      select 'r' || g, cluster, (${firstJob} + g)::text, 'a' || g, 1, kind, ${at('g', decisions)},
        jsonb_set(data || ${person('g')} || jsonb_build_object('id', 'r' || g, 'ref', (${firstJob} + g)::text, 'at', ${at('g', decisions)}),
          '{decision,verdict}', case when g % 10 = 0 then '"burst"' when g % 7 = 0 then '"never"' else '"wait"' end::jsonb), prev, md5('r' || g)
      from receipts, generate_series(1, ${decisions}) g`);
    await db.query(`
      insert into bursts (id, cluster, ref, job_id, attempt, state, live, rev, head, data, created_at, updated_at)
      select 'b' || g, cluster, (${firstJob} + g)::text, ${firstJob} + g, 'a' || g, s.state, g % 50 = 0, 1, md5('b' || g),
        data || ${person('g')} || jsonb_build_object('id', 'b' || g, 'ref', (${firstJob} + g)::text, 'jobId', ${firstJob} + g, 'state', s.state,
          'createdAt', ${at('g', bursts)}, 'enteredAt', ${at('g', bursts)}), ${at('g', bursts)}, ${at('g', bursts)}
      from bursts, generate_series(1, ${bursts}) g,
        lateral (select case when g % 50 = 0 then 'running' when g % 9 = 0 then 'returned' else 'settled' end as state) s`);
    await db.query(`
      insert into audit (subject, seq, at, from_state, to_state, why, data, prev, hash)
      select 'b' || g, k, ${at('g', bursts)} + k * 60000, null, case when k = 5 then 'final' else to_state end,
        case when k = 5 then 'Slurm: COMPLETED 0:0' else why end, data, prev, hash
      from audit, generate_series(1, ${bursts}) g, generate_series(1, 5) k`);
    await db.query(`
      insert into ledger (burst, cluster, account, user_name, micro_usd, state, at)
      select 'b' || g, '${cluster}', 'account' || g % ${accounts}, 'user' || g % ${people}, g, case when g % 50 = 0 then 'held' else 'settled' end,
        ${at('g', bursts)} from generate_series(1, ${bursts}) g`);
    await db.query('analyze');
  } finally {
    await db.end();
  }
}

export async function makeTokens(desk: DeskPort): Promise<Readonly<Record<'user' | 'operator', string>>> {
  const make = async (user: string, role: 'user' | 'operator'): Promise<string> => {
    const secret = randomBytes(32).toString('base64url');
    const id = randomBytes(6).toString('hex');
    await desk.makeToken({
      ...{ id: `token/${id}`, user, role, note: '', by: 'bench', why: '' },
      hash: createHash('sha256').update(secret).digest('hex'),
      until: instant(Date.now() + 86_400_000),
    });
    return `spw_${id}_${secret}`;
  };
  return { user: await make('user7', 'user'), operator: await make('olga', 'operator') };
}
