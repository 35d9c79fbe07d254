/** What users ask of Slurm through the gateway, over SSH: as themselves where something changes, by a rule of sudo. */
import { PortError } from '../../src/domain/fault.ts';
import { type Instant, instant, type JobRef, jobRef, type Uuid } from '../../src/domain/ids.ts';
import {
  hasKey,
  type JobRecord,
  type OrderedOfJob,
  type SubmitOrder,
  takesKey,
  type UserInfo,
  withKey,
} from '../../src/domain/submit.ts';
import type { UsersPort } from '../../src/ports.ts';
import { readAnswer, readable, wordsOf, writeAnswer } from './answers.ts';
import { clusterIn } from './people.ts';
import { readRecords, recordArgs } from './records.ts';
import { coordinatorsIn } from './sacctmgr.ts';
import { killedCode, refOf, Shell } from './shell.ts';
import type { Answer, Transport } from './ssh.ts';
import { makeMark } from './table.ts';
import { epochRequired, integer } from './time.ts';

export interface UsersOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Whose scripts may be read: of the port that is an Operator. */
  readonly script: (id: number) => Promise<string | undefined>;
  readonly timeoutMs?: number | undefined;
}

/** Of the user's newest jobs, so many are looked at for a key. */
const lookedAt = 50;
/** Slurm's clock is not the gateway's, and counts seconds. */
const clocksApartMs = 60_000;
/** One argument of a command on Linux is 128 KiB at most, and sshd ends the connection, everybody's, over 256 KiB. [execve(2), MAX_ARG_STRLEN] */
const longestLine = 120_000;
/** Some 200,000 records; of more, a week of everybody's, a client asks in shorter windows. */
const recordsAtMost = 64 * 2 ** 20;
/** What sudo says and goes on. */
const sudoChatter = /^sudo: (unable to resolve host|setrlimit|error initializing audit plugin).*\n?/gm;
/** Such as a name in a container's or another host's database; of root and of options nothing is ever run. [useradd(8)] */
const ordinary = /^[a-z_][a-z0-9_.-]{0,63}$/;

export function usersOver(transport: Transport, options: UsersOptions): UsersPort {
  return new SshUsers(transport, options);
}

class SshUsers implements UsersPort {
  readonly #transport: Transport;
  readonly #options: UsersOptions;
  readonly #shell: Shell;
  readonly #timeoutMs: number;
  #name: Promise<string> | undefined;

  constructor(transport: Transport, options: UsersOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#shell = new Shell(options.env);
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  async submit(user: string, order: SubmitOrder, key: Uuid, deadline: Instant): Promise<number> {
    const at = 'users.submit';
    const { script } = order;
    const plain = 'text' in script ? script.text : undefined;
    const stdin = takesKey(script) ? withKey(script.text, key) : plain;
    const answer = await this.#as(user, ['sbatch', ...sbatchArgs(order, at)], deadline, at, stdin);
    // `--parsable`: the number, and behind a semicolon the cluster's name. Whatever else was said, and whatever the exit code (with `--wait` it is
    // the job's own): who has a number has a job, and would submit it twice if told otherwise.
    const [, id, , where] = /^(\d+)(;(\S*))?\s*$/.exec(answer.stdout) ?? [];
    if (id !== undefined && where !== undefined && where !== '')
      await this.#here({ user, id, where, deadline }, at);
    if (id !== undefined) return Number(id);
    writeAnswer(answer, at);
    if (/^sbatch: Job \d+ to start at/m.test(answer.stderr))
      throw new PortError('refused', at, `only tested, and not submitted (--test-only): ${wordsOf(answer)}`);
    throw new PortError('unknown', at, `sbatch's answer cannot be read: ${wordsOf(answer)}`);
  }

  /** A script of the cluster's own may name another (`--clusters`), whose numbers mean other jobs here: such a job is taken back. */
  async #here(
    { user, id, where, deadline }: { user: string; id: string; where: string; deadline: Instant },
    at: string,
  ): Promise<void> {
    const there = `job ${id} of cluster ${where.slice(0, 64)}`;
    const own = await this.slurmName().catch((cause: unknown) => {
      throw new PortError('unknown', at, `it is ${there}, and whether that is this one is not known`, {
        cause,
      });
    });
    if (where.toLowerCase() === own.toLowerCase()) return;
    const until = instant(deadline + 15_000);
    try {
      writeAnswer(await this.#as(user, ['scancel', '-M', where, id], until, at), at);
    } catch (cause) {
      throw new PortError(
        'unknown',
        at,
        `the script's --clusters made it ${there}, which could not be cancelled; look at it there`,
        { cause },
      );
    }
    throw new PortError(
      'refused',
      at,
      `the script's --clusters made it ${there}, and it was cancelled there: this is ${own}; leave --clusters out`,
    );
  }

  async slurmName(): Promise<string> {
    const at = 'users.slurmName';
    this.#name ??= this.#read(at, ['scontrol', 'show', 'config'])
      .then((config) => clusterIn(config))
      .catch((e: unknown) => {
        this.#name = undefined;
        throw e;
      });
    return this.#name;
  }

  async submitted(user: string, key: Uuid, since: Instant): Promise<number | undefined> {
    const at = 'users.submitted';
    const shown = await this.#read(at, [
      ...['squeue', '-h', '-a', '-t', 'all', '-u', nameOf(user, at), '-o', '%F %V'],
    ]);
    const ids = new Set<number>();
    for (const line of shown.split('\n')) {
      const [id = '', time = ''] = line.trim().split(' ');
      if (id !== '' && epochRequired(time, 'SubmitTime') >= since - clocksApartMs)
        ids.add(integer(id, 'JobID'));
    }
    for (const id of [...ids].sort((a, b) => b - a).slice(0, lookedAt)) {
      const script = await this.#options.script(id);
      if (script !== undefined && hasKey(script, key)) return id;
    }
    return undefined;
  }

  async cancel(user: string, ref: JobRef, deadline: Instant): Promise<void> {
    const at = 'users.cancel';
    writeAnswer(await this.#as(user, ['scancel', refOf(ref, at)], deadline, at), at);
  }

  async alter(user: string, what: OrderedOfJob, ref: JobRef, deadline: Instant): Promise<void> {
    const at = `users.${what}`;
    writeAnswer(await this.#as(user, ['scontrol', what, refOf(ref, at)], deadline, at), at);
  }

  async records(
    user: string | undefined,
    of: JobRef | { readonly since: Instant },
  ): Promise<readonly JobRecord[]> {
    const at = 'users.records';
    const mark = makeMark();
    const what = typeof of === 'string' ? jobRef(refOf(of, at)) : of;
    const argv = recordArgs(user === undefined ? undefined : nameOf(user, at), what, mark);
    const output = await this.#read(at, argv, recordsAtMost);
    return readable(at, () => readRecords(output, mark, typeof of !== 'string'));
  }

  async uid(user: string): Promise<number> {
    const at = 'users.uid';
    const uid = await this.#id(at, '-u', nameOf(user, at));
    return readable(at, () => integer(uid, 'uid'));
  }

  async info(user: string): Promise<UserInfo> {
    const at = 'users.info';
    const name = nameOf(user, at);
    const gids = (await this.#id(at, '-G', name)).split(' ');
    // One slurmdbd may serve several clusters: an account of another is none here.
    const of = [`user=${name}`, `cluster=${await this.slurmName()}`];
    const [uid, own, named, shown] = await Promise.all([
      this.#id(at, '-u', name),
      this.#id(at, '-g', name),
      this.#groups(at, gids),
      this.#read(at, [
        ...['sacctmgr', '-nP', 'show', 'user', 'withassoc', ...of],
        'format=account,defaultaccount',
      ]),
    ]);
    const names = new Map(
      named.split('\n').map((line) => [line.split(':')[2] ?? '', line.split(':')[0] ?? '']),
    );
    const accounts = new Map(
      shown
        .split('\n')
        .map((line) => line.split('|'))
        .flatMap(([account = '', usual = '']) => (account === '' ? [] : [[account, account === usual]])),
    );
    return readable(at, () => ({
      uid: integer(uid, 'uid'),
      gid: integer(own, 'gid'),
      groups: gids.map((gid) => ({ gid: integer(gid, 'gid'), name: names.get(gid) ?? gid })),
      accounts: [...accounts].map(([account, isDefault]) => ({ name: account, isDefault })),
    }));
  }

  /** What id(1) says of him, on the login node. */
  async #id(at: string, what: '-u' | '-g' | '-G', name: string): Promise<string> {
    const answer = await this.#run(at, this.#shell.read(['id', what, '--', name], this.#farSeconds), false);
    if (answer.code !== 0 && /no such user/i.test(answer.stderr))
      throw new PortError('not_found', at, `the login node knows no user ${name}`);
    return readAnswer(answer, at).stdout.trim();
  }

  async coordinators(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const argv = ['sacctmgr', '-nP', 'show', 'user', 'withcoord', 'format=user,coord'];
    return coordinatorsIn(await this.#read('users.coordinators', argv));
  }

  /** One line each of those that have a name; 2 says that some have none. [getent(1)] */
  async #groups(at: string, gids: readonly string[]): Promise<string> {
    const line = this.#shell.read(['getent', 'group', ...gids], this.#farSeconds);
    const answer = await this.#run(at, line, false);
    return readAnswer(answer.code === 2 ? { ...answer, code: 0 } : answer, at).stdout;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #as(
    user: string,
    argv: readonly string[],
    deadline: Instant,
    at: string,
    stdin?: string,
  ): Promise<Answer> {
    const line = this.#shell.write(['sudo', '-n', '-H', '-u', nameOf(user, at), '--', ...argv], deadline);
    if (Buffer.byteLength(line) > longestLine)
      throw new PortError(
        'refused',
        at,
        'what stands beside the script is too long; set variables in the script',
      );
    const given = await this.#run(at, line, true, stdin);
    const answer = { ...given, stderr: given.stderr.replace(sudoChatter, '') };
    const spoke = /^(sbatch|scancel|scontrol): /m.test(answer.stderr);
    // Ended by force, by sudo's own time limit too (docs/admin.md): what was done until then, nobody has said. Slurm's commands end with such
    // numbers of their own, and then say why.
    if (!spoke && answer.code !== undefined && answer.code > 128) return { ...answer, code: killedCode };
    // sudo itself, before anything of the user's ran.
    if (
      answer.code !== 0 &&
      !spoke &&
      /^sudo: |is not allowed to (execute|run)|may not run sudo/m.test(answer.stderr)
    )
      throw new PortError(
        'refused',
        at,
        `${wordsOf(answer)}; who may be served is the site's rule of sudo (docs/admin.md)`,
      );
    return answer;
  }

  async #read(at: string, argv: readonly string[], atMost?: number): Promise<string> {
    const line = this.#shell.read(argv, this.#farSeconds);
    return readAnswer(await this.#run(at, line, false, undefined, atMost), at).stdout;
  }

  #run(at: string, line: string, effect: boolean, stdin?: string, atMost?: number): Promise<Answer> {
    return this.#transport.run({ at, line, timeoutMs: this.#timeoutMs, effect, stdin, atMost });
  }

  get #farSeconds(): number {
    return Math.max(1, Math.floor(this.#timeoutMs / 1000) - 3);
  }
}

function nameOf(user: string, at: string): string {
  if (!ordinary.test(user) || user === 'root')
    throw new PortError('refused', at, `nothing is done here as ${JSON.stringify(user.slice(0, 64))}`);
  return user;
}

function sbatchArgs(order: SubmitOrder, at: string): readonly string[] {
  const { script, workDir, name, account, partition, reservation, constraints, stdin, stdout, stderr } =
    order;
  const given = {
    ...{ chdir: workDir, 'job-name': name, account, partition, reservation, constraint: constraints },
    ...{ input: stdin, output: stdout, error: stderr },
  };
  const options = Object.entries(given).flatMap(([key, value]) =>
    value === undefined ? [] : [`--${key}=${value}`],
  );
  return [
    '--parsable',
    // The gateway's own environment is nothing to a job: it has what a login of the user has.
    '--get-user-env',
    `--export=${exported(order.env, at)}`,
    ...options,
    ...('path' in script ? ['--', script.path] : []),
  ];
}

/** sbatch splits at commas outside of quotes, and knows no quote within quotes. [sbatch(1), --export] */
export function exported(env: Readonly<Record<string, string>>, at = 'users.submit'): string {
  const all = Object.entries(env).map(([key, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
      throw new PortError('refused', at, `env: ${JSON.stringify(key)} cannot name a variable`);
    if (/['"\\\n\r\0]/.test(value))
      throw new PortError(
        'refused',
        at,
        `env: the value of ${key} has a quote, a backslash or a newline, which sbatch --export cannot carry; set it in the script`,
      );
    return /^[A-Za-z0-9_./:@%+=-]*$/.test(value) ? `${key}=${value}` : `'${key}=${value}'`;
  });
  return all.length === 0 ? 'NONE' : all.join(',');
}
