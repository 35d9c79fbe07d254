/** What the page keeps as a view, what an action on many jobs is about, and how it is carried out. */
import { describe, expect, it } from 'vitest';
import type { BurstCostView, QueueJobView } from '../../src/api/portal-schemas.ts';
import { planOf } from '../../src/web/pages/jobs/bulk.ts';
import { carryOut, type Outcome } from '../../src/web/pages/jobs/carry.ts';
import { readViews, viewQuery, viewsAtMost, withView } from '../../src/web/pages/jobs/views.ts';
import { Problem } from '../../src/web/problem.ts';

describe('a saved view', () => {
  it('is what of an address chooses and groups, in one order', () => {
    const a = viewQuery(new URLSearchParams('by=rule&account=physics&receipt=7&q='));
    expect(a).toBe('account=physics&by=rule');
    expect(viewQuery(new URLSearchParams(a))).toBe(a);
  });

  it('takes the place of one of its name, in the order of names', () => {
    const views = withView([{ name: 'b', query: 'q=1' }], { name: 'a', query: 'q=2' }) ?? [];
    expect(views.map((v) => v.name)).toEqual(['a', 'b']);
    expect(withView(views, { name: 'b', query: 'q=3' })?.at(1)?.query).toBe('q=3');
  });

  it('is not one too many', () => {
    const views = Array.from({ length: viewsAtMost }, (_, i) => ({ name: `v${i}`, query: 'q=1' }));
    expect(withView(views, { name: 'one more', query: 'q=1' })).toBeUndefined();
    expect(withView(views, { name: 'v7', query: 'q=2' })).toHaveLength(viewsAtMost);
  });

  it.each([
    [undefined],
    ['no JSON'],
    ['{}'],
    ['[null, 1, {"name": 7, "query": ""}, {"name": ""}]'],
    [JSON.stringify([{ name: 'x'.repeat(61), query: '' }])],
  ])('that a browser does not have, or that is none, is left out: %s', (text) => {
    expect(readViews(text)).toEqual([]);
  });

  it('is read as it was written, without what is no filter', () => {
    expect(readViews(JSON.stringify([{ name: 'a', query: 'state=PENDING&evil=1' }]))).toEqual([
      { name: 'a', query: 'state=PENDING' },
    ]);
  });
});

const row = (job: string, over: Partial<QueueJobView> = {}): QueueJobView => ({
  ...{ cluster: 'c', job, jobId: 1, user: 'ann', account: 'a', name: 'n', partition: 'p', qos: 'q' },
  ...{ state: 'PENDING', reason: 'Priority', submitted: '', cpus: 1, nodes: 1, restarts: 0, nodeList: '' },
  ...over,
});
const cost = (job: string, over: Partial<BurstCostView> = {}): BurstCostView => ({
  ...{ burst: `b${job}`, cluster: 'c', job, user: 'ann', account: 'a', name: 'n', state: 'proposed' },
  ...{ open: true, expectedMicroUsd: 1_000_000, maxMicroUsd: 3_000_000 },
  ...over,
});

describe('an action on many jobs', () => {
  it('is about the quotes that wait among them, and sums what they would cost, known and not', () => {
    const { expectedMicroUsd: _, ...unknown } = cost('2');
    const plan = planOf(
      'approve',
      [row('1'), row('2'), row('3'), row('4')],
      [cost('1'), unknown, cost('3', { open: false })],
    );
    expect(plan.items.map((i) => i.burst)).toEqual(['b1', 'b2']);
    expect(plan.money).toEqual({
      ...{ bursts: 2, expected: { microUsd: 1_000_000, unknown: 1 } },
      most: { microUsd: 6_000_000, unknown: 0 },
    });
    expect([...plan.left]).toEqual([['no_quote', 2]]);
  });

  it('of an array is about the quotes of its tasks, each once though a task was chosen too', () => {
    const costs = [cost('7_1'), cost('7_2')];
    const plan = planOf('decline', [row('7'), row('7_2', { state: 'RUNNING' })], costs);
    expect(plan.items.map((i) => i.job)).toEqual(['7_1', '7_2']);
    expect(plan.money.bursts).toBe(2);
    const held = planOf('hold', [row('7'), row('7_2')], costs);
    expect(held.items.map((i) => [i.job, i.money.bursts])).toEqual([
      ['7', 2],
      ['7_2', 1],
    ]);
    expect(held.money).toMatchObject({ bursts: 2, most: { microUsd: 6_000_000 } });
  });

  it.each(['hold', 'release'] as const)('%s of an array is about no burst that runs', (action) => {
    const reason = action === 'hold' ? 'Priority' : 'JobHeldUser';
    const costs = [cost('7_1', { state: 'running', open: false }), cost('7_2')];
    const plan = planOf(action, [row('7', { reason, arrayTask: '2-9' })], costs);
    expect(plan.money).toMatchObject({ bursts: 1, most: { microUsd: 3_000_000 } });
    expect(plan.items[0]?.money.bursts).toBe(1);
  });

  it('leaves out what the list does not have any more: it was chosen while it waited, and may run', () => {
    const plan = planOf('cancel', [row('1'), row('2')], [], new Set(['c/1']));
    expect([plan.items.map((i) => i.job), ...plan.left]).toEqual([['2'], ['gone', 1]]);
  });

  it('takes no job of the same number in another cluster', () => {
    expect(planOf('approve', [row('1')], [cost('1', { cluster: 'd' })]).items).toEqual([]);
  });

  it.each([
    ['hold', { reason: 'JobHeldUser' }, 'held'],
    ['hold', { state: 'RUNNING' }, 'not_waiting'],
    ['release', {}, 'not_held'],
    ['release', { reason: 'JobHeldAdmin' }, 'held_by_admin'],
    ['cancel', { state: 'TIMEOUT' }, 'over'],
    // By the number that it has all its tasks would go, also those that the list does not show.
    ['cancel', { arrayTask: '3-9%2' }, 'whole_array'],
  ] as const)('%s leaves out what it would do nothing to: %o', (action, over, why) => {
    const plan = planOf(action, [row('1', over)], []);
    expect([plan.items.length, ...plan.left]).toEqual([0, [why, 1]]);
  });

  it.each([
    ['hold', {}],
    ['release', { reason: 'JobHeldUser' }],
    ['cancel', { state: 'RUNNING' }],
    ['cancel', { state: 'RUNNING', arrayTask: '3' }],
    ['hold', { arrayTask: '3-9%2' }],
    ['cancel', { state: 'UNKNOWN' }],
  ] as const)('%s takes %o, and no dollars where nothing is in the cloud', (action, over) => {
    const plan = planOf(action, [row('1', over)], []);
    expect([plan.items.length, plan.left.size, plan.money.bursts]).toEqual([1, 0, 0]);
  });
});

describe('carrying it out', () => {
  const items = Array.from({ length: 9 }, (_, i) => i);
  async function run(act: (i: number) => Promise<unknown>, stopAfter = Number.POSITIVE_INFINITY) {
    const outcomes = new Map<number, Outcome>();
    const waited: number[] = [];
    let ended = 0;
    await carryOut(
      items,
      act,
      (i, outcome) => {
        outcomes.set(i, outcome);
        if (outcome.kind !== 'doing') ended += 1;
      },
      { stopped: () => ended >= stopAfter, wait: async (ms) => void waited.push(ms) },
    );
    const kinds = items.map((i) => outcomes.get(i)?.kind);
    return { kinds, waited, outcomes };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('does each once, a few at a time', async () => {
    const done: number[] = [];
    let now = 0;
    let most = 0;
    const { kinds } = await run(async (i) => {
      most = Math.max(most, ++now);
      await turn();
      now -= 1;
      done.push(i);
    });
    expect(kinds.every((k) => k === 'done')).toBe(true);
    expect([done.toSorted((a, b) => a - b), most]).toEqual([items, 4]);
  });

  it('goes on past one that is refused, and tells why', async () => {
    const { outcomes, kinds } = await run(async (i) => {
      if (i === 2) throw new Problem(409, 'conflict', 'declined by olga');
      if (i === 3) throw new Problem(503, 'not_available', 'Slurm is away');
      if (i === 4) throw new Problem(409, 'still_running', 'the first is under way');
    });
    expect(kinds.filter((k) => k === 'done')).toHaveLength(6);
    expect(outcomes.get(2)).toEqual({ kind: 'refused', why: 'declined by olga' });
    expect([outcomes.get(3)?.kind, outcomes.get(4)?.kind]).toEqual(['unknown', 'unknown']);
  });

  it('waits as long as it is told where it goes too fast, and asks the same again', async () => {
    let tries = 0;
    const { kinds, waited } = await run(async (i) => {
      if (i === 1 && ++tries < 3) throw new Problem(429, 'too_many_requests', 'too fast', 2_000);
    });
    expect([kinds.every((k) => k === 'done'), waited]).toEqual([true, [2_000, 2_000]]);
  });

  it.each([
    [new Problem(0, 'unreachable', 'no gateway'), 'unknown'],
    [new Problem(401, 'not_authenticated', 'who is it?'), 'waiting'],
  ])('begins no more once nobody can be asked: %s', async (problem, kind) => {
    let asked = 0;
    const { kinds } = await run(async () => {
      asked += 1;
      await turn();
      throw problem;
    });
    expect([asked, kinds.filter((k) => k === kind).length]).toEqual([4, 4]);
    expect(kinds.slice(4)).toEqual(Array(5).fill(undefined));
  });

  it('begins no more once it is stopped, and tells what became of those under way', async () => {
    const { kinds } = await run(turn, 1);
    expect(kinds.slice(0, 4)).toEqual(Array(4).fill('done'));
    expect(kinds.slice(4)).toEqual(Array(5).fill(undefined));
  });
});
