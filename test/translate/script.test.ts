/** Scripts as sbatch reads them. [slurm: src/sbatch/opt.c] */
import { describe, expect, it } from 'vitest';
import { lastOf, readScript } from '../../src/translate/script/script.ts';
import { signalIn } from '../../src/translate/script/signal.ts';

const options = (...lines: string[]) =>
  readScript(['#!/bin/bash', ...lines].join('\n')).options.map((o) =>
    o.value === '' ? o.name : `${o.name}=${o.value}`,
  );
const problems = (...lines: string[]) => readScript(['#!/bin/bash', ...lines].join('\n')).problems;

describe('#SBATCH lines', () => {
  it.each<[string, string[]]>([
    ['#SBATCH --time=10', ['time=10']],
    ['#SBATCH --time 10', ['time=10']],
    ['#SBATCH -t 10 -p batch', ['time=10', 'partition=batch']],
    ['#SBATCH -t10 -Hn4', ['time=10', 'hold', 'ntasks=4']],
    ['#SBATCH\t--mem=4G   -c 2', ['mem=4G', 'cpus-per-task=2']],
    ['#SBATCH--mem=4G', ['mem=4G']],
    ['#SLURM --mem=4G', ['mem=4G']],
    ['#SBATCH --exclusive --nice', ['exclusive', 'nice']],
    ['#SBATCH --exclusive=user', ['exclusive=user']],
    // An optional value is only ever joined by `=`.
    ['#SBATCH --nice --hold', ['nice', 'hold']],
    ['#SBATCH -k', ['no-kill']],
    // Names cut short, while they are one's alone.
    ['#SBATCH --part=batch', ['partition=batch']],
    ['#SBATCH --nodel=n1', ['nodelist=n1']],
    ['#SBATCH --tasks-per-node=4 --share', ['ntasks-per-node=4', 'oversubscribe']],
    // Quotes, backslashes and comments.
    ['#SBATCH --job-name="two words" # a comment', ['job-name=two words']],
    ['#SBATCH --comment=\'a "b" # c\'', ['comment=a "b" # c']],
    ['#SBATCH --job-name=two\\ words', ['job-name=two words']],
    ['#SBATCH --comment=a#b --mem=1', ['comment=a']],
    ['#SBATCH --comment=a\\#b', ['comment=a#b']],
    [' #SBATCH --mem=1', []],
    ['##SBATCH --mem=1', []],
    ['#sbatch --mem=1', []],
  ])('%s', (line, found) => {
    expect(options(line)).toEqual(found);
    expect(problems(line)).toEqual([]);
  });

  it('end at the first command, and not at comments and empty lines', () => {
    expect(options('# hello', '', '#SBATCH -n1', '  # more', 'date', '#SBATCH -n2')).toEqual(['ntasks=1']);
  });

  it('are one list of words: a value may stand on the next line', () => {
    expect(options('#SBATCH -n', '#SBATCH 4 -c', '#SBATCH 2')).toEqual(['ntasks=4', 'cpus-per-task=2']);
  });

  it('count by the last of each', () => {
    const script = readScript('#!/bin/sh\n#SBATCH -n1\n#SBATCH --ntasks=8\n#SBATCH -c2\n');
    expect(lastOf(script).map((o) => `${o.name}=${o.value}@${o.line}`)).toEqual([
      'ntasks=8@3',
      'cpus-per-task=2@4',
    ]);
  });

  it('of a Windows file are read like others', () => {
    expect(readScript('#!/bin/bash\r\n#SBATCH --mem=4G\r\ndate\r\n').options[0]?.value).toBe('4G');
  });

  it.each([
    ['#SBATCH --job-name="open', 'a " is not closed'],
    ['#SBATCH -n', '-n needs a value'],
    ['#SBATCH --time', '--time needs a value'],
    ['#SBATCH --contiguous=yes', '--contiguous takes no value'],
    ['#SBATCH -Z', '-Z is no option of sbatch'],
    ['#SBATCH --no=1', '--no may be '],
    ['#SBATCH 4', '"4" is no option'],
    ['#SBATCH -- -n4', '"--" is no option'],
  ])('that sbatch would not take are told with their line: %s', (line, why) => {
    const [problem, ...more] = problems('', line);
    expect(problem?.line).toBe(3);
    expect(problem?.text).toContain(why);
    expect(more).toEqual([]);
  });

  it('without #! are no batch script', () => {
    expect(readScript('date\n').problems).toEqual([
      { line: 1, text: 'a batch script begins with #!, such as #!/bin/bash' },
    ]);
  });

  it('of a second component make the job heterogeneous', () => {
    const script = readScript('#!/bin/sh\n#SBATCH -n1\n#SBATCH hetjob\n#SBATCH -n2\n');
    expect(script).toMatchObject({ het: true, problems: [] });
    expect(script.options).toHaveLength(1);
  });

  it('may name options of a plugin', () => {
    const [option] = readScript('#!/bin/sh\n#SBATCH --container-image=ubuntu\n').options;
    expect(option).toMatchObject({ name: 'container-image', directive: undefined, value: 'ubuntu' });
  });

  it.each<[string, string[]]>([
    ['#SBATCH --container-image ubuntu', ['container-image=ubuntu', 'signal=USR1']],
    ['#SBATCH --container-im=ubuntu', ['container-image=ubuntu', 'signal=USR1']],
    ['#SBATCH --container-writable', ['container-writable', 'signal=USR1']],
    [
      '#SBATCH --container-mounts /a:/a --no-container-entrypoint',
      [...['container-mounts=/a:/a', 'no-container-entrypoint', 'signal=USR1']],
    ],
    // Of another plugin nobody knows what takes a value; sbatch would not take a word that is none.
    ['#SBATCH --site-thing 5', ['site-thing=5', 'signal=USR1']],
    ['#SBATCH --site-thing', ['site-thing', 'signal=USR1']],
    ['#SBATCH --site-thing -n 4', ['site-thing', 'ntasks=4', 'signal=USR1']],
  ])('of a plugin do not end the reading: %s', (line, found) => {
    expect(options(line, '#SBATCH --signal=USR1')).toEqual(found);
    expect(problems(line)).toEqual([]);
  });
});

describe('what srun is asked of a plugin', () => {
  const of = (...lines: string[]) =>
    readScript(['#!/bin/bash', ...lines].join('\n')).srun.map((o) => `${o.line} ${o.name} ${o.value}`);

  it.each<[string[], string[]]>([
    [['srun --container-image=a/b:1 ./x'], ['2 container-image a/b:1']],
    [['date; srun -n 2 --container-image a/b:1 ./x'], ['2 container-image a/b:1']],
    [['time /usr/bin/srun --container-image="$IMG" x'], ['2 container-image $IMG']],
    [['out=$(srun --container-image=a x)'], ['2 container-image a']],
    [
      ['', 'srun -n 2 \\', '  --container-image=a \\', '  --container-mounts=/a:/a x'],
      [...['3 container-image a', '3 container-mounts /a:/a']],
    ],
    [['# srun --container-image=a x'], []],
    [['srun x # --container-image=a'], []],
    [['docker run --container-image=a x'], []],
    [['srun --ntasks=2 x'], []],
  ])('%j', (lines, found) => {
    expect(of(...lines)).toEqual(found);
  });

  it('is told of a few times only', () => {
    expect(of(...Array.from({ length: 100 }, (_, n) => `srun --container-image=a${n} x`))).toHaveLength(10);
  });
});

describe('a script that means harm', () => {
  const many = 300_000;
  it.each([
    ['letters', `#SBATCH -${'H'.repeat(many)}`, many],
    ['words', `#SBATCH ${'-H '.repeat(many)}`, many],
    ['lines', '#SBATCH -Z\n'.repeat(many), 0],
    ['words of ours', `#SPILLWAY ${'x '.repeat(many)}`, 0],
    ['modules', `module load ${'a '.repeat(many)}`, 0],
    ['calls of srun', `srun ${'--container- '.repeat(many)}`, 0],
    ['quotes of srun', `srun --container-image=${'"'.repeat(many)}x`, 0],
    ['lines that go on', 'srun --\\\n'.repeat(many), 0],
    ['words before a command', `${'if '.repeat(many)}module load a`, 0],
    ['spaces', ' '.repeat(many), 0],
    ['backslashes', `#SBATCH ${'\\'.repeat(many)}`, 0],
    ['comments before an odd end of line', `${' #'.repeat(many)}\u2028x`, 0],
    ['spaces before an odd end of line', `ml${' '.repeat(many)}a\rb`, 0],
  ])('is read like others: %s', (_, text, count) => {
    expect(readScript(`#!/bin/sh\n${text}\n`).options).toHaveLength(count);
  });
});

describe('our own lines', () => {
  it('that are not known are told', () => {
    const script = readScript(
      '#!/bin/sh\n#SPILLWAY image=ghcr.io/a/b:1 # mine\n#SPILLWAY immage=x\ndate\n#SPILLWAY image=c\n',
    );
    expect(script.ours).toEqual([{ line: 2, key: 'image', value: 'ghcr.io/a/b:1' }]);
    expect(script.problems).toEqual([
      {
        line: 3,
        text: '#SPILLWAY immage=x: not known; there is image=IMAGE, hugepages=2Mi:1GiB, stage-in=PATH, stage-out=PATH, size=SIZE after a path',
      },
    ]);
  });
});

describe('the signal ahead of the end', () => {
  const of = (value: string) => signalIn(readScript(`#!/bin/sh\n#SBATCH --signal=${value}\n`));

  it('is the one that the script itself is to get, by name or number', () => {
    for (const value of ['B:USR1@120', 'b:sigusr1', 'B:10@5', 'RB:USR1@60', 'BR:10'])
      expect(of(value)).toBe(10);
    expect(of('B:TERM')).toBe(15);
  });

  it('is none where only steps would get it, or nobody knows it', () => {
    for (const value of ['USR1@120', '10', 'R:USR1', 'B:NOPE', 'B:0', 'B:65', 'B:'])
      expect(of(value)).toBeUndefined();
    expect(signalIn(readScript('#!/bin/sh\n'))).toBeUndefined();
  });
});

describe('modules', () => {
  it.each<[string, string[]]>([
    ['module load openmpi/4.1 gromacs/2024', ['openmpi/4.1', 'gromacs/2024']],
    ['  module add "openmpi/4.1"; module load fftw', ['openmpi/4.1', 'fftw']],
    ['module purge && module load gcc/13', ['gcc/13']],
    ['ml gcc/13', ['gcc/13']],
    ['ml load gcc/13', ['gcc/13']],
    ['ml purge', []],
    ['ml -gcc', []],
    ['# module load gcc', []],
    ['module load gcc # module load clang', ['gcc']],
    ['module load $MPI', []],
    ['echo module load gcc', []],
    ['module unload gcc', []],
    ['module -q load gcc/13', ['gcc/13']],
    ['module --quiet load gcc/13', ['gcc/13']],
    ['if module load gcc/13; then', ['gcc/13']],
    ['then module load gcc/13 2>/dev/null', ['gcc/13']],
    ['if ! module load gcc > log 2>&1; then module load clang; fi', ['gcc', 'clang']],
    ['module try-load gcc/13', ['gcc/13']],
    ['(module load gcc/13)', ['gcc/13']],
    ['{ module load gcc/13; }', ['gcc/13']],
    ['module swap gcc/13 intel/2024', ['intel/2024']],
    ['module load gcc/13 fftw; module switch gcc intel', ['fftw', 'intel']],
    ['module swap intel/2024', ['intel/2024']],
    ['ml swap gcc intel', ['intel']],
    ['ml -q gcc/13', ['gcc/13']],
    ['ml avail gcc', []],
    ['ml show gcc', []],
    ['module is-loaded gcc && echo', []],
    ['modules load gcc', []],
  ])('%s', (line, modules) => {
    expect(readScript(`#!/bin/sh\n${line}\n`).modules).toEqual(modules);
  });
});
