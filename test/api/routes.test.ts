/** The API's lists over HTTP, on a façade that holds samples. */
import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { app, type Facade, type PortalFacade } from '../../src/api/app.ts';
import { budgetView, burstView, decisionView, instanceView } from '../../src/api/schemas.ts';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import { aBurst, aFullBurst, aFullInstance, anInstance, aReceipt } from '../contract/samples.ts';
import { grounds } from './grounds.ts';

const at = instant(Date.UTC(2026, 0, 5, 8));
const burst = aFullBurst();
const receipt = aReceipt(burst);
const asked: unknown[][] = [];
let away = false;

const facade: Facade = {
  readiness: async () => ({ ready: true, checks: [], troubles: [], stopped: [] }),
  stops: async () => [],
  stop: async () => undefined,
  resume: async () => undefined,
  why: async () => [],
  quotes: async () => [],
  again: async () => [],
  capacities: async () => [],
  turnDrain: async () => undefined,
  ramps: async () => [],
  reports: async () => [],
  liftRamp: async () => undefined,
  limitRamp: async () => undefined,
  answer: async () => undefined,
  delegate: async () => undefined,
  expire: async () => undefined,
  mayAnswer: async () => false,
  burst: async () => undefined,
  budgets: async () => [
    {
      cluster: clusterName('hpc1'),
      account: 'physics',
      microUsd: 5_000_000,
      per: 'month',
      hard: true,
      held: 1_250_000,
      spent: 3,
      since: at,
    },
    {
      cluster: clusterName('hpc1'),
      ...{ account: undefined, user: 'bob', source: 'csv budgets.csv line 4' },
      microUsd: 9_000_000,
      per: 'total',
      hard: false,
      held: 0,
      spent: 0,
      since: instant(0),
    },
  ],
};

const portal = {
  decision: async (id) => (id === receipt.id ? receipt : undefined),
  ledger: async (...args) => {
    asked.push(args);
    return { rows: [], next: undefined };
  },
  instances: async (...args) => {
    asked.push(args);
    return { rows: [aFullInstance(), anInstance()], next: [at, 'i-1'] };
  },
  bursts: async (...args) => {
    asked.push(args);
    return { rows: [burst, aBurst()], next: undefined };
  },
  decisions: async (...args) => {
    asked.push(args);
    if (away) throw new PortError('unreachable', 'desk.receipts', 'the database is away');
    return {
      rows: [
        aReceipt(burst, { burst: burst.id, verdict: 'burst', text: 'It waits too long.' }),
        aReceipt(burst),
      ],
      next: undefined,
    };
  },
} as Partial<PortalFacade> as PortalFacade;

let server: Server;
let base: string;
const complaints: unknown[] = [];
beforeAll(async () => {
  server = app(grounds(facade, { portal, log: (error) => complaints.push(error) })).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

async function get(path: string): Promise<{ status: number; type: string; body: unknown }> {
  const response = await fetch(`${base}${path}`);
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, type, body: await response.json() };
}

it('an API that asks nobody who he is answers only by a loopback name: a web page’s own name is none', async () => {
  const as = (host: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request(`${base}/api/v1/bursts`, { headers: { host } }, (res) => {
        res.resume();
        resolve(res.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  expect(await as('rebound.example.org')).toBe(403);
  expect(await as('localhost:8080')).toBe(200);
});

describe('every list', () => {
  const lists = {
    bursts: burstView,
    decisions: decisionView,
    instances: instanceView,
    budgets: budgetView,
  } as const;

  it.each(Object.entries(lists))('%s is what its schema says', async (name, schema) => {
    const { status, body } = await get(`/api/v1/${name}`);
    expect(status).toBe(200);
    const rows = (body as Record<string, unknown[]>)[name] ?? [];
    expect(rows).toHaveLength(2);
    for (const row of rows) expect(schema.parse(row)).toEqual(row);
  });

  it.each(['bursts', 'decisions', 'instances'])('%s asks for as many as were wished', async (name) => {
    await get(`/api/v1/${name}`);
    expect(asked.at(-1)?.at(-1)).toEqual({ limit: 100 });
    await get(`/api/v1/${name}?limit=7`);
    expect(asked.at(-1)?.at(-1)).toEqual({ limit: 7 });
  });

  it('of instances goes on behind its page, of the same question alone', async () => {
    const { body } = await get('/api/v1/instances?live=true&cluster=hpc1&limit=7');
    expect(asked.at(-1)).toEqual([{ cluster: 'hpc1', live: true }, { limit: 7 }]);
    const { next } = body as { next: string };
    expect((await get(`/api/v1/instances?live=true&cluster=hpc1&limit=7&cursor=${next}`)).status).toBe(200);
    expect(asked.at(-1)).toEqual([
      { cluster: 'hpc1', live: true },
      { limit: 7, after: [at, 'i-1'] },
    ]);
    for (const other of ['live=false&cluster=hpc1', 'cluster=hpc1', 'live=true'])
      expect(await get(`/api/v1/instances?${other}&cursor=${next}`)).toMatchObject({
        ...{ status: 400, body: { code: 'bad_cursor' } },
      });
  });

  it.each([
    ['bursts?limit=0', 'limit'],
    ['decisions?limit=1001', 'limit'],
    ['instances?limit=all', 'limit'],
    ['instances?live=yes', 'live'],
    ['budgets?account=physics', 'account'],
    ['decisions?state=burst', 'state'],
  ])('%s is refused, with the field that is wrong', async (path, field) => {
    const { status, type, body } = await get(`/api/v1/${path}`);
    expect(status).toBe(400);
    expect(type).toContain('application/problem+json');
    expect(body).toMatchObject({ title: 'Bad query', status: 400, detail: expect.stringContaining(field) });
  });
});

it('one decision comes by its id, and what is none is said to be none', async () => {
  const { status, body } = await get(`/api/v1/decisions/${receipt.id}`);
  expect([status, (body as { decision: unknown }).decision]).toMatchObject([200, { id: receipt.id }]);
  const none = await get('/api/v1/decisions/00000000-0000-4000-8000-000000000000');
  expect(none).toMatchObject({ status: 404, body: { code: 'not_found' } });
  expect(await get('/api/v1/decisions/7')).toMatchObject({ status: 400, body: { code: 'bad_path' } });
});

it('the ledger is asked for one burst', async () => {
  expect((await get('/api/v1/ledger?burst=b-7&state=held')).body).toEqual({ ledger: [] });
  expect(asked.at(-1)?.at(0)).toMatchObject({ burst: 'b-7', state: 'held' });
});

it('a decision comes with every reason, what was measured and against what', async () => {
  const { body } = await get('/api/v1/decisions');
  expect(body).toMatchObject({
    decisions: [
      {
        job: burst.ref,
        user: 'alice',
        kind: 'decision',
        verdict: 'burst',
        text: 'It waits too long.',
        burst: burst.id,
        because: [{ rule: 'backlog', pass: false, measured: '4 jobs', limit: '10 jobs' }],
      },
      { verdict: 'wait' },
    ],
  });
});

it('a budget comes with what is held and spent of it, to the micro-dollar', async () => {
  const { body } = await get('/api/v1/budgets');
  const physics = {
    cluster: 'hpc1',
    account: 'physics',
    source: 'policy',
    per: 'month',
    since: '2026-01-05T08:00:00.000Z',
    hard: true,
    limitMicroUsd: 5_000_000,
    heldMicroUsd: 1_250_000,
    spentMicroUsd: 3,
  };
  expect(body).toMatchObject({
    budgets: [
      physics,
      { user: 'bob', source: 'csv budgets.csv line 4', hard: false, limitMicroUsd: 9_000_000 },
    ],
  });
  expect((body as { budgets: object[] }).budgets[1]).not.toHaveProperty('account');
});

it('a store that is away is a 503, told to the log, not to the caller', async () => {
  away = true;
  const { status, body } = await get('/api/v1/decisions');
  away = false;
  expect(status).toBe(503);
  expect(JSON.stringify(body)).not.toContain('database');
  expect(String(complaints.at(-1))).toContain('the database is away');
});
