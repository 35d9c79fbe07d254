/** Every route of the document, by one table: a good request, bad input, too low a role, somebody else's job, and the conventions of the API. A new route without a line here fails. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresOutbox } from '../../adapters/store/outbox.ts';
import { type Facade, type OwnFacade, operationsOf, type PortalFacade } from '../../src/api/app.ts';
import type { Operation } from '../../src/api/operation.ts';
import type { PoliciesFacade } from '../../src/api/routes/policies.ts';
import type { WebhooksFacade } from '../../src/api/routes/webhooks.ts';
import type { WhatIfsFacade } from '../../src/api/routes/what-if.ts';
import { resetOf, toldOf } from '../../src/api/webhook.ts';
import type { Role } from '../../src/domain/caller.ts';
import { instant } from '../../src/domain/ids.ts';
import { Front } from '../../src/engine/front.ts';
import type { Gateway } from '../../src/engine/gateway.ts';
import { orderOfJob } from '../../src/engine/orders.ts';
import { type Hook, Outbox } from '../../src/engine/outbox.ts';
import { Outputs } from '../../src/engine/outputs.ts';
import { WhatIfs } from '../../src/engine/what-if.ts';
import { threadedReplay } from '../../src/main/what-if.ts';
import type { UsersPort } from '../../src/ports.ts';
import { Tails } from '../../src/stream/tails.ts';
import { detail } from '../burst/fixtures.ts';
import { newId } from '../contract/samples.ts';
import { minute } from '../engine/chaos/centre.ts';
import { fullSite } from '../engine/policy.bed.ts';
import { tighter } from '../policies.ts';
import {
  type Answer,
  type Asking,
  type Bed,
  burstOfJob,
  cluster,
  decisionOn,
  makeBed,
  next,
  offered,
  putBurst,
  queue,
} from './bed.ts';
import { timers } from './grounds.ts';
import { told } from './quote.scene.ts';

let bed: Bed;
let outbox: Outbox;
let store: PostgresOutbox;
let gateway: Gateway;
const tokens = new Map<Role | 'none' | 'anyone', string | undefined>([
  ['none', undefined],
  ['anyone', undefined],
]);
let whatIfs: WhatIfs;

/** What stands in the path for its one parameter, the query, and what is sent. */
interface Good {
  readonly id?: string;
  readonly query?: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Line {
  /** A good request, made anew for each. */
  readonly good?: () => Promise<Good>;
  /**
   * Of an operation for users: somebody else's by its path, which is not there for him, and is for an operator or who else is named; or by who is named, which is forbidden; or a list, in which
   * nothing of his stands; or neither, and why.
   */
  readonly others?:
    | { readonly id: string; readonly as?: Role }
    | { readonly body: object }
    | 'list'
    | { readonly nothing: string };
}

const list: Line = { others: 'list' };
const ofJob: Line = { good: async () => ({ id: '100' }), others: { id: '200' } };
const toJob: Line = { good: async () => ({ id: '100', body: {} }), others: { id: '200' } };
const script = '#!/bin/sh\nhostname\n';
const aPolicy = (): string => `${tighter}# ${newId()}\n`;
const aVersion = async (): Promise<string> => {
  const { body } = await bed.ask(tokens.get('operator'), 'policies', { body: { text: aPolicy() } });
  return String((body.policy as { version: number }).version);
};
/** Under way for as long as nobody lets the time of the models pass. */
const aReplay = async (): Promise<string> => {
  const { body } = await bed.ask(tokens.get('operator'), 'what-ifs', { body: { text: tighter, days: 1 } });
  return String(body.id);
};
/** Alice's, offered a moment ago, of a job that no other burst is of. */
let jobs = 5_000;
const anOffer = async (): Promise<string> => {
  const burst = offered(++jobs, 'alice');
  await bed.write(putBurst(burst));
  return burst.id;
};
let [hers, his] = ['', ''];
const [herReceipt, hisReceipt] = [newId(), newId()];

const table: Readonly<Record<string, Line>> = {
  listJobs: list,
  countJobs: { good: async () => ({ query: '?by=account' }), others: 'list' },
  jobCosts: {
    good: async () => ({
      body: {
        jobs: [
          { cluster, job: '100' },
          { cluster, job: '200' },
        ],
      },
    }),
    others: 'list',
  },
  getJob: ofJob,
  why: ofJob,
  listBursts: list,
  getBurst: {
    good: async () => ({ id: hers }),
    get others() {
      return { id: his };
    },
  },
  // Nor an operator's affair: the site lets its admins here.
  getOutput: {
    good: async () => ({ id: hers, query: '?stream=stderr&after=0' }),
    get others() {
      return { id: his, as: 'admin' as const };
    },
  },
  listQuotes: list,
  listDecisions: list,
  countDecisions: list,
  getDecision: {
    good: async () => ({ id: herReceipt }),
    others: { id: hisReceipt },
  },
  listLedger: list,
  listBudgets: list,
  countBursts: { others: { nothing: 'his own, counted' } },
  forecast: { others: { nothing: 'numbers of the queue, and forecasts of his own jobs' } },
  getLogin: {},
  me: { others: { nothing: 'who asks' } },
  getStop: { others: { nothing: 'the switch is the site’s' } },
  stop: { good: async () => ({ body: { reason: 'drill' } }) },
  resume: { good: async () => ({ body: { reason: 'over' } }) },
  putStop: { good: async () => ({ body: { stopped: false } }) },
  getRamp: {},
  putRamp: { good: async () => ({ body: { lifted: true } }) },
  getCapacity: {},
  putCapacity: { good: async () => ({ body: { drained: true, group: 'cpu' } }) },
  listGroups: {},
  listInstances: {},
  listAudit: {},
  report: { good: async () => ({ query: '?since=1d' }) },
  getApproval: { good: async () => ({ id: await anOffer() }) },
  putApproval: { good: async () => ({ id: await anOffer(), body: { approved: true } }) },
  approve: { good: async () => ({ id: await anOffer(), body: {} }) },
  decline: { good: async () => ({ id: await anOffer(), body: {} }) },
  delegate: { good: async () => ({ id: await anOffer(), body: { to: 'carol' } }) },
  expire: { good: async () => ({ id: await anOffer(), body: {} }) },
  letAgain: {
    good: async () => {
      const burst = burstOfJob(++jobs, 'alice');
      await bed.write(putBurst(burst));
      await bed.write(putBurst(next(burst, 'withdrawn')));
      return { id: String(jobs), body: {} };
    },
  },
  listWebhooks: {},
  listDeadDeliveries: {},
  quote: { good: async () => ({ body: { script } }), others: { body: { script, user: 'bob' } } },
  holdJob: toJob,
  releaseJob: toJob,
  listPolicies: {},
  getActivePolicy: {},
  getPolicy: { good: async () => ({ id: await aVersion() }) },
  diffPolicy: { good: async () => ({ id: await aVersion(), query: '?against=file' }) },
  validatePolicy: { good: async () => ({ body: { text: aPolicy() } }) },
  dryRunPolicy: { good: async () => ({ body: { text: aPolicy() } }) },
  keepPolicy: { good: async () => ({ body: { text: aPolicy() } }) },
  activatePolicy: {
    good: async () => {
      const id = await aVersion();
      const stands = await bed.ask(tokens.get('operator'), 'policies/active');
      return { id, body: {}, headers: { 'if-match': stands.headers.get('etag') ?? '' } };
    },
  },
  beginWhatIf: { good: async () => ({ body: { text: tighter, days: 1 } }) },
  getWhatIf: { good: async () => ({ id: await aReplay() }) },
  discardWhatIf: { good: async () => ({ id: await aReplay(), body: { discarded: true } }) },
  deliverAgain: { good: async () => ({ id: await aDeadLetter() }) },
};

const rare: Hook = {
  ...{ name: 'portal', url: 'https://portal.example.org/', timeoutMs: 1_000, giveUpMs: 0 },
  ...{ kinds: undefined, states: undefined },
  port: { send: async () => ({ kind: 'refused', why: 'it answers 500', retryAfterMs: undefined }) },
};

async function aDeadLetter(): Promise<string> {
  await anOffer();
  const newest = async () => (await outbox.dead(undefined, { limit: 1 })).rows[0];
  const before = (await newest())?.id;
  await expect
    .poll(async () => {
      while (await outbox.round(rare));
      return (await newest())?.id;
    })
    .not.toBe(before);
  return (await newest())?.id ?? '';
}

beforeAll(async () => {
  const none = { drain: undefined, breaker: undefined, old: 0, instances: {}, max: 1 };
  const hooks: WebhooksFacade = {
    states: () => outbox.states(),
    dead: (hook, page) => outbox.dead(hook, page),
    again: (id, by, why) => outbox.again(id, by, why),
  };
  const front = frontOf();
  const own: OwnFacade = {
    estimate: async ({ user }) => ({
      kind: 'told',
      estimate: { ...told, job: detail({ ...told.job, user }) },
    }),
    order: (asked) => orderOfJob(front, asked),
    output: (asked) => outputs().read(asked),
  };
  const site = fullSite();
  gateway = await site.start();
  await site.waiting();
  await site.pass(minute);
  whatIfs = new WhatIfs(gateway.clusters, threadedReplay(), site.time, newId);
  bed = await makeBed({
    ...{ hooks, own, decided: gateway.clusters, whatIfs },
    accountsOf: async () => ['physics', 'chemistry'],
    served: {
      capacities: async () => [{ cluster, group: 'cpu', ...none }],
      turnDrain: async ({ group = 'cpu', by, why }) => bed.store.drainGroup(cluster, group, by, why),
    },
  });
  store = new PostgresOutbox({ url: bed.database, onError: () => undefined, newId });
  outbox = new Outbox({
    ...{ hooks: [rare], outbox: store, desk: bed.desk, scheduler: timers, newId },
    ...{ told: toldOf, reset: resetOf, log: () => undefined },
  });
  await outbox.round(rare);
  const [a, b] = [offered(100, 'alice'), offered(200, 'bob')];
  [hers, his] = [a.id, b.id];
  await bed.write(
    putBurst(a),
    putBurst(b),
    decisionOn(a, { id: herReceipt }),
    decisionOn(b, { id: hisReceipt }),
  );
  for (const [user, role] of [
    ['alice', 'user'],
    ['olga', 'operator'],
    ['ada', 'admin'],
  ] as const)
    tokens.set(role, await bed.token(user, role));
});
afterAll(async () => {
  whatIfs.close();
  await gateway.stop();
  await store.close();
  await bed.close();
});

/** Nothing was written. */
const outputs = () =>
  new Outputs({
    ...{
      store: bed.store,
      tails: new Tails(timers),
      orders: bed.desk,
      entropy: { uuid: newId },
      admins: true,
    },
    clusters: [{ name: cluster, leads: true, settings: { streams: { keeper: () => undefined } } }],
    ...{ clock: { now: () => instant(Date.now()) }, log: () => undefined },
  });

/** Slurm does as it is told. */
function frontOf(): Front {
  return new Front({
    clusters: [
      {
        ...{ name: cluster, snapshot: undefined, submits: true },
        slurm: {
          job: async (ref) => queue.find((j) => j.ref === ref) as ReturnType<typeof detail> | undefined,
          script: async () => undefined,
        },
        facts: () => Promise.reject(new Error('not asked here')),
        users: { alter: async () => undefined, records: async () => [] } as Partial<UsersPort> as UsersPort,
      },
    ],
    clock: { now: () => instant(Date.now()) },
    entropy: { uuid: newId },
    orders: {
      askOrder: (asked) => bed.desk.askOrder(asked),
      endOrder: (id, outcome) => bed.desk.endOrder(id, outcome),
    },
    ...{ pause: async () => undefined, log: () => undefined },
  });
}

const operations = operationsOf(
  {} as Facade,
  {} as PortalFacade,
  {} as WebhooksFacade,
  {} as OwnFacade,
  {} as PoliciesFacade,
  {} as WhatIfsFacade,
  undefined,
);
const named = (way: (o: Operation) => boolean = () => true): [string, Operation][] =>
  operations.filter(way).map((o) => [`${o.method.toUpperCase()} ${o.path}`, o]);
const orders = (o: Operation): boolean => o.method !== 'get';

const lineOf = ({ id }: Operation): Line => {
  const line = table[id];
  if (line === undefined) throw new Error(`${id} has no line in the table of this test`);
  return line;
};
const goodOf = async (o: Operation): Promise<Good> => (await lineOf(o).good?.()) ?? {};
/** As whoever may just do it. */
type As = Role | 'none' | 'anyone';
async function asked(o: Operation, over: { id?: string; query?: string; as?: As } & Asking = {}) {
  const good = await goodOf(o);
  return send(o, { ...good, ...over, headers: { ...good.headers, ...over.headers } });
}
const pathOf = (o: Operation, id: string): string => o.path.slice(1).replace(/\{\w+\}/, id);
function send(
  o: Operation,
  { id = 'x', query = '', as = o.role, ...asking }: { id?: string; query?: string; as?: As } & Asking,
): Promise<Answer> {
  return bed.ask(tokens.get(as), pathOf(o, id) + query, { method: o.method.toUpperCase(), ...asking });
}
const code = ({ status, body }: Answer) => [status, body.code];

it('the served document and this table name the same operations', async () => {
  const { paths } = (await bed.ask(undefined, 'openapi.json')).body as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  const served = Object.values(paths).flatMap((methods) => Object.values(methods).map((o) => o.operationId));
  // Streams have tests of their own [events.store.test.ts].
  expect(served.filter((id) => id !== 'events').sort()).toEqual(Object.keys(table).sort());
});

describe.each(named())('%s', (_name, o) => {
  it('answers as the document says, under a request id', async () => {
    const answer = await asked(o, { headers: { 'x-request-id': 'mine-1', 'idempotency-key': newId() } });
    expect([answer.status, answer.body]).toEqual([200, expect.anything()]);
    expect(o.schemas.answer.parse(answer.body)).toEqual(answer.body);
    expect(answer.headers.get('x-request-id')).toBe('mine-1');
    expect(answer.headers.has('etag')).toBe(o.edited);
  });

  it('refuses what it was not asked, by the name of the field', async () => {
    const { query = '' } = await goodOf(o);
    const strange = await asked(o, { query: `${query === '' ? '?' : `${query}&`}strange=1` });
    expect(strange.headers.get('content-type')).toContain('application/problem+json');
    expect(strange.body).toMatchObject({
      ...{ status: 400, code: 'bad_query', field: 'strange', type: 'urn:spillway:problem:bad_query' },
      request: strange.headers.get('x-request-id'),
    });
    const [, field] = /\{(\w+)\}/.exec(o.path) ?? [];
    if (field !== undefined)
      expect((await asked(o, { id: '%24%24' })).body).toMatchObject({ code: 'bad_path', field });
    if (!orders(o)) return;
    const order = await asked(o, { body: { strange: 1 } });
    expect(code(order)[0]).toBe(400);
    expect(['bad_order', 'bad_request']).toContain(order.body.code);
  });

  it('lets nobody in without a token, nor with too low a role', async () => {
    if (o.role === 'anyone') return;
    expect(code(await asked(o, { as: 'none' }))).toEqual([401, 'not_authenticated']);
    for (const low of (['user', 'operator'] as const).slice(0, ['user', 'operator', 'admin'].indexOf(o.role)))
      expect(code(await asked(o, { as: low }))).toEqual([403, 'forbidden']);
  });

  it('says which methods there are', async () => {
    const { id = 'x' } = await goodOf(o);
    const wrong = await bed.ask(tokens.get('admin'), pathOf(o, id), { method: 'DELETE' });
    expect(code(wrong)).toEqual([405, 'method_not_allowed']);
    expect(wrong.headers.get('allow')).toContain(o.method.toUpperCase());
    for (const method of ['get', 'post', 'put'].filter(
      (m) => !operations.some((other) => other.path === o.path && other.method === m),
    ))
      expect(
        code(await bed.ask(tokens.get('admin'), pathOf(o, id), { method: method.toUpperCase() })),
      ).toEqual([405, 'method_not_allowed']);
  });
});

describe.each(named((o) => o.role === 'user'))('%s, which is for users,', (_name, o) => {
  it('shows nothing of somebody else’s', async () => {
    const { others } = lineOf(o);
    expect(others, `${o.id}: say in the table what of others a user might see here`).toBeDefined();
    if (others === 'list') expect(JSON.stringify((await asked(o)).body)).not.toMatch(/bob|chemistry/);
    else if (others !== undefined && !('nothing' in others)) {
      const { as = 'operator', ...his } = { as: undefined, ...others };
      const refused = await asked(o, his);
      expect(code(refused)).toEqual('id' in others ? [404, 'not_found'] : [403, 'forbidden']);
      expect(JSON.stringify(refused.body)).not.toMatch(/bob|chemistry/);
      // There is one, for those who may.
      expect((await asked(o, { ...his, as })).status).toBe(200);
    }
  });
});

describe.each(named((o) => o.role !== 'anyone'))('%s by a token for reading', (_name, o) => {
  it('is answered as a question, and refused as an order, whatever the role and before the body is read', async () => {
    const reader = await bed.token('ada', 'admin', { scope: 'read' });
    const { id = 'x', query = '', ...asking } = await goodOf(o);
    const method = o.method.toUpperCase();
    const answer = await bed.ask(reader, pathOf(o, id) + query, { method, ...asking });
    if (orders(o) && !o.question) {
      expect([...code(answer), answer.body.detail]).toEqual([
        403,
        'forbidden',
        expect.stringContaining('scope read'),
      ]);
      const odd = await bed.ask(reader, pathOf(o, id), { method, body: 'x'.repeat(20_000) });
      expect(code(odd)).toEqual([403, 'forbidden']);
      expect(
        code(await bed.ask(reader, pathOf(o, id), { method, headers: { 'x-http-method-override': 'GET' } })),
      ).toEqual([403, 'forbidden']);
    } else if (o.id !== 'getOutput') expect(answer.status).toBe(200);
  });
});

const unrepeatable = (o: Operation): boolean => o.method === 'post' && !o.question;
describe.each(named(unrepeatable))('%s, an order that is not repeatable,', (_name, o) => {
  it('needs an Idempotency-Key, does it once for each, and refuses another order under it', async () => {
    const good = await goodOf(o);
    const one = (over: Asking) =>
      send(o, { ...good, ...over, headers: { ...good.headers, ...over.headers } });
    expect(code(await one({ headers: { 'idempotency-key': '' } }))).toEqual([400, 'idempotency_key_missing']);
    const headers = { 'idempotency-key': newId() };
    const [first, second] = [await one({ headers }), await one({ headers })];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body).toEqual(first.body);
    expect([first, second].map((a) => a.headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    expect(code(await one({ headers, body: { ...good.body, reason: 'another' } }))).toEqual([
      422,
      'key_reused',
    ]);
  });
});

describe.each(named((o) => o.question))('%s, a question though it is posted,', (_name, o) => {
  it('needs no Idempotency-Key, and is answered anew whatever key it has', async () => {
    const good = await goodOf(o);
    for (const key of ['', 'the-same', 'the-same']) {
      const answer = await send(o, { ...good, headers: { 'idempotency-key': key } });
      expect([answer.status, answer.headers.get('idempotent-replayed')]).toEqual([200, null]);
    }
  });
});

const bytesOf = ({ bodyAtMost }: Operation): number => {
  const [, size, unit] = /^(\d+)(kb|mb)$/.exec(bodyAtMost) ?? [];
  return Number(size) * (unit === 'kb' ? 2 ** 10 : 2 ** 20);
};

describe.each(named(orders))('%s, a body,', (_name, o) => {
  it('is not read beyond what is long enough, and not at all of who may not send it', async () => {
    const body = { reason: 'x'.repeat(bytesOf(o)) };
    expect(code(await asked(o, { body }))).toEqual([413, 'too_large']);
    if (o.role !== 'user') expect(code(await asked(o, { body, as: 'user' }))[0]).toBe(403);
  });
});

describe.each(named((o) => o.current !== undefined))('%s, which edits,', (_name, o) => {
  it('is refused where it is not as it was seen, and where the tag is none', async () => {
    const as = (tag: string) => asked(o, { headers: { 'if-match': tag } });
    expect(code(await as('"0000000000000000000000"'))).toEqual([412, 'changed']);
    expect(code(await as('nothing'))).toEqual([400, 'bad_request']);
    expect((await as('*')).status).toBe(200);
  });
});

describe.each(named((o) => o.mustMatch))('%s, which nobody does unseen,', (_name, o) => {
  it('is refused where nothing says what was seen', async () => {
    expect(code(await send(o, { ...(await goodOf(o)), headers: {} }))).toEqual([428, 'if_match_missing']);
  });
});
