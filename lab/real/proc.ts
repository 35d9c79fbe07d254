/**
 * Commands and daemons of the lab. A daemon is known by its pid and the moment that pid was started, never by
 * its name: after a reboot or a wrap-around the number may be anyone's.
 */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { dirs, logFile, pidFile } from './paths.ts';

/** What went wrong in the lab, and which log to read about it. */
export class LabError extends Error {
  override readonly name = 'LabError';
  constructor(
    message: string,
    readonly log?: string,
  ) {
    super(log === undefined ? message : `${message}; read ${log}`);
  }
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** The command is killed after this; default two minutes. */
  readonly timeoutMs?: number;
  /** Both outputs are added to this file too, for commands whose output is long. */
  readonly log?: string;
}

// A root shell without /usr/sbin on its path is common, and useradd and slurmctld live there.
const systemPath = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;

/** Runs a command to its end, whatever its exit code; 127 when it is not there, 137 when it took too long. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: options.cwd ?? '/',
      env: { ...process.env, PATH: systemPath, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    const keep = (chunk: Buffer): string => {
      if (options.log !== undefined) appendFileSync(options.log, chunk);
      return chunk.toString('utf8');
    };
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += keep(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += keep(chunk);
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, stdout, stderr: stderr + error.message });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 137, stdout, stderr });
    });
    // A command that reads no input may be gone before it is written: not a fault.
    child.stdin.on('error', () => undefined);
    // A command may be over before it has read its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Runs a command that must succeed, and gives its stdout without the last newline. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code !== 0) {
    const said = (stderr.trim() || stdout.trim()).split('\n').slice(-12).join('\n');
    throw new LabError(`${argv.join(' ').slice(0, 300)}: exit ${code}: ${said}`, options.log);
  }
  return stdout.replace(/\n$/, '');
}

export interface Waiting {
  readonly what: string;
  readonly timeoutMs: number;
  readonly log?: string;
  readonly everyMs?: number;
  /** The wait is over at once, as failed, when this daemon is gone. */
  readonly daemon?: string;
}

/** Waits for a condition. One that throws counts as not yet met; its last error is told at the end. */
export async function until(condition: () => Promise<boolean> | boolean, wait: Waiting): Promise<void> {
  const log = wait.log ?? (wait.daemon === undefined ? undefined : logFile(wait.daemon));
  const deadline = performance.now() + wait.timeoutMs;
  let last = '';
  for (;;) {
    try {
      if (await condition()) return;
      last = '';
    } catch (error) {
      last = error instanceof Error ? `: ${error.message}` : '';
    }
    if (wait.daemon !== undefined && daemonPid(wait.daemon) === undefined)
      throw new LabError(`${wait.what}: ${wait.daemon} has ended${last}`, log);
    if (performance.now() > deadline)
      throw new LabError(`${wait.what}: not within ${wait.timeoutMs / 1000} s${last}`, log);
    await sleep(wait.everyMs ?? 50);
  }
}

export interface Daemon {
  /** Names its pid file and its log. */
  readonly name: string;
  /** Must stay in the foreground: the pid recorded is this command's. */
  readonly argv: readonly string[];
  /** The whole environment, if given; else the lab's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Runs as this user, with the user's groups. */
  readonly user?: string;
  /** A network namespace as `ip netns` names them. */
  readonly netns?: string;
}

interface PidRecord {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
}

/** Starts a daemon that survives this command; one that already runs is left alone. Gives its pid. */
export function startDaemon(daemon: Daemon): number {
  const running = daemonPid(daemon.name);
  if (running !== undefined) return running;
  mkdirSync(dirs.run, { recursive: true });
  mkdirSync(dirs.log, { recursive: true });
  // nsenter and setpriv exec in place, so the pid stays the daemon's. (`ip netns exec` would hide /sys/fs/cgroup.)
  const inNetns = daemon.netns === undefined ? [] : ['nsenter', `--net=/run/netns/${daemon.netns}`, '--'];
  const as = daemon.user;
  const asUser =
    as === undefined
      ? []
      : ['setpriv', `--reuid=${as}`, `--regid=${primaryGroup(as)}`, '--init-groups', '--'];
  const [file = '', ...args] = [...inNetns, ...asUser, ...daemon.argv];
  const log = openSync(logFile(daemon.name), 'a');
  try {
    const child = spawn(file, args, {
      cwd: daemon.cwd ?? '/',
      env: daemon.env ?? process.env,
      stdio: ['ignore', log, log],
      detached: true,
    });
    child.on('error', (error) => appendFileSync(logFile(daemon.name), `${file}: ${error.message}\n`));
    if (child.pid === undefined)
      throw new LabError(`${daemon.name}: ${file} cannot be started`, logFile(daemon.name));
    child.unref();
    record(daemon.name, child.pid);
    return child.pid;
  } finally {
    closeSync(log);
  }
}

/** Remembers a process that was started in another way as a daemon of the lab. */
export function record(name: string, pid: number): void {
  const started = startOf(pid);
  if (started === undefined) throw new LabError(`${name}: ended at once`, logFile(name));
  const file = pidFile(name);
  writeFileSync(`${file}.new`, JSON.stringify({ pid, started, boot: bootId() } satisfies PidRecord));
  renameSync(`${file}.new`, file);
}

/** The daemon's pid if it lives and is the process that was started, not another with its number. */
export function daemonPid(name: string): number | undefined {
  if (!existsSync(pidFile(name))) return undefined;
  const known: PidRecord = JSON.parse(readFileSync(pidFile(name), 'utf8'));
  return known.boot === bootId() && startOf(known.pid) === known.started ? known.pid : undefined;
}

/** TERM, wait, KILL, wait. Returns once the daemon is gone; one that is not there is fine. */
export async function stopDaemon(name: string, graceMs = 10_000): Promise<void> {
  const pid = daemonPid(name);
  if (pid !== undefined) {
    const gone = () => daemonPid(name) === undefined;
    signal(pid, 'SIGTERM');
    await until(gone, { what: `${name} to end`, timeoutMs: graceMs }).catch(async () => {
      signal(pid, 'SIGKILL');
      await until(gone, { what: `${name} to be killed`, timeoutMs: 10_000, log: logFile(name) });
    });
  }
  rmSync(pidFile(name), { force: true });
}

/** Names of all daemons that were started and not stopped; `prefix` picks a part's own. */
export function daemons(prefix = ''): string[] {
  if (!existsSync(dirs.run)) return [];
  const files = readdirSync(dirs.run).filter((file) => file.endsWith('.pid') && file.startsWith(prefix));
  return files.map((file) => file.slice(0, -'.pid'.length)).sort();
}

/** A signal to a pid that may be gone meanwhile. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** The start time of a living process in clock ticks since boot; a zombie is not living. */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name stands in parentheses and may hold spaces: count fields after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Resident memory in bytes, 0 when gone. */
export function residentBytes(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Only one lab command that changes things at a time. An abstract socket dies with its holder: no stale lock. */
export async function withLock<T>(work: () => Promise<T>, say: (line: string) => void): Promise<T> {
  let held = await takeLock();
  if (held === undefined) say('waiting for another lab command to finish');
  const taken = async () => {
    held ??= await takeLock();
    return held !== undefined;
  };
  await until(taken, { what: 'another lab command to finish', timeoutMs: 30 * 60_000, everyMs: 200 });
  try {
    return await work();
  } finally {
    await new Promise((resolve) => (held === undefined ? resolve(undefined) : held.close(resolve)));
  }
}

function takeLock(): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen('\0spillway-lab', () => resolve(server));
  });
}

function primaryGroup(user: string): string {
  const passwd = readFileSync('/etc/passwd', 'utf8').split('\n');
  const group = passwd.find((line) => line.startsWith(`${user}:`))?.split(':')[3];
  if (group === undefined) throw new LabError(`no user ${user} on this machine`);
  return group;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
