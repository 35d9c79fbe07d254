/** The users that Slurm's associations name, with uid and groups as the login node's name service has them. */
import { PortError } from '../../src/domain/fault.ts';
import type { Person, Roster } from '../../src/domain/tenants.ts';
import type { PeoplePort } from '../../src/ports.ts';
import { readAnswer } from './answers.ts';
import { Shell } from './shell.ts';
import type { Transport } from './ssh.ts';

/** Whom of them; each list narrows, an empty one does not. */
export interface PeopleWanted {
  readonly accounts: readonly string[];
  readonly partitions: readonly string[];
  readonly users: readonly string[];
  readonly except: readonly string[];
  /** System users have lower ones. */
  readonly minUid: number;
}

export interface Association {
  readonly account: string;
  readonly user: string;
  /** Empty: of all partitions. */
  readonly partition: string;
}

const where = 'people.slurm';
const seconds = 25;
const timeoutMs = 30_000;
/** Names in one command line. */
const atOnce = 200;

/** `-G` puts the primary group first. What `id` does not know leaves its fields empty. */
const script =
  'for u in "$@"; do printf "%s|%s|%s|%s\\n" "$u" "$(id -u -- "$u" 2>/dev/null)" "$(id -g -- "$u" 2>/dev/null)" "$(id -G -- "$u" 2>/dev/null)"; done';

export function slurmPeople(
  transport: Transport,
  env: Readonly<Record<string, string>>,
  wanted: PeopleWanted,
): PeoplePort {
  const read = readerOf(transport, env);
  return {
    async roster() {
      const [associations, partitions] = [
        await associationsBy(read),
        wanted.partitions.length === 0 ? '' : await read(['scontrol', '-a', '-o', 'show', 'partition']),
      ];
      const names = chosen(associations, wanted, partitions);
      const lines: string[] = [];
      for (let at = 0; at < names.length; at += atOnce)
        lines.push(await read(['sh', '-c', script, 'spillway', ...names.slice(at, at + atOnce)]));
      return rosterOf(names, lines.join('\n'), wanted.minUid);
    },
    close: () => transport.close(),
  };
}

type Read = (argv: readonly string[]) => Promise<string>;

function readerOf(transport: Transport, env: Readonly<Record<string, string>>): Read {
  const shell = new Shell(env);
  return async (argv) => {
    const line = shell.read(argv, seconds);
    return readAnswer(await transport.run({ at: where, line, timeoutMs, effect: false }), where).stdout;
  };
}

async function associationsBy(read: Read): Promise<readonly Association[]> {
  const cluster = clusterIn(await read(['scontrol', 'show', 'config']));
  const columns = 'format=account,user,partition';
  return associationsIn(await read(['sacctmgr', '-nP', 'show', 'assoc', `cluster=${cluster}`, columns]));
}

/** Who may charge which account of this Slurm. */
export const slurmAssociations = (
  transport: Transport,
  env: Readonly<Record<string, string>>,
): Promise<readonly Association[]> => associationsBy(readerOf(transport, env));

export function clusterIn(config: string): string {
  const name = /^ClusterName\s*=\s*(\S+)/m.exec(config)?.[1];
  if (name === undefined) throw new PortError('transient', where, 'scontrol show config names no cluster');
  return name;
}

export function associationsIn(text: string): readonly Association[] {
  return text.split('\n').flatMap((line) => {
    const [account = '', user = '', partition = ''] = line.trim().split('|');
    // A line without a user is the account's own.
    return user === '' ? [] : [{ account, user, partition }];
  });
}

/** `shown`: `scontrol -o show partition`, for the accounts that a partition takes. */
export function chosen(
  associations: readonly Association[],
  { accounts, partitions, users, except }: PeopleWanted,
  shown: string,
): readonly string[] {
  const takes = partitions.map((name) => ({ name, may: accountsOf(name, shown) }));
  const fits = ({ account, user, partition }: Association): boolean =>
    (accounts.length === 0 || accounts.includes(account)) &&
    (users.length === 0 || users.includes(user)) &&
    !except.includes(user) &&
    (takes.length === 0 || takes.some((p) => (partition === '' || partition === p.name) && p.may(account)));
  return [...new Set(associations.filter(fits).map(({ user }) => user))].sort();
}

function accountsOf(partition: string, shown: string): (account: string) => boolean {
  const line = shown.split('\n').find((one) => one.startsWith(`PartitionName=${partition} `));
  if (line === undefined)
    throw new PortError(
      'invalid',
      where,
      `Slurm has no partition ${partition}; mend kubernetes.tenants.users.slurm.partitions`,
    );
  const listed = (key: string): readonly string[] | undefined => {
    const value = new RegExp(` ${key}=(\\S+)`).exec(line)?.[1];
    return value === undefined || value === 'ALL' ? undefined : value.split(',');
  };
  const [allowed, denied] = [listed('AllowAccounts'), listed('DenyAccounts')];
  return (account) =>
    (allowed === undefined || allowed.includes(account)) && denied?.includes(account) !== true;
}

/** `lines` of `user|uid|gid|gids`. Whom the name service does not know is a trouble and no absence: it may just not answer. */
export function rosterOf(names: readonly string[], lines: string, minUid: number): Roster {
  const people: Person[] = [];
  const troubles: Roster['troubles'][number][] = [];
  const told = new Map(lines.split('\n').map((line) => [line.slice(0, line.indexOf('|')), line.split('|')]));
  for (const user of names) {
    const [, uid = '', gid = '', gids = ''] = told.get(user) ?? [];
    if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid) || !/^\d+( \d+)*$/.test(gids))
      troubles.push({
        user,
        text: "Slurm has an association for the user, and the login node's name service does not say who it is (id)",
      });
    else if (Number(uid) >= minUid) {
      const groups = gids.split(' ').map(Number);
      people.push({
        user,
        uid: Number(uid),
        gid: Number(gid),
        groups: groups.filter((one) => one !== Number(gid)),
      });
    }
  }
  return { people, troubles };
}
