/** `spillway status`, `jobs` and `budget` against the API on a real store: what each role is shown, in words and as JSON. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandError, type Gateway } from '../../src/cli/ask.ts';
import { type AuditListOrder, listAudit } from '../../src/cli/audit-list.ts';
import { budgetLines, budgetTable } from '../../src/cli/budget.ts';
import { jobsTable } from '../../src/cli/jobs.ts';
import type { JobWithCloud } from '../../src/cli/jobs-cloud.ts';
import { allBudgets } from '../../src/cli/ood-balances.ts';
import { inWords, status, statusOf } from '../../src/cli/status.ts';
import { ageOf } from '../../src/cli/words.ts';
import { instant } from '../../src/domain/ids.ts';
import { microUsd } from '../../src/domain/money.ts';
import { aReceipt } from '../contract/samples.ts';
import { type Bed, burstOfJob, cluster, makeBed, offered, queue } from './bed.ts';

let bed: Bed;
const as = (token: string): Gateway => ({ host: '127.0.0.1', port: 0, url: bed.base, token });
let operator: Gateway;
let alice: Gateway;
const now = Date.now();
beforeAll(async () => {
  bed = await makeBed();
  operator = as(await bed.token('olga', 'operator'));
  alice = as(await bed.token('alice', 'user'));
  const trouble = { since: instant(now), text: 'Slurm is not answered by slurmdbd' };
  await bed.write({ kind: 'burst', burst: burstOfJob(100, 'alice', { trouble }), why: 'waits' });
  await bed.write({ kind: 'burst', burst: offered(200, 'bob'), why: 'offered' });
});
afterAll(() => bed.close());

describe('spillway status', () => {
  it('tells an operator the backlog, the bursts with their troubles, and what waits for a yes', async () => {
    const lines = await status(operator, false, now);
    const said = lines.join('\n');
    expect(lines[0]).toMatch(/^hpc1: its queue was looked at \d+ s ago$/);
    expect(said).toContain('bursting is on');
    expect(said).toMatch(/^ {2}bursts: .*2 proposed/m);
    expect(said).toMatch(/^ {4}job 100 since .*: Slurm is not answered by slurmdbd$/m);
    expect(said).toMatch(/^ {2}1 wait for a yes or no: spillway quotes$/m);
    for (const partition of new Set(queue.map((j) => j.partition)))
      expect(said).toMatch(new RegExp(`^ {2}${partition}: \\d+ pending`, 'm'));
  });

  it('tells a user of his own, and leaves out what he may not see', async () => {
    const told = await statusOf(alice);
    expect(told.bursts.map((b) => b.user)).toEqual(['alice']);
    expect(told.quotes).toEqual([]);
    expect(told.groups).toBeUndefined();
    expect(inWords(told, now).join('\n')).not.toContain('wait for a yes');
  });

  it('says first that bursting is stopped, by whom and why', async () => {
    await bed.store.stop(cluster, 'olga', 'the bill');
    expect((await status(operator, false, now))[1]).toMatch(
      /^ {2}STOPPED by olga since .*: the bill; spillway resume$/,
    );
    await bed.store.resume(cluster, 'olga', '');
    expect((await status(operator, false, now))[1]).toBe('  bursting is on');
  });

  it('as JSON has all of it', async () => {
    const [text = ''] = await status(operator, true, now);
    expect(JSON.parse(text)).toMatchObject({ clusters: [{ cluster: 'hpc1' }], groups: [] });
  });
});

describe('spillway jobs', () => {
  it('lists the queue, and by user, state and partition', async () => {
    const all = await jobsTable(operator, {}, now);
    expect(all).toHaveLength(1 + queue.length);
    expect(all[0]).toMatch(/^job +user +partition +state/);
    expect(await jobsTable(operator, { user: 'bob', partition: 'gpu', state: 'pending' }, now)).toHaveLength(
      4,
    );
    expect(await jobsTable(operator, { user: 'nobody' }, now)).toEqual(['no such job was in the queue']);
  });

  it('shows a user no job of others', async () => {
    const [text = ''] = await jobsTable(alice, { json: true }, now);
    const { jobs } = JSON.parse(text) as { jobs: { user: string }[] };
    expect([...new Set(jobs.map((j) => j.user))]).toEqual(['alice']);
  });

  it('with --burst only those that burst', async () => {
    const [, ...rows] = await jobsTable(operator, { burst: true }, now);
    expect(rows.map((r) => r.split(/ +/)[0]).sort()).toEqual(['100', '200']);
  });

  it('with --details when what bursts starts in the cloud, and the most that it costs', async () => {
    const burst = burstOfJob(101, 'alice', { price: { held: microUsd(1.25), rates: {} } });
    await bed.write({ kind: 'burst', burst, why: 'waits' });
    await bed.write({ kind: 'receipt', receipt: aReceipt(burst, { verdict: 'burst' }) });
    const [text = ''] = await jobsTable(alice, { json: true, details: true, user: 'alice' }, now);
    const { jobs } = JSON.parse(text) as { jobs: JobWithCloud[] };
    // By the receipt's basis: ready within 3 min, at most 5, from when the burst began.
    const [p50, p90] = [180_000, 300_000].map((ms) => new Date(burst.createdAt + ms).toISOString());
    expect(jobs.find((j) => j.job === '101')?.cloud).toEqual({
      ...{ group: 'cpu', starts: { p50, p90 }, heldMicroUsd: 1_250_000 },
    });
    expect(jobs.find((j) => j.job === '102')?.cloud).toBeUndefined();
    expect(jobs.find((j) => j.job === '100')?.cloud?.trouble).toMatch(/slurmdbd/);
    const lines = await jobsTable(alice, { details: true }, now);
    expect(lines.find((l) => l.startsWith('101'))).toContain(`${p50} to ${p90}`);
    expect(lines.find((l) => l.startsWith('101'))).toMatch(/1\.25 USD$/);
  });

  it('a word that is no state is refused by name', async () => {
    await expect(jobsTable(operator, { state: 'gone' }, now)).rejects.toThrow(/state/);
    await expect(jobsTable(operator, { state: 'gone' }, now)).rejects.toThrow(CommandError);
  });
});

describe('spillway audit list', () => {
  const rows = async (order: AuditListOrder, gateway = operator) => {
    const [text = ''] = await listAudit(gateway, { ...order, json: true }, now);
    return (JSON.parse(text) as { audit: { seq: number; subject: string; why: string }[] }).audit;
  };

  it('follows the pages to the end, newest first, or to as many rows as are asked for', async () => {
    for (let i = 0; i < 600; i += 1) {
      await bed.store.stop(cluster, 'olga@gw', `word ${i}`);
      await bed.store.resume(cluster, 'oleg', '');
    }
    const all = await rows({ subject: `stop/${cluster}` });
    expect(all.length).toBeGreaterThanOrEqual(1_200);
    expect(all.map((r) => r.seq)).toEqual(all.map((r) => r.seq).sort((a, b) => b - a));
    expect(await rows({ subject: `stop/${cluster}`, limit: '1001' })).toEqual(all.slice(0, 1_001));
  }, 120_000);

  it('of one person, with and without the host', async () => {
    await bed.store.stop(cluster, 'olga@gw', 'by oleg’s wish');
    const of = (by: string) => rows({ subject: `stop/${cluster}`, by, limit: '3' });
    expect((await of('olga')).every((r) => r.why.startsWith('by olga@gw'))).toBe(true);
    expect(await of('olga@gw')).toEqual(await of('olga'));
    expect(await of('olg')).toEqual([]);
    await bed.store.resume(cluster, 'oleg', '');
  });

  it('is a table, of a span too, and refuses what is no span or number', async () => {
    const [header, row] = await listAudit(operator, { since: '1h', limit: '1' }, now);
    expect(header).toMatch(/^at +subject +what +why$/);
    expect(row).toMatch(/Z +stop\/hpc1 +.*resumed +by oleg$/);
    await expect(listAudit(operator, { subject: 'stop/none' }, now)).resolves.toEqual([
      'no such row is in the audit',
    ]);
    await expect(listAudit(operator, { since: 'ever' }, now)).rejects.toThrow(/--since ever/);
    await expect(listAudit(operator, { limit: '0' }, now)).rejects.toThrow(/--limit 0/);
  });

  it('is not for a user', async () => {
    await expect(listAudit(alice, {}, now)).rejects.toThrow(/403/);
  });
});

it('spillway budget says so where there is none', async () => {
  expect(await budgetTable(operator, false)).toEqual(['no budget is configured']);
  expect(JSON.parse((await budgetTable(operator, true))[0] ?? '')).toEqual({ budgets: [] });
});

it('balances are read by whoever sees all budgets, and by nobody who sees only some', async () => {
  expect(await allBudgets(operator)).toEqual([]);
  await expect(allBudgets(alice)).rejects.toThrow(/alice sees only budgets of that name: set SPILLWAY_TOKEN/);
});

it('a budget is a line: whose, its limit, what is held, spent and left of it, and where it stands', () => {
  const since = new Date(now).toISOString();
  const lines = budgetLines([
    {
      ...{ cluster: 'hpc1', account: 'physics', source: 'policy', per: 'month', since, hard: true },
      ...{ limitMicroUsd: 100_000_000, heldMicroUsd: 12_500_000, spentMicroUsd: 30_000_000 },
    },
    {
      ...{ cluster: 'hpc1', source: 'csv b.csv line 2', per: 'total', since, hard: false },
      ...{ limitMicroUsd: 1_000_000, heldMicroUsd: 0, spentMicroUsd: 2_000_000 },
    },
  ]);
  expect(lines.map((l) => l.trim().split(/ {2,}/))).toEqual([
    ['budget', 'limit', 'held', 'spent', 'left', 'per', 'kind', 'from'],
    ['physics', '100.00 USD', '12.50 USD', '30.00 USD', '57.50 USD', 'month', 'hard', 'policy'],
    ['all', '1.00 USD', '0.00 USD', '2.00 USD', '-1.00 USD', 'total', 'soft', 'csv b.csv line 2'],
  ]);
});

it.each([
  [1, '1 s'],
  [119, '119 s'],
  [121, '2 min'],
  [7_199, '120 min'],
  [7_200, '2 h'],
  [172_800, '2 d'],
  [-5, '0 s'],
])('an age of %i s is told as %s', (seconds, told) => {
  const at = new Date(now - seconds * 1_000).toISOString();
  expect(ageOf(at, now)).toBe(told);
});
