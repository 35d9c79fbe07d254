/** The comparer finds whatever is planted, and takes a run's own number, directory and node for none. */
import { describe, expect, it } from 'vitest';
import { compare, type FileLeft, type Left } from './compare.ts';
import { judge } from './judge.ts';
import { withoutOwn } from './own.ts';

const file = (content: string | Buffer, more: Partial<FileLeft> = {}): FileLeft => ({
  kind: 'file',
  mode: '0644',
  owner: '2001:2001',
  links: 1,
  content: Buffer.from(content),
  ...more,
});

const left = (more: Partial<Left> = {}): Left => ({
  accounting: [{ JobID: '<job>', State: 'COMPLETED', ExitCode: '0:0' }],
  record: [{ JobState: 'COMPLETED', Comment: '(null)' }],
  files: new Map([
    ['slurm-<job>.out', file('hello\nworld\n')],
    ['made', file('data')],
    ['all.environment', file('HOME=/home/alice\0SLURMD_NODENAME=n1\0')],
  ]),
  elapsedSeconds: 3,
  ...more,
});

const changed = (path: string, to: FileLeft | undefined): Left => {
  const files = new Map(left().files);
  if (to === undefined) files.delete(path);
  else files.set(path, to);
  return left({ files });
};

describe('two runs of one script', () => {
  it('are the same where nothing differs', () => {
    expect(compare(left(), left())).toEqual([]);
  });

  it.each([
    ['a state', left({ accounting: [{ JobID: '<job>', State: 'FAILED', ExitCode: '0:0' }] }), 'State'],
    [
      'an exit code',
      left({ accounting: [{ JobID: '<job>', State: 'COMPLETED', ExitCode: '0:9' }] }),
      'ExitCode',
    ],
    [
      'a step that only one has',
      left({ accounting: [...left().accounting, { JobID: '<job>.0', State: 'COMPLETED' }] }),
      'steps',
    ],
    [
      'a batch step that only one has',
      left({ accounting: [...left().accounting, { JobID: '<job>.batch', State: 'COMPLETED' }] }),
      'lines',
    ],
    ['a line too many', left({ accounting: [...left().accounting, ...left().accounting] }), 'lines'],
    ['a field that is missing', left({ record: [{ JobState: 'COMPLETED' }] }), 'Comment'],
    ['a line of output', changed('slurm-<job>.out', file('hello\nWorld\n')), 'slurm-<job>.out'],
    ['output that stops early', changed('slurm-<job>.out', file('hello\n')), 'slurm-<job>.out'],
    ['a byte of a binary', changed('made', file(Buffer.from([0, 255]))), 'made'],
    ['a mode', changed('made', file('data', { mode: '0600' })), 'made: mode'],
    ['an owner', changed('made', file('data', { owner: '2001:3001' })), 'made: owner'],
    ['a second name', changed('made', file('data', { links: 2 })), 'made: links'],
    ['a link in place of a file', changed('made', file('data', { kind: 'link' })), 'made: kind'],
    ['a file that was not made', changed('made', undefined), 'made'],
    ['a variable', changed('all.environment', file('HOME=/\0SLURMD_NODENAME=n1\0')), 'HOME'],
    ['a run that took much longer', left({ elapsedSeconds: 25 }), 'Elapsed'],
  ])('differ by %s', (_, burst, name) => {
    const found = compare(left(), burst);
    expect(found.map((d) => d.name)).toEqual([name]);
    expect(judge(found, [], []).differences.map((d) => d.why)).toEqual([undefined]);
  });

  it.each([
    ['that died as killed may take the ten seconds longer that are documented', 'FAILED', '0:15', 34, true],
    ['that says so as a shell does, too', 'FAILED', '137:0', 34, true],
    ['takes no longer than those', 'FAILED', '0:15', 35, false],
    ['that somebody ended takes no longer', 'CANCELLED', '0:15', 34, false],
    ['that failed otherwise takes no longer', 'FAILED', '7:0', 34, false],
  ])('of a script %s', (_, State, ExitCode, elapsedSeconds, known) => {
    const accounting = [{ JobID: '<job>', State, ExitCode }];
    const found = compare(left({ accounting }), left({ accounting, elapsedSeconds }));
    expect(found).toMatchObject([{ place: 'time', onprem: '3 s', burst: `${elapsedSeconds} s` }]);
    expect(judge(found, []).differences.map((d) => d.why !== undefined)).toEqual([known]);
  });

  it('are compared in what both have, where one has steps that the other lacks', () => {
    const job = { JobID: '<job>', State: 'COMPLETED', DerivedExitCode: '7:0' };
    const batch = { JobID: '<job>.batch', State: 'COMPLETED' };
    const found = compare(
      left({ accounting: [job, { JobID: '<job>.0', State: 'FAILED' }, batch] }),
      left({
        accounting: [
          { ...job, DerivedExitCode: '0:0' },
          { ...batch, State: 'FAILED' },
        ],
      }),
    );
    expect(found.map((d) => `${d.name} ${d.onprem} ${d.burst}`)).toEqual([
      'DerivedExitCode 7:0 0:0',
      'State COMPLETED FAILED',
      'steps 1: <job>.0 FAILED 0: ',
    ]);
  });

  it('shows where two outputs part', () => {
    const [difference] = compare(left(), changed('slurm-<job>.out', file('hello\nWorld\n')));
    expect(difference).toEqual({
      place: 'output',
      name: 'slurm-<job>.out',
      onprem: '12 bytes, from 6: "world\\n"',
      burst: '12 bytes, from 6: "World\\n"',
    });
  });
});

describe('a difference', () => {
  const known = [
    { name: 'partition', place: 'record', of: 'Part*', always: true, what: 'x', why: 'moved' },
    { name: 'no-sbatch', place: 'output', of: '*', always: false, what: 'y', why: 'no sbatch' },
  ] as const;

  it('is expected where it is documented, and nowhere else', () => {
    const of = (place: 'record' | 'accounting' | 'output', name: string, shows: readonly string[] = []) =>
      judge([{ place, name, onprem: 'a', burst: 'b' }], shows, known).differences[0]?.why;
    expect(of('record', 'Partition')).toBe('moved');
    expect(of('accounting', 'Partition')).toBeUndefined();
    expect(of('output', 'slurm-<job>.out')).toBeUndefined();
    expect(of('output', 'slurm-<job>.out', ['no-sbatch'])).toBe('no sbatch');
  });

  it('of a variable is expected by the table that changes it in the pod', () => {
    const of = (name: string) =>
      judge([{ place: 'environment', name, onprem: '1', burst: '2' }], [], known).differences[0]?.why;
    expect(of('SLURM_TASK_PID')).toMatch(/own process id/);
    expect(of('SPILLWAY_BURST')).toMatch(/asking about the run/);
    expect(of('HOME')).toBeUndefined();
  });

  it('of a variable is expected in what the table makes of it, and in nothing else', () => {
    const of = (name: string, onprem: string, burst: string) =>
      judge([{ place: 'environment', name, onprem, burst }], [], known).differences[0]?.why !== undefined;
    expect(of('PATH', '/a:/b', '/spill-bin:/a:/b')).toBe(true);
    expect(of('PATH', '/a:/b', '/spill-bin:/b')).toBe(false);
    expect(of('SLURM_JOB_NODELIST', '<nodes:2>', 'x1,x2')).toBe(false);
    expect(of('SLURM_JOB_NODELIST', '<nodes:2>', '<node>')).toBe(false);
    expect(of('SLURM_JOB_PARTITION', '<partition>', 'burst')).toBe(false);
    expect(of('SLURM_TASK_PID', '71', '7')).toBe(true);
    expect(of('SLURM_TASK_PID', '71', '')).toBe(false);
    expect(of('SLURMD_DEBUG', '3', '(absent)')).toBe(true);
    expect(of('SLURMD_DEBUG', '3', '4')).toBe(false);
    expect(of('SLURM_CPU_BIND', 'quiet,mask_cpu:0x1', '(absent)')).toBe(true);
    expect(of('I_MPI_HYDRA_BOOTSTRAP', '(absent)', 'rsh')).toBe(true);
  });

  it('of lines that a script names is expected in those, and in no other', () => {
    const shown = (text: string) => changed('slurm-<job>.out', file(text));
    const of = (a: string, b: string, ...lines: RegExp[]) =>
      judge(compare(shown(a), shown(b), 20, lines), ['no-sbatch'], known).differences.map(({ why }) => why);
    expect(of('one\nsbatch: 5\n', 'one\nrefused\n', /^sbatch: /, /^refused$/)).toEqual(['no sbatch']);
    expect(of('one\nsbatch: 5\n', 'two\nrefused\n', /^sbatch: /, /^refused$/)).toEqual([undefined]);
    expect(of('one\nsbatch: 5\n', 'one\nsbatch: 6\nmore\n', /^sbatch: /)).toEqual([undefined]);
    expect(of('one\n', 'two\n')).toEqual(['no sbatch']);
  });

  it('that a script says it shows, and does not, is told', () => {
    expect(judge([], ['no-sbatch', 'unheard-of'], known).missing).toEqual(['no-sbatch', 'unheard-of']);
  });
});

describe('what is a run’s own', () => {
  const say = withoutOwn({
    dir: '/home/alice/parity/x/onprem',
    ids: new Map([['41', '<job>']]),
    nodes: ['n1', 'vm'],
  });

  it('is replaced by what it is', () => {
    expect(say('job 41 on n1 (vm) in /home/alice/parity/x/onprem/out')).toBe(
      'job <job> on <node> (<node>) in <dir>/out',
    );
    expect(say('slurm-41.out slurm-41_3.out 41.batch')).toBe('slurm-<job>.out slurm-<job>_3.out <job>.batch');
    expect(say('/var/spool/slurmd/job00041/slurm_script: line 3')).toBe('<script>: line 3');
    expect(say('<script>: line 4: 23039 Killed   sleep')).toBe('<script>: line 4: <pid> Killed   sleep');
    expect(say('slurmstepd-n1: error: x')).toBe('slurmstepd: error: x');
    expect(say('CANCELLED AT 2026-11-28T20:04:05 ***')).toBe('CANCELLED AT <time> ***');
  });

  it('of several nodes is how many they are', () => {
    const several = withoutOwn({
      dir: '/d',
      ids: new Map(),
      nodes: ['n1', 'n2', 'ip-10-40-4-123', 'ip-10-40-4-124', 'ip-10-41-0-7'],
    });
    for (const list of ['n[1-2]', 'n1,n2', 'ip-10-40-4-[123-124]', 'ip-10-40-4-124,ip-10-41-0-7'])
      expect(several(`on ${list}: x`)).toBe('on <nodes:2>: x');
    expect(several('ip-10-40-4-[123-124],ip-10-41-0-7')).toBe('<nodes:3>');
    expect(several('n[1-3] a[1-2] tasks n[2]')).toBe('n[1-3] a[1-2] tasks <nodes:1>');
  });

  it('is not found within other words and numbers', () => {
    expect(say('1410 0.41 4100 n12 vmlinux an1')).toBe('1410 0.41 4100 n12 vmlinux an1');
  });
});
