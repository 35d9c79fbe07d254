/** What users submit and cancel through FirecREST's routes, on a real Postgres: it stands in the audit, and a key has one job, whatever dies in between. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresAnchors } from '../../adapters/store/anchors.ts';
import { verifyStore } from '../../adapters/store/verify.ts';
import { PortError } from '../../src/domain/fault.ts';
import { instant, type Uuid } from '../../src/domain/ids.ts';
import { Front } from '../../src/engine/front.ts';
import type { UsersPort } from '../../src/ports.ts';
import { newId } from '../contract/samples.ts';
import { type Bed, cluster, makeBed, queue } from './bed.ts';

let bed: Bed;
let alice: string;
let olga: string;
/** What Slurm was asked, and what it has by its key. */
let asked: string[];
let jobs: Map<string, number>;
/** What sbatch does; undefined: it takes the job. */
let sbatch: ((key: Uuid) => Promise<number>) | undefined;
/** What stood in the audit when Slurm was asked. */
let before: string[];

const taken = (key: Uuid): number => {
  const id = 4_000 + jobs.size;
  jobs.set(key, id);
  return id;
};

const users: UsersPort = {
  submit: async (user, _order, key) => {
    before = await steps();
    asked.push(`sbatch ${user}`);
    return sbatch === undefined ? taken(key) : sbatch(key);
  },
  submitted: async (_user, key) => jobs.get(key),
  slurmName: async () => 'centre',
  coordinators: async () => new Map(),
  alter: () => Promise.reject(new Error('not asked here')),
  cancel: async (user, ref) => {
    before = await steps();
    asked.push(`scancel ${user} ${ref}`);
    if (ref === '101') throw new PortError('refused', 'users.cancel', 'Access/permission denied');
  },
  records: async () => [],
  uid: () => Promise.reject(new Error('not asked here')),
  info: () => Promise.reject(new Error('not asked here')),
  close: async () => undefined,
};

beforeAll(async () => {
  const front = new Front({
    clusters: [
      {
        ...{ name: cluster, users, submits: true, snapshot: undefined },
        slurm: {
          job: async (ref) => queue.find((j) => j.ref === ref) as never,
          script: async () => undefined,
        },
        facts: () => Promise.reject(new Error('not asked here')),
      },
    ],
    clock: { now: () => instant(Date.now()) },
    entropy: { uuid: newId },
    orders: {
      askOrder: (order) => bed.desk.askOrder(order),
      endOrder: (id, outcome) => bed.desk.endOrder(id, outcome),
    },
    pause: async () => undefined,
    log: () => undefined,
  });
  bed = await makeBed({ front });
  [alice, olga] = [await bed.token('alice', 'user'), await bed.token('olga', 'operator')];
});
afterAll(() => bed.close());
beforeEach(async () => {
  [asked, jobs, sbatch, before] = [[], new Map(), undefined, []];
  await bed.query('delete from spillway.order_keys', bed.database);
});

/** `state: why` of every order, the newest first. */
async function steps(): Promise<string[]> {
  const { body } = await bed.ask(olga, 'audit?limit=50');
  const rows = body.audit as { kind: string; to: string; why: string }[];
  return rows.filter((r) => r.kind === 'order').map((r) => `${r.to}: ${r.why}`);
}

const script = '#!/bin/bash\n#SBATCH -t 5\nexport TOKEN=secret\n';
const order = {
  job: { workingDirectory: '/home/alice', script, account: 'physics', env: { KEY: 'hidden' } },
};
const path = '../../firecrest/v2/compute/hpc1/jobs';
const submit = (key: string, body: object = order, token = alice) =>
  bed.ask(token, path, { body, headers: { 'idempotency-key': key } });

describe('the audit', () => {
  it('has who submits what before Slurm is asked, and what came of it, and nothing that a script holds', async () => {
    expect((await submit(newId())).status).toBe(201);
    const words =
      /^asked: by alice \(token [0-9a-f]+\): sbatch, of a script, account physics on hpc1 as alice$/;
    expect(before[0]).toMatch(words);
    const told = await steps();
    expect(told[0]).toMatch(/^done: by alice .*: job 4000$/);
    expect(told.join()).not.toMatch(/secret|hidden|TOKEN/);
  });

  it('has what Slurm refused, in its words', async () => {
    sbatch = () => Promise.reject(new PortError('refused', 'users.submit', 'Invalid account'));
    expect((await submit(newId())).body).toMatchObject({ code: 'slurm_refused', detail: 'Invalid account' });
    expect((await steps())[0]).toMatch(/^failed: by alice .*: Invalid account$/);
  });

  it('has a cancel, and one that Slurm refused', async () => {
    const cancel = (id: number) => bed.ask(alice, `${path}/${id}`, { method: 'DELETE' });
    expect((await cancel(100)).status).toBe(204);
    expect(before[0]).toMatch(/^asked: by alice .*: scancel 100 on hpc1 as alice$/);
    expect((await steps())[0]).toMatch(/^done: by alice .*: scancel 100/);
    expect((await cancel(101)).status).toBe(400);
    expect((await steps())[0]).toMatch(/^failed: .*scancel 101.*: Access\/permission denied$/);
    const many = (await steps()).length;
    // Somebody else's is never asked for.
    expect((await cancel(200)).status).toBe(404);
    expect(await steps()).toHaveLength(many);
  });

  it('comes first: without it nothing is asked of Slurm', async () => {
    await bed.query('alter table spillway.orders rename to away', bed.database);
    const refused = await submit(newId());
    await bed.query('alter table spillway.away rename to orders', bed.database);
    expect(refused.status).toBeGreaterThanOrEqual(500);
    expect(asked).toEqual([]);
  });
});

describe('an Idempotency-Key', () => {
  it('gives the same order the same job, and another order 422', async () => {
    const key = newId();
    const [first, second] = [await submit(key), await submit(key)];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    const other = { job: { ...order.job, account: 'chemistry' } };
    expect((await submit(key, other)).body).toMatchObject({ status: 422, code: 'key_reused' });
    // Another's key is his own.
    expect((await submit(key, order, olga)).body).not.toEqual(first.body);
    expect(asked).toEqual(['sbatch alice', 'sbatch olga']);
  });

  it('of requests at the same moment lets one submit', async () => {
    const key = newId();
    const answers = await Promise.all([1, 2, 3, 4].map(() => submit(key)));
    expect(asked).toHaveLength(1);
    const codes = answers.map(({ status, body }) => (status === 409 ? body.code : body.jobId));
    expect(new Set(codes.filter((c) => c !== 'still_running'))).toEqual(new Set(['4000']));
  });

  it('that was refused may come again', async () => {
    const key = newId();
    sbatch = () => Promise.reject(new PortError('refused', 'users.submit', 'Invalid account'));
    expect((await submit(key)).status).toBe(400);
    sbatch = undefined;
    expect((await submit(key)).status).toBe(201);
  });

  it('whose answer was lost finds its job later, and never makes a second', async () => {
    const key = newId();
    sbatch = () => Promise.reject(new PortError('unknown', 'users.submit', 'no answer'));
    expect((await submit(key)).body).toMatchObject({ status: 504, code: 'outcome_unknown' });
    expect((await submit(key)).status).toBe(504);
    const [audit] = (await bed.ask(olga, 'audit?limit=1')).body.audit as { subject: string }[];
    taken((audit?.subject ?? '').replace('order/', '') as Uuid);
    const found = await submit(key);
    expect(found).toMatchObject({ status: 201, body: { jobId: '4000' } });
    expect(asked).toEqual(['sbatch alice']);
    expect((await steps())[0]).toMatch(/^done: .*job 4000, found by its key$/);
  });

  it.each([
    ['before Slurm took it', false],
    ['after Slurm took it', true],
  ])('of a gateway that died %s makes no second job, through another gateway', async (_when, took) => {
    const key = newId();
    sbatch = (named) => {
      if (took) taken(named);
      return new Promise(() => undefined);
    };
    const dying = submit(key).catch(() => undefined);
    await expect.poll(() => asked).toHaveLength(1);
    const other = await bed.another();
    try {
      const again = () =>
        fetch(`${other.base}/firecrest/v2/compute/hpc1/jobs`, {
          method: 'POST',
          headers: {
            ...{ authorization: `Bearer ${alice}`, 'content-type': 'application/json' },
            'idempotency-key': key,
          },
          body: JSON.stringify(order),
        }).then((r) => r.status);
      expect(await again()).toBe(409);
      // The minute for which it counts as running is over.
      await bed.query('update spillway.order_keys set until = 0', bed.database);
      expect(await again()).toBe(took ? 201 : 504);
      expect(asked).toEqual(['sbatch alice']);
    } finally {
      bed.cut();
      await other.close();
      await dying;
    }
  });

  it('may be left out, as FirecREST’s own clients do: each is an order of its own then', async () => {
    const plain = () =>
      fetch(`${bed.base}/firecrest/v2/compute/hpc1/jobs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${alice}`, 'content-type': 'application/json' },
        body: JSON.stringify(order),
      }).then((r) => r.json());
    expect([await plain(), await plain()]).toEqual([{ jobId: '4000' }, { jobId: '4001' }]);
  });
});

it('orders stand in chains that `audit verify` follows, one that was cut out is found, and retention takes what is old', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'spillway-anchors-'));
  const anchors = new PostgresAnchors({ url: bed.database, onError: () => undefined });
  const faults = async () => {
    const found: string[] = [];
    await verifyStore(bed.database, dir, ({ kind, where }) => void (kind === 'fault' && found.push(where)));
    return found;
  };
  const count = async () =>
    (await bed.query('select count(*) as n from spillway.orders', bed.database))[0]?.n;
  try {
    await submit(newId());
    await anchors.anchor();
    expect(await faults()).toEqual([]);
    await bed.query('create table kept as select * from spillway.orders', bed.database);
    const [gone] = await bed.query(
      'delete from spillway.orders where id = (select max(id) from spillway.orders) returning id',
      bed.database,
    );
    expect(await faults()).toEqual([`audit/${gone?.id}`]);
    await bed.query('insert into spillway.orders select * from kept on conflict do nothing', bed.database);
    while (await anchors.prune({ auditMs: 3_600_000, receiptsMs: 3_600_000 }));
    expect(Number(await count())).toBeGreaterThan(0);
    while (await anchors.prune({ auditMs: -1, receiptsMs: 3_600_000 }));
    expect(Number(await count())).toBe(0);
    expect(await faults()).toEqual([]);
  } finally {
    await anchors.close();
    await rm(dir, { recursive: true, force: true });
  }
});

it('an order is told with its user, cluster and job, and found by its subject', async () => {
  await submit(newId());
  const { body } = await bed.ask(olga, 'audit?limit=1');
  const [row] = body.audit as { subject: string }[];
  expect(row).toMatchObject({ user: 'alice', cluster: 'hpc1', job: '4000' });
  const found = (await bed.ask(olga, `audit?subject=${row?.subject}`)).body.audit as { to: string }[];
  expect(found.map((r) => r.to)).toEqual(['done', 'asked']);
  await bed.ask(alice, `${path}/100`, { method: 'DELETE' });
  const [cancelled] = (await bed.ask(olga, 'audit?limit=1')).body.audit as object[];
  expect(cancelled).toMatchObject({ kind: 'order', to: 'done', user: 'alice', job: '100' });
});

it('a name with half of a character is refused by its field, and one that is cut is cut between two', async () => {
  const named = (name: string) => submit(newId(), { job: { ...order.job, name } });
  expect((await named('\ud800')).body).toMatchObject({ status: 400, code: 'bad_order', field: 'job.name' });
  expect(asked).toEqual([]);
  expect((await named(`${'x'.repeat(99)}😀😀`)).status).toBe(201);
  expect((await steps())[0]).toMatch(/name x{99}😀, account/u);
});
