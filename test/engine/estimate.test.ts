/** A quote for a job that nobody has submitted, by the real engine on the models: the cycle's own words, and nothing is left of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quoteView } from '../../src/api/quote-schemas.ts';
import { viewOf } from '../../src/api/routes/estimates.ts';
import { PortError } from '../../src/domain/fault.ts';
import { instant, type JobRef } from '../../src/domain/ids.ts';
import { type Estimate, type Estimated, type EstimateOrder, Estimates } from '../../src/engine/estimates.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const calm: Scenario = {
  ...{ seed: 2, onLost: 'fail', mode: 'approve', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 1_000_000, jobs: [], fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0 },
};
const info = {
  ...{ uid: 2001, gid: 2001, groups: [{ gid: 2001, name: 'alice' }] },
  accounts: [
    { name: 'physics', isDefault: true },
    { name: 'astro', isDefault: false },
  ],
};
const work = { ms: 60 * minute, exit: 0 };
const script =
  '#!/bin/bash\n#SBATCH --cpus-per-task=3 --time=20\n#SBATCH --mem-per-cpu=1000 -p batch\nhostname\n';
const order: EstimateOrder = {
  ...{ cluster: undefined, user: 'alice', script, options: [], workDir: '/home/alice' },
};

let run: Run;
let estimates: Estimates;
async function open(over: Partial<Scenario> = {}): Promise<void> {
  run = new Run({ ...calm, ...over }, drain);
  run.startGateway();
  await pass(2 * minute);
  const { gateway } = run;
  if (gateway === undefined) throw new Error('no gateway runs');
  estimates = new Estimates({
    clusters: gateway.clusters,
    users: () => ({
      info: async (user) => {
        if (user !== 'alice') throw new PortError('not_found', 'users.info', `no user ${user}`);
        return info;
      },
    }),
    clock: run.time,
    pause: (ms) => new Promise((resolve) => void run.time.after(ms, resolve)),
  });
}
beforeEach(() => open());
afterEach(() => run.stop());

const pass = (ms: number): Promise<unknown> => run.time.run(instant(run.time.now() + ms));

/** While virtual time goes on, which the ports need. */
async function asked(over: Partial<EstimateOrder> = {}): Promise<Estimated> {
  const answers: (Estimated | Error)[] = [];
  void estimates.estimate({ ...order, ...over }).then(
    (told) => void answers.push(told),
    (e: Error) => void answers.push(e),
  );
  for (let s = 0; s < 60 && answers.length === 0; s++) await pass(second);
  const [answer] = answers;
  if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer came');
  return answer;
}
async function told(over: Partial<EstimateOrder> = {}): Promise<Estimate> {
  const answer = await asked(over);
  if (answer.kind !== 'told') throw new Error(answer.why);
  return answer.estimate;
}
const against = ({ decision }: Estimate): string[] =>
  decision.because.filter(({ pass: ok }) => !ok).map(({ rule }) => rule);
const submit = (over: object = {}): JobRef =>
  run.slurm.submit('alice', { partition: 'batch', cpusPerTask: 8, timeMs: 60 * minute, work, ...over });

describe('a quote', () => {
  it('tells both starts, the cost and the rule that keeps it, where nobody waits', async () => {
    const e = await told();
    expect(e).toMatchObject({ cluster, mode: 'approve', tasks: 1, decision: { verdict: 'wait' } });
    expect(against(e)).toEqual(['burst-when']);
    expect(e.text).toContain('burst-when');
    expect(e.basis.forecast?.startsIn).toEqual({ p10Ms: 0, p50Ms: 0, p90Ms: 0 });
    const { ready, offer } = e.basis;
    expect(ready?.group).toBe('cpu');
    expect(e.readyP10Ms).toBeLessThanOrEqual(ready?.p50Ms ?? 0);
    expect(ready?.p50Ms).toBeLessThanOrEqual(ready?.p90Ms ?? 0);
    expect(offer?.expectedMicroUsd).toBeGreaterThan(0);
    expect(offer?.expectedMicroUsd).toBeLessThanOrEqual(offer?.worstMicroUsd ?? 0);
    expect(e.image).toMatchObject({ kind: 'image', image: 'user', from: 'images.default' });
    expect(e.job).toMatchObject({ account: 'physics', uid: 2001, cpus: 3 });
  });

  it('is what the gateway offers, to the micro-dollar, once the same job is there', async () => {
    for (let i = 0; i < 4; i++) submit();
    await pass(2 * minute);
    const e = await told();
    const ref = submit({ cpusPerTask: 3, timeMs: 20 * minute });
    await pass(2 * minute);
    const [burst] = await run.store.burstsOfJob(cluster, ref);
    expect(burst).toMatchObject({ state: 'proposed', group: e.basis.offer?.group });
    expect(burst?.quote?.microUsd).toBe(e.basis.offer?.worstMicroUsd);
    const receipt = (await run.store.receipts(cluster, ref, 9)).find((r) => r.burst !== undefined);
    expect(receipt?.basis?.offer).toMatchObject({
      type: e.basis.offer?.type,
      expectedMicroUsd: e.basis.offer?.expectedMicroUsd,
    });
    // The same rules in the same order, once its turn and the full look are over.
    expect(receipt?.decision.because.map(({ rule }) => rule)).toEqual(
      e.decision.because.map(({ rule }) => rule),
    );
  });

  it('behind others who take what is left of a budget tells that the budget keeps it', async () => {
    await open({ mode: 'observe', budget: 500_000 });
    for (let i = 0; i < 4; i++) submit({ partition: 'cloud' });
    await pass(2 * minute);
    const e = await told({ options: ['--partition=cloud', '--cpus-per-task=8', '--time=60'] });
    expect(e.decision.verdict).toBe('wait');
    expect(against(e)).toContain('budget');
    expect(e.text).toContain('budget');
  });

  it('foresees a wait behind those that are there, with a range', async () => {
    await open({ mode: 'observe' });
    for (let i = 0; i < 8; i++) submit();
    await pass(2 * minute);
    const { forecast } = (await told({ options: ['--cpus-per-task=8', '--nodes=2'] })).basis;
    const starts = forecast?.startsIn;
    if (starts === undefined || starts === 'never') throw new Error('no forecast');
    expect(starts.p10Ms).toBeGreaterThan(20 * minute);
    expect(starts.p10Ms).toBeLessThanOrEqual(starts.p50Ms);
    expect(starts.p50Ms).toBeLessThanOrEqual(starts.p90Ms);
    const large = await told({ options: ['--cpus-per-task=500'] });
    expect(large.basis.forecast?.startsIn).toBe('never');
    expect(large.decision.verdict).toBe('never');
    expect(large.basis.offer).toBeUndefined();
  });

  it('in a watched partition and the cloud’s at once tells when it starts here, and goes to the cloud by being asked', async () => {
    const both = { options: ['--partition=batch,cloud'] };
    const idle = await told(both);
    expect(idle.decision.verdict).toBe('burst');
    expect(idle.basis.forecast?.startsIn).toEqual({ p10Ms: 0, p50Ms: 0, p90Ms: 0 });
    await open({ mode: 'observe' });
    for (let i = 0; i < 8; i++) submit();
    await pass(2 * minute);
    expect((await told(both)).basis.forecast).toEqual((await told()).basis.forecast);
  });

  it('asks nothing but the store and the namespace, writes nothing, and leaves the forecasts as they were', async () => {
    for (let i = 0; i < 6; i++) submit();
    await pass(2 * minute);
    const engine = run.gateway?.clusters[0];
    if (engine === undefined) throw new Error('no engine');
    const calls = new Set<string>();
    const only = <T extends object>(port: T, name: string): T =>
      new Proxy(port, {
        get: (of, key) => {
          calls.add(`${name}.${String(key)}`);
          const value: unknown = Reflect.get(of, key);
          return typeof value === 'function' ? value.bind(of) : value;
        },
      });
    const { store, kubernetes } = engine.ports;
    const { slurm, cloud } = engine.settings;
    const watched = Object.create(engine, {
      ports: {
        value: { ...engine.ports, store: only(store, 'store'), kubernetes: only(kubernetes, 'kubernetes') },
      },
      settings: { value: { ...engine.settings, slurm: only(slurm, 'slurm'), cloud: only(cloud, 'cloud') } },
    }) as typeof engine;
    estimates = new Estimates({
      ...{ clusters: [watched], clock: run.time, users: () => ({ info: async () => info }) },
      pause: async () => undefined,
    });
    const left = () => [
      engine.foresight.queues(),
      engine.foresight.of('quote' as JobRef),
      engine.examined.size,
    ];
    const before = JSON.stringify(left());
    await told();
    expect([...calls].sort()).toEqual([
      'kubernetes.tenant',
      ...['breakers', 'bursts', 'drains', 'liveBursts', 'money', 'stopped'].map((m) => `store.${m}`),
    ]);
    expect(JSON.stringify(left())).toBe(before);
    expect(await run.store.receipts(cluster, 'quote' as JobRef, 9)).toEqual([]);
  });

  it('names the budget, and how much more would do; that of his other account is another', async () => {
    await open({ budget: 10 });
    const e = await told();
    expect(against(e)).toEqual(['burst-when', 'budget']);
    const said = e.decision.because.find(({ rule }) => rule === 'budget');
    expect(said?.measured).toMatch(/at most, .* left for account physics .*: would fit with .* dollars more/);
    expect(e.basis.offer?.worstMicroUsd).toBeGreaterThan(10);
    expect(against(await told({ options: ['--account=ASTRO'] }))).toEqual(['burst-when']);
  });

  it.each([
    ['a partition that nobody watches', ['-p', 'other'], 'partition'],
    ['a node list', ['--nodelist=n1'], 'placement'],
    ['a licence that no group has', ['-L', 'ansys'], 'placement'],
    ['an option that no pod has', ['--reservation=maint'], 'translation'],
    ['a directory that the pod has not', ['--chdir=/opt/work'], 'directory'],
    ['more memory than any machine', ['--mem-per-cpu=900G'], 'memory'],
  ])('never bursts with %s, and says which rule it is', async (_what, options, rule) => {
    const e = await told({ options });
    expect(e.decision.verdict).toBe('never');
    expect(against(e)).toContain(rule);
  });

  it('never bursts with an image that is not allowed; one that the script marks itself is told', async () => {
    const e = await told({
      script: script.replace('hostname', '').replace('\n#SBATCH', '\n#SPILLWAY image=evil/x:1\n#SBATCH'),
    });
    expect(against(e)).toContain('image');
    expect(e.image).toMatchObject({ kind: 'none', why: expect.stringContaining('evil/x:1') });
  });

  it('waits for what its options say that it waits for', async () => {
    for (const [option, reason] of [
      ['--hold', 'JobHeldUser'],
      ['--dependency=afterok:1', 'Dependency'],
      ['--begin=now+1hour', 'BeginTime'],
      ['--time=2-00', 'PartitionTimeLimit'],
    ] as const) {
      const e = await told({ options: [option] });
      expect([option, against(e)]).toEqual([option, expect.arrayContaining(['pending-reason'])]);
      expect(e.decision.because.find(({ rule }) => rule === 'pending-reason')?.measured).toBe(reason);
      expect(e.basis.forecast).toBeUndefined();
    }
  });

  it('fills in what the partition gives, and says so', async () => {
    const e = await told({ script: '#!/bin/sh\n', workDir: undefined });
    expect(e.job).toMatchObject({
      partition: 'batch',
      timeLimitMs: 24 * 60 * minute,
      memory: { per: 'cpu', mib: 1_000 },
    });
    const notes = e.notes.join('\n');
    for (const words of [
      /No --time: .* 1440 min/,
      /No --mem: .* 1000 MiB per CPU/,
      /No partition is named/,
      /--chdir tells/,
    ])
      expect(notes).toMatch(words);
    expect(e.decision.because.map(({ rule }) => rule)).not.toContain('directory');
  });

  it('stands in the queue where the newest of his account does, and counts the tasks of an array', async () => {
    for (let i = 0; i < 5; i++) submit();
    await pass(minute);
    const e = await told({ options: ['--array=1-20%4'] });
    expect(e.tasks).toBe(20);
    expect(e.job).toMatchObject({ arrayTask: '1' });
    expect(e.notes.join()).toMatch(/Its priority is taken to be that of job \d+, the newest/);
  });

  it('says so while bursting is stopped', async () => {
    await run.store.stop(cluster, 'olga', 'the bill');
    const e = await told();
    expect(e.decision.because.find(({ rule }) => rule === 'stopped')).toMatchObject({
      pass: false,
      measured: expect.stringContaining('olga'),
    });
  });
});

describe('a quote of a script that means ill', () => {
  const lines = (...all: readonly string[]) => `#!/bin/sh\n${all.join('\n')}\n`;
  it.each<[string, Partial<EstimateOrder>]>([
    ['parentheses without end', { script: lines(`#SBATCH -C ${'('.repeat(120_000)}a`) }],
    ['brackets without end', { script: lines(`#SBATCH -C ${'[('.repeat(60_000)}a`) }],
    ['thousands of features', { script: lines(`#SBATCH -C ${'a&'.repeat(60_000)}a`) }],
    ['thousands of devices', { script: lines(`#SBATCH --gres=${'gpu:1,'.repeat(40_000)}`) }],
    ['an array of all numbers', { options: ['--array=0-999999999'] }],
    ['nothing at all', { options: ['-N0', '-n0', '-c0', '--mem=0', '--time=0'] }],
    ['the names of what every object has', { options: ['-p__proto__', '--qos=constructor', '-Lvalueof'] }],
  ])('is an answer as any other: %s', async (_what, over) => {
    const answer = await asked(over);
    if (answer.kind !== 'told') throw new Error(answer.why);
    const view: unknown = JSON.parse(JSON.stringify(viewOf(answer.estimate)));
    expect(quoteView.parse(view)).toMatchObject({ user: 'alice' });
  });
});

describe('what is not quoted', () => {
  it.each([
    ['a script without #!', { script: 'hostname\n' }, 'script', /line 1: a batch script begins with #!/],
    [
      'a value that cannot be read',
      { script: `${'#!/bin/sh\n#SBATCH --time=soon'}\n` },
      'script',
      /--time=soon/,
    ],
    ['more nodes than a cluster can have', { options: ['-N', '999999999'] }, 'options', /--nodes/],
    ['more CPUs than a cluster can have', { options: ['-c', '999999999'] }, 'options', /--cpus-per-task/],
    ['more tasks than a cluster can have', { options: ['-n', '999999999'] }, 'options', /more than 65533/],
    ['more memory than a number holds', { options: ['--mem=999999999999T'] }, 'options', /--mem/],
    [
      'a time that no calendar has',
      { options: ['--time=999999-999999999:999999:999999'] },
      'options',
      /--time/,
    ],
    ['a word that is no option', { options: ['job.sh'] }, 'options', /"job.sh" is no option/],
    ['an option without its value', { options: ['--nodes'] }, 'options', /--nodes needs a value/],
    [
      'a line of ours that is not known',
      { script: '#!/bin/sh\n#SPILLWAY colour=red\n' },
      'script',
      /line 2: .*colour/,
    ],
    ['a cluster that is none', { cluster: 'moon' }, 'cluster', /there are sim/],
    ['somebody whom the login node does not know', { user: 'mallory' }, 'user', /no user mallory/],
  ])('%s: the field is named', async (_what, over, field, why) => {
    expect(await asked(over)).toEqual({ kind: 'malformed', field, why: expect.stringMatching(why) });
  });

  it('an account of somebody else, whether the script or the command line names it', async () => {
    expect(await asked({ options: ['-A', 'chemistry'] })).toMatchObject({
      kind: 'account',
      field: 'options',
    });
    const theirs = script.replace('hostname', '').replace('-p batch', '-p batch -A chemistry');
    expect(await asked({ script: theirs })).toMatchObject({
      kind: 'account',
      field: 'script',
      why: "account chemistry is none of alice's: his are physics, astro",
    });
  });

  it('anything, where this gateway has not looked at the queue', async () => {
    const engine = run.gateway?.clusters[0];
    if (engine === undefined) throw new Error('no engine');
    engine.snapshot = undefined;
    expect(await estimates.estimate(order)).toMatchObject({ kind: 'away', why: /another leads/ });
  });

  it('more at once than a gateway has time for, or than one user may ask: he is told to come again', async () => {
    const { gateway } = run;
    estimates = new Estimates({
      ...{ clusters: gateway?.clusters ?? [], clock: run.time, users: () => ({ info: async () => info }) },
      pause: (ms) => new Promise((resolve) => void run.time.after(ms, resolve)),
    });
    const answers: string[] = [];
    const asks = (user: string, times: number): void => {
      for (let i = 0; i < times; i++)
        void estimates.estimate({ ...order, user }).then(
          ({ kind }) => void answers.push(`${user} ${kind}`),
          (e: PortError) => void answers.push(`${user} ${e.fault}`),
        );
    };
    asks('alice', 6);
    for (const user of ['u1', 'u2', 'u3', 'u4', 'u5']) asks(user, 4);
    for (let s = 0; s < 300 && answers.length < 26; s++) await pass(second);
    const counted: Record<string, number> = {};
    for (const a of answers) counted[a] = (counted[a] ?? 0) + 1;
    expect(counted).toEqual({
      ...{ 'alice told': 4, 'alice throttled': 2, 'u1 told': 4, 'u2 told': 4, 'u3 told': 4 },
      ...{ 'u4 told': 4, 'u5 throttled': 4 },
    });
  });

  it('that waited for its turn is of the look that there is by then', async () => {
    const { gateway } = run;
    estimates = new Estimates({
      ...{ clusters: gateway?.clusters ?? [], clock: run.time, users: () => ({ info: async () => info }) },
      pause: () => new Promise((resolve) => void run.time.after(2 * minute, resolve)),
    });
    const answers: Estimate[] = [];
    for (const name of ['first', 'second'])
      void estimates.estimate({ ...order, options: [`--job-name=${name}`] }).then((answer) => {
        if (answer.kind === 'told') answers.push(answer.estimate);
      });
    for (let s = 0; s < 300 && answers.length < 2; s++) await pass(second);
    const [first, then] = answers;
    expect((then?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(minute);
    expect(then?.decision.because).toContainEqual(expect.objectContaining({ rule: 'sight', pass: true }));
  });

  it.each([
    [200, true],
    [900, false],
  ])(
    'of a slow Slurm that was looked at %i s ago is of that look, until the next one is late',
    async (seconds, pass) => {
      const engine = run.gateway?.clusters[0];
      if (engine?.snapshot === undefined) throw new Error('nothing was looked at');
      const { settings, snapshot } = engine;
      const at = instant(run.time.now() - seconds * second);
      const slow = Object.create(engine, {
        settings: { value: { ...settings, setup: { ...settings.setup, pollMs: 30 * second } } },
        snapshot: { value: { ...snapshot, at, tookMs: 20 * second } },
      });
      estimates = new Estimates({
        ...{ clusters: [slow], clock: run.time, users: () => ({ info: async () => info }) },
        pause: async () => undefined,
      });
      const { decision } = await told();
      expect(decision.because).toContainEqual(expect.objectContaining({ rule: 'sight', pass }));
    },
  );

  it('asks the login node who somebody is once in a minute, not for each quote', async () => {
    const { gateway } = run;
    const lookUps: string[] = [];
    estimates = new Estimates({
      ...{ clusters: gateway?.clusters ?? [], clock: run.time, pause: async () => undefined },
      users: () => ({
        info: async (user) => {
          lookUps.push(user);
          return info;
        },
      }),
    });
    for (const user of ['alice', 'alice', 'bob', 'alice']) await told({ user });
    expect(lookUps).toEqual(['alice', 'bob']);
    await pass(minute);
    await told();
    expect(lookUps).toEqual(['alice', 'bob', 'alice']);
  });
});
