import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A server that runs on a data directory, as its postmaster.pid tells. */
export interface Postmaster {
  readonly pid: number;
  readonly socketDir: string;
}

/**
 * The server that runs on `dataDir`, or undefined. Postgres keeps the pid in postmaster.pid; whether that process is still the
 * one is told by its working directory (Postgres changes into its data directory) and its start time. A pid that now belongs
 * to something else would keep Postgres from starting, so such a file is taken away, but never while any process works there.
 */
export async function runningOn(dataDir: string): Promise<Postmaster | undefined> {
  const file = join(dataDir, 'postmaster.pid');
  let lines: string[];
  try {
    lines = (await readFile(file, 'utf8')).split('\n');
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw e;
  }
  // pid, data directory, start in seconds, port, socket directory, …  [Postgres, miscadmin.h LOCK_FILE_LINE_*]
  const pid = Math.abs(Number(lines[0]));
  const startedAt = Number(lines[2]);
  if (!Number.isInteger(pid) || pid === 0) return undefined;
  if (await isServer(pid, dataDir, startedAt)) return { pid, socketDir: lines[4] ?? '' };
  if (exists(pid) && (await workingIn(dataDir)).length === 0) await rm(file, { force: true });
  return undefined;
}

/** Whether there is such a process; one that ended and that nobody waited for is not alive. */
export async function isAlive(pid: number): Promise<boolean> {
  if (!exists(pid)) return false;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/^\d+ \(.*\) [ZX] /s.test(stat);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return (e as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isServer(pid: number, dataDir: string, startedAt: number): Promise<boolean> {
  if (!(await isAlive(pid))) return false;
  if (process.platform !== 'linux') return true;
  if ((await workingDirectory(pid)) !== (await realpath(dataDir))) return false;
  const started = await startSeconds(pid);
  return started !== undefined && Math.abs(started - startedAt) <= 30;
}

async function workingDirectory(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/cwd`).catch(() => undefined);
}

/** Every process that works in a directory: of Postgres, the server and its children. Linux only; elsewhere nobody. */
export async function workingIn(directory: string): Promise<number[]> {
  const real = await realpath(directory);
  const pids = (await readdir('/proc').catch(() => [])).map(Number).filter(Number.isInteger);
  const there = await Promise.all(
    pids.map(async (pid) => ((await workingDirectory(pid)) === real ? pid : 0)),
  );
  return there.filter((pid) => pid !== 0);
}

/** When a process started, in seconds since the epoch; the clock may have been set since, so by some seconds only. */
async function startSeconds(pid: number): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may have spaces in it; field 22 is the start in ticks of 10 ms since boot. [proc(5)]
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    const boot = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1];
    return Number(boot) + ticks / 100;
  } catch {
    return undefined;
  }
}
