import { describe, expect, it } from 'vitest';
import { readScript } from '../../src/translate/script/script.ts';
import { stepsWarning } from '../../src/translate/script/signal.ts';

const of = (value: string) => stepsWarning(readScript(`#!/bin/bash\n#SBATCH --signal=${value}\n`));

describe('what --signal asks for the steps', () => {
  it.each([
    ['USR1', { signo: 10, beforeMs: 60_000 }],
    ['USR1@30', { signo: 10, beforeMs: 30_000 }],
    ['SIGTERM@90', { signo: 15, beforeMs: 90_000 }],
    ['12@5', { signo: 12, beforeMs: 5_000 }],
    ['R:USR2@10', { signo: 12, beforeMs: 10_000 }],
  ])('%s', (value, want) => expect(of(value)).toEqual(want));

  it.each(['B:USR1@30', 'RB:USR1', 'BR:10@1', 'NOSUCH', '0', '65', 'USR1@70000', 'USR1@', '', 'toString'])(
    "%s: nothing of ours: it is the script's, or none",
    (value) => expect(of(value)).toBeUndefined(),
  );

  it('nothing without the option', () => {
    expect(stepsWarning(readScript('#!/bin/bash\nsrun x\n'))).toBeUndefined();
  });
});
