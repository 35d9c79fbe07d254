/** `spillway explain`: a dozen scripts, without a cluster. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { compile } from '../../config/expression.ts';
import { type ExplainOrder, explain, explanationOf } from '../../src/cli/explain.ts';
import { bareSite, type Site } from '../../src/cli/explain-site.ts';
import { clusterName } from '../../src/domain/ids.ts';

const me = { name: 'alice', uid: 2001, gid: 2001 };
const bare = bareSite(me);
const site: Site = {
  ...bare,
  from: 'spillway.yaml',
  setup: {
    name: clusterName('hpc1'),
    watch: ['batch', 'long'],
    explicit: 'cloud',
    waitPartition: 'burst_wait',
    burstPartition: 'burst',
    mode: 'auto',
    onLost: 'fail',
    pollMs: 1000,
  },
  policy: {
    ...bare.policy,
    never: [{ kind: 'account', account: 'restricted' }],
    maxTimeMs: 24 * 3_600_000,
    limitMarginMs: 600_000,
  },
  groups: [
    {
      name: 'cpu',
      launchTemplate: 't',
      types: ['small', 'large'],
      zones: ['a'],
      vcpuPerCpu: 2,
      overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} },
      capacityType: 'on-demand',
      max: 1,
      idleMs: 1,
      prices: { small: 100_000, large: 600_000 },
      joinTimeoutMs: 1,
      lostAfterMs: 1,
      taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
    },
  ],
  knowsImages: true,
  images: {
    ...bare.images,
    default: 'registry.example.org/hpc/base:1',
    modules: [{ module: 'openmpi', image: 'registry.example.org/hpc/mpi:4' }],
    allow: [],
    pullSecrets: ['registry'],
  },
  mounts: [{ path: '/home', claim: 'home' }],
};
const script = (...lines: string[]): string => ['#!/bin/bash', ...lines, 'srun ./x', ''].join('\n');
const of = (text: string, order: ExplainOrder = {}, at: Site = site) => explanationOf(text, order, at, []);
const against = (text: string, order: ExplainOrder = {}, at: Site = site) =>
  of(text, order, at).against.map((r) => `${r.rule}: ${r.measured}`);

describe('a number that means nothing', () => {
  it.each([
    ['--mem=999999999T', '--mem=999999999T: more than 8 PiB'],
    ['--mem=99999999999999999999G', 'more than 8 PiB'],
    ['--mem-per-cpu=4096T -c 64', '--mem-per-cpu with 64 CPUs on a node: more than 8 PiB'],
    ['--mem-per-gpu=4096T --gpus-per-node=8', '--mem-per-gpu with 8 GPUs: more than 8 PiB'],
    ['--cpus-per-task=999999999', '--cpus-per-task=999999999: more than 65533'],
    ['-n 70000 -c 2', 'it asks for 140000 CPUs on a node: more than 65533'],
    ['--ntasks=99999999999', '--ntasks=99999999999: more than 4294967293'],
    ['--nodes=999999999', '--nodes=999999999: more than 65533'],
    ['--gres=gpu:99999999999T', 'more of gpu on a node than any has'],
    ['--gpus-per-task=60000 -n 2', 'more of gpu on a node than any has'],
    ['--gres=bandwidth:99999999999T', 'more of bandwidth on a node than any has'],
    ['--time=999999-00:00:00', '--time=999999-00:00:00: more than 68 years'],
    ['--time=99999999999999999999', 'more than 68 years'],
  ])('is told as such, with no price or pod made of it: %s', (option, words) => {
    const { verdict, against: told, objects, cost } = of(script(`#SBATCH -A physics ${option}`));
    expect(verdict).toBe('never');
    expect(told.map((r) => r.measured).join('\n')).toContain(words);
    expect([objects, cost]).toEqual([[], []]);
  });

  it.each([
    '--mem=8192T',
    '-n 65533',
    '--nodes=65533 -n 4000000000',
    '--gres=bandwidth:10G',
    '--time=24855-00:00:00',
  ])('is none that a large machine may have: %s', (option) => {
    const { against: told, objects } = of(script(`#SBATCH ${option}`));
    expect(told.filter((r) => r.rule === 'sbatch')).toEqual([]);
    expect(JSON.stringify(objects)).not.toMatch(/\de\+\d|Infinity|NaN/);
  });
});

describe('a script that may burst', () => {
  const whole = script(
    '#SBATCH --job-name=md -p batch -A physics',
    '#SBATCH -t 2:00:00 -n 4 -c 2',
    '#SBATCH --mem-per-cpu=1G --mail-type=END',
    'module load openmpi/4.1',
  );

  it('has its marks, by line', () => {
    const { verdict, marks } = of(whole);
    expect(verdict).toBe('burst');
    expect(marks.map((m) => `${m.line} ${m.mark} ${m.directive}=${m.value}`)).toEqual([
      '2 exact --job-name=md',
      '2 exact --partition=batch',
      '2 exact --account=physics',
      '3 exact --time=2:00:00',
      '3 emulated --ntasks=4',
      '3 exact --cpus-per-task=2',
      '4 emulated --mem-per-cpu=1G',
      '4 exact --mail-type=END',
    ]);
  });

  it('has the image of its module, and objects with it and with what it asks for', () => {
    const { image, objects } = of(whole);
    expect(image).toEqual({
      kind: 'image',
      image: 'registry.example.org/hpc/mpi:4',
      from: 'module openmpi/4.1',
    });
    const [secret, pod] = objects;
    expect(secret).toMatchObject({ kind: 'Secret', metadata: { namespace: 'spillway-alice' } });
    expect(pod).toMatchObject({
      kind: 'Pod',
      metadata: { namespace: 'spillway-alice', labels: { 'spillway.dev/user': 'alice' } },
      spec: {
        imagePullSecrets: [{ name: 'registry' }],
        securityContext: { runAsUser: 2001, runAsGroup: 2001 },
        tolerations: expect.arrayContaining([expect.objectContaining({ key: 'k' })]),
        containers: [
          {
            name: 'main',
            image: 'registry.example.org/hpc/mpi:4',
            // 8 CPUs of 2 vCPU each, and 1 GiB for each CPU.
            resources: { requests: { cpu: '16000m', memory: `${8 * 2 ** 30}` } },
          },
          { name: 'keeper' },
        ],
      },
    });
  });

  it('shows what the site’s own scheduler is told, and the group of several nodes', () => {
    const scheduling = { scheduler: 'volcano', podGroups: 'volcano' } as const;
    const gangs = { ...site, scheduling };
    const [, pod, group] = of(script('#SBATCH -p batch -N 2'), {}, gangs).objects;
    expect(pod).toMatchObject({ kind: 'Pod', spec: { schedulerName: 'volcano' } });
    expect(group).toMatchObject({ kind: 'PodGroup', spec: { minMember: 2 } });
    expect(of(whole, {}, gangs).objects).toHaveLength(2);
  });

  it('tells whose signature its image must carry, by its account', async () => {
    const own = { repository: 'same', keys: ['/etc/keys/lab.pub', '/etc/keys/old.pub'] } as const;
    const signatures = [
      { repository: 'same', keys: ['/etc/keys/site.pub'] } as const,
      { account: 'physics', ...own },
      { account: 'chemistry', ...own },
    ];
    const signing = { ...site, images: { ...site.images, signatures } };
    expect(of(whole, { account: 'physics' }, signing).signatures).toEqual([
      ['site.pub'],
      ['lab.pub', 'old.pub'],
    ]);
    expect(of(whole, { account: 'biology' }, signing).signatures).toEqual([['site.pub']]);
    expect(of(whole).signatures).toEqual([]);
    const dir = await mkdtemp(join(tmpdir(), 'spillway-explain-'));
    const file = join(dir, 'job.sh');
    await writeFile(file, whole);
    const { lines } = await explain(file, { account: 'physics' }, signing, []);
    await rm(dir, { recursive: true });
    expect(lines.join('\n')).toContain('  it must be signed by lab.pub or old.pub: its registry is asked');
  });

  it('costs at most the dearest type of each group for its limit and the margin', () => {
    expect(of(whole).cost).toEqual([
      {
        group: 'cpu',
        perHour: 600_000,
        atMost: 1_300_000,
        text: '0.60 USD an hour at most (large, were it alone on the machine); 1.30 USD at most for its 120 minutes and 10 of margin',
      },
    ]);
    expect(of(script('#SBATCH -p batch')).cost[0]).toMatchObject({ perHour: 600_000, atMost: undefined });
    const unpriced = { ...site, groups: site.groups.map((g) => ({ ...g, prices: { small: 1 } })) };
    expect(of(whole, {}, unpriced).cost[0]?.text).toBe(
      'no price is configured for large (nodeGroups[].prices)',
    );
  });

  it('is printed in words, its objects as YAML', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'spillway-explain-'));
    const file = join(dir, 'job.sh');
    await writeFile(file, whole);
    const { lines, bursts } = await explain(file, {}, site, ['SBATCH_PARTITION', 'HOME']);
    await rm(dir, { recursive: true });
    const text = lines.join('\n');
    expect(bursts).toBe(true);
    expect(text).toContain(`${file} may burst by spillway.yaml.`);
    expect(text).toContain('Image: registry.example.org/hpc/mpi:4, by module openmpi/4.1');
    expect(text).toContain('(here are SBATCH_PARTITION)');
    const objects = parseAllDocuments(text.slice(text.indexOf('---\n'), text.indexOf('\nNote: ')));
    expect(objects.map((o) => o.toJS().kind)).toEqual(['Secret', 'Pod']);
  });
});

it('a script of several nodes: one of its pods, with its share of the CPUs, and the cost of all', () => {
  const lines = ['#SBATCH -n8 -t 60 --mem=1G', '#SBATCH -D /home/alice -A physics'];
  const [one, two] = [of(script(...lines)), of(script('#SBATCH -N2', ...lines))];
  expect(two).toMatchObject({ verdict: 'burst', against: [] });
  expect(two.notes.join(' ')).toContain('It has 2 nodes');
  expect(two.cost[0]?.atMost).toBe(2 * (one.cost[0]?.atMost ?? 0));
  expect(two.objects).toHaveLength(2);
  const cpus = (e: typeof one): unknown =>
    /"name":"main".*?"cpu":"(\d+)m?"/.exec(JSON.stringify(e.objects))?.[1];
  expect([cpus(one), cpus(two)].map(Number)).toEqual([16_000, 8_000]);
});

describe('a script that would never burst says what stands in its way', () => {
  it.each<[string, string[], string[]]>([
    ['a GPU', ['#SBATCH --gres=gpu:1'], ['placement: GRES gpu (nodeGroups[].devices)']],
    ['several sizes', ['#SBATCH -N1,3'], ['translation: --nodes=1,3 is unsupported']],
    ['a feature', ['#SBATCH -C avx512'], ['placement: features avx512 (nodeGroups[].features)']],
    ['an input file', ['#SBATCH -i data.txt'], ['translation: --input=data.txt is unsupported']],
    ['what Slurm does not show', ['#SBATCH --profile=all'], ['translation: --profile=all is unsupported']],
    ['a second component', ['#SBATCH -n1', '#SBATCH hetjob', '#SBATCH -n2'], ['translation: hetjob is']],
    ['an option of a plugin', ['#SBATCH --x11-site=1'], ['translation: --x11-site=1 is unsupported']],
    ['a partition that is not watched', ['#SBATCH -p debug'], ['partition: debug']],
    ['a site rule', ['#SBATCH -A restricted'], ['never: account: restricted']],
    ['a long limit', ['#SBATCH -t 2-0'], ['time: 2880 min']],
    ['a directory that pods do not have', ['#SBATCH -D /scratch/x'], ['directory: /scratch/x']],
    ['an image that is not allowed', ['#SPILLWAY image=ghcr.io/x:1'], ['image: ghcr.io/x:1 (#SPILLWAY']],
    [
      'what sbatch refuses',
      ['#SBATCH -n four', '#SBATCH --time'],
      ['sbatch: line 3: --time', 'sbatch: --ntasks=four'],
    ],
    ['two things', ['#SBATCH -L matlab -w n1'], ['translation: --nodelist=n1', 'placement: licences matlab']],
  ])('%s', (_, lines, said) => {
    const found = against(script(...lines));
    expect(found).toHaveLength(said.length);
    said.forEach((text, i) => void expect(found[i]).toContain(text));
    expect(of(script(...lines)).verdict).toBe('never');
  });

  it('by the account and partition of the command line, which come before the script', () => {
    const text = script('#SBATCH -A restricted -p debug');
    expect(against(text, { account: 'physics', partition: 'long' })).toEqual([]);
    expect(against(script('#SBATCH -p batch'), { account: 'restricted' })).toHaveLength(1);
  });

  it('by the threshold of the site', () => {
    const strict: Site = { ...site, policy: { ...site.policy, translation: 'exact' } };
    expect(against(script('#SBATCH -n4'))).toEqual([]);
    expect(against(script('#SBATCH -n4'), {}, strict)).toEqual([expect.stringContaining('is emulated')]);
  });

  it('and has no objects where it has no image', () => {
    expect(of(script('#SPILLWAY image=ghcr.io/x:1')).objects).toEqual([]);
  });
});

describe('without a configuration', () => {
  it('a script has its marks', () => {
    expect(of(script('#SBATCH -p anything -t 99-0'), {}, bare)).toMatchObject({ verdict: 'burst', cost: [] });
    expect(of(script('#SBATCH -w n1'), {}, bare).verdict).toBe('never');
    expect(of(script(), {}, bare).notes[0]).toContain('No configuration was read');
  });
});

describe('never-rules that are expressions', () => {
  const never = (...exprs: string[]): Site => ({
    ...site,
    policy: {
      ...site.policy,
      never: exprs.map((expr) => ({ kind: 'cel' as const, expr })),
      expressions: compile,
    },
  });
  const told = (expr: string, ...lines: string[]) => {
    const { verdict, notes } = of(script(...lines), {}, never(expr));
    return [verdict, notes.filter((n) => n.startsWith('Never-rule')).length];
  };

  it('are asked where the script tells what they look at', () => {
    expect(told('job.qos == "debug"', '#SBATCH -q debug')).toEqual(['never', 0]);
    expect(told('job.qos != "cloud"', '#SBATCH --qos=cloud')).toEqual(['burst', 0]);
    expect(told('job.array', '#SBATCH --array=1-3')).toEqual(['never', 0]);
    expect(told('job.timeLimitMinutes < 5.0', '#SBATCH -t 4')).toEqual(['never', 0]);
    expect(told('job.account != "physics"', '#SBATCH -A physics')).toEqual(['burst', 0]);
  });

  it('are named and left out where only the queue tells it', () => {
    for (const expr of [
      'job.qos != "cloud"',
      'job.waitedMinutes < 30.0',
      'job.timeLimitMinutes < 5.0',
      'job.account != "physics"',
      'forecast.p50Minutes < 3.0',
    ])
      expect(told(expr), expr).toEqual(['burst', 1]);
  });
});

describe('the command', () => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const config = fileURLToPath(new URL('../../config/examples/small.yaml', import.meta.url));
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'spillway-explain-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  const run = (...args: string[]) =>
    new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
      const argv = ['--import', 'tsx', main, '--config', config, 'explain', ...args];
      execFile(process.execPath, argv, (error, out, err) => resolve({ code: error?.code ?? 0, out, err }));
    });

  it('claims no image where none is configured yet', async () => {
    const file = join(dir, 'observed.sh');
    await writeFile(file, script('#SBATCH -p batch -t 10'));
    const observe = fileURLToPath(new URL('../../config/examples/observe.yaml', import.meta.url));
    const { code, out } = await run(file, '--config', observe);
    expect(code).toBe(0);
    expect(out).toContain("Image: the site's own");
    expect(out).toContain('images is not configured');
  });

  it('ends by 0 where it bursts and by 1 where it never would', async () => {
    await writeFile(join(dir, 'good.sh'), script('#SBATCH -p batch -t 10'));
    await writeFile(join(dir, 'bad.sh'), script('#SBATCH -p batch -C avx512'));
    const [good, bad, none] = await Promise.all([
      run(join(dir, 'good.sh'), '--json'),
      run(join(dir, 'bad.sh')),
      run(join(dir, 'none.sh')),
    ]);
    expect(good).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(good.out)).toMatchObject({ verdict: 'burst' });
    expect(bad.code).toBe(1);
    expect(bad.out).toContain('bad.sh would never burst');
    expect(none).toMatchObject({ code: 2, err: `${join(dir, 'none.sh')}: there is no such file\n` });
  });
});

describe('what is noted beside', () => {
  const notes = (text: string, at: Site = site, order: ExplainOrder = {}) =>
    of(text, order, at).notes.join('\n');
  const at = (home: string): Site => ({ ...site, me: { ...me, home } });

  it('a HOME that is under no mount', () => {
    expect(notes(script(), at('/users/alice'))).toContain('HOME (/users/alice) is under no mount');
    expect(notes(script(), at('/homestead'))).toContain('HOME (/homestead)');
    expect(notes(script(), at('/home/alice'))).not.toContain('HOME');
    // Whose home is another's, or whose mounts are not known, is not told of.
    expect(notes(script(), at('/users/alice'), { user: 'bob' })).not.toContain('HOME');
    expect(notes(script(), { ...bare, me: { ...me, home: '/users/alice' } })).not.toContain('HOME');
  });

  it('lines of other batch systems, which sbatch reads too', () => {
    expect(notes(script('#PBS -l nodes=2', 'date'))).toContain(
      'Line 2 begins with #PBS: unless --ignore-pbs',
    );
    expect(notes(script('date', '#PBS -q x', '#BSUB -n 4'))).toContain('Line 4 begins with #BSUB');
    expect(notes(script('#SBATCH --ignore-pbs', '#PBS -q x'))).not.toContain('#PBS');
    expect(notes(script(...Array.from({ length: 101 }, () => 'date'), '#PBS -q x'))).not.toContain('#PBS');
    expect(notes(script())).not.toContain('begins with');
  });
});
