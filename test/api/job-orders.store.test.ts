/** POST /jobs/ID/hold and /release on a real store: as who asks and nobody else, once, with the audit before and after. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import type { Finding } from '../../adapters/store/finding.ts';
import { verifyStore } from '../../adapters/store/verify.ts';
import { FileWitness } from '../../adapters/store/witness.ts';
import type { OwnFacade } from '../../src/api/app.ts';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant, jobRef } from '../../src/domain/ids.ts';
import { Anchors } from '../../src/engine/anchor.ts';
import { Front, type FrontCluster } from '../../src/engine/front.ts';
import { orderOfJob } from '../../src/engine/orders.ts';
import type { DeskPort, UsersPort } from '../../src/ports.ts';
import { detail } from '../burst/fixtures.ts';
import { newId } from '../contract/samples.ts';
import { type Bed, makeBed } from './bed.ts';

const job = (id: number, user: string) => detail({ ref: jobRef(`${id}`), id, user });
const inQueue: Readonly<Record<string, readonly ReturnType<typeof job>[]>> = {
  hpc1: [job(100, 'alice'), job(200, 'bob'), job(300, 'alice')],
  hpc2: [job(300, 'alice'), job(400, 'alice')],
};

let bed: Bed;
let alice: string;
let olga: string;
let done: string[];
let fault: PortError | undefined;
let blocked: PortError | undefined;
let desk: DeskPort;
const complaints: string[] = [];

const cluster = (name: string): FrontCluster => ({
  ...{ name: clusterName(name), snapshot: undefined, submits: name === 'hpc1' },
  slurm: {
    job: async (ref) => inQueue[name]?.find((j) => j.ref === ref),
    script: async () => undefined,
  },
  facts: async () => {
    throw new PortError('unreachable', 'slurm.facts', 'not asked here');
  },
  users: {
    alter: async (user, what, ref) => {
      done.push(`${user} ${what} ${ref} on ${name}`);
      if (fault !== undefined) throw fault;
    },
    records: async (user, of) =>
      of === '50' && (user === undefined || user === 'alice') && name === 'hpc1'
        ? [
            {
              ...{ ref: jobRef('50'), id: 50, name: 'old', user: 'alice', account: 'physics' },
              ...{ partition: 'batch', state: 'COMPLETED', submitAt: instant(1), startAt: instant(2) },
              ...{ endAt: instant(3), timeLimitMs: 1, exit: { code: 0, signal: 0 }, nodes: 1 },
              ...{ nodeList: 'n1', workDir: '/' },
            },
          ]
        : [],
  } as Partial<UsersPort> as UsersPort,
});

beforeAll(async () => {
  const front = new Front({
    clusters: [cluster('hpc1'), cluster('hpc2')],
    clock: { now: () => instant(Date.now()) },
    ...{ entropy: { uuid: newId }, pause: async () => undefined },
    orders: {
      askOrder: async (asked) => {
        if (blocked !== undefined) throw blocked;
        return desk.askOrder(asked);
      },
      endOrder: async (id, outcome) => {
        if (complaints.includes('lose it')) throw new PortError('unreachable', 'desk', 'gone');
        return desk.endOrder(id, outcome);
      },
    },
    log: ({ level, text }) => void (level === 'warn' && complaints.push(text)),
  });
  const own = { order: (asked) => orderOfJob(front, asked) } as Partial<OwnFacade> as OwnFacade;
  bed = await makeBed({ own });
  ({ desk } = bed);
  alice = await bed.token('alice', 'user');
  olga = await bed.token('olga', 'operator');
});
afterAll(() => bed.close());
beforeEach(() => {
  [done, fault, blocked] = [[], undefined, undefined];
  complaints.length = 0;
});

const order = (token: string | undefined, path: string, body: unknown = {}, key?: string) =>
  bed.ask(token, path, { body, ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }) });
interface Row {
  readonly subject: string;
  readonly to: string;
  readonly why: string;
}
/** The newest order's rows, oldest first. */
async function rows(): Promise<readonly Row[]> {
  const { body } = await bed.ask(olga, 'audit?limit=50');
  const all = (body.audit as Row[]).filter(({ subject }) => subject.startsWith('order/'));
  return all.filter(({ subject }) => subject === all[0]?.subject).reverse();
}

describe.each(['hold', 'release'])('POST /jobs/ID/%s', (what) => {
  it('is done in Slurm as who asks, with a row before and one after, by his token', async () => {
    const { status, body } = await order(alice, `jobs/100/${what}`, { reason: 'wait for data' });
    expect([status, body]).toEqual([
      200,
      { order: { cluster: 'hpc1', job: '100', ordered: what, user: 'alice', at: expect.any(String) } },
    ]);
    expect(done).toEqual([`alice ${what} 100 on hpc1`]);
    const why = new RegExp(
      `^by alice \\(token [0-9a-f]{12}\\): ${what} job 100 on hpc1 as alice: wait for data$`,
    );
    expect(await rows()).toMatchObject([
      { to: 'asked', why: expect.stringMatching(why) },
      { to: 'done', why: expect.stringMatching(why) },
    ]);
  });

  it('is done once for a key, and not at all without one', async () => {
    const key = newId();
    for (const replayed of [null, 'true']) {
      const { status, headers } = await order(alice, `jobs/100/${what}`, {}, key);
      expect([status, headers.get('idempotent-replayed')]).toEqual([200, replayed]);
    }
    expect((await order(alice, `jobs/300/${what}`, { cluster: 'hpc1' }, key)).body.code).toBe('key_reused');
    expect((await order(alice, `jobs/100/${what}`, {}, ' ')).body.code).toBe('idempotency_key_missing');
    expect(done).toHaveLength(1);
  });

  it('of somebody else, or of none, is 404 and asks nothing of Slurm', async () => {
    for (const id of ['200', '999'])
      expect(await order(alice, `jobs/${id}/${what}`)).toMatchObject({
        status: 404,
        body: { code: 'not_found', detail: `no job ${id} of yours is known` },
      });
    expect(done).toEqual([]);
  });

  it('by an operator is done as the operator himself, whom Slurm may refuse', async () => {
    fault = new PortError('refused', 'users', 'Access/permission denied for job 200');
    expect(await order(olga, `jobs/200/${what}`)).toMatchObject({
      status: 400,
      body: { code: 'slurm_refused', detail: expect.stringContaining('permission denied') },
    });
    expect(done).toEqual([`olga ${what} 200 on hpc1`]);
    expect(await rows()).toMatchObject([
      { to: 'asked' },
      { to: 'failed', why: expect.stringContaining('permission denied') },
    ]);
  });
});

describe('an order of a job', () => {
  it('whose answer was lost is told as not known, there and in the audit; its key may come again', async () => {
    fault = new PortError('unknown', 'users', 'no answer');
    const key = newId();
    expect(await order(alice, 'jobs/100/hold', {}, key)).toMatchObject({
      status: 504,
      body: { code: 'outcome_unknown' },
    });
    expect((await rows()).map(({ to }) => to)).toEqual(['asked', 'unknown']);
    fault = undefined;
    expect((await order(alice, 'jobs/100/hold', {}, key)).status).toBe(200);
  });

  it('that started meanwhile is Slurm’s no', async () => {
    fault = new PortError('started', 'users', 'Job is no longer pending execution');
    expect(await order(alice, 'jobs/100/hold')).toMatchObject({
      status: 400,
      body: { code: 'slurm_refused' },
    });
  });

  it('is not asked of Slurm where the audit cannot be written first', async () => {
    blocked = new PortError('unreachable', 'desk', 'the database is away');
    expect(await order(alice, 'jobs/100/hold')).toMatchObject({
      status: 503,
      body: { code: 'not_available' },
    });
    expect(done).toEqual([]);
    // Whether it was written is not known, but that nothing was done is.
    blocked = new PortError('unknown', 'desk', 'no answer of the database');
    expect((await order(alice, 'jobs/100/hold')).status).toBe(503);
    expect(done).toEqual([]);
  });

  it('that Slurm refuses in words of any kind is told in whole characters of them', async () => {
    fault = new PortError('refused', 'users', `no\u0000\ud800${'x'.repeat(496)}😀😀`);
    expect((await order(alice, 'jobs/100/hold')).status).toBe(400);
    expect(await rows()).toMatchObject([
      { to: 'asked' },
      { to: 'failed', why: expect.stringMatching(/: no x{496}😀$/u) },
    ]);
  });

  it('that is done stays done where the row behind it is lost: it says asked, and the log what came', async () => {
    complaints.push('lose it');
    expect((await order(alice, 'jobs/100/hold')).status).toBe(200);
    expect((await rows()).map(({ to }) => to)).toEqual(['asked']);
    expect(complaints.at(-1)).toMatch(/^order\/.* is done, which the audit does not say/);
  });

  it('that is over is a conflict', async () => {
    expect(await order(alice, 'jobs/50/hold')).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: 'job 50 has ended' },
    });
  });

  it('that two clusters have is named with its cluster', async () => {
    expect(await order(alice, 'jobs/300/hold')).toMatchObject({
      status: 409,
      body: { field: 'cluster', detail: expect.stringContaining('hpc1 and hpc2') },
    });
    expect((await order(alice, 'jobs/300/hold', { cluster: 'hpc1' })).status).toBe(200);
    expect(done).toEqual(['alice hold 300 on hpc1']);
  });

  it('in a cluster that is none is told which there are', async () => {
    expect(await order(alice, 'jobs/100/hold', { cluster: 'moon' })).toMatchObject({
      status: 404,
      body: {
        ...{ code: 'not_found', field: 'cluster' },
        detail: 'cluster: there is no cluster moon; there are hpc1, hpc2',
      },
    });
    expect(done).toEqual([]);
  });

  it('where nothing is ordered through this gateway leaves no row', async () => {
    const before = await rows();
    expect(await order(alice, 'jobs/400/hold')).toMatchObject({
      status: 400,
      body: { code: 'slurm_refused', detail: expect.stringContaining('clusters[].submit') },
    });
    expect([done, await rows()]).toEqual([[], before]);
  });

  it.each([
    ['an id that is none', 'jobs/1;id/hold', {}, 'bad_path', 'id'],
    ['a reason with a newline', 'jobs/100/hold', { reason: 'a\nb' }, 'bad_order', 'reason'],
    ['another user', 'jobs/100/hold', { user: 'bob' }, 'bad_order', 'user'],
  ])('%s: 400 with the field', async (_what, path, body, code, field) => {
    expect(await order(alice, path, body)).toMatchObject({ status: 400, body: { code, field } });
    expect(done).toEqual([]);
  });

  it('by whom nobody knows is refused, with or without authentication', async () => {
    expect((await order(undefined, 'jobs/100/hold')).status).toBe(401);
    const open = await bed.another({ doorman: undefined });
    const response = await fetch(`${open.base}/api/v1/jobs/100/hold`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': newId() },
      body: '{}',
    });
    expect(response.status).toBe(403);
    await open.close();
    expect(done).toEqual([]);
  });

  it('is told to its user as it happens, and to no other user', async () => {
    const { next } = await desk.events(undefined, 1);
    await order(alice, 'jobs/100/release');
    await expect.poll(async () => (await desk.events(next, 10)).rows.length).toBe(2);
    const { rows: events } = await desk.events(next, 10);
    expect(events).toMatchObject([
      { to: 'asked', user: 'alice', cluster: 'hpc1', job: '100' },
      { to: 'done', user: 'alice', cluster: 'hpc1', job: '100' },
    ]);
    const { body } = await bed.ask(olga, 'audit?limit=1');
    expect(body.audit).toMatchObject([{ kind: 'order', user: 'alice' }]);
  });

  it('stands in a chain that audit verify holds against the store, until retention takes it', async () => {
    await order(alice, 'jobs/100/hold');
    const dir = await mkdtemp(join(tmpdir(), 'spillway-orders-'));
    const anchors = new PostgresAnchors({ url: bed.database, onError: () => undefined });
    const faults = async () => {
      const found: Finding[] = [];
      await verifyStore(bed.database, dir, (f) => found.push(f));
      return found.filter(({ kind }) => kind === 'fault').map(({ where, text }) => `${where}: ${text}`);
    };
    const { subject } = (await rows())[0] as Row;
    expect(await faults()).toEqual([]);
    const search = `${bed.database}&options=${encodeURIComponent('-c search_path=spillway')}`;
    const kept = await bed.query(`select data from orders where id = '${subject}'`, search);
    await bed.query(`update orders set data = data || '{"user":"bob"}' where id = '${subject}'`, search);
    expect((await faults()).join()).toContain(subject);
    const data = JSON.stringify(kept[0]?.data);
    await bed.query(`update orders set data = '${data}' where id = '${subject}'`, search);
    expect(await faults()).toEqual([]);
    // What is not anchored stays, whatever its age.
    const old = { auditMs: -60_000, receiptsMs: 1e12 };
    await anchors.prune(old);
    expect((await rows()).length).toBe(2);
    const loop = new Anchors({
      ...{ anchors, witness: new FileWitness(dir), retention: { auditMs: 1e12, receiptsMs: 1e12 } },
      scheduler: { after: () => ({ cancel: () => undefined }) },
      log: () => undefined,
    });
    await loop.round();
    while (await anchors.prune(old));
    expect(await bed.query('select id from orders', search)).toEqual([]);
    expect(await rows()).toEqual([]);
    await loop.round();
    expect(await faults()).toEqual([]);
    await anchors.close();
    await rm(dir, { recursive: true });
  });
});
