import { describe, expect, it } from 'vitest';
import {
  chooseImage,
  readScript,
  signalIn,
  stepsWarning,
  withCommandLine,
} from '../../src/translate/index.ts';
import type { Recorded } from '../../src/translate/script/submitted.ts';

const script = readScript('#!/bin/bash\n#SBATCH --signal=USR1@30\nsrun x\n');
const of = (line: string | undefined) => withCommandLine(script, line);
const usr1 = { signo: 10, beforeMs: 30_000 };
const usr2 = { signo: 12, beforeMs: 90_000 };

describe("sbatch's command line", () => {
  it('comes before the script, by what Slurm shows nowhere else', () => {
    expect(stepsWarning(of(undefined))).toEqual(usr1);
    expect(stepsWarning(of('sbatch --parsable -p batch --signal=USR2@90 -t 5 job.sh'))).toEqual(usr2);
    expect(stepsWarning(of('/usr/bin/sbatch --signal USR2@90 -t5 job.sh --signal=HUP'))).toEqual(usr2);
    const forScript = of('sbatch -N2 --signal=B:TERM@60 job.sh');
    expect([signalIn(forScript), stepsWarning(forScript)]).toEqual([15, undefined]);
    // What the job's record shows is not taken from here.
    expect(of('sbatch -t 5 -A physics job.sh').options).toEqual(script.options);
  });

  it("is read up to the script's name: what follows is the script's own", () => {
    for (const line of [
      'sbatch job.sh --signal=USR2@90',
      'sbatch -p batch ./a.sh -x --signal=USR2',
      'sbatch',
      '',
    ])
      expect(stepsWarning(of(line))).toEqual(usr1);
    // Of --comment='two words' the quotes are lost: what comes behind is not guessed.
    expect(stepsWarning(of('sbatch --comment=two words --signal=USR2@90 job.sh'))).toEqual(usr1);
  });

  const images = {
    ...{ default: 'r.example.org/base:1', partitions: {}, accounts: {}, modules: [], pullSecrets: [] },
    allow: [{ image: 'r.example.org/**' }],
  };
  const imageOf = (line: string, job?: Partial<Recorded>, text = '#!/bin/bash\nsrun x\n') => {
    const recorded = { command: '/home/a/job.sh', name: 'job.sh', comment: '', ...job };
    const chosen = chooseImage({
      ...{ comment: '', account: 'a', partition: 'batch', images },
      script: withCommandLine(readScript(text), line, recorded),
    });
    return chosen.kind === 'image' ? chosen.image : chosen.why;
  };
  const x = '--container-image=r.example.org/x:1';

  it.each<[string, string, Partial<Recorded>]>([
    ['a name of two words', `sbatch -J my job ${x} job.sh`, { name: 'my job' }],
    ['a name of two words, joined', `sbatch --job-name=my job ${x} job.sh`, { name: 'my job' }],
    ['a short one, joined', `sbatch -Jmy job ${x} ./job.sh`, { name: 'my job', command: '/home/a/./job.sh' }],
    ['two spaces', `sbatch --comment=a  b ${x} job.sh`, { comment: 'a  b' }],
    ['a script by its whole path', `sbatch ${x} /home/a/job.sh`, {}],
    ['a script on stdin', `sbatch ${x}`, { command: '' }],
    ['the space form', 'sbatch --container-image r.example.org/x:1 job.sh', {}],
    ['a name that is cut short', 'sbatch --container-im=r.example.org/x:1 job.sh', {}],
  ])('is read past lost quotes where the record tells what stood in them: %s', (_, line, job) => {
    expect(imageOf(line, job)).toBe('r.example.org/x:1');
  });

  it.each<[string, string, Partial<Recorded>]>([
    ['in a comment', `sbatch --comment=see ${x} job.sh`, { comment: `see ${x}` }],
    ['an argument of the script', `sbatch job.sh ${x}`, { command: `/home/a/job.sh ${x}` }],
    ['an argument, twice the same', `sbatch job.sh job.sh ${x}`, { command: `/home/a/job.sh job.sh ${x}` }],
  ])('of a text is no option: %s', (_, line, job) => {
    expect(imageOf(line, job)).toBe('r.example.org/base:1');
  });

  it('of what is wrapped is no option', () => {
    const text = `#!/bin/sh\n# This script was created by sbatch --wrap.\n\necho a ${x}\n`;
    expect(imageOf(`sbatch --wrap=echo a ${x}`, { command: '' }, text)).toBe('r.example.org/base:1');
  });

  it.each<[string, string, Partial<Recorded>]>([
    ['the name was changed since', `sbatch -J my job ${x} job.sh`, { name: 'other' }],
    ['the record does not show it', `sbatch --export=A=b c ${x} job.sh`, {}],
    ['the script is not known', `sbatch run ${x}`, { command: '/elsewhere' }],
    ['another of the plugin', 'sbatch --export=A=b c --container-mounts=/a:/a job.sh', {}],
    ['one that no record shows', 'sbatch --export=A=b c --profile=task job.sh', {}],
    ['one of a plugin that nobody knows', 'sbatch --export=A=b c --site-thing=1 job.sh', {}],
  ])('is not guessed: %s', (_, line, job) => {
    expect(imageOf(line, job)).toMatch(
      /^sbatch's command line: whether --\S+ is an option or part of a value cannot be told: it stands behind/,
    );
  });

  it('keeps no job for what else is lost in quotes, or is its own', () => {
    for (const line of ['sbatch --export=A=b c -n 4 job.sh', 'sbatch job.sh --epochs 3'])
      expect(
        imageOf(line, { command: line.endsWith('3') ? '/home/a/job.sh --epochs 3' : '/home/a/job.sh' }),
      ).toBe('r.example.org/base:1');
    expect(imageOf('sbatch job.sh --epochs 3', { command: '/elsewhere' })).toBe('r.example.org/base:1');
  });

  it('of megabytes is read like others', () => {
    const many = 'a '.repeat(100_000);
    expect(imageOf(`sbatch --comment=${many}${x}`, { comment: many })).toMatch(/cannot be told/);
    expect(imageOf(`sbatch --comment=${many}${x}`, { comment: `${'a '.repeat(199)}b` })).toMatch(
      /cannot be told/,
    );
  });

  it('names an image as a line of the script does', () => {
    const images = {
      ...{ default: 'r.example.org/base:1', partitions: {}, accounts: {}, modules: [], pullSecrets: [] },
      allow: [{ image: 'r.example.org/**' }],
    };
    const chosen = chooseImage({
      ...{ comment: '', account: 'a', partition: 'batch', images },
      script: of('sbatch --container-image=r.example.org#users/md:3 job.sh'),
    });
    expect(chosen).toEqual({
      ...{ kind: 'image', image: 'r.example.org/users/md:3' },
      from: "--container-image on sbatch's command line",
    });
  });
});
