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
    ['a step too many', left({ accounting: [...left().accounting, ...left().accounting] }), 'lines'],
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
      judge([{ place: 'environment', name, onprem: 'a', burst: 'b' }], [], known).differences[0]?.why;
    expect(of('SLURM_TASK_PID')).toMatch(/own process id/);
    expect(of('SPILLWAY_BURST')).toMatch(/asking about the run/);
    expect(of('HOME')).toBeUndefined();
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

  it('is not found within other words and numbers', () => {
    expect(say('1410 0.41 4100 n12 vmlinux an1')).toBe('1410 0.41 4100 n12 vmlinux an1');
  });
});
