/** `spillway explain` on a script, and the gateway on the job that Slurm makes of it: one mark for both, over the whole table. */
import { describe, expect, it } from 'vitest';
import { explanationOf } from '../../src/cli/explain.ts';
import { bareSite } from '../../src/cli/explain-site.ts';
import { clusterName } from '../../src/domain/ids.ts';
import type { JobDetail } from '../../src/domain/job.ts';
import { imageIn } from '../../src/engine/image.ts';
import { examine } from '../../src/engine/propose.ts';
import { type Directive, directives } from '../../src/translate/directives/index.ts';
import { readScript, withCommandLine } from '../../src/translate/index.ts';
import { at, detail } from './fixtures.ts';

const site = bareSite({ name: 'alice', uid: 2001, gid: 2001 });
const pods = {
  images: { ...site.images, default: 'r.example.org/base:1', allow: [{ image: '**' }] },
  mounts: [],
  staging: undefined,
};
const snapshot = {
  ...{ cluster: clusterName('hpc1'), at, tookMs: 1, jobs: [], partitions: [], nodes: [], partial: [] },
};

interface Recorded extends Omit<Partial<JobDetail>, 'raw'> {
  readonly raw?: Record<string, string>;
}
interface Sample {
  readonly value: string;
  /** What Slurm shows of the job, beside what it shows of every one. */
  readonly record?: Recorded;
  /** Of the job, where it has several. */
  readonly nodes?: number;
}

const raw = (key: string, value: string, shown = value): Sample => ({
  value,
  record: { raw: { [key]: shown } },
});
const flag = (key: string, shown: string): Sample => raw(key, '', shown);
const gres = (value: string, as: string): Sample => ({ value, record: { gres: as } });
const several = (sample: Sample): Sample[] => [sample, { ...sample, nodes: 3 }];

/** As Slurm 22.05 to 24.11 shows them. What is not here shows nothing of itself. */
const samples: Readonly<Record<string, readonly Sample[]>> = {
  nodes: [
    { value: '1', record: { minNodes: 1, maxNodes: 1 } },
    { value: '2', record: { minNodes: 2, maxNodes: 2 } },
    { value: '1-4', record: { minNodes: 1, maxNodes: 4 } },
    { value: '1,3', record: { minNodes: 1, maxNodes: 3 } },
  ],
  ntasks: [
    { value: '1', record: { tasks: 1 } },
    { value: '8', record: { tasks: 8 } },
  ],
  'ntasks-per-node': [raw('NtasksPerN:B:S:C', '4', '4:0:*:*')],
  'ntasks-per-socket': [raw('NtasksPerN:B:S:C', '4', '0:0:4:*')],
  'ntasks-per-core': [raw('NtasksPerN:B:S:C', '2', '0:0:*:2')],
  mincpus: [raw('MinCPUsNode', '4')],
  'extra-node-info': [raw('Socks/Node', '2', '2')],
  'sockets-per-node': [raw('Socks/Node', '2')],
  'cores-per-socket': [raw('ReqB:S:C:T', '4', '0:0:4:*')],
  'threads-per-core': [raw('ReqB:S:C:T', '1', '0:0:*:1')],
  'core-spec': [raw('CoreSpec', '2')],
  'thread-spec': [raw('ThreadSpec', '2')],
  'cpu-freq': [raw('CPU_max_freq', 'High')],
  'tres-per-task': [gres('gres/gpu:1', 'per-task/gres:gpu:1')],
  gres: [gres('gpu:1', 'gres:gpu:1')],
  gpus: [gres('1', 'per-job/gres:gpu:1')],
  'gpus-per-node': [gres('1', 'gres:gpu:1')],
  'gpus-per-socket': [gres('1', 'per-socket/gres:gpu:1')],
  'gpus-per-task': [gres('1', 'per-task/gres:gpu:1')],
  'gpu-bind': [raw('TresBind', 'closest', 'gres:gpu:closest')],
  'tres-bind': [raw('TresBind', 'gres:gpu:closest')],
  'gpu-freq': [raw('TresFreq', 'high', 'gpu:high')],
  'gres-flags': [raw('GresEnforceBind', 'enforce-binding', 'Yes')],
  'cpus-per-gpu': [raw('CpusPerTres', '2', 'gres:gpu:2')],
  'mem-per-gpu': [raw('MemPerTres', '4G', 'gres:gpu:4096')],
  'ntasks-per-gpu': [raw('NtasksPerTRES', '2')],
  licenses: [{ value: 'matlab:1', record: { licenses: 'matlab:1' } }],
  bb: [raw('BurstBuffer', 'capacity=1G', '#BB capacity=1G')],
  bbf: [raw('BurstBuffer', 'file', '#BB capacity=1G')],
  contiguous: several(flag('Contiguous', '1')),
  switches: several(raw('Switches', '1', '1@00:00:00')),
  'no-kill': [...several({ value: '' }), ...several({ value: 'off' })],
  'spread-job': [flag('SpreadJob', 'Yes')],
  nodelist: [{ value: 'n1', record: { requiredNodes: 'n1' } }],
  nodefile: [{ value: 'file', record: { requiredNodes: 'n1' } }],
  exclude: [raw('ExcNodeList', 'n1')],
  constraint: [
    { value: 'avx512', record: { features: 'avx512' } },
    { value: '[a*2&b*1]', record: { features: '[a*2&b*1]' } },
  ],
  prefer: [raw('Prefer', 'fast')],
  batch: [raw('BatchFeatures', 'knl')],
  exclusive: [flag('OverSubscribe', 'NO'), raw('OverSubscribe', 'user', 'USER')],
  oversubscribe: [flag('OverSubscribe', 'YES')],
  reservation: [{ value: 'class', record: { reservation: 'class' } }],
  reboot: [flag('Reboot', '1')],
  'delay-boot': [raw('DelayBoot', '10', '00:10:00')],
  tmp: [raw('MinTmpDiskNode', '10G')],
  network: [raw('Network', 'sn_all')],
  'resv-ports': [raw('ResvPorts', '', '12000-12001')],
  stepmgr: [flag('StepMgrEnabled', 'Yes')],
  power: [raw('Power', 'level', 'LEVEL')],
  deadline: [raw('Deadline', '2030-01-01', '2030-01-01T00:00:00')],
  'time-min': [raw('TimeMin', '5', '00:05:00')],
  'oom-kill-step': [raw('OOMKillStep', '1')],
  input: [raw('StdIn', 'in', '/home/a/in'), raw('StdIn', '/dev/null')],
  container: [raw('Container', '/oci')],
  'container-id': [raw('ContainerID', 'c1')],
  'cluster-constraint': [raw('ClusterFeatures', 'x')],
  'mcs-label': [raw('MCS_label', 'x')],
  context: [raw('SELinuxContext', 'u:r:t')],
  signal: [{ value: 'USR1@60' }, { value: 'B:USR1@60' }, { value: 'B:XCPU@60' }],
};

const of = (d: Directive): readonly Sample[] =>
  samples[d.name] ?? [{ value: d.takes === 'nothing' ? '' : 'x' }];
const written = ({ name, takes }: Directive, { value, nodes }: Sample): string[] => [
  `#SBATCH --${name}${takes === 'nothing' || value === '' ? '' : `=${value}`}`,
  ...(nodes === undefined ? [] : [`#SBATCH -N ${nodes}`]),
];
const script = (...lines: string[]): string => ['#!/bin/bash', ...lines, './x', ''].join('\n');
type Threshold = 'exact' | 'emulated';

const explained = (text: string, translation: Threshold) =>
  explanationOf(text, {}, { ...site, policy: { ...site.policy, translation } }, []).against.filter(
    ({ rule }) => rule === 'translation',
  );
const judged = (text: string, job: JobDetail, translation: Threshold, line?: string) => {
  const image = imageIn(withCommandLine(readScript(text), line, job), job, pods);
  const yes = { verdict: 'burst', because: [], group: undefined } as const;
  const { decision } = examine(yes, job, 'unasked', undefined, snapshot, [], translation, image);
  return decision.because.find(({ rule }) => rule === 'translation');
};
const jobOf = ({ record, nodes }: Sample = { value: '' }): JobDetail => {
  const { raw: own, ...over } = record ?? {};
  const many = nodes === undefined ? {} : { minNodes: nodes, maxNodes: nodes };
  return detail({ ...over, ...many, command: '/home/a/job.sh', raw: { JobId: '7', ...own } });
};

describe('explain and gateway', () => {
  const all = directives.flatMap((d) => of(d).map((sample) => ({ d, sample })));

  it('are asked of every option, with a value of each of its meanings', () => {
    for (const d of directives) {
      const said = of(d);
      // What the record shows of it, and of another that shares its place.
      const shown = directives
        .filter(({ name, shownBy }) => name === d.name || shownBy === d.name)
        .flatMap((other) => of(other).map((sample) => d.shown?.(jobOf(sample)) ?? ''));
      for (const c of d.cases) {
        const met =
          said.some(({ value, nodes = 1 }) => c.holds(value, nodes)) || shown.some((v) => c.holds(v, 1));
        expect(met, `${d.name} ${c.of}`).toBe(true);
      }
      expect(d.takes !== 'nothing' || said.every(({ value }) => value === ''), d.name).toBe(true);
      // An option of the record's has one here, or the test would look at nothing.
      if (d.shown !== undefined || d.shownBy !== undefined) expect(samples[d.name], d.name).toBeDefined();
    }
  });

  it.each(
    all.map(({ d, sample }) => [`--${d.name}=${sample.value}, ${sample.nodes ?? 1}`, d, sample] as const),
  )('say the same of %s nodes', (_, d, sample) => {
    const text = script(...written(d, sample));
    for (const threshold of ['emulated', 'exact'] as const)
      expect(judged(text, jobOf(sample), threshold)?.pass, threshold).toBe(
        explained(text, threshold).length === 0,
      );
  });

  it.each([
    ['#SBATCH --profile=task', '--profile=task (line 2 of its script) is unsupported: '],
    ['#SBATCH --container-mounts=/a:/a', '--container-mounts=/a:/a (line 2 of its script) is unsupported: '],
    ['#SBATCH --site-thing 5', '--site-thing=5 (line 2 of its script) is unsupported: no option of sbatch'],
    [
      'srun --container-image=a/b:1 ./y',
      'srun --container-image=a/b:1 (line 2 of its script) is unsupported: ',
    ],
  ])('keep the job for what Slurm shows nothing of: %s', (line, words) => {
    const text = script(line);
    expect(explained(text, 'emulated')).toHaveLength(1);
    const said = judged(text, jobOf(), 'emulated');
    expect(said).toMatchObject({ pass: false });
    expect(said?.measured).toContain(words);
  });

  it("see it on sbatch's command line, where slurmdbd has that, and before the script", () => {
    const profiled = 'sbatch --profile=task job.sh';
    expect(judged(script(), jobOf(), 'emulated', profiled)?.measured).toContain(
      '--profile=task is unsupported',
    );
    // What the owner says there counts.
    const sizes = script('#SBATCH -N 1,3');
    expect(judged(sizes, jobOf(), 'emulated')?.pass).toBe(false);
    expect(judged(sizes, jobOf(), 'emulated', 'sbatch -N 2 job.sh')?.pass).toBe(true);
  });

  it('of words that are not understood in a script that sbatch took, the gateway keeps the job', () => {
    const text = script('#SBATCH --time 5 minutes --profile=task');
    const said = judged(text, jobOf(), 'emulated');
    expect(said).toMatchObject({ pass: false });
    expect(said?.measured).toContain('#SBATCH="minutes" is no option (line 2 of its script) is unsupported');
  });

  it('make no receipt longer than it can be read, whatever a script says', () => {
    const text = script(...Array.from({ length: 3000 }, (_, n) => `#SBATCH --x${n}=${'y'.repeat(300)}`));
    const said = judged(text, jobOf(), 'emulated');
    expect(said?.measured).toContain('and 2990 more');
    expect(said?.measured.length).toBeLessThan(6000);
  });
});
