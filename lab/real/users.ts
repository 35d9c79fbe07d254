/** The people of the lab, as real users of this machine. They stay when the lab goes down. */
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs';
import { dirs } from './paths.ts';
import { LabError, must, run } from './proc.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export const people = [
  { name: 'alice', uid: 2001, team: 'physics' },
  { name: 'bob', uid: 2002, team: 'chemistry' },
] as const;

/** Supplementary groups; each is also the Slurm account of its members. */
export const teams = { physics: 3001, chemistry: 3002 } as const;

/** Who the gateway is on the cluster: a login, Slurm Operator, and nothing more. */
export const gatewayUser = 'spillway';

let once: Promise<void> | undefined;

/** Slurm and Kubernetes both need them and start together: two useradds at a time fail on each other's lock. */
export function ensureUsers(): Promise<void> {
  once ??= makeUsers();
  return once;
}

async function makeUsers(): Promise<void> {
  mkdirSync(dirs.home, { recursive: true, mode: 0o755 });
  for (const [name, gid] of Object.entries(teams)) await ensureGroup(name, gid);
  for (const { name, uid, team } of people) {
    await ensureGroup(name, uid);
    await ensureUser(name, ['--uid', `${uid}`, '--gid', `${uid}`, '--groups', team]);
    if (account(name).uid !== uid) throw new LabError(`user ${name} exists with another uid than ${uid}`);
    home(name, 0o750);
  }
  await ensureUser(gatewayUser, ['--system', '--user-group']);
  home(gatewayUser, 0o750);
}

/** A user as /etc/passwd has it. */
export function account(name: string): Account {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((row) => row.startsWith(`${name}:`));
  const [, , uid, gid, , home] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined || home === undefined)
    throw new LabError(`no user ${name} on this machine`);
  return { name, uid: Number(uid), gid: Number(gid), home };
}

async function ensureGroup(name: string, gid: number): Promise<void> {
  const known = await run(['getent', 'group', name]);
  if (known.code !== 0) await must(['groupadd', '--gid', `${gid}`, name]);
  else if (known.stdout.split(':')[2] !== `${gid}`)
    throw new LabError(`group ${name} exists with another gid than ${gid}`);
}

async function ensureUser(name: string, options: readonly string[]): Promise<void> {
  if ((await run(['getent', 'passwd', name])).code === 0) return;
  const place = ['--home-dir', `${dirs.home}/${name}`, '--no-create-home', '--shell', '/bin/bash'];
  await must(['useradd', ...place, ...options, name]);
  // No password opens it, yet it is not "locked": sshd lets no locked account in, not even by key.
  await must(['usermod', '--password', '*', name]);
}

function home(name: string, mode: number): void {
  const { uid, gid } = account(name);
  const path = `${dirs.home}/${name}`;
  mkdirSync(path, { recursive: true });
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}
