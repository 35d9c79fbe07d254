import { expect, it } from 'vitest';
import type { Answer, Command } from '../../../adapters/slurm/ssh.ts';
import { exported, usersOver } from '../../../adapters/slurm/users.ts';
import { instant, jobRef, uuid } from '../../../src/domain/ids.ts';
import { hasKey, type SubmitOrder, takesKey, withKey } from '../../../src/domain/submit.ts';

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

/** What scontrol says of this cluster, and to all else this. */
const named =
  (stdout: string) =>
  ({ line }: Command): Answer =>
    line.includes('config') ? out('ClusterName             = hpc1\n') : out(stdout);

const order: SubmitOrder = {
  script: { text: '#!/bin/bash\nhostname' },
  workDir: "/home/alice/it's",
  ...{ name: undefined, account: 'physics', partition: undefined, reservation: undefined },
  ...{ constraints: undefined, stdin: undefined, stdout: 'out.%j', stderr: undefined },
  env: {},
};

it('submits as the user, with the script on its input and nothing of it on the command line', async () => {
  const { port, asked } = over(named('4711;hpc1\n'));
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

it('a job that its script sent to another cluster is cancelled there, and refused', async () => {
  const { port, asked } = over(named('4711;other\n'));
  await expect(port.submit('alice', order, key, deadline)).rejects.toMatchObject({
    fault: 'refused',
    message: expect.stringMatching(/job 4711 of cluster other, and it was cancelled there: this is hpc1/),
  });
  const last = asked.at(-1)?.line.replaceAll("'\\''", "'") ?? '';
  expect(last).toContain('sudo -n -H -u alice -- scancel -M other 4711');
});

it.each([
  [
    'the cancel fails',
    (line: string) =>
      line.includes('scancel') ? bad('scancel: error: timed out') : out('ClusterName = hpc1'),
  ],
  [
    'this cluster’s name cannot be had',
    () => bad('slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)'),
  ],
])('where %s, what became of a job of another cluster is not known', async (_what, otherwise) => {
  const { port } = over(({ line }) => (line.includes('sbatch') ? out('4711;other\n') : otherwise(line)));
  await expect(port.submit('alice', order, key, deadline)).rejects.toMatchObject({
    fault: 'unknown',
    message: expect.stringMatching(/job 4711 of cluster other/),
  });
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
      () => port.alter(user, 'hold', jobRef('1'), deadline),
      () => port.info(user),
      () => port.uid(user),
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

it.each(['hold', 'release'] as const)(
  '%s is scontrol’s, as the user, of one job and before its deadline',
  async (what) => {
    const { port, asked } = over(() => out(''));
    await port.alter('alice', what, jobRef('4711_3'), deadline);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ effect: true, line: expect.stringContaining('-lt 2000000000 ]') });
    expect(asked[0]?.line).toMatch(new RegExp(`sudo -n -H -u alice -- scontrol ${what} 4711_3'$`));
    await expect(port.alter('alice', what, jobRef('1,2'), deadline)).rejects.toMatchObject({
      fault: 'invalid',
    });
    expect(asked).toHaveLength(1);
  },
);

it.each([
  [bad('Access/permission denied for job 4711\n'), 'refused'],
  [bad('Job is no longer pending execution for job 4711\n'), 'started'],
  [bad('Invalid job id specified for job 4711\n'), 'not_found'],
  [
    bad("Sorry, user spillway is not allowed to execute '/usr/bin/scontrol hold 4711' as alice on n1."),
    'refused',
  ],
  [bad('slurm_load_jobs error: Unable to contact slurm controller (connect failure)'), 'unreachable'],
  [bad('', 137), 'unknown'],
] as const)('a hold that is answered by %j is %s', async (answer, fault) => {
  const { port } = over(() => answer);
  await expect(port.alter('alice', 'hold', jobRef('4711'), deadline)).rejects.toMatchObject({ fault });
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

it.each([
  ['#!/bin/bash -l', true],
  ['#! /bin/sh', true],
  ['#!/usr/bin/env python3.11', true],
  ['#!/usr/bin/env -S LANG=C bash -e', true],
  ['#!/opt/conda/bin/python', true],
  ['#!/usr/bin/env node', false],
  ['#!/usr/bin/lua', false],
  ['#!/opt/mine', false],
])('a script that begins with %s has a key: %j', async (first, has) => {
  const text = `${first}\n1\n`;
  expect(takesKey({ text })).toBe(has);
  const { port, asked } = over(() => out('1\n'));
  await port.submit('alice', { ...order, script: { text } }, key, deadline);
  expect(asked[0]?.stdin).toBe(has ? withKey(text, key) : text);
});

it('carries variables as sbatch reads them, or says which it cannot', () => {
  expect(exported({})).toBe('NONE');
  expect(exported({ A: '1', B: 'x y,z', C_2: '/a:b' })).toBe("A=1,'B=x y,z',C_2=/a:b");
  for (const value of ["it's", '"', 'a\nb', 'a\\b'])
    expect(() => exported({ A: value })).toThrow('value of A');
  for (const name of ['', '1A', 'A-B', 'A,B']) expect(() => exported({ [name]: '1' })).toThrow('cannot name');
});

it.each([
  // A job_submit plugin's own words, a login's profile, `#SBATCH --wait` of a job that failed, an end by force behind it.
  [{ code: 0, stdout: '4711\n', stderr: 'sbatch: error: your project ends soon' }],
  [{ code: 7, stdout: '4711\n', stderr: '' }],
  [{ code: 137, stdout: '4711\n', stderr: '' }],
])('a job that has a number is submitted, whatever else is said: %j', async (answer) => {
  expect(await over(() => answer).port.submit('alice', order, key, deadline)).toBe(4711);
});

it.each([
  [
    `sudo: unable to resolve host n1: Name or service not known
sbatch: error: Batch job submission failed: Socket timed out on send/recv operation`,
    1,
  ],
  ['sudo: unable to resolve host n1: Name or service not known', 137],
  // sudo's own time limit.
  ['', 129],
  ['', 143],
])('an order that may have been carried out is not said to be refused: %j %j', async (stderr, code) => {
  const { port } = over(() => bad(stderr, code));
  await expect(port.submit('alice', order, key, deadline)).rejects.toMatchObject({ fault: 'unknown' });
});

it('a number of Slurm’s own is no end by force, and a test is no order', async () => {
  const denied = bad('scancel: error: Kill job error on job id 7: Access/permission denied', 210);
  await expect(over(() => denied).port.cancel('alice', jobRef('7'), deadline)).rejects.toMatchObject({
    fault: 'refused',
  });
  const tested = { code: 0, stdout: '', stderr: 'sbatch: Job 7 to start at 1700000000 using 1 processors' };
  await expect(over(() => tested).port.submit('alice', order, key, deadline)).rejects.toMatchObject({
    fault: 'refused',
    message: expect.stringMatching(/not submitted/),
  });
});

it('what sudo says and goes on hides no refusal of Slurm’s', async () => {
  const chatter = 'sudo: unable to resolve host n1: Name or service not known\n';
  const { port } = over(() => bad(`${chatter}sbatch: error: invalid partition specified: nowhere`));
  await expect(port.submit('alice', order, key, deadline)).rejects.toMatchObject({
    fault: 'refused',
    message: expect.not.stringMatching(/sudo/),
  });
});

it('a command line that would end everybody’s connection is not sent', async () => {
  const { port, asked } = over(() => out('1\n'));
  for (const long of [{ env: { A: 'x'.repeat(300_000) } }, { workDir: `/${"'".repeat(20_000)}` }])
    await expect(port.submit('alice', { ...order, ...long }, key, deadline)).rejects.toMatchObject({
      fault: 'refused',
      message: expect.stringMatching(/too long/),
    });
  expect(asked).toEqual([]);
});

it('a job is found again where Slurm’s clock is behind the gateway’s', async () => {
  const { port } = over(() => out('13 1699999990\n'), { 13: withKey('#!/bin/sh\n:', key) });
  expect(await port.submitted('alice', key, instant(1_700_000_000_500))).toBe(13);
});

const row = (mark: string, ref: string, submit: string) =>
  [
    ...[ref, ref, 'a\nb|c', '/home\n4711', 'alice', 'physics', 'CANCELLED by 0', 'batch', submit],
    ...['1700000001', '1700000002', '00:01:00', '0:15', '1', 'n1'],
  ].join(mark);
const markIn = (line: string): string => /--delimiter=([^\w-]m[\w-]+)/.exec(line)?.[1] ?? '';

it('a record that cannot be read keeps nobody from the others, and is a fault of Slurm’s where it is asked for alone', async () => {
  const { port } = over(({ line }) =>
    out(`${row(markIn(line), '1', 'Unknown')}\n${row(markIn(line), '2', '1700000000')}\n`),
  );
  expect(await port.records('alice', { since: instant(0) })).toMatchObject([
    { ref: '2', name: 'a\nb|c', workDir: '/home\n4711', state: 'CANCELLED' },
  ]);
  await expect(port.records('alice', jobRef('1'))).rejects.toMatchObject({ fault: 'transient' });
});

it('who coordinates accounts is one question for all users, and who coordinates none is left out', async () => {
  const { port, asked } = over(() =>
    out('root|\nprof|physics,physics-theory\nalice|\nbob|chemistry\n\nnot a line of it\nodd|a|b\n|x\n'),
  );
  expect(await port.coordinators()).toEqual(
    new Map([
      ['prof', new Set(['physics', 'physics-theory'])],
      ['bob', new Set(['chemistry'])],
    ]),
  );
  expect(asked).toHaveLength(1);
  expect(asked[0]?.line).toContain('sacctmgr -nP show user withcoord');
  expect(asked[0]?.effect).toBe(false);
});

it('a slurmdbd that is away is no word on who coordinates what', async () => {
  const { port } = over(() =>
    bad('sacctmgr: error: _open_persist_conn: failed to open persistent connection: Connection refused'),
  );
  await expect(port.coordinators()).rejects.toMatchObject({ fault: 'unreachable' });
});

it('a group that has no name keeps nobody from being told who he is', async () => {
  const { port } = over(({ line }) => {
    if (line.includes('scontrol')) return out('ClusterName = hpc1\n');
    if (line.includes('getent')) return { code: 2, stdout: 'physics:x:3001:\n', stderr: '' };
    if (line.includes('sacctmgr')) return out('physics|physics\n');
    return out(line.includes('-G') ? '2001 3001\n' : '2001\n');
  });
  expect(await port.info('alice')).toMatchObject({
    groups: [
      { gid: 2001, name: '2001' },
      { gid: 3001, name: 'physics' },
    ],
  });
});

it('accounts are those of this cluster, of several that one slurmdbd serves; which it is, is asked once', async () => {
  const { port, asked } = over(({ line }) => {
    if (line.includes('scontrol')) return out('ClusterName             = hpc1\n');
    if (line.includes('getent')) return out('alice:x:2001:\n');
    if (line.includes('sacctmgr'))
      return out(
        line.includes('cluster=hpc1')
          ? 'physics|physics\nchemistry|physics\n'
          : 'physics|physics\nelsewhere|physics\n',
      );
    return out('2001\n');
  });
  for (const _ of ['once', 'again'])
    expect((await port.info('alice')).accounts).toEqual([
      { name: 'physics', isDefault: true },
      { name: 'chemistry', isDefault: false },
    ]);
  expect(asked.filter(({ line }) => line.includes('scontrol'))).toHaveLength(1);
});

it('whom the login node has by a name is told though slurmctld and slurmdbd are away', async () => {
  const { port, asked } = over(({ line }) => {
    if (line.includes('nobody1')) return bad('id: ‘nobody1’: no such user');
    return line.includes('id ') ? out('2001\n') : bad('scontrol: error: Unable to contact slurm controller');
  });
  expect(await port.uid('alice')).toBe(2001);
  expect(asked).toHaveLength(1);
  await expect(port.uid('nobody1')).rejects.toMatchObject({ fault: 'not_found' });
  const silent = over(() => bad('ssh: connect to host login port 22: Connection refused')).port;
  await expect(silent.uid('alice')).rejects.not.toMatchObject({ fault: 'not_found' });
});

it('accounts of nobody knows which cluster are told to nobody', async () => {
  const { port } = over(({ line }) =>
    line.includes('scontrol')
      ? bad('scontrol: error: Unable to contact slurm controller (connect failure)')
      : out('2001\n'),
  );
  await expect(port.info('alice')).rejects.toMatchObject({ fault: 'unreachable' });
});
