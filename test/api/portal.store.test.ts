/** What portals read, each answer held to its schema. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  auditView,
  burstCostView,
  burstCountsView,
  burstFactsView,
  costsAtMost,
  forecastView,
  groupView,
  jobCountView,
  jobFactsView,
  ledgerView,
  queueJobView,
  upView,
} from '../../src/api/portal-schemas.ts';
import { burstView, decisionView, instanceView } from '../../src/api/schemas.ts';
import type { Role } from '../../src/domain/caller.ts';
import type { Decision } from '../../src/domain/decision.ts';
import { instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import { overheadAccount, overheadId } from '../../src/domain/overhead.ts';
import type { LedgerRow, Write } from '../../src/ports.ts';
import { anInstance, nextInstance, putInstance } from '../contract/samples.ts';
import { group } from '../engine/chaos/centre.ts';
import { type Bed, burstOfJob, cluster, decisionOn, makeBed, next, offered, putBurst } from './bed.ts';

let bed: Bed;
let alice: string;
let operator: string;
const ended = burstOfJob(900, 'alice', { price: { held: 5_000_000, rates: {} } });
const bobs = burstOfJob(200, 'bob');
const kept = (...rules: readonly string[]): Decision => ({
  verdict: 'wait',
  because: ['partition', ...rules].map((rule, i) => ({ rule, pass: i === 0, measured: '', limit: '' })),
  group: undefined,
});
/** Two by one rule each, one by both, and one array task of another's. */
const decisions = new Map<JobRef, Decision>([
  [jobRef('100'), kept('backlog')],
  [jobRef('101'), kept('budget')],
  [jobRef('102'), kept('backlog', 'budget')],
  [jobRef('103'), { ...kept('backlog'), verdict: 'burst' }],
  [jobRef('300_7'), kept('array')],
]);
beforeAll(async () => {
  bed = await makeBed({ decisions });
  alice = await bed.token('alice', 'user');
  operator = await bed.token('olga', 'operator');
  const hold = {
    burst: ended.id,
    account: 'physics',
    user: 'alice',
    microUsd: 5_000_000,
    at: instant(10),
    limits: [],
  };
  await bed.write(putBurst(ended), { kind: 'hold', hold: { ...hold, cluster } as never }, putBurst(bobs));
  let b = ended;
  for (const [state, why] of [
    ['approved', 'yes'],
    ['reserved', 'held'],
    ['provisioning', 'launched'],
    ['ready', 'waits'],
    ['moving', 'claim'],
    ['placed', 'Slurm started it'],
    ['attached', 'stand-in'],
    ['granted', 'grant'],
    ['running', 'began'],
    ['draining', 'over'],
    ['reported', 'told'],
    ['final', 'Slurm: TIMEOUT 0:15'],
    ['settled', 'ran in the cloud'],
  ] as const) {
    await bed.write({ kind: 'burst', burst: { ...next(b, state), rev: b.rev + 1 }, why });
    b = next(b, state);
  }
  const failed = anInstance({ cluster });
  await bed.write(
    putInstance(anInstance({ cluster })),
    putInstance(anInstance({ cluster })),
    putInstance(failed),
  );
  await bed.write(putInstance(nextInstance(failed, 'gone', { endedAt: instant(Date.now()), why: 'none' })));
  for (let i = 0; i < 5; i++) await bed.write(decisionOn(ended, { at: instant(1_000 + i) }));
  await bed.write(decisionOn(bobs, { at: instant(5_000), verdict: 'never' }));
});
afterAll(() => bed.close());

/** All rows, page by page. */
async function all(token: string, list: string, key: string): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  let cursor = '';
  for (;;) {
    const { status, body } = await bed.ask(token, `${list}${list.includes('?') ? '&' : '?'}limit=2${cursor}`);
    expect([list, status]).toEqual([list, 200]);
    const page = body[key] as Record<string, unknown>[];
    expect(page.length).toBeLessThanOrEqual(2);
    rows.push(...page);
    if (body.next === undefined) return rows;
    cursor = `&cursor=${String(body.next)}`;
  }
}

describe('counts of the queue', () => {
  const counted = async (token: string, query: string) => {
    const { status, body } = await bed.ask(token, `jobs/counts?${query}`);
    expect([query, status]).toEqual([query, 200]);
    const counts = body.counts as z.output<typeof jobCountView>[];
    for (const c of counts) expect(jobCountView.parse(c)).toEqual(c);
    return counts.map(({ key, jobs, pending }) => [key, jobs, pending]);
  };

  it('add up, by what was asked, the most in front', async () => {
    expect(await counted(operator, 'by=account')).toEqual([
      ['physics', 5, 5],
      ['chemistry', 4, 4],
    ]);
    expect(await counted(operator, 'by=partition&account=chemistry')).toEqual([
      ['gpu', 3, 3],
      ['batch', 1, 1],
    ]);
    expect(await counted(operator, 'by=state&q=A10')).toEqual([['PENDING', 5, 5]]);
    expect(await counted(operator, 'by=user&cluster=none')).toEqual([]);
  });

  it('are by rule for each that keeps a job here, of jobs that any keeps', async () => {
    expect(await counted(operator, 'by=rule')).toEqual([
      ['backlog', 2, 2],
      ['budget', 2, 2],
      ['array', 1, 1],
    ]);
    expect(await counted(alice, 'by=rule&q=100')).toEqual([['backlog', 1, 1]]);
    expect(await counted(operator, 'by=account&rule=budget')).toEqual([['physics', 2, 2]]);
    expect(await counted(operator, 'by=rule&rule=backlog')).toEqual([
      ['backlog', 2, 2],
      ['budget', 1, 1],
    ]);
    expect(await counted(operator, 'by=user&burst=proposed')).toEqual([['bob', 1, 1]]);
  });

  it('by rule are of what was decided last, though the queue was not looked at again', async () => {
    const before = decisions.get(jobRef('101'));
    decisions.set(jobRef('101'), kept('ramp'));
    expect(await counted(operator, 'by=rule&q=101')).toEqual([['ramp', 1, 1]]);
    if (before !== undefined) decisions.set(jobRef('101'), before);
  });

  it('are of his own jobs to a user', async () => {
    expect(await counted(alice, 'by=account')).toEqual([['physics', 5, 5]]);
    expect((await bed.ask(alice, 'jobs/counts?by=account&user=bob')).status).toBe(403);
  });

  it('have to be asked by something', async () => {
    const { status, body } = await bed.ask(operator, 'jobs/counts');
    expect([status, body.code, body.field]).toEqual([400, 'bad_query', 'by']);
  });
});

describe('lists', () => {
  it.each<[string, string, z.ZodType, number]>([
    ['jobs', 'jobs', queueJobView, 9],
    ['bursts', 'bursts', burstView, 2],
    ['decisions', 'decisions', decisionView, 6],
    ['ledger', 'ledger', ledgerView, 1],
    ['audit', 'audit', auditView, 21],
    ['instances', 'instances', instanceView, 3],
    ['instances?live=true', 'instances', instanceView, 2],
    ['instances?live=false&cluster=hpc1', 'instances', instanceView, 1],
    ['instances?cluster=elsewhere', 'instances', instanceView, 0],
    ['jobs?state=PENDING&partition=gpu', 'jobs', queueJobView, 3],
    ['jobs?state=RUNNING', 'jobs', queueJobView, 0],
    ['jobs?user=bob', 'jobs', queueJobView, 4],
    ['jobs?q=A10', 'jobs', queueJobView, 5],
    ['jobs?q=300_7', 'jobs', queueJobView, 1],
    ['jobs?q=chem&partition=gpu', 'jobs', queueJobView, 3],
    ['jobs?q=nobody', 'jobs', queueJobView, 0],
    ['jobs?rule=budget', 'jobs', queueJobView, 2],
    ['jobs?rule=array&account=chemistry', 'jobs', queueJobView, 1],
    ['jobs?burst=proposed', 'jobs', queueJobView, 1],
    ['jobs?burst=running', 'jobs', queueJobView, 0],
    ['bursts?state=settled&live=false', 'bursts', burstView, 1],
    ['bursts?account=chemistry', 'bursts', burstView, 1],
    ['decisions?verdict=never', 'decisions', decisionView, 1],
    ['decisions?rule=backlog&account=physics', 'decisions', decisionView, 5],
    ['decisions?rule=shape', 'decisions', decisionView, 0],
    ['decisions?job=900&from=1970-01-01T00:00:01Z&to=1970-01-01T00:00:01.003Z', 'decisions', decisionView, 3],
    ['ledger?state=settled', 'ledger', ledgerView, 0],
    ['ledger?user=alice&account=physics', 'ledger', ledgerView, 1],
    [`ledger?burst=${ended.id}`, 'ledger', ledgerView, 1],
    [`ledger?burst=${ended.id}&state=settled`, 'ledger', ledgerView, 0],
    ['ledger?burst=nobody', 'ledger', ledgerView, 0],
    ['audit?subject=nothing', 'audit', auditView, 0],
  ])('%s comes page by page, none twice, none left out', async (list, key, schema, n) => {
    const rows = await all(operator, list, key);
    for (const row of rows) expect(schema.parse(row)).toEqual(row);
    expect(new Set(rows.map((r) => JSON.stringify(r))).size).toBe(n);
    expect(rows).toHaveLength(n);
  });

  it('are the same to a user, of his own rows alone', async () => {
    expect(await all(alice, 'jobs', 'jobs')).toHaveLength(5);
    expect(await all(alice, 'decisions', 'decisions')).toHaveLength(5);
    expect(await all(alice, 'ledger', 'ledger')).toHaveLength(1);
  });

  it('go on behind the last row though new ones come in front', async () => {
    const first = await bed.ask(operator, 'decisions?limit=3');
    await bed.write(decisionOn(bobs, { at: instant(9_000) }));
    const second = await bed.ask(operator, `decisions?limit=3&cursor=${String(first.body.next)}`);
    const ids = [first, second].flatMap(({ body }) => (body.decisions as { id: string }[]).map((d) => d.id));
    expect(new Set(ids).size).toBe(6);
    expect(second.body.next).toBeUndefined();
  });

  it.each([
    ['jobs?limit=0', 'limit'],
    ['jobs?limit=1e2', 'limit'],
    ['jobs?limit=1001', 'limit'],
    ['jobs?state=DONE', 'state'],
    ['jobs?burst=over', 'burst'],
    ['jobs?rule=', 'rule'],
    ['jobs?sort=cpus', 'sort'],
    ['jobs?cluster=%00', 'cluster'],
    ['jobs?user=a&user=b', 'user'],
    ['bursts?state=over', 'state'],
    ['bursts?live=yes', 'live'],
    ['decisions?from=yesterday', 'from'],
    ['decisions?job=4711a', 'job'],
    ['decisions?cursor=AAAA', 'cursor'],
    ['decisions?cursor=bm90IGEgY3Vyc29y', 'cursor'],
    ['ledger?state=spent', 'state'],
    ['audit?subject=', 'subject'],
  ])('%s is refused, and the field named', async (path, field) => {
    const { status, headers, body } = await bed.ask(operator, path);
    expect([status, body.field]).toEqual([400, field]);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body.request).toBe(headers.get('x-request-id'));
  });

  it('show a burst as it is by now, however often it was listed as it was', async () => {
    const stands = async () => {
      const { body } = await bed.ask(operator, 'bursts?account=chemistry');
      return (body.bursts as { id: string; state: string }[]).map(({ id, state }) => [id, state]);
    };
    for (const _ of [1, 2]) expect(await stands()).toEqual([[bobs.id, 'proposed']]);
    await bed.write(putBurst(next(bobs, 'approved')));
    for (const _ of [1, 2]) expect(await stands()).toEqual([[bobs.id, 'approved']]);
  });

  it('are not read out of the database again where nothing of them has changed', async () => {
    for (const [path, table, id] of [
      ['bursts', 'spillway.bursts', 'id'],
      ['decisions?limit=1', 'spillway.receipts', 'n'],
    ] as const) {
      const before = (await bed.ask(operator, path)).body;
      const kept = `${table}_kept`;
      await bed.query(`create table ${kept} as select ${id}, data from ${table}`, bed.database);
      // What is not even a burst: it would be a fault if it were read.
      await bed.query(`update ${table} set data = '{}'`, bed.database);
      try {
        expect((await bed.ask(operator, path)).body).toEqual(before);
      } finally {
        await bed.query(
          `update ${table} t set data = k.data from ${kept} k where k.${id} = t.${id}`,
          bed.database,
        );
        await bed.query(`drop table ${kept}`, bed.database);
      }
    }
  });

  it('take a cursor of no other question', async () => {
    const { body } = await bed.ask(operator, 'decisions?limit=2');
    for (const path of ['decisions?verdict=wait&limit=2', 'bursts?limit=2'])
      expect((await bed.ask(operator, `${path}&cursor=${String(body.next)}`)).body.code).toBe('bad_cursor');
  });

  it.each(['audit', 'bursts', 'decisions', 'instances', 'jobs'])(
    '%s take a cursor of a page alone, whatever somebody writes into one',
    async (list) => {
      const { next } = (await bed.ask(operator, `${list}?limit=1`)).body;
      const [question] = JSON.parse(Buffer.from(String(next), 'base64url').toString()) as [string];
      const marks = [
        [],
        ['x'],
        ['x', 'y'],
        [1.5, 1.5],
        [1e30, 1e30],
        [-1, -1],
        ['\0', 1, '\0'],
        [1, '\0'],
        {},
        null,
      ];
      for (const mark of marks) {
        const { status, body } = await bed.ask(
          operator,
          `${list}?limit=1&cursor=${Buffer.from(JSON.stringify([question, mark])).toString('base64url')}`,
        );
        expect([mark, status, body.code, body.field]).toEqual([mark, 400, 'bad_cursor', 'cursor']);
      }
      expect((await bed.ask(operator, `${list}?limit=1&cursor=${String(next)}`)).status).toBe(200);
    },
  );
});

describe('counts of decisions', () => {
  interface Counts {
    readonly decisions: number;
    readonly verdicts: Readonly<Record<string, number>>;
    readonly rules: readonly { readonly rule: string; readonly wait: number }[];
  }
  const counted = async (token: string, query = ''): Promise<Counts> => {
    const { status, body } = await bed.ask(token, `decisions/counts${query}`);
    expect(status).toBe(200);
    return body as unknown as Counts;
  };

  it.each([
    '',
    '?verdict=never',
    '?rule=backlog&account=physics',
    '?rule=shape',
    '?job=900',
    '?kind=decision',
  ])('are of all that the list has, page by page: %s', async (query) => {
    const listed = (await all(operator, `decisions${query}`, 'decisions')) as unknown as readonly z.output<
      typeof decisionView
    >[];
    const of = await counted(operator, query);
    expect(of.decisions).toBe(listed.length);
    for (const verdict of ['burst', 'wait', 'never'])
      expect(of.verdicts[verdict]).toBe(listed.filter((d) => d.verdict === verdict).length);
    const rules = new Set(listed.flatMap((d) => d.because.filter((r) => !r.pass).map((r) => r.rule)));
    expect(new Set(of.rules.map((r) => r.rule))).toEqual(rules);
    for (const { rule, wait } of of.rules)
      expect(wait).toBe(
        listed.filter((d) => d.verdict === 'wait' && d.because.some((r) => r.rule === rule && !r.pass))
          .length,
      );
  });

  it('are of his own for a user, and of nobody else', async () => {
    expect((await counted(alice)).decisions).toBe(5);
    expect((await bed.ask(alice, 'decisions/counts?user=bob')).body).toMatchObject({ code: 'forbidden' });
    expect((await bed.ask(operator, 'decisions/counts?limit=3')).body).toMatchObject({ status: 400 });
  });
});

describe('costs of jobs', () => {
  const asked = async (token: string, ...jobs: readonly string[]) => {
    const body = { jobs: jobs.map((job) => ({ cluster, job })) };
    const answer = await bed.ask(token, 'jobs/costs', { body });
    expect(answer.status).toBe(200);
    return (answer.body.costs as unknown[]).map((c) => burstCostView.parse(c));
  };

  it('are what each burst under way would cost: expected by its decision, at most what it was offered at or holds', async () => {
    const quoted = offered(104, 'alice');
    const running = burstOfJob(103, 'alice', { price: { held: 3_000_000, rates: {} } });
    await bed.write(putBurst(quoted), putBurst(running), decisionOn(quoted, { burst: quoted.id }));
    const costs = await asked(operator, '100', '103', '104', '200');
    expect(new Map(costs.map((c) => [c.job, c]))).toEqual(
      new Map([
        ['103', expect.objectContaining({ burst: running.id, open: false, maxMicroUsd: 3_000_000 })],
        ['104', expect.objectContaining({ open: true, expectedMicroUsd: 800_001, maxMicroUsd: 2_500_000 })],
        ['200', expect.objectContaining({ user: 'bob', open: false })],
      ]),
    );
    expect(costs.find((c) => c.job === '103')?.expectedMicroUsd).toBeUndefined();
    expect((await asked(alice, '104', '200')).map((c) => c.job)).toEqual(['104']);
  });

  it('of an array by its bare id are those of its tasks', async () => {
    const task = burstOfJob(300, 'bob', { ref: jobRef('300_7') });
    await bed.write(putBurst(task));
    expect(await asked(operator, '300', '300_7')).toMatchObject([{ burst: task.id, job: '300_7' }]);
  });

  it('are told for so many jobs at once, and of no cluster that there is not', async () => {
    const jobs = Array.from({ length: costsAtMost + 1 }, (_, i) => ({ cluster, job: String(i) }));
    const { status, body } = await bed.ask(operator, 'jobs/costs', { body: { jobs } });
    expect([status, body.code, body.field]).toEqual([400, 'bad_order', 'jobs']);
    const elsewhere = { jobs: [{ cluster: 'none', job: '104' }] };
    expect((await bed.ask(operator, 'jobs/costs', { body: elsewhere })).body.costs).toEqual([]);
  });
});

describe('one job', () => {
  it('that is over tells Slurm’s own word, the exit code and a timeline', async () => {
    const { body } = await bed.ask(alice, 'jobs/900');
    const [job] = (body.jobs as unknown[]).map((j) => jobFactsView.parse(j));
    expect(job).toMatchObject({ state: 'TIMEOUT', exit: { code: 0, signal: 15 } });
    const timeline = job?.bursts[0]?.timeline ?? [];
    expect(timeline.map((s) => s.to).slice(0, 3)).toEqual(['proposed', 'approved', 'reserved']);
    expect(timeline.at(-1)?.forMs).toBeUndefined();
    expect(timeline[0]?.forMs).toBeGreaterThanOrEqual(0);
    expect(job?.bursts[0]?.heldMicroUsd).toBe(5_000_000);
  });

  it('that waits comes from the last look, with its burst', async () => {
    const { body } = await bed.ask(operator, 'jobs/200');
    const [job] = (body.jobs as unknown[]).map((j) => jobFactsView.parse(j));
    expect(job).toMatchObject({ state: 'PENDING', queue: { user: 'bob', burst: { id: bobs.id } } });
  });

  it.each([
    ['jobs/999', 404],
    ['jobs/x', 400],
    ['jobs/1_2_3', 400],
    ['jobs/99999999999', 400],
    ['bursts/nobody', 404],
    ['bursts/a%20b', 400],
    ['why/999', 404],
    ['why/%20', 400],
  ])('%s: %i', async (path, status) => {
    expect((await bed.ask(operator, path)).status).toBe(status);
  });

  it('a burst comes alone, too', async () => {
    const { status, body } = await bed.ask(alice, `bursts/${ended.id}`);
    expect(status).toBe(200);
    const facts = burstFactsView.parse(body.burst);
    expect(facts.end).toEqual({ state: 'TIMEOUT', code: 0, signal: 15 });
    expect(facts.submitted).toBe(new Date(ended.submitAt).toISOString());
  });
});

it.each<[string, string, z.ZodType]>([
  ['groups', 'groups', groupView],
  ['forecast', 'clusters', forecastView],
  ['instances', 'instances', instanceView],
])('%s is what its schema says', async (path, key, schema) => {
  const { status, body } = await bed.ask(operator, path);
  expect(status).toBe(200);
  for (const row of body[key] as unknown[]) expect(schema.parse(row)).toEqual(row);
});

it('the ledger tells the node group of a burst and of an instance, which may have several rows', async () => {
  const own = await makeBed();
  try {
    const [burst, machine] = [burstOfJob(910, 'alice', { group: 'gpu' }), anInstance({ cluster })];
    const hold = { cluster, user: 'alice', microUsd: 1_000, at: instant(20), limits: [] };
    const held = (of: LedgerRow['burst'], account: string): Write => ({
      ...{ kind: 'hold', hold: { ...hold, burst: of, account } },
    });
    await own.write(putBurst(burst), held(burst.id, 'physics'), putInstance(machine));
    for (const nth of [0, 1]) await own.write(held(overheadId(machine.id, nth), overheadAccount));
    await own.write(held(burstOfJob(911, 'alice').id, 'physics'));
    const { body } = await own.ask(await own.token('olga', 'operator'), 'ledger');
    const rows = (body.ledger as unknown[]).map((r) => ledgerView.parse(r));
    const groups = new Map(rows.map((r) => [r.burst, r.group]));
    expect([burst.id, machine.id, `${machine.id}/1`].map((id) => groups.get(id))).toEqual([
      'gpu',
      'cpu',
      'cpu',
    ]);
    // Of the last there is no burst any more.
    expect([rows.length, [...groups.values()].filter((g) => g === undefined).length]).toEqual([4, 1]);
  } finally {
    await own.close();
  }
});

describe('one receipt', () => {
  const idOf = async (query: string): Promise<string> =>
    String(((await bed.ask(operator, `decisions?${query}`)).body.decisions as { id: string }[])[0]?.id);

  it('comes alone, as the list has it', async () => {
    const { body } = await bed.ask(operator, 'decisions?job=900&limit=1');
    const [listed] = body.decisions as unknown[];
    const alone = await bed.ask(alice, `decisions/${await idOf('job=900&limit=1')}`);
    expect([alone.status, decisionView.parse(alone.body.decision)]).toEqual([200, listed]);
  });

  it('of another is told from none by nobody', async () => {
    const another = await bed.ask(alice, `decisions/${await idOf('job=200&limit=1')}`);
    const none = await bed.ask(alice, 'decisions/00000000-0000-4000-8000-000000000000');
    for (const { status, body } of [another, none])
      expect([status, body.code, body.detail]).toEqual([
        404,
        'not_found',
        expect.stringMatching(/^there is no receipt /),
      ]);
    const { status, body } = await bed.ask(operator, 'decisions/7');
    expect([status, body.code]).toEqual([400, 'bad_path']);
  });
});

it('bursts under way are counted, with those that stand out, for whoever may see them', async () => {
  const own = await makeBed();
  try {
    const begun = (id: number, user: string, startedAt: number, held: number) => {
      const price = { held, rates: {} };
      return burstOfJob(id, user, { state: 'running', startedAt: instant(startedAt), price });
    };
    // Bob's has run longest and holds most; another's is offered, so it has not begun and holds nothing.
    for (const b of [begun(920, 'alice', 2_000, 500), begun(921, 'bob', 1_000, 900), offered(922, 'carol')])
      await own.write(putBurst(b));
    const counted = async (user: string, role: Role) =>
      burstCountsView.parse((await own.ask(await own.token(user, role), 'bursts/counts')).body);
    const all = await counted('olga', 'operator');
    expect(all.counts).toHaveLength(2);
    expect(all.counts).toEqual(
      expect.arrayContaining([
        { cluster, state: 'running', bursts: 2 },
        { cluster, state: 'proposed', bursts: 1 },
      ]),
    );
    const bobs = { cluster, job: '921', user: 'bob', account: 'chemistry' };
    expect([all.longest, all.costliest]).toEqual([
      { ...bobs, started: '1970-01-01T00:00:01.000Z' },
      { ...bobs, heldMicroUsd: 900 },
    ]);
    const hers = { cluster, job: '920', user: 'alice', account: 'physics' };
    expect(await counted('alice', 'user')).toEqual({
      counts: [{ cluster, state: 'running', bursts: 1 }],
      longest: { ...hers, started: '1970-01-01T00:00:02.000Z' },
      costliest: { ...hers, heldMicroUsd: 500 },
    });
    expect(await counted('carol', 'user')).toEqual({ counts: [{ cluster, state: 'proposed', bursts: 1 }] });
    expect(await counted('dave', 'user')).toEqual({ counts: [] });
  } finally {
    await own.close();
  }
});

it('a group has what the cloud had none of, where this gateway leads', async () => {
  const lack = { type: 'm.large', zone: 'a', capacityType: 'spot', why: 'quota' } as const;
  const groups = [{ ...group, name: 'cpu' }];
  const lacksOf = async (over: Parameters<typeof makeBed>[0]) => {
    const own = await makeBed({ groups, ...over });
    try {
      const { body } = await own.ask(await own.token('olga', 'operator'), 'groups');
      return (body.groups as unknown[]).map((g) => groupView.parse(g).lacks);
    } finally {
      await own.close();
    }
  };
  expect(await lacksOf({ lacks: [{ ...lack, until: instant(1_000) }] })).toEqual([
    [{ type: 'm.large', zone: 'a', capacity: 'spot', why: 'quota', until: '1970-01-01T00:00:01.000Z' }],
  ]);
  expect(await lacksOf({})).toEqual([undefined]);
});

it('what may cost something is counted, beside the groups', async () => {
  const { body } = await bed.ask(operator, 'groups');
  // They were only wished for.
  expect(upView.parse(body.up)).toEqual({ instances: 0, microUsdPerHour: 0, unpriced: 0 });
});

it('the forecast counts what waits, by partition', async () => {
  const { body } = await bed.ask(alice, 'forecast');
  expect((body.clusters as { backlog: unknown }[])[0]?.backlog).toMatchObject([
    { partition: 'batch', pending: 6, pendingCpus: 6 },
    { partition: 'gpu', pending: 3 },
  ]);
});

it('the forecast says until when its look counts, and by which clock', async () => {
  const before = Date.now();
  const { body } = await bed.ask(alice, 'forecast');
  // Five polls of 30 s, as the gateway itself reckons.
  expect(body.clusters).toMatchObject([{ staleAfterMs: 150_000 }]);
  expect(Date.parse(String(body.now))).toBeGreaterThanOrEqual(before);
});

it('what is not there says so, and what may be asked', async () => {
  expect((await bed.ask(operator, 'nothing')).body).toMatchObject({ status: 404, code: 'not_found' });
  const { status, headers } = await bed.ask(operator, 'jobs', { method: 'DELETE' });
  expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

it('every answer carries a request id, of the asker where he has one, and forbids what a page could do with it', async () => {
  const own = await bed.ask(alice, 'me', { headers: { 'x-request-id': 'portal-7' } });
  expect(own.headers.get('x-request-id')).toBe('portal-7');
  const odd = await bed.ask(alice, 'me', { headers: { 'x-request-id': 'a b' } });
  expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(odd.headers.get('cache-control')).toBe('no-store');
  expect(odd.headers.get('x-content-type-options')).toBe('nosniff');
  expect(odd.headers.get('access-control-allow-origin')).toBeNull();
});
