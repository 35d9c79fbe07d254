/**
 * The lab's control groups, one a node: in the v1 hierarchies, or in the one of v2 where the machine has that (the
 * v2 half is untried).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { signal, until } from './proc.ts';

const root = '/sys/fs/cgroup';
const parent = 'spillway-lab';
const v1 = ['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids', 'systemd'];

/** Directories below the root, '' alone for v2. */
const hierarchies = (): string[] =>
  unified() ? [''] : v1.filter((name) => existsSync(`${root}/${name}/cgroup.procs`));
const unified = (): boolean => existsSync(`${root}/cgroup.controllers`);
const path = (hierarchy: string, group: string) =>
  [root, hierarchy, parent, group].filter((part) => part !== '').join('/');

/** Makes the group in every hierarchy; gives the files into which its first process writes itself. */
export function makeCgroup(group: string): string[] {
  return hierarchies().map((hierarchy) => {
    mkdirSync(path(hierarchy, group), { recursive: true });
    // A fresh cpuset has no CPU and no memory node, and refuses processes.
    if (hierarchy === 'cpuset')
      for (const dir of [path(hierarchy, ''), path(hierarchy, group)])
        for (const file of ['cpuset.cpus', 'cpuset.mems'])
          writeFileSync(`${dir}/${file}`, readFileSync(`${root}/cpuset/${file}`));
    if (unified()) for (const dir of [root, path('', '')]) delegate(dir);
    return `${path(hierarchy, group)}/cgroup.procs`;
  });
}

function delegate(dir: string): void {
  for (const controller of readFileSync(`${dir}/cgroup.controllers`, 'utf8').trim().split(' '))
    writeFileSync(`${dir}/cgroup.subtree_control`, `+${controller}`);
}

/** Shell lines that mount, inside a node's own cgroup namespace, what it may see: its group as the root. */
export function mountCgroups(): string {
  if (unified())
    // In v2 a group with processes has no groups below: pid 1 moves aside.
    return `mount -t cgroup2 cgroup2 ${root}
mkdir ${root}/init
echo 1 > ${root}/init/cgroup.procs
for c in $(cat ${root}/cgroup.controllers); do echo +$c > ${root}/cgroup.subtree_control; done`;
  const mounts = hierarchies().map((name) => {
    const which = name === 'systemd' ? 'none,name=systemd' : name;
    return `mkdir ${root}/${name} && mount -t cgroup -o ${which} cgroup ${root}/${name}`;
  });
  return [`mount -t tmpfs -o mode=755 tmpfs ${root}`, ...mounts].join('\n');
}

/** Every process in the group and below. */
export function processesIn(group: string): number[] {
  const found = new Set<number>();
  for (const hierarchy of hierarchies())
    for (const dir of below(path(hierarchy, group)))
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
      for (const hierarchy of hierarchies())
        for (const dir of below(path(hierarchy, group)).reverse()) rmdirSync(dir);
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
