/** The stop switch and `why`, from the commands over HTTP to a store in memory. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { app } from '../../src/api/app.ts';
import { burstView } from '../../src/api/schemas.ts';
import { letAgain } from '../../src/cli/again.ts';
import { type Gateway as Address, ask } from '../../src/cli/ask.ts';
import { capacityStands, showCapacity, turnCapacity } from '../../src/cli/capacity.ts';
import { answerQuotes, openQuotes } from '../../src/cli/quotes.ts';
import { rampStands, showRamp, turnRamp } from '../../src/cli/ramp.ts';
import { stands, turnStop } from '../../src/cli/stop.ts';
import { why } from '../../src/cli/why.ts';
import { returnedOf } from '../../src/decide/returned.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { attemptKey, burstId, instant, jobRef, uuid } from '../../src/domain/ids.ts';
import type { Snapshot } from '../../src/domain/job.ts';
import { type DrainOrder, groupStates, turnDrain } from '../../src/engine/capacity.ts';
import { Desk, type Served } from '../../src/engine/desk.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { detail } from '../burst/fixtures.ts';
import {
  aBurst,
  aCluster,
  anInstance,
  aReceipt,
  newId,
  next,
  putBurst,
  putInstance,
  putReceipt,
} from '../contract/samples.ts';
import { grounds } from './grounds.ts';

const at = instant(Date.UTC(2026, 0, 5, 8));
const cluster = aCluster();
const day = { ramp: { jobsPerDay: 5, microUsdPerDay: 50_000_000 }, jobs: 2, microUsd: 3_000_000 };
const groups = [
  { name: 'cpu', max: 3 },
  { name: 'gpu', max: 2 },
];
let store: MemStore;
let server: Server;
let gateway: Address;
let snapshot: Snapshot | undefined;
let ids = 0;
let woken: string[];

beforeEach(async () => {
  const entropy = { uuid: () => uuid(`s${++ids}`), bytes: (n: number) => new Uint8Array(n), random: () => 0 };
  store = new MemStore({ clock: { now: () => at }, entropy });
  snapshot = undefined;
  woken = [];
  const engine = {
    get clusters() {
      return [{ name: cluster, snapshot }];
    },
    readiness: async () => ({ ready: true, checks: [], troubles: [] }),
    wake: async (id: string) => void woken.push(id),
    capacities: () =>
      groupStates({ name: cluster, settings: { groups } }, { store, clock: { now: () => at } }),
    turnDrain: (order: DrainOrder) =>
      turnDrain(
        [{ name: cluster, settings: { groups } }],
        { store, wake: async (id: string) => void woken.push(id) },
        order,
      ),
    ramps: async () => [{ cluster, mode: 'auto', day, lift: await store.rampLifted(cluster) }],
  } as Partial<Served> as Served;
  server = app(grounds(new Desk(engine, store, entropy))).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  gateway = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const closed = async (): Promise<Address> => {
  await new Promise((resolve) => server.close(resolve));
  return gateway;
};
const put = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${gateway.port}/api/v1/stop`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

describe('the stop switch', () => {
  it('is turned by a command, kept by the store, and told by /readyz, which stays ready', async () => {
    const turned = await turnStop(gateway, { stopped: true, by: 'alice@gw', reason: 'fire drill' });
    const [said] = turned.map(stands);
    expect(said).toContain('stopped by alice@gw since 2026-01-05T08:00:00.000Z: fire drill');
    expect(await store.stopped(cluster)).toEqual({ by: 'alice@gw', why: 'fire drill', at });
    const ready = await fetch(`http://127.0.0.1:${gateway.port}/readyz`);
    expect(ready.status).toBe(200);
    const stopped = [
      { cluster, stopped: true, by: 'alice@gw', since: '2026-01-05T08:00:00.000Z', reason: 'fire drill' },
    ];
    expect(await ready.json()).toMatchObject({ stopped });
    expect((await ask(gateway, 'stop')).body).toEqual({ clusters: stopped });
    expect((await turnStop(gateway, { stopped: false, by: 'bob', reason: '' })).map(stands)).toEqual([
      `${cluster}: bursting goes on`,
    ]);
    expect(await store.stopped(cluster)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['by', { stopped: true }],
    ['by', { stopped: true, by: ' ' }],
    ['by', { stopped: true, by: 'a\u0000b' }],
    ['stopped', { by: 'alice' }],
  ])('refuses an order without its %s, and turns nothing', async (field, order) => {
    const answer = await put(order);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining(field) });
    expect(await store.stopped(cluster)).toBeUndefined();
  });

  it.each([
    [400, '{"stopped": tru'],
    [413, JSON.stringify({ stopped: true, by: 'alice', reason: 'x'.repeat(200_000) })],
  ])('what cannot be read is the asker’s to mend: %i', async (status, body) => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/api/v1/stop`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ title: 'Bad request', status });
    expect(await store.stopped(cluster)).toBeUndefined();
  });

  it('takes no order in a form that a web page may send unasked', async () => {
    const answer = await put({ stopped: true, by: 'mallory' }, { 'content-type': 'text/plain' });
    expect(answer.status).toBe(400);
    expect(await store.stopped(cluster)).toBeUndefined();
  });

  it('says what to look at where no gateway answers', async () => {
    const order = turnStop(await closed(), { stopped: true, by: 'alice', reason: '' });
    await expect(order).rejects.toThrow(/no gateway answers at 127\.0\.0\.1:\d+ \(listen\.http\)/);
  });
});

describe('capacity', () => {
  it('is listed, drained and resumed by a command, one group or all; the audit names who', async () => {
    expect((await showCapacity(gateway)).map(capacityStands)).toEqual([
      `${cluster} cpu: no instance, of at most 3`,
      `${cluster} gpu: no instance, of at most 2`,
    ]);
    const up = anInstance({ cluster, group: 'gpu', state: 'ready' });
    await store.commit(newId(), cluster, 0, [putInstance(up)]);
    const order = { drained: true, group: 'gpu', by: 'alice@gw', reason: 'a driver' };
    const words = `${cluster} gpu: 1 ready, of at most 2; drained by alice@gw since 2026-01-05T08:00:00.000Z: a driver; nothing new goes there, what runs goes on`;
    expect((await turnCapacity(gateway, order)).map(capacityStands)).toEqual([
      `${cluster} cpu: no instance, of at most 3`,
      words,
    ]);
    expect(woken).toEqual([up.id]);
    await turnCapacity(gateway, { ...order, group: undefined, by: 'bob' });
    expect((await store.drains(cluster)).map((d) => [d.group, d.by])).toEqual([
      ['gpu', 'alice@gw'],
      ['cpu', 'bob'],
    ]);
    await turnCapacity(gateway, { drained: false, by: 'carol', reason: '' });
    expect(await store.drains(cluster)).toEqual([]);
    expect((await store.audit(`drain/${cluster}/gpu`)).map((r) => [r.to, r.why])).toEqual([
      ['drained', 'by alice@gw: a driver'],
      ['open', 'by carol'],
    ]);
    await expect(turnCapacity(gateway, { ...order, group: 'no' })).rejects.toThrow('no node group no');
  });

  it('says where nothing is launched since machines do not boot, and resume lets it launch again', async () => {
    await store.tripBreaker(cluster, 'cpu', 'spillway', '10 machines in a row did not boot');
    expect((await showCapacity(gateway)).map(capacityStands)[0]).toBe(
      `${cluster} cpu: no instance, of at most 3; launches nothing since 2026-01-05T08:00:00.000Z: 10 machines in a row did not boot (spillway capacity resume cpu tries again)`,
    );
    await turnCapacity(gateway, { drained: false, group: 'cpu', by: 'carol', reason: 'a new image' });
    expect((await showCapacity(gateway)).map(capacityStands)[0]).toBe(
      `${cluster} cpu: no instance, of at most 3`,
    );
    expect((await store.audit(`breaker/${cluster}/cpu`)).at(-1)?.why).toBe('by carol: a new image');
  });
});

describe('again', () => {
  const cause = { kind: 'no_capacity', text: 'no capacity' } as const;
  it('lets a job that came back burst again, by name; who was first stays', async () => {
    const came = aBurst({ cluster, state: 'returned', cause });
    await store.commit(newId(), cluster, 0, [putBurst(came)]);
    expect(returnedOf(await store.burstsOfJob(cluster, came.ref)).size).toBe(1);
    const line = `${came.ref} on ${cluster} may burst again, by alice@gw at 2026-01-05T08:00:00.000Z: more quota`;
    expect(await letAgain(gateway, came.ref, { by: 'alice@gw', reason: 'more quota' })).toEqual([line]);
    expect(await letAgain(gateway, came.ref, { by: 'bob', reason: '' })).toEqual([line]);
    expect(returnedOf(await store.burstsOfJob(cluster, came.ref)).size).toBe(0);
    expect((await store.audit(came.id)).at(-1)?.why).toBe('alice@gw lets the job burst again: more quota');
  });

  it('says so where nothing came back', async () => {
    const order = { by: 'alice', reason: '' };
    await expect(letAgain(gateway, '99', order)).rejects.toThrow('no burst of job 99 came back');
    const runs = aBurst({ cluster, state: 'running' });
    await store.commit(newId(), cluster, 0, [putBurst(runs)]);
    await expect(letAgain(gateway, runs.ref, order)).rejects.toThrow('came back');
  });
});

describe('the ramp', () => {
  it('is told, lifted and put back by a command; the audit names who', async () => {
    expect((await showRamp(gateway)).map(rampStands)).toEqual([
      `${cluster}: on a ramp, 2 of 5 jobs and 3.00 USD of 50.00 USD today (UTC)`,
    ]);
    const order = { lifted: true, by: 'alice@gw', reason: 'all went well' };
    expect((await turnRamp(gateway, order)).map(rampStands)).toEqual([
      `${cluster}: the ramp was lifted by alice@gw at 2026-01-05T08:00:00.000Z: all went well`,
    ]);
    expect((await ask(gateway, 'ramp')).body).toMatchObject({
      clusters: [{ cluster, limits: false, lifted: { by: 'alice@gw' }, day: { jobs: 2, jobsAtMost: 5 } }],
    });
    await turnRamp(gateway, { lifted: false, by: 'bob', reason: '' });
    expect((await store.audit(`ramp/${cluster}`)).map((r) => r.why)).toEqual([
      'by alice@gw: all went well',
      'by bob',
    ]);
    await expect(turnRamp(gateway, { lifted: true, by: '', reason: '' })).rejects.toThrow('by:');
  });
});

describe('quotes', () => {
  const hour = 3_600_000;
  const offer = async (over: Partial<Burst> = {}): Promise<Burst> => {
    const until = instant(at + hour);
    const quote = { until, microUsd: 2_500_000, why: 'waits for 3 h', cpus: 1, timeLimitMs: hour };
    const b = aBurst({ cluster, quote, ...over });
    await store.commit(newId(), cluster, 0, [putBurst(b)]);
    return b;
  };
  const yes = { approved: true, by: 'alice@gw', reason: '' };
  const put = (id: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${gateway.port}/api/v1/bursts/${id}/approval`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  it('are listed with price, reason and end, and not any more once they were answered or ran out', async () => {
    const [b, other] = [await offer(), await offer()];
    await offer({ quote: { ...(b.quote as NonNullable<Burst['quote']>), until: at } });
    const said = (await openQuotes(gateway, false)).join('\n');
    expect(said).toContain(
      `${b.ref} of alice (physics) on ${cluster}: 2.50 USD at most, until 2026-01-05T09:00`,
    );
    expect(said).toContain('    waits for 3 h\n');
    await answerQuotes(gateway, other.id, yes);
    const { quotes } = (await ask(gateway, 'quotes')).body as { quotes: unknown[] };
    expect(quotes.map((q) => burstView.parse(q).id)).toEqual([b.id]);
  });

  it('are approved by the job’s id or the burst’s, as often as one likes; the first name stays', async () => {
    const b = await offer();
    const [said] = await answerQuotes(gateway, b.ref, { ...yes, reason: 'deadline' });
    expect(said).toBe(
      `${b.ref} of alice on ${cluster}, 2.50 USD at most: approved by alice@gw at 2026-01-05T08:00:00.000Z: deadline`,
    );
    expect(await answerQuotes(gateway, b.ref, { ...yes, by: 'bob' })).toEqual([said]);
    expect(await answerQuotes(gateway, b.id, { ...yes, by: 'bob' })).toEqual([said]);
    expect(woken).toEqual([b.id]);
    expect((await store.burst(b.id))?.rev).toBe(2);
    expect((await why(gateway, b.ref, false)).join('\n')).toContain('approved by alice@gw');
  });

  it('of an array are approved together, those that are offered', async () => {
    const tasks = [3, 4, 5].map((n) => ({ ref: jobRef(`120_${n}`), jobId: 120 + n, id: burstId(`a${n}`) }));
    for (const t of tasks) await offer(t);
    await answerQuotes(gateway, '120_4', { ...yes, approved: false });
    await store.commit(
      newId(),
      cluster,
      0,
      tasks.map((t) => putReceipt(aReceipt(aBurst({ cluster, ...t })))),
    );
    expect(await answerQuotes(gateway, '120', yes)).toHaveLength(2);
    const answers = await Promise.all(tasks.map(async (t) => (await store.burst(t.id))?.answer?.yes));
    expect(answers).toEqual([true, false, true]);
  });

  it('of an array are told one by one where some are refused', async () => {
    const tasks = [3, 4].map((n) => ({ ref: jobRef(`130_${n}`), jobId: 130 + n, id: burstId(`c${n}`) }));
    const over = await offer(tasks[0]);
    await offer(tasks[1]);
    const receipts = tasks.map((t) => putReceipt(aReceipt(aBurst({ cluster, ...t }))));
    await store.commit(newId(), cluster, 0, receipts);
    // Between the listing and the answer the first one's time has run out.
    const late = { ...over, rev: 1, quote: { ...(over.quote as NonNullable<Burst['quote']>), until: at } };
    await store.commit(newId(), cluster, 0, [putBurst(late)]);
    const told = await answerQuotes(gateway, '130', yes).catch((e: Error) => e.message);
    expect(told).toMatch(/these were answered:\n130_4 of alice.*: approved by alice@gw/);
    expect(told).toMatch(/these were not:\nburst c3: the gateway answers 409/);
    expect((await store.burst(burstId('c4')))?.answer?.yes).toBe(true);
  });

  it('that were declined cannot be approved: 409, in words', async () => {
    const b = await offer();
    await answerQuotes(gateway, b.id, { approved: false, by: 'bob', reason: 'too dear' });
    await expect(answerQuotes(gateway, b.ref, yes)).rejects.toThrow(
      /answers 409: .*declined by bob at 2026-01-05T08:00:00\.000Z: too dear; it is over/,
    );
    const response = await put(b.id, yes);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      409,
      expect.stringContaining('application/problem+json'),
    ]);
  });

  it.each<[number, string, unknown, Record<string, string>]>([
    [404, 'nobody', yes, {}],
    [400, 'no%20id', yes, {}],
    [400, 'b-1', { approved: true }, {}],
    [400, 'b-1', { approved: 'yes', by: 'alice' }, {}],
    [400, 'b-1', yes, { 'content-type': 'text/plain' }],
  ])('answer %i to %s with %j', async (status, id, body, headers) => {
    expect((await put(id, body, headers)).status).toBe(status);
  });

  it('say so where none is open, or a job was never offered', async () => {
    expect(await openQuotes(gateway, false)).toEqual(['nothing waits to be approved']);
    await expect(answerQuotes(gateway, '4711', yes)).rejects.toThrow('no burst of job 4711 is offered');
  });
});

describe('why', () => {
  const text = async (id: string) => (await why(gateway, id, false)).join('\n');

  it('tells the verdict, each rule that failed, how often and when last', async () => {
    const b = aBurst({ cluster });
    const receipt = aReceipt(b, { at });
    await store.commit(newId(), cluster, 0, [putReceipt(aReceipt(b)), putReceipt(receipt)]);
    await store.seenAgain(new Map([[receipt.id, { times: 1, last: instant(at + 60_000) }]]));
    await store.seenAgain(new Map([[receipt.id, { times: 1, last: instant(at + 120_000) }]]));
    const said = await text(b.ref);
    expect(said).toContain(`Job ${b.ref} of alice on ${cluster} waits at home.`);
    expect(said).toContain(
      'decided 2026-01-05T08:00:00.000Z, and the same 2 more times, last 2026-01-05T08:02:00',
    );
    expect(said).toContain('✗ backlog: 4 jobs\n      needed: 10 jobs');
    expect(said).toContain('It would burst if that held.');
  });

  it('tells what became of each burst, step by step', async () => {
    const b = aBurst({ cluster });
    await store.commit(newId(), cluster, 0, [putBurst(b), putReceipt(aReceipt(b, { verdict: 'burst' }))]);
    const cause = { kind: 'stopped', text: 'bursting is stopped' } as const;
    await store.commit(newId(), cluster, 0, [putBurst(next(b, 'withdrawn', { cause }))]);
    const said = await text(b.ref);
    expect(said).toMatch(new RegExp(`Burst ${b.id}: withdrawn since`));
    expect(said).toContain('because bursting is stopped');
    expect(said).toMatch(/proposed .*\n.*withdrawn /);
    expect(said).toContain(
      [
        '  offer: c7i.4xlarge on-demand in a, b: 0.40 USD an hour, 0.80 USD expected, 1.60 USD at most',
        '      no capacity 5 %, lost while it runs 1 % (12 bursts and what is assumed)',
        '      starts 2.0 h sooner than here',
      ].join('\n'),
    );
  });

  it('finds an array task by its name and by its own id, and an array’s tasks by the array’s', async () => {
    const ref = jobRef('120_3');
    const b = aBurst({ cluster, ref, jobId: 123 });
    const other = { ...aBurst({ cluster, ref: jobRef('120_4'), jobId: 124 }) };
    await store.commit(newId(), cluster, 0, [
      putBurst(b),
      ...[b, other].map((of) => putReceipt({ ...aReceipt(of), attempt: attemptKey(of.job, 0) })),
    ]);
    expect(await text('120_3')).toContain('Job 120_3');
    expect(await text('123')).toContain('Job 120_3');
    const all = await text('120');
    expect(all).toContain('Job 120_3');
    expect(all).toContain('Job 120_4');
    const line = detail({ ref: other.ref, id: 124, arrayJobId: 120, arrayTask: '4' });
    snapshot = { cluster, at, tookMs: 1, jobs: [line], partitions: [], nodes: [], partial: [] };
    expect(await text('124')).toContain('Job 120_4');
  });

  it('gives the same as JSON', async () => {
    const b = aBurst({ cluster });
    await store.commit(newId(), cluster, 0, [putReceipt(aReceipt(b))]);
    const told: unknown = JSON.parse((await why(gateway, b.ref, true)).join('\n'));
    expect(told).toMatchObject({
      jobs: [{ cluster, job: b.ref, decision: { verdict: 'wait', seenAgain: 0 } }],
    });
  });

  it('says so where the job is unknown, the id is none, or no gateway answers', async () => {
    await expect(text('999')).rejects.toThrow('nothing was ever decided on job 999');
    await expect(text('../stop')).rejects.toThrow('no job id');
    await closed();
    await expect(text('999')).rejects.toThrow('no gateway answers');
  });
});
