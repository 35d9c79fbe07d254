/** POST /quotes: who may ask about whom, what is taken, and how a no is told. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quoteView } from '../../src/api/quote-schemas.ts';
import { PortError } from '../../src/domain/fault.ts';
import { QuoteScene } from './quote.scene.ts';

let scene: QuoteScene;
beforeEach(async () => {
  scene = new QuoteScene();
  await scene.open();
});
afterEach(() => scene.close());

const script = '#!/bin/bash\n#SBATCH --time=60\nhostname\n';

describe('POST /quotes', () => {
  it('tells both starts, the cost, the marks, and what keeps the job at home', async () => {
    const { status, body } = await scene.post('alice', {
      script,
      options: ['-N', '2'],
      workDir: '/home/alice',
    });
    expect(status).toBe(200);
    const quote = quoteView.parse(body.quote);
    expect(quote).toMatchObject({
      ...{ cluster: 'hpc1', user: 'alice', account: 'physics', partition: 'batch', verdict: 'wait' },
      against: [{ rule: 'burst-when', measured: 'starts in 12 min', limit: 'starts in 30 min or later' }],
      forecast: { startsIn: { p10Ms: 300_000, p50Ms: 720_000, p90Ms: 12_000_000 } },
      ready: { group: 'cpu', p10Ms: 100_000, p50Ms: 180_000, p90Ms: 360_000 },
      offer: { expectedMicroUsd: 210_000, worstMicroUsd: 470_000 },
      image: { name: 'registry.example.org/base:1', from: 'images.default' },
      signatures: [['site.pub']],
    });
    expect(quote.because).toHaveLength(2);
    expect(quote.marks.map(({ mark }) => mark)).toEqual(['exact', 'emulated']);
    expect(scene.asked).toEqual([
      { cluster: undefined, user: 'alice', script, options: ['-N', '2'], workDir: '/home/alice' },
    ]);
  });

  it('is a question: it takes no Idempotency-Key, and the same one is asked anew', async () => {
    for (let i = 0; i < 2; i++) {
      const { status, headers } = await scene.post('alice', { script });
      expect([status, headers.get('idempotent-replayed')]).toEqual([200, null]);
    }
    expect(scene.asked).toHaveLength(2);
  });

  it('takes resources in the place of a script, as sbatch would be told them', async () => {
    const resources = {
      ...{ account: 'physics', partition: 'batch', qos: 'long', name: 'a job', nodes: 2, tasks: 8 },
      ...{ tasksPerNode: 4, cpusPerTask: 2, memoryMibPerCpu: 500, timeLimitMinutes: 90, gres: 'gpu:a100:2' },
      ...{ constraint: 'avx512', licenses: 'matlab:2', image: 'registry.example.org/x:1' },
    };
    expect((await scene.post('alice', { resources })).status).toBe(200);
    expect(scene.asked[0]).toMatchObject({
      script: '#!/bin/sh\n#SPILLWAY image=registry.example.org/x:1\n',
      options: [
        ...['--account=physics', '--partition=batch', '--qos=long', '--job-name=a job', '--nodes=2'],
        ...['--ntasks=8', '--ntasks-per-node=4', '--cpus-per-task=2', '--mem-per-cpu=500M', '--time=90'],
        ...['--gres=gpu:a100:2', '--constraint=avx512', '--licenses=matlab:2'],
      ],
    });
  });

  it('takes a script as long as Slurm does', async () => {
    const long = `${script}${'# "quoted" \\ \n'.repeat(200_000)}`;
    expect((await scene.post('alice', { script: long })).status).toBe(200);
    const longer = `${script}${'#'.repeat(4 * 2 ** 20)}`;
    expect(await scene.post('alice', { script: longer })).toMatchObject({
      status: 400,
      body: { code: 'bad_order', field: 'script' },
    });
  });

  it.each([
    ['neither script nor resources', {}, 'script'],
    ['both', { script, resources: {} }, 'script'],
    ['options beside resources', { resources: {}, options: ['-N2'] }, 'options'],
    ['an option that holds a newline', { script, options: ['-N\n2'] }, 'options.0'],
    ['no nodes', { resources: { nodes: 0 } }, 'resources.nodes'],
    ['a resource that is none', { resources: { nodez: 1 } }, 'resources.nodez'],
    ['an image that would be another line', { resources: { image: 'x\n#SBATCH -A y' } }, 'resources.image'],
    ['a directory that is not absolute', { script, workDir: 'here' }, 'workDir'],
  ])('%s: 400 with the field', async (_what, order, field) => {
    const { status, headers, body } = await scene.post('alice', order);
    expect([status, headers.get('content-type')]).toEqual([400, expect.stringMatching(/problem\+json/)]);
    expect(body).toMatchObject({ code: 'bad_order', field });
    expect(scene.asked).toEqual([]);
  });

  it('a script that sbatch would not take: 400 with its line', async () => {
    scene.answer = async () => ({ kind: 'malformed', field: 'script', why: 'line 3: --nodes needs a value' });
    expect(await scene.post('alice', { script })).toMatchObject({
      status: 400,
      body: { code: 'bad_order', field: 'script', detail: 'script: line 3: --nodes needs a value' },
    });
  });

  it('an account that is not his: 403 with the field, as he wrote it', async () => {
    scene.answer = async () => ({ kind: 'account', field: 'options', why: "account x is none of alice's" });
    const own = await scene.post('alice', { script, options: ['-A', 'x'] });
    expect(own).toMatchObject({ status: 403, body: { code: 'forbidden', field: 'options' } });
    const by = await scene.post('alice', { resources: { account: 'x' } });
    expect(by).toMatchObject({ status: 403, body: { field: 'resources.account' } });
  });

  it('is told of himself alone; an operator may ask for another', async () => {
    expect(await scene.post('bob', { script, user: 'alice' })).toMatchObject({
      status: 403,
      body: { code: 'forbidden', field: 'user' },
    });
    expect(scene.asked).toEqual([]);
    expect((await scene.post('olga', { script, user: 'alice' })).status).toBe(200);
    expect((await scene.post('alice', { script, user: 'alice' })).status).toBe(200);
    expect(scene.asked.map(({ user }) => user)).toEqual(['alice', 'alice']);
  });

  it('without a token: 401', async () => {
    expect(await scene.post(undefined, { script })).toMatchObject({ status: 401 });
  });

  it('where nothing is known now, or too many ask: when to come again', async () => {
    scene.answer = async () => ({ kind: 'away', field: undefined, why: 'another leads' });
    const away = await scene.post('alice', { script });
    expect(away).toMatchObject({ status: 503, body: { code: 'not_available', detail: 'another leads' } });
    expect(away.headers.get('retry-after')).toBe('10');
    scene.answer = async () => {
      throw new PortError('throttled', 'estimates', 'too many ask');
    };
    const busy = await scene.post('alice', { script });
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '5']);
    scene.answer = async () => {
      throw new PortError('unreachable', 'users.info', 'secret words of a login node');
    };
    const gone = await scene.post('alice', { script });
    expect([gone.status, JSON.stringify(gone.body)]).toEqual([503, expect.not.stringContaining('secret')]);
  });
});

it('an API that asks nobody who he is must be told whose job it would be', async () => {
  const open = new QuoteScene();
  await open.open(false);
  expect(await open.post(undefined, { script })).toMatchObject({
    status: 400,
    body: { code: 'bad_order', field: 'user' },
  });
  expect((await open.post(undefined, { script, user: 'alice' })).status).toBe(200);
  await open.close();
});
