import { expect, it } from 'vitest';
import type { Answer, Command } from '../../../adapters/slurm/ssh.ts';
import { exported, usersOver } from '../../../adapters/slurm/users.ts';
import { instant, jobRef, uuid } from '../../../src/domain/ids.ts';
import { hasKey, type SubmitOrder, withKey } from '../../../src/domain/submit.ts';

const out = (stdout: string): Answer => ({ code: 0, stdout, stderr: '' });
const bad = (stderr: string, code = 1): Answer => ({ code, stdout: '', stderr });
const key = uuid('0f8fad5b-d9cb-469f-a165-70867728950e');
const deadline = instant(2_000_000_000_000);

function over(answer: (command: Command) => Answer, scripts: Readonly<Record<number, string>> = {}) {
  const asked: Command[] = [];
  const port = usersOver(
    {
      run: async (command) => {
        asked.push(command);
        return answer(command);
      },
      close: async () => undefined,
    },
    { env: { SLURM_CONF: '/etc/slurm.conf' }, script: async (id) => scripts[id] },
  );
  return { port, asked };
}

const order: SubmitOrder = {
  script: { text: '#!/bin/bash\nhostname' },
  workDir: "/home/alice/it's",
  ...{ name: undefined, account: 'physics', partition: undefined, reservation: undefined },
  ...{ constraints: undefined, stdin: undefined, stdout: 'out.%j', stderr: undefined },
  env: {},
};

it('submits as the user, with the script on its input and nothing of it on the command line', async () => {
  const { port, asked } = over(() => out('4711;hpc1\n'));
  expect(await port.submit('alice', order, key, deadline)).toBe(4711);
  const [{ line, stdin, effect } = { line: '', stdin: '', effect: false }] = asked;
  expect(line).toContain('-lt 2000000000 ]');
  expect(line.replaceAll("'\\''", "'")).toContain(
    "timeout -s KILL 10 sudo -n -H -u alice -- sbatch --parsable --get-user-env '--export=NONE' ",
  );
  expect(line).toContain('account=physics');
  expect(line).not.toContain('hostname');
  expect(effect).toBe(true);
  expect(stdin).toBe(`#!/bin/bash\nhostname\n#SPILLWAY key=${key}\n`);
});

it('hands a script of the cluster’s own over by its path, behind the end of options', async () => {
  const { port, asked } = over(() => out('1\n'));
  await port.submit('alice', { ...order, script: { path: '--wrap=id' } }, key, deadline);
  expect(asked[0]?.line).toMatch(/ -- '\\''--wrap=id'\\'''$/);
  expect(asked[0]?.stdin).toBeUndefined();
});

it.each(['root', '', '-u', 'a b', 'alice;id', '#0', 'Alice$(id)', '0'])(
  'does nothing as %j, and asks nothing',
  async (user) => {
    const { port, asked } = over(() => out('1\n'));
    for (const work of [
      () => port.submit(user, order, key, deadline),
      () => port.cancel(user, jobRef('1'), deadline),
      () => port.info(user),
      () => port.records(user, jobRef('1')),
    ])
      await expect(work()).rejects.toMatchObject({ fault: 'refused' });
    expect(asked).toEqual([]);
  },
);

it.each([
  [
    bad(
      'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified',
    ),
    'refused',
    /Invalid account/,
  ],
  [bad('sudo: a password is required'), 'refused', /rule of sudo/],
  [
    bad("Sorry, user spillway is not allowed to execute '/usr/bin/sbatch' as carol on n1."),
    'refused',
    /rule of sudo/,
  ],
  [
    bad('sbatch: error: Batch job submission failed: Socket timed out on send/recv operation'),
    'unknown',
    /timed out/,
  ],
  [bad('', 137), 'unknown', /did not answer/],
  [bad('', 75), 'transient', /deadline/],
  [out('who knows\n'), 'unknown', /cannot be read/],
] as const)('%j means %s', async (answer, fault, words) => {
  const { port } = over(() => answer);
  await expect(port.submit('alice', order, key, deadline)).rejects.toMatchObject({
    fault,
    message: expect.stringMatching(words),
  });
});

it('finds a job again by its key, among those of the user since then', async () => {
  const mine = withKey('#!/bin/sh\n:', key);
  const since = instant(1_700_000_000_500);
  const { port } = over(() => out('12 1699999990\n13 1700000000\n14 1700000003\n'), {
    12: mine,
    13: mine,
    14: '#!/bin/sh\n:\n',
  });
  expect(await port.submitted('alice', key, since)).toBe(13);
  expect(await port.submitted('alice', uuid('ffffffff-d9cb-469f-a165-70867728950e'), since)).toBeUndefined();
});

it('a key that a user writes into the midst of a script is none', () => {
  expect(hasKey(`#!/bin/sh\n#SPILLWAY key=${key}\n:\n`, key)).toBe(false);
  expect(hasKey(withKey(`#!/bin/sh\n#SPILLWAY key=${key}`, uuid('x')), key)).toBe(false);
});

it('carries variables as sbatch reads them, or says which it cannot', () => {
  expect(exported({})).toBe('NONE');
  expect(exported({ A: '1', B: 'x y,z', C_2: '/a:b' })).toBe("A=1,'B=x y,z',C_2=/a:b");
  for (const value of ["it's", '"', 'a\nb', 'a\\b'])
    expect(() => exported({ A: value })).toThrow('value of A');
  for (const name of ['', '1A', 'A-B', 'A,B']) expect(() => exported({ [name]: '1' })).toThrow('cannot name');
});
