/** What a coordinator of an account is shown, route by route: what is of his account in his cluster, and not what is another's. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import type { Coordinated } from '../../src/domain/caller.ts';
import { clusterName, instant, jobRef } from '../../src/domain/ids.ts';
import type { Snapshot } from '../../src/domain/job.ts';
import { orderId } from '../../src/domain/order.ts';
import type { Write } from '../../src/ports.ts';
import { detail } from '../burst/fixtures.ts';
import { newId } from '../contract/samples.ts';
import { type Bed, burstOfJob, cluster, decisionOn, makeBed, offered, putBurst } from './bed.ts';

const other = clusterName('hpc2');
const budget = { microUsd: 9, per: 'month', hard: true, held: 0, spent: 0, since: instant(0) } as const;
/** By user; what slurmdbd says may change. */
const says = new Map<string, Coordinated>();
const physicsHere = (): Coordinated => new Map([[cluster, new Set(['physics', 'physics-theory'])]]);

let bed: Bed;
/** Coordinates physics in hpc1, and has one job of his own in chemistry. */
let prof: string;
let bob: string;
const made: Record<'alices' | 'bobs' | 'own' | 'elsewhere' | 'below', Burst> = {
  alices: { ...offered(100, 'alice'), account: 'physics' },
  bobs: offered(200, 'bob'),
  own: { ...offered(400, 'prof'), account: 'chemistry' },
  elsewhere: { ...offered(500, 'alice'), cluster: other },
  below: { ...burstOfJob(600, 'eve'), account: 'physics-theory' },
};

beforeAll(async () => {
  const elsewhere: Snapshot = {
    ...{ cluster: other, at: instant(Date.now()), tookMs: 1, partitions: [], nodes: [], partial: [] },
    jobs: [detail({ ref: jobRef('500'), id: 500, user: 'alice', account: 'physics' })],
  };
  bed = await makeBed({
    elsewhere,
    coordinators: { of: async (user) => says.get(user) ?? new Map() },
    served: {
      budgets: async () => [
        { ...budget, cluster, account: 'physics', user: undefined },
        { ...budget, cluster, account: 'physics', user: 'alice' },
        { ...budget, cluster, account: 'chemistry', user: undefined },
        { ...budget, cluster: other, account: 'physics', user: undefined },
        { ...budget, cluster, account: undefined, user: 'alice' },
        { ...budget, cluster, account: undefined, user: 'prof' },
      ],
    },
  });
  [prof, bob] = [await bed.token('prof', 'user'), await bed.token('bob', 'user')];
  const writes = (b: Burst): Write[] => {
    const { id: burst, account, user } = b;
    const hold = {
      ...{ burst, account, user, cluster: b.cluster },
      microUsd: 5,
      at: instant(10),
      limits: [],
    };
    return [putBurst(b), { kind: 'hold', hold } as Write, decisionOn(b, { burst, cluster: b.cluster })];
  };
  for (const b of Object.values(made)) {
    const epoch = await bed.store.newestEpoch(b.cluster);
    expect(await bed.store.commit(newId(), b.cluster, epoch, writes(b))).toBe('ok');
  }
});
afterAll(() => bed.close());
beforeEach(() => {
  says.clear();
  says.set('prof', physicsHere());
});

interface Row {
  readonly id?: string;
  readonly burst?: string;
  readonly job?: string;
  readonly user?: string;
  readonly account?: string;
}

/** All rows, a page of one at a time where it comes in pages. */
async function rows(token: string, list: string, key = list): Promise<readonly Row[]> {
  const found: Row[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await bed.ask(token, `${list}${cursor}`);
    expect([list, status]).toEqual([list, 200]);
    found.push(...(body[key] as Row[]));
    if (body.next === undefined) return found;
    cursor = `${list.includes('?') ? '&' : '?'}cursor=${String(body.next)}`;
  }
}
const paged = (list: string) => `${list}${list.includes('?') ? '&' : '?'}limit=1`;
const names = (of: readonly Row[]): string[] => of.map((r) => `${r.user}/${r.account}`).sort();

describe('of his account, and his own elsewhere, he sees', () => {
  const seen = ['alice/physics', 'eve/physics-theory', 'prof/chemistry'];

  it.each([
    ['bursts', 'bursts'],
    ['decisions', 'decisions'],
    ['ledger', 'ledger'],
  ])('in %s each row once, page by page', async (list, key) => {
    expect(names(await rows(prof, paged(list), key))).toEqual(seen);
    expect(names(await rows(bob, paged(list), key))).toEqual(['bob/chemistry']);
  });

  it.each([
    ['account=physics', ['alice/physics']],
    ['account=chemistry', ['prof/chemistry']],
    ['user=alice', ['alice/physics']],
    ['user=prof', ['prof/chemistry']],
    ['user=bob', []],
    ['user=eve&account=physics', []],
    ['cluster=hpc2', []],
    ['cluster=hpc1&account=physics-theory', ['eve/physics-theory']],
  ])('what he filters by, of that: %s', async (query, expected) => {
    for (const list of ['bursts', 'decisions', 'ledger'])
      expect([list, names(await rows(prof, paged(`${list}?${query}`), list))]).toEqual([list, expected]);
  });

  it('decisions counted, as the list has them', async () => {
    const counted = async (token: string, query = '') =>
      (await bed.ask(token, `decisions/counts${query}`)).body.decisions;
    expect(await counted(prof)).toBe(3);
    expect(await counted(prof, '?user=alice')).toBe(1);
    expect(await counted(prof, '?user=bob')).toBe(0);
    expect(await counted(prof, '?cluster=hpc2')).toBe(0);
    expect(await counted(bob)).toBe(1);
  });

  it('bursts under way counted, as the list has them', async () => {
    const counted = async (token: string) =>
      ((await bed.ask(token, 'bursts/counts')).body.counts as { cluster: string; bursts: number }[]).reduce(
        (sum, { bursts }) => sum + bursts,
        0,
      );
    const live = async (token: string) => (await rows(token, 'bursts?live=true', 'bursts')).length;
    for (const token of [prof, bob]) expect(await counted(token)).toBe(await live(token));
    expect(await counted(prof)).toBeGreaterThan(await counted(bob));
    expect(await counted(bob)).toBe(1);
  });

  it('jobs of the queue, and their counts', async () => {
    expect(new Set(names(await rows(prof, 'jobs?limit=2', 'jobs')))).toEqual(new Set(['alice/physics']));
    expect(await rows(prof, 'jobs?q=10&user=alice', 'jobs')).toHaveLength(5);
    const counts = async (token: string) =>
      ((await bed.ask(token, 'jobs/counts?by=account')).body.counts as Record<string, unknown>[]).map(
        ({ cluster: of, key, jobs }) => [of, key, jobs],
      );
    expect(await counts(prof)).toEqual([[cluster, 'physics', 5]]);
    expect(await counts(bob)).toEqual([[cluster, 'chemistry', 4]]);
    says.set('prof', new Map([[other, new Set(['physics'])]]));
    expect(await counts(prof)).toEqual([[other, 'physics', 1]]);
  });

  it('one job, one burst and why, and of others none', async () => {
    for (const [path, ok] of [
      ['jobs/100', 200],
      ['jobs/200', 404],
      ['jobs/500', 404],
      ['why/100', 200],
      ['why/200', 404],
      ['why/500', 404],
      [`bursts/${made.alices.id}`, 200],
      [`bursts/${made.below.id}`, 200],
      [`bursts/${made.bobs.id}`, 404],
      [`bursts/${made.elsewhere.id}`, 404],
    ] as const)
      expect([path, (await bed.ask(prof, path)).status]).toEqual([path, ok]);
  });

  it('quotes that wait, and what jobs would cost', async () => {
    const quotes = await rows(prof, 'quotes');
    expect(names(quotes)).toEqual(['alice/physics', 'prof/chemistry']);
    const jobs = Object.values(made).map((b) => ({ cluster: b.cluster, job: b.ref }));
    const { body } = await bed.ask(prof, 'jobs/costs', { body: { jobs } });
    expect(names(body.costs as Row[])).toEqual(seen);
  });

  it('budgets of his accounts and of his name', async () => {
    expect(names(await rows(prof, 'budgets'))).toEqual([
      'alice/physics',
      'prof/undefined',
      'undefined/physics',
    ]);
    expect(await rows(bob, 'budgets')).toEqual([]);
  });

  it('and is told which accounts these are', async () => {
    const { body } = await bed.ask(prof, 'me');
    expect(body.coordinates).toEqual([{ cluster, accounts: ['physics', 'physics-theory'] }]);
    expect((await bed.ask(bob, 'me')).body.coordinates).toBeUndefined();
  });
});

describe('reading alone is his', () => {
  it.each([
    ['bursts/ID/approve', {}],
    ['bursts/ID/decline', {}],
  ])('%s is an operator’s', async (path, body) => {
    expect((await bed.ask(prof, path.replace('ID', made.alices.id), { body })).status).toBe(403);
  });

  it('the audit and the switch are not his either', async () => {
    expect((await bed.ask(prof, `audit?subject=${made.alices.id}`)).status).toBe(403);
    expect((await bed.ask(prof, 'stop', { body: { reason: 'x' } })).status).toBe(403);
  });
});

describe('whom slurmdbd does not call one', () => {
  it('sees his own alone, also from the middle of a list on', async () => {
    const first = await bed.ask(prof, 'bursts?limit=1');
    expect(first.body.next).toBeDefined();
    says.clear();
    const rest = await bed.ask(prof, `bursts?limit=1&cursor=${String(first.body.next)}`);
    expect(rest.status).toBe(200);
    for (const { user } of rest.body.bursts as Row[]) expect(user).toBe('prof');
    expect(names(await rows(prof, paged('bursts'), 'bursts'))).toEqual(['prof/chemistry']);
    expect((await bed.ask(prof, 'bursts?user=alice')).status).toBe(403);
    expect((await bed.ask(prof, `bursts/${made.alices.id}`)).status).toBe(404);
    expect((await bed.ask(prof, 'me')).body.coordinates).toBeUndefined();
  });

  it('is not asked about where he is an operator, who sees all', async () => {
    const olga = await bed.token('olga', 'operator');
    says.set('olga', physicsHere());
    expect(await rows(olga, paged('bursts'), 'bursts')).toHaveLength(5);
    expect((await bed.ask(olga, 'me')).body.coordinates).toBeUndefined();
  });
});

it('his event stream tells of bursts of his accounts, and not of what is ordered of their jobs', async () => {
  const stop = new AbortController();
  const response = await fetch(`${bed.base}/api/v1/events`, {
    headers: { authorization: `Bearer ${prof}` },
    signal: stop.signal,
  });
  const heard: string[] = [];
  void (async () => {
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString('utf8');
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const subject = /"subject":"([^"]+)"/.exec(part)?.[1];
        if (subject !== undefined) heard.push(subject);
        else if (part.includes('event: begin')) heard.push('begin');
      }
    }
  })().catch(() => undefined);
  try {
    await expect.poll(() => heard).toEqual(['begin']);
    const [theirs, bobs] = [burstOfJob(101, 'alice'), burstOfJob(201, 'bob')];
    const id = orderId(newId());
    const asked = { id, by: 'root@gw', what: 'read the output of job 101', cluster, ref: jobRef('101') };
    await bed.desk.askOrder({ ...asked, user: 'alice' });
    await bed.write(putBurst(bobs));
    await bed.write(putBurst(theirs));
    await bed.store.stop(cluster, 'olga', 'drill');
    await expect.poll(() => heard, { timeout: 10_000 }).toEqual(['begin', theirs.id, `stop/${cluster}`]);
  } finally {
    stop.abort();
  }
});
