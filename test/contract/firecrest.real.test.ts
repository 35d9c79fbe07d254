/** FirecREST's own client against the API, on the real Slurm: what it submits runs as its user, by sudo, and is read back by it. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sshSlurm } from '../../adapters/slurm/index.ts';
import { ssh } from '../../adapters/slurm/ssh.ts';
import { usersOver } from '../../adapters/slurm/users.ts';
import { env } from '../../lab/real/slurm.ts';
import { account } from '../../lab/real/users.ts';
import type { OwnFacade } from '../../src/api/app.ts';
import { clusterName, instant, jobRef, uuid } from '../../src/domain/ids.ts';
import type { Snapshot } from '../../src/domain/job.ts';
import type { SubmitOrder } from '../../src/domain/submit.ts';
import { Front } from '../../src/engine/front.ts';
import { orderOfJob } from '../../src/engine/orders.ts';
import type { SlurmPort, UsersPort } from '../../src/ports.ts';
import { type Bed, makeBed } from '../api/bed.ts';
import { debianPython, ensureVenv } from '../venv.ts';
import { newId } from './samples.ts';

const exec = promisify(execFile);
const venv = resolve('node_modules/.cache/firecrest');
const clock = { now: () => instant(Date.now()) };

let slurm: SlurmPort;
let users: UsersPort;
let bed: Bed;
let snapshot: Snapshot | undefined;
let far: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  await ensureVenv(venv, debianPython, [['pyfirecrest==3.10.0']]);
  const lab = await env({ say: () => undefined });
  const of = (name: string): string => {
    const value = lab[name];
    if (value === undefined) throw new Error(`no ${name}: npm run lab -- up slurm`);
    return value;
  };
  const log = { info: () => undefined, warn: () => undefined };
  const door = {
    ...{ host: of('SPILLWAY_LAB_SSH_HOST'), port: Number(of('SPILLWAY_LAB_SSH_PORT')), clock, log },
    ...{ user: of('SPILLWAY_LAB_SSH_USER'), hostKey: of('SPILLWAY_LAB_SSH_HOST_KEY') },
    privateKey: readFileSync(of('SPILLWAY_LAB_SSH_KEY')),
  };
  far = { SLURM_CONF: of('SLURM_CONF') };
  slurm = sshSlurm({ ...door, cluster: clusterName('lab'), env: far });
  users = usersOver(ssh(door), { env: far, script: (id) => slurm.script(id) });
  const front = new Front({
    clusters: [
      {
        ...{ name: clusterName('lab'), slurm, users, submits: true },
        facts: () => slurm.facts(),
        get snapshot() {
          return snapshot;
        },
      },
    ],
    ...{ clock, entropy: { uuid: newId }, log: () => undefined },
    orders: {
      askOrder: (asked) => bed.desk.askOrder(asked),
      endOrder: (id, outcome) => bed.desk.endOrder(id, outcome),
    },
    pause: async (ms) => void (await pause(ms)),
  });
  const own = {
    order: (asked) => orderOfJob(front, asked),
  } as Partial<OwnFacade> as OwnFacade;
  bed = await makeBed({ front, own });
}, 300_000);
afterAll(async () => {
  await bed?.close();
  await users?.close();
  await slurm?.close();
});

/** Lines of Python with `c`, the client of this user; what they print as JSON. */
async function python(token: string, ...lines: readonly string[]): Promise<unknown> {
  const code = [
    'import json, firecrest, firecrest.v2 as f7t',
    'class Token:',
    `  def get_access_token(self): return ${JSON.stringify(token)}`,
    `c = f7t.Firecrest(firecrest_url=${JSON.stringify(`${bed.base}/firecrest/v2`)}, authorization=Token())`,
    'def refused(work):',
    '  try: work()',
    '  except firecrest.UnexpectedStatusException as e: return e.responses[-1].status_code',
    ...lines,
  ].join('\n');
  const { stdout } = await exec(resolve(venv, 'bin/python'), ['-c', code], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

const json = (value: unknown): string => JSON.stringify(value);
async function looked(): Promise<void> {
  snapshot = await slurm.snapshot();
}

it('submits, reads, and finds a job that has ended, as its user and with its exit code', async () => {
  const [alice, bob] = [await bed.token('alice', 'user'), await bed.token('bob', 'user')];
  const { home } = account('alice');
  const script = '#!/bin/bash\n#SBATCH -t 2\necho "$(id -un) $PWD $GREETING $HOME" > firecrest.out\nexit 7\n';
  const made = (await python(
    alice,
    `print(json.dumps(c.submit("lab", ${json(home)}, script_str=${json(script)}, env_vars={"GREETING": "good day, you"}, account="physics", partition="batch")))`,
  )) as { jobId: string };
  expect(made.jobId).toMatch(/^\d+$/);
  await expect
    .poll(async () => (await slurm.accounting(jobRef(made.jobId)))[0]?.state, { timeout: 60_000 })
    .toBe('FAILED');
  expect(readFileSync(`${home}/firecrest.out`, 'utf8')).toBe(`alice ${home} good day, you ${home}\n`);
  await looked();
  const one = (await python(alice, `print(json.dumps(c.job_info("lab", ${json(made.jobId)})))`)) as object[];
  expect(one).toMatchObject([
    { jobId: made.jobId, user: 'alice', account: 'physics', status: { state: 'FAILED', exitCode: 7 } },
  ]);
  await expect
    .poll(
      async () => {
        await looked();
        const all = (await python(alice, 'print(json.dumps(c.job_info("lab", time_window="1h")))')) as {
          jobId: string;
          status: { state: string };
        }[];
        return all.filter((j) => j.jobId === made.jobId).map((j) => j.status.state);
      },
      { timeout: 30_000 },
    )
    .toEqual(['FAILED']);
  expect(
    await python(
      bob,
      `print(json.dumps([refused(lambda: c.job_info("lab", ${json(made.jobId)})), refused(lambda: c.cancel_job("lab", ${json(made.jobId)}))]))`,
    ),
  ).toEqual([404, 404]);
}, 180_000);

it('cancels a job that waits, and tells the queue, the script and who one is', async () => {
  const alice = await bed.token('alice', 'user');
  const { home, uid } = account('alice');
  const script = '#!/bin/bash\nsleep 600\n';
  // A partition that is DOWN: it only waits.
  const { jobId } = (await python(
    alice,
    `print(json.dumps(c.submit("lab", ${json(home)}, script_str=${json(script)}, partition="cloud")))`,
  )) as { jobId: string };
  await looked();
  const told = (await python(
    alice,
    `print(json.dumps({"jobs": c.job_info("lab"), "meta": c.job_metadata("lab", ${json(jobId)}), "me": c.userinfo("lab"), "nodes": c.nodes("lab"), "parts": c.partitions("lab"), "systems": c.systems(), "version": c.server_version()}))`,
  )) as Record<string, unknown>;
  expect(told.jobs).toContainEqual(
    expect.objectContaining({ jobId, status: expect.objectContaining({ state: 'PENDING' }) }),
  );
  expect(told.meta).toMatchObject([{ script: expect.stringContaining('sleep 600') }]);
  expect(told.me).toMatchObject({
    user: { id: `${uid}`, name: 'alice' },
    accounts: [{ name: 'physics', default: true }],
  });
  expect(told.nodes).toContainEqual(expect.objectContaining({ name: 'n1' }));
  expect(told.parts).toContainEqual(expect.objectContaining({ name: 'cloud', partition: 'DOWN' }));
  expect(told).toMatchObject({ systems: [{ name: 'lab' }], version: '2.6.0' });
  expect(await python(alice, `print(json.dumps(c.cancel_job("lab", ${json(jobId)})))`)).toEqual({});
  expect((await slurm.job(jobRef(jobId)))?.state).toBe('CANCELLED');
}, 120_000);

it('is refused in Slurm’s words, and for whom the site’s rule does not name', async () => {
  const [alice, carol, root] = [
    await bed.token('alice', 'user'),
    await bed.token('spillway', 'admin'),
    await bed.token('root', 'admin'),
  ];
  const order = { job: { workingDirectory: '/tmp', script: '#!/bin/sh\n:\n', account: 'nobodys' } };
  expect(await bed.ask(alice, '../../firecrest/v2/compute/lab/jobs', { body: order })).toMatchObject({
    status: 400,
    body: { code: 'slurm_refused', detail: expect.stringMatching(/Invalid account/) },
  });
  for (const who of [carol, root])
    expect(await bed.ask(who, '../../firecrest/v2/compute/lab/jobs', { body: order })).toMatchObject({
      status: 400,
      body: { code: 'slurm_refused', detail: expect.stringMatching(/sudo|nothing is done here as/) },
    });
}, 60_000);

it('a job whose answer was lost is found by its key', async () => {
  const key = uuid(newId());
  const since = clock.now();
  const order: SubmitOrder = {
    ...{
      script: { text: '#!/bin/sh\nsleep 600' },
      workDir: account('alice').home,
      partition: 'cloud',
      env: {},
    },
    ...{ name: 'lost', account: undefined, reservation: undefined, constraints: undefined },
    ...{ stdin: undefined, stdout: undefined, stderr: undefined },
  };
  const id = await users.submit('alice', order, key, instant(since + 15_000));
  expect(await users.submitted('alice', key, since)).toBe(id);
  expect(await users.submitted('alice', uuid(newId()), since)).toBeUndefined();
  expect(await users.submitted('bob', key, since)).toBeUndefined();
  await users.cancel('alice', jobRef(`${id}`), instant(clock.now() + 15_000));
  expect((await slurm.job(jobRef(`${id}`)))?.state).toBe('CANCELLED');
}, 60_000);

it('holds and releases a job that waits as its user, and nobody else’s; what an administrator holds stays held', async () => {
  const [alice, bob] = [await bed.token('alice', 'user'), await bed.token('bob', 'user')];
  const olga = await bed.token('bob', 'operator');
  const order: SubmitOrder = {
    ...{
      script: { text: '#!/bin/sh\nsleep 600' },
      workDir: account('alice').home,
      partition: 'cloud',
      env: {},
    },
    ...{ name: 'held', account: undefined, reservation: undefined, constraints: undefined },
    ...{ stdin: undefined, stdout: undefined, stderr: undefined },
  };
  const soon = () => instant(clock.now() + 15_000);
  const ref = jobRef(`${await users.submit('alice', order, uuid(newId()), soon())}`);
  const reason = async () => (await slurm.job(ref))?.reason;
  const ask = (token: string, what: string) => bed.ask(token, `jobs/${ref}/${what}`, { body: {} });
  try {
    for (let i = 0; i < 2; i++) {
      expect(await ask(alice, 'hold')).toMatchObject({
        status: 200,
        body: { order: { job: ref, user: 'alice' } },
      });
      expect(await reason()).toBe('JobHeldUser');
    }
    expect((await ask(bob, 'release')).status).toBe(404);
    // An operator of the gateway is bob in Slurm, and may no more than bob.
    expect(await ask(olga, 'release')).toMatchObject({
      status: 400,
      body: { code: 'slurm_refused', detail: expect.stringMatching(/denied|Invalid user id/i) },
    });
    expect(await reason()).toBe('JobHeldUser');
    for (let i = 0; i < 2; i++) {
      expect((await ask(alice, 'release')).status).toBe(200);
      expect(await reason()).not.toMatch(/^JobHeld/);
    }
    await exec('scontrol', ['hold', ref], { env: { ...process.env, ...far } });
    expect(await reason()).toBe('JobHeldAdmin');
    expect((await ask(alice, 'release')).status).toBe(400);
    expect(await reason()).toBe('JobHeldAdmin');
  } finally {
    await users.cancel('alice', ref, soon());
  }
  await expect.poll(async () => (await slurm.job(ref))?.state).toBe('CANCELLED');
  expect([400, 409]).toContain((await ask(alice, 'hold')).status);
}, 60_000);
