/** FirecREST's routes over the API: who may ask what, and what is said. The cluster behind them is a few words. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { app, type Facade } from '../../src/api/app.ts';
import type { Role } from '../../src/domain/caller.ts';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant, jobRef, type Uuid, uuid } from '../../src/domain/ids.ts';
import type { JobDetail, Snapshot } from '../../src/domain/job.ts';
import type { JobRecord, SubmitOrder } from '../../src/domain/submit.ts';
import type { Doorman } from '../../src/engine/doorman.ts';
import { Front, type FrontCluster } from '../../src/engine/front.ts';
import type { UsersPort } from '../../src/ports.ts';
import { detail } from '../burst/fixtures.ts';
import { grounds } from './grounds.ts';

const now = 1_700_000_000_000;
const job = (id: number, over: Partial<JobDetail> = {}) => detail({ ref: jobRef(`${id}`), id, ...over });
const queue = [job(100, { user: 'alice' }), job(200, { user: 'bob', account: 'chemistry', name: 'dock' })];
const record = (id: number, user: string): JobRecord => ({
  ...{
    ref: jobRef(`${id}`),
    id,
    name: 'old',
    user,
    account: 'physics',
    partition: 'batch',
    state: 'TIMEOUT',
  },
  ...{ submitAt: instant(now - 9e6), startAt: instant(now - 8e6), endAt: instant(now - 7e6) },
  ...{ timeLimitMs: 600_000, exit: { code: 0, signal: 15 }, nodes: 1, nodeList: 'n1', workDir: '/home' },
});

let submitted: [string, SubmitOrder][];
let cancelled: [string, string][];
let fault: PortError | undefined;
let found: number | undefined;
let asked: Uuid[];
let server: Server;
let base: string;
let snapshot: Snapshot | undefined;
let byId: Readonly<Record<string, JobDetail>>;
let ended: JobRecord[];

const users: UsersPort = {
  submit: async (user, order, key) => {
    asked.push(key);
    if (fault !== undefined) throw fault;
    submitted.push([user, order]);
    return 4711;
  },
  submitted: async (_user, key) => (key === asked.at(-1) ? found : undefined),
  slurmName: async () => 'centre',
  coordinators: async () => new Map(),
  cancel: async (user, ref) => void cancelled.push([user, ref]),
  alter: async () => undefined,
  records: async (user, of) =>
    [record(50, 'alice'), record(60, 'bob'), ...ended]
      .filter((r) => user === undefined || r.user === user)
      .filter((r) => typeof of !== 'string' || r.ref === of || r.ref.startsWith(`${of}_`)),
  uid: () => Promise.reject(new Error('not asked here')),
  info: async () => ({
    ...{
      uid: 2001,
      gid: 2001,
      groups: [
        { gid: 2001, name: 'alice' },
        { gid: 3001, name: 'physics' },
      ],
    },
    accounts: [{ name: 'physics', isDefault: true }],
  }),
  close: async () => undefined,
};

const people: Readonly<Record<string, Role>> = { alice: 'user', olga: 'operator' };
const doorman = {
  who: async (token: string) => {
    const [name = '', scope] = token.split('.');
    return { name, role: people[name] ?? 'user', by: 'token' as const, scope };
  },
} as unknown as Doorman;

beforeEach(async () => {
  [byId, ended] = [{}, []];
  [submitted, cancelled, asked, fault, found] = [[], [], [], undefined, undefined];
  const name = clusterName('hpc1');
  snapshot = {
    ...{ cluster: name, at: instant(now), tookMs: 12, jobs: queue, partial: [] },
    partitions: [],
    nodes: [
      {
        ...{ name: 'n1', state: 'mixed+drain', partitions: ['batch'], cpus: 8, allocatedCpus: 3 },
        ...{ memoryMib: 1, features: 'fast,gpu', gres: '' },
      },
    ],
  };
  const cluster = (label: string, submits: boolean): FrontCluster => ({
    ...{ name: clusterName(label), users, submits },
    get snapshot() {
      return snapshot;
    },
    slurm: {
      job: async (ref) => byId[ref] ?? queue.find((j) => j.ref === ref),
      script: async () => '#!/bin/sh\n',
    },
    facts: async () => ({
      ...{ version: '22.05.8', killWaitMs: 1, minJobAgeMs: 1, partitions: [], preemptMode: '' },
    }),
  });
  const front = new Front({
    clusters: [cluster('hpc1', true), cluster('hpc2', false)],
    clock: { now: () => instant(now) },
    entropy: { uuid: () => uuid(crypto.randomUUID()) },
    orders: { askOrder: async () => undefined, endOrder: async () => undefined },
    pause: async () => undefined,
    log: () => undefined,
  });
  const api = app(grounds({} as Facade, { front, doorman, clock: { now: () => now } }));
  server = api.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/firecrest/v2`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function ask(who: string | undefined, path: string, method = 'GET', body?: unknown) {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: {
      ...(who === undefined ? {} : { authorization: `Bearer ${who}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    version: response.headers.get('f7t-appversion'),
    body: (text === '' ? undefined : JSON.parse(text)) as never,
  };
}

const ids = (body: { jobs: { jobId: string }[] }) => body.jobs.map((j) => j.jobId);
const script = '#!/bin/bash\nhostname\n';
const order = { job: { workingDirectory: '/home/alice', script } };

it('asks who it is, and says whose version it speaks', async () => {
  expect((await ask(undefined, '/status/systems')).status).toBe(401);
  const { body, version } = await ask('alice', '/status/systems');
  expect(version).toBe('2.6.0');
  expect(body).toMatchObject({
    systems: [
      { name: 'hpc1', scheduler: { type: 'slurm', version: '22.05.8' }, submits: true },
      { name: 'hpc2', submits: false },
    ],
  });
});

it('shows a user his own jobs, those that have ended lately too, and an operator all where he asks for them', async () => {
  expect(ids((await ask('alice', '/compute/hpc1/jobs')).body)).toEqual(['100', '50']);
  expect(ids((await ask('alice', '/compute/hpc1/jobs?allusers=true')).body)).toEqual(['100', '50']);
  expect(ids((await ask('olga', '/compute/hpc1/jobs')).body)).toEqual([]);
  expect(ids((await ask('olga', '/compute/hpc1/jobs?allusers=True')).body)).toEqual([
    '200',
    '100',
    '50',
    '60',
  ]);
  expect(ids((await ask('olga', '/compute/hpc1/jobs?allusers=true&name=dock')).body)).toEqual(['200']);
  expect((await ask('alice', '/compute/hpc1/jobs?time_window=2y')).status).toBe(400);
});

it('a state is Slurm’s own word, with code and signal, in the queue and after it', async () => {
  expect((await ask('alice', '/compute/hpc1/jobs/100')).body).toMatchObject({
    jobs: [{ jobId: '100', status: { state: 'PENDING' }, user: 'alice', cluster: 'hpc1' }],
  });
  expect((await ask('alice', '/compute/hpc1/jobs/50')).body).toMatchObject({
    jobs: [
      {
        status: { state: 'TIMEOUT', exitCode: 0, interruptSignal: 15 },
        time: { elapsed: 1000, limit: 10, start: (now - 8e6) / 1000, end: (now - 7e6) / 1000 },
      },
    ],
  });
});

it('somebody else’s job is not there: not to be read, nor its script, nor to be cancelled', async () => {
  for (const [path, method] of [
    ['/compute/hpc1/jobs/200', 'GET'],
    ['/compute/hpc1/jobs/60', 'GET'],
    ['/compute/hpc1/jobs/200/metadata', 'GET'],
    ['/compute/hpc1/jobs/200', 'DELETE'],
    ['/compute/hpc1/jobs/999', 'GET'],
  ] as const)
    expect((await ask('alice', path, method)).status).toBe(404);
  expect(cancelled).toEqual([]);
  expect((await ask('alice', '/compute/hpc1/jobs/x', 'GET')).status).toBe(400);
  expect((await ask('alice', '/compute/hpc3/jobs')).status).toBe(404);
});

it('of an array’s id all tasks are told: one that has ended says nothing of the others', async () => {
  const task = (id: number, index: string) =>
    job(id, { ref: jobRef(`300_${index}`), user: 'alice', arrayJobId: 300, arrayTask: index });
  // The last task has the array's number; the first ended and is slurmdbd's.
  const [running, last] = [task(301, '1'), task(300, '2')];
  const shown = snapshot;
  snapshot = shown && { ...shown, jobs: [...queue, running, last] };
  byId = { '300': last, '300_1': running };
  ended = [{ ...record(302, 'alice'), ref: jobRef('300_0') }];
  const told = async (who: string, id: string) => ids((await ask(who, `/compute/hpc1/jobs/${id}`)).body);
  expect(await told('alice', '300')).toEqual(['300_1', '300_2', '300_0']);
  expect(await told('olga', '300')).toEqual(['300_1', '300_2', '300_0']);
  expect(await told('alice', '300_1')).toEqual(['300_1']);
  expect((await ask('bob', '/compute/hpc1/jobs/300')).status).toBe(404);
  // The last has ended, and slurmctld has forgotten it.
  snapshot = shown && { ...shown, jobs: [...queue, running] };
  byId = { '300_1': running };
  ended.push({ ...record(300, 'alice'), ref: jobRef('300_2') });
  expect(await told('alice', '300')).toEqual(['300_1', '300_0', '300_2']);
});

it('submits as who asks, whoever that is', async () => {
  const { status, body } = await ask('alice', '/compute/hpc1/jobs', 'POST', {
    job: { ...order.job, account: 'physics', env: { A: 'b' }, standardOutput: null, futureField: 1 },
  });
  expect([status, body]).toEqual([201, { jobId: '4711' }]);
  expect(submitted).toMatchObject([
    ['alice', { script: { text: script }, workDir: '/home/alice', account: 'physics', env: { A: 'b' } }],
  ]);
  expect(submitted[0]?.[1].stdout).toBeUndefined();
  const there = { job: { working_directory: '/home/olga', scriptPath: '/home/olga/job.sh' } };
  expect((await ask('olga', '/compute/hpc1/jobs', 'POST', there)).status).toBe(201);
  expect(submitted[1]).toMatchObject(['olga', { script: { path: '/home/olga/job.sh' } }]);
});

it.each([
  [{}, 'job'],
  [{ job: { script } }, 'job.workingDirectory'],
  [{ job: { workingDirectory: 'home', script } }, 'job.workingDirectory'],
  [{ job: { workingDirectory: '/h' } }, 'job.script'],
  [{ job: { workingDirectory: '/h', script, scriptPath: '/x' } }, 'job.script'],
  [{ job: { workingDirectory: '/h', script: 'hostname' } }, 'job.script'],
  [{ job: { workingDirectory: '/h', script: `#!/bin/sh\n${'x'.repeat(2 ** 22)}` } }, 'job.script'],
  [{ job: { workingDirectory: '/h', script, account: 'a\nb' } }, 'job.account'],
  [{ job: { workingDirectory: '/h', script, env: ['NOTHING'] } }, 'job.env'],
])('refuses %j, and says which field', async (body, field) => {
  const refused = await ask('alice', '/compute/hpc1/jobs', 'POST', body);
  expect(refused.status).toBe(400);
  expect(refused.body).toMatchObject({ code: 'bad_order', field });
  expect(submitted).toEqual([]);
});

it.each([['-M other'], ['--clusters=other'], ['--clusters other,centre'], ['-HM"other"'], ['--cluster=all']])(
  'a script that asks for another cluster (%s) is refused, and nothing is submitted',
  async (option) => {
    const to = (words: string) => ({ job: { ...order.job, script: `#!/bin/bash\n#SBATCH ${words}\n:\n` } });
    const refused = await ask('alice', '/compute/hpc1/jobs', 'POST', to(option));
    expect(refused).toMatchObject({
      status: 400,
      body: {
        code: 'slurm_refused',
        detail: expect.stringMatching(/--clusters=.*cluster centre: leave it out/),
      },
    });
    expect(submitted).toEqual([]);
    // Its own name is no other cluster, and what stands behind the first command is none of sbatch's.
    expect((await ask('alice', '/compute/hpc1/jobs', 'POST', to('-M Centre'))).status).toBe(201);
    expect((await ask('alice', '/compute/hpc1/jobs', 'POST', to(`-t 5\n:\n#SBATCH ${option}`))).status).toBe(
      201,
    );
  },
);

it('Slurm’s own words come through; a lost answer is looked for, and never asked again', async () => {
  fault = new PortError('refused', 'users.submit', 'Invalid account');
  expect(await ask('alice', '/compute/hpc1/jobs', 'POST', order)).toMatchObject({
    status: 400,
    body: { code: 'slurm_refused', detail: 'Invalid account' },
  });
  fault = new PortError('unknown', 'users.submit', 'no answer');
  expect(await ask('alice', '/compute/hpc1/jobs', 'POST', order)).toMatchObject({
    status: 504,
    body: { code: 'outcome_unknown', detail: expect.stringContaining('look at your jobs') },
  });
  found = 4712;
  expect(await ask('alice', '/compute/hpc1/jobs', 'POST', order)).toMatchObject({
    status: 201,
    body: { jobId: '4712' },
  });
  expect(asked).toHaveLength(3);
});

it('cancels as who asks', async () => {
  expect((await ask('alice', '/compute/hpc1/jobs/100', 'DELETE')).status).toBe(204);
  expect((await ask('olga', '/compute/hpc1/jobs/100', 'DELETE')).status).toBe(204);
  // Whether olga may, Slurm says: it is done as her.
  expect(cancelled).toEqual([
    ['alice', '100'],
    ['olga', '100'],
  ]);
});

it('a token for reading reads, and neither submits nor cancels', async () => {
  expect((await ask('alice.read', '/compute/hpc1/jobs')).status).toBe(200);
  const job = { script: '#!/bin/sh\n', workingDirectory: '/home/alice' };
  for (const [method, path, body] of [
    ['POST', '/compute/hpc1/jobs', { job }],
    ['POST', '/compute/hpc1/jobs', 'x'.repeat(20_000)],
    ['DELETE', '/compute/hpc1/jobs/100', undefined],
    ['POST', '/filesystem/hpc1/ops/mkdir', {}],
  ] as const) {
    const { status, body: told } = await ask('alice.read', path, method, body);
    expect([path, status, told]).toEqual([path, 403, expect.objectContaining({ code: 'forbidden' })]);
  }
  expect([submitted, cancelled]).toEqual([[], []]);
  expect((await ask('alice', '/compute/hpc1/jobs', 'POST', { job })).status).toBe(201);
});

it('where the site does not let it, nothing is submitted', async () => {
  const refused = await ask('alice', '/compute/hpc2/jobs', 'POST', order);
  expect(refused).toMatchObject({
    status: 400,
    body: { detail: expect.stringContaining('clusters[].submit') },
  });
  expect(submitted).toEqual([]);
});

it('tells nodes and who one is; without a look at the queue it says so, and files are not served', async () => {
  expect((await ask('alice', '/status/hpc1/nodes')).body).toMatchObject({
    nodes: [
      {
        name: 'n1',
        state: ['MIXED', 'DRAIN'],
        cpus: 8,
        allocCpus: 3,
        idleCpus: 5,
        features: ['fast', 'gpu'],
      },
    ],
  });
  expect((await ask('alice', '/status/hpc1/userinfo')).body).toEqual({
    user: { id: '2001', name: 'alice' },
    group: { id: '2001', name: 'alice' },
    groups: [
      { id: '2001', name: 'alice' },
      { id: '3001', name: 'physics' },
    ],
    accounts: [{ name: 'physics', default: true }],
  });
  expect((await ask('alice', '/filesystem/hpc1/ops/ls?path=/')).status).toBe(501);
  snapshot = undefined;
  expect((await ask('alice', '/status/hpc1/nodes')).status).toBe(503);
  expect((await ask('alice', '/compute/hpc1/jobs')).status).toBe(503);
});
