/** What deploy/ondemand ships in shell: the sinfo of bin_overrides, and the token that a user's portal asks by. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const bin = resolve('deploy/ondemand/bin');
const me = userInfo().username;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spillway-ondemand-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function script(name: string, ...lines: readonly string[]): string {
  const path = join(dir, name);
  writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`);
  chmodSync(path, 0o755);
  return path;
}
function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  return { code: status, out: stdout, err: stderr };
}

describe('sinfo', () => {
  /** Answers the wrapper's own question, and tells everything else back. */
  const real = (answer: readonly string[], code = 0): string =>
    script(
      'real',
      'case "$*" in',
      `"-haNo %N %R"*) printf '%s\\n' ${answer.map((l) => `'${l}'`).join(' ')}; exit ${code} ;;`,
      'esac',
      `for a in "$@"; do printf '[%s]' "$a"; done`,
    );
  const told = (sinfo: string, args: readonly string[], env = {}) =>
    run(join(bin, 'sinfo'), args, { SPILLWAY_SINFO: sinfo, ...env });
  const nodes = ['n1 batch', 'c1 cloud', 'c1 burst', 'n1 all', 'n2 all', 'c1 all', 'n2 batch', 'c2 burst'];

  it('counts only nodes that are in no burst partition, whatever other partition they are in', () => {
    expect(told(real(nodes), ['-aho', '%F/%C']).out).toBe('[-n][n1,n2][-aho][%F/%C]');
  });

  it('asks of the cluster that the call is about', () => {
    for (const about of [['-M', 'hpc2'], ['-Mhpc2'], ['--clusters=hpc2'], ['--cluster', 'hpc2']]) {
      const sinfo = script(
        'real',
        'case "$*" in',
        `"-haNo %N %R -M hpc2") printf 'CLUSTER: hpc2\\nn1 batch\\nc1 burst\\n'; exit ;;`,
        '-haNo*) exit 9 ;;',
        'esac',
        `for a in "$@"; do printf '[%s]' "$a"; done`,
      );
      const { out } = told(sinfo, ['-aho', '%F/%C', ...about]);
      expect(out).toBe(`[-n][n1][-aho][%F/%C]${about.map((a) => `[${a}]`).join('')}`);
    }
  });

  it('knows several burst partitions', () => {
    const two = ['n1 batch', 'c1 burst', 'g1 burst-gpu'];
    expect(told(real(two), ['-h'], { SPILLWAY_BURST_PARTITIONS: 'burst,burst-gpu' }).out).toBe(
      '[-n][n1][-h]',
    );
  });

  it.each([[['-p', 'batch']], [['--partition=burst']], [['-n', 'c1']], [['--nodes', 'c1']], [['--version']]])(
    'passes %j on as it is',
    (args) => {
      expect(told(real([], 9), args).out).toBe(args.map((a) => `[${a}]`).join(''));
    },
  );

  it('fails as sinfo does, and counts nothing rather than wrongly', () => {
    expect(told(real([], 7), ['-aho', '%F/%C'])).toMatchObject({ code: 7, out: '' });
    expect(told(real(['c1 burst']), ['-aho', '%F/%C'])).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('SPILLWAY_BURST_PARTITIONS'),
    });
  });
});

describe('spillway-token', () => {
  const create = (answer = 'spw_0123456789ab_secret', code = 0): string =>
    script(
      'create',
      `echo "$@" >> ${join(dir, 'asked')}`,
      `printf '%s\\n' '${answer}' 'for them until then; keep it'`,
      `exit ${code}`,
    );
  const tokens = (): string => join(dir, 'tokens');
  const hook = (command: string, args: readonly string[] = ['--user', me]) =>
    run(join(bin, 'spillway-token'), args, { SPILLWAY_TOKEN_CREATE: command, SPILLWAY_TOKENS: tokens() });
  const asked = (): readonly string[] => readFileSync(join(dir, 'asked'), 'utf8').trim().split('\n');

  it('leaves a token of role user where its user alone reads it', () => {
    expect(hook(create())).toEqual({ code: 0, out: '', err: '' });
    expect(readFileSync(join(tokens(), me), 'utf8')).toBe('spw_0123456789ab_secret\n');
    expect(statSync(join(tokens(), me))).toMatchObject({ uid: userInfo().uid });
    expect(statSync(join(tokens(), me)).mode & 0o777).toBe(0o400);
    expect(statSync(tokens()).mode & 0o777).toBe(0o711);
    expect(asked()[0]).toMatch(new RegExp(`^--user ${me} --role user --for 14d --note OpenOnDemand@\\S+$`));
  });

  it('has it made over ssh too, where a shell cuts the command into words once more', () => {
    const made = create();
    const ssh = script('ssh', 'shift', `PATH=${dir}:$PATH exec sh -c "$*"`);
    script(
      'spillway',
      'test $# = 10 || { echo "error: too many arguments" >&2; exit 1; }',
      'shift 2',
      `exec ${made} "$@"`,
    );
    expect(hook(`${ssh} gateway spillway token create`)).toEqual({ code: 0, out: '', err: '' });
    expect(readFileSync(join(tokens(), me), 'utf8')).toBe('spw_0123456789ab_secret\n');
  });

  it('makes a new one only at half the life of the old', () => {
    hook(create());
    hook(create());
    expect(asked()).toHaveLength(1);
    const old = new Date(Date.now() - 8 * 86_400_000);
    utimesSync(join(tokens(), me), old, old);
    hook(create('spw_0123456789ab_newer'));
    expect(asked()).toHaveLength(2);
    expect(readFileSync(join(tokens(), me), 'utf8')).toBe('spw_0123456789ab_newer\n');
  });

  it('leaves the old one, and nothing beside it, where none is made', () => {
    hook(create());
    const old = new Date(Date.now() - 8 * 86_400_000);
    utimesSync(join(tokens(), me), old, old);
    expect(hook(create('spw_x', 3))).toMatchObject({ code: 3 });
    expect(hook(create('who are you?'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('gave no token'),
    });
    expect(readdirSync(tokens())).toEqual([me]);
    expect(readFileSync(join(tokens(), me), 'utf8')).toBe('spw_0123456789ab_secret\n');
  });

  it.each([[['--user', '../root']], [['--user', '-rf']], [['--user', 'a b']], [['--user', '']], [[me]]])(
    'takes no %j',
    (args) => {
      expect(hook(create(), args)).toMatchObject({ code: 2 });
      expect(readdirSync(dir)).toEqual(['create']);
    },
  );

  it('makes none for whom this host does not know', () => {
    expect(hook(create(), ['--user', 'nobody_of_this_name']).code).not.toBe(0);
    expect(readdirSync(dir)).toEqual(['create']);
  });
});

it('every script is one that a shell or Ruby is named for, and runs', () => {
  for (const name of readdirSync(bin)) {
    expect(statSync(join(bin, name)).mode & 0o111).toBe(0o111);
    const [first = ''] = readFileSync(join(bin, name), 'utf8').split('\n');
    expect(first).toMatch(/^#!(\/bin\/sh|\/usr\/bin\/env ruby)$/);
    if (first === '#!/bin/sh') execFileSync('sh', ['-n', join(bin, name)]);
  }
});
