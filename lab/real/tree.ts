/** Processes that the lab's daemons left behind: found by descent or by what they hold, never by name alone. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { stateDir } from './paths.ts';
import { signal, startOf, until } from './proc.ts';

/** A process, not a number: the start time tells a recycled pid apart. */
export interface Process {
  readonly pid: number;
  readonly started: string;
}

/** All living processes below this one. */
export function descendants(root: number): Process[] {
  const children = new Map<number, number[]>();
  for (const pid of pids()) {
    const parent = parentOf(pid);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found: number[] = [];
  const visit = (pid: number): void => {
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      visit(child);
    }
  };
  visit(root);
  return found.flatMap(alive);
}

/**
 * What runs in jobs of the lab's Slurm: step daemons, known by their program and by a log or socket of ours that
 * they hold open (their environment is overwritten by their title), and processes with a job id and our SLURM_CONF
 * in the environment they were started with. (A pod of a burst has both too: other pid namespaces are not ours.)
 */
export function jobProcesses(): Process[] {
  const here = link('/proc/self/ns/pid');
  return pids()
    .filter((pid) => (isStepDaemon(pid) || isInJob(pid)) && link(`/proc/${pid}/ns/pid`) === here)
    .flatMap(alive);
}

/** Whether this very process listens on a TCP port of IPv4: someone else's listener does not count. */
export function listensOn(pid: number, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const listening = '0A';
  const sockets = readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(suffix) && state === listening)
    .map((fields) => `socket:[${fields[9]}]`);
  return openFiles(pid).some((file) => sockets.includes(file));
}

/** TERM, wait, KILL, wait, for each that is still the process it was. */
export async function endAll(processes: readonly Process[], graceMs: number): Promise<void> {
  const left = () => processes.filter(({ pid, started }) => startOf(pid) === started);
  for (const { pid } of left()) signal(pid, 'SIGTERM');
  const gone = () => left().length === 0;
  await until(gone, { what: 'processes to end', timeoutMs: graceMs }).catch(async () => {
    for (const { pid } of left()) signal(pid, 'SIGKILL');
    const which = left().map(({ pid }) => pid);
    await until(gone, { what: `processes ${which.join(' ')} to be killed`, timeoutMs: 10_000 });
  });
}

function isStepDaemon(pid: number): boolean {
  // Debian's is called slurmstepd-wlm.
  return link(`/proc/${pid}/exe`).includes('/slurmstepd') && holdsOurs(pid);
}

function holdsOurs(pid: number): boolean {
  return openFiles(pid).some((file) => file.startsWith(`${stateDir}/`));
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function isInJob(pid: number): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    return (
      environment.some((entry) => entry.startsWith(`SLURM_CONF=${stateDir}/`)) &&
      environment.some((entry) => entry.startsWith('SLURM_JOB_ID='))
    );
  } catch {
    return false;
  }
}

function alive(pid: number): Process[] {
  const started = startOf(pid);
  return started === undefined ? [] : [{ pid, started }];
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
