import { describe, expect, it } from 'vitest';
import {
  chooseImage,
  readScript,
  signalIn,
  stepsWarning,
  withCommandLine,
} from '../../src/translate/index.ts';

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
    expect(of('sbatch --mem=1G -A physics job.sh').options).toEqual(script.options);
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
