/** The lab's control groups (v1 hierarchies, as runc on this machine uses them): one group a node. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { signal, until } from './proc.ts';

const root = '/sys/fs/cgroup';
const parent = 'spillway-lab';
export const controllers = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'systemd',
];

const path = (controller: string, group: string) => `${root}/${controller}/${parent}${group && `/${group}`}`;
const mounted = (): string[] => controllers.filter((name) => existsSync(`${root}/${name}/cgroup.procs`));

/** Makes the group in every hierarchy; gives the files into which its first process writes itself. */
export function makeCgroup(group: string): string[] {
  return mounted().map((controller) => {
    mkdirSync(path(controller, group), { recursive: true });
    // A fresh cpuset has no CPU and no memory node, and refuses processes.
    if (controller === 'cpuset')
      for (const dir of [path(controller, ''), path(controller, group)])
        for (const file of ['cpuset.cpus', 'cpuset.mems'])
          writeFileSync(`${dir}/${file}`, readFileSync(`${root}/cpuset/${file}`));
    return `${path(controller, group)}/cgroup.procs`;
  });
}

/** Every process in the group and below. */
export function processesIn(group: string): number[] {
  const found = new Set<number>();
  for (const controller of mounted())
    for (const dir of below(path(controller, group)))
      for (const line of read(`${dir}/cgroup.procs`).split('\n')) if (line !== '') found.add(Number(line));
  return [...found];
}

/** Kills what is left in the group, waits until it is gone, removes the group. '' is the lab's own. */
export async function removeCgroup(group: string): Promise<void> {
  await until(
    () => {
      const left = processesIn(group);
      for (const pid of left) signal(pid, 'SIGKILL');
      return left.length === 0;
    },
    { what: `the processes of ${group || parent} to end`, timeoutMs: 20_000, everyMs: 20 },
  );
  // A group stays busy for a moment after its last process.
  await until(
    () => {
      for (const controller of mounted())
        for (const dir of below(path(controller, group)).reverse()) rmdirSync(dir);
      return true;
    },
    { what: `the control group ${group || parent} to go`, timeoutMs: 5_000, everyMs: 20 },
  );
}

function below(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const inside = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [dir, ...inside.flatMap((entry) => below(`${dir}/${entry.name}`))];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
