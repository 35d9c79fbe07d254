/**
 * A node of the lab is a little machine: its own PID, mount, network, UTS, IPC and cgroup namespaces, with a
 * containerd and a kubelet of its own. When its pid 1 dies, all of it is gone.
 *
 * `bootNode` and `terminateNode` may be called from any process, many at a time.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { makeCgroup, processesIn, removeCgroup } from './cgroups.ts';
import { type Place, plugIn, takePlace, unplug } from './kube-network.ts';
import { issue } from './kube-pki.ts';
import {
  cniConf,
  containerdToml,
  initScript,
  kubeconfig,
  kubeletArgs,
  kubeletConfig,
  type NodeSpec,
} from './node-config.ts';
import { dirs, logFile } from './paths.ts';
import { daemonPid, LabError, must, signal, startDaemon, stopDaemon, until } from './proc.ts';

export type { NodeSpec, Taint } from './node-config.ts';

export interface NodeHandle {
  readonly name: string;
  /** What the kubelet registers as InternalIP. */
  readonly address: string;
  readonly providerID: string | undefined;
  /** False when pid 1 is gone though nobody terminated the node. */
  readonly running: boolean;
  /** It is not running because it powered itself off. */
  readonly poweredOff: boolean;
  /** False after `killKubelet`; the node's containers live on. */
  readonly kubelet: boolean;
}

interface NodeRecord {
  readonly name: string;
  readonly address: string;
  readonly slot: number;
  readonly providerID?: string;
}

export const nodesDir = `${dirs.kubernetes}/nodes`;
/** A containerd root with the lab's images unpacked, which every new node gets by hard links. */
export const templateDir = `${dirs.kubernetes}/template`;

/** The very script that user data install. */
const switchFile = fileURLToPath(new URL('../../deploy/node/spillway-switch', import.meta.url));

const dirOf = (name: string) => `${nodesDir}/${name}`;
const daemonOf = (name: string) => `node-${name}`;

/**
 * Resolves when containerd and the kubelet are started; Ready follows about two seconds later. Idempotent on a
 * node that runs. The images are already on its disk.
 */
export function bootNode(spec: NodeSpec): Promise<NodeHandle> {
  return inTurn(spec.name, async () => {
    try {
      return await boot(spec);
    } catch (error) {
      await terminate(spec.name);
      throw error;
    }
  });
}

async function boot(spec: NodeSpec): Promise<NodeHandle> {
  const { name } = spec;
  if (!/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name))
    throw new LabError(`${name}: a node's name is a DNS label of at most 40 characters`);
  const known = find(name);
  if (known?.running) return known;
  if (!existsSync(`${templateDir}/complete`))
    throw new LabError('no node image: npm run lab -- up kubernetes makes it');
  await terminate(name);
  const at = takePlace();
  const dir = dirOf(name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${dir}/node.json`, JSON.stringify(recordOf(spec, at)));
  await writeFiles(dir, at, spec);
  const outer = startDaemon({ name: daemonOf(name), argv: ['bash', `${dir}/boot.sh`] });
  await until(() => firstProcess(name) !== undefined && hasOwnNetwork(outer), {
    what: `${name}: its namespaces`,
    timeoutMs: 10_000,
    everyMs: 10,
    daemon: daemonOf(name),
  });
  await plugIn(at, outer);
  await until(() => kubeletPid(name) !== undefined, {
    what: `${name}: its kubelet`,
    timeoutMs: 30_000,
    everyMs: 20,
    daemon: daemonOf(name),
  });
  return find(name) ?? fail(name);
}

/** Resolves when all the node's processes, mounts and files are gone; a node that is not there is fine. */
export function terminateNode(name: string): Promise<void> {
  return inTurn(name, () => terminate(name));
}

async function terminate(name: string): Promise<void> {
  const dir = dirOf(name);
  const first = firstProcess(name);
  if (first !== undefined) signal(first, 'SIGKILL');
  await stopDaemon(daemonOf(name), 2_000);
  await removeCgroup(name);
  if (!existsSync(dir)) return;
  const record = read(name);
  if (record !== undefined) await unplug(record.slot);
  // The node's mounts were its own. Had one leaked, what follows would empty the users' homes.
  if (readProc(process.pid, 'mountinfo').includes(` ${dir}/`))
    throw new LabError(`${name}: something is still mounted below ${dir}`);
  // Last, so that a termination which was cut short is taken up again.
  await rm(dir, { recursive: true, force: true });
}

/** SIGKILLs the kubelet alone and keeps it dead; its containers and containerd live on. */
export async function killKubelet(name: string): Promise<void> {
  if (find(name)?.running !== true) throw new LabError(`no node ${name} runs`);
  writeFileSync(`${dirOf(name)}/kubelet.off`, '');
  await until(
    () => {
      const pid = kubeletPid(name);
      if (pid !== undefined) signal(pid, 'SIGKILL');
      return pid === undefined;
    },
    { what: `${name}: its kubelet to die`, timeoutMs: 5_000, everyMs: 20 },
  );
}

/** Undoes `killKubelet`: the kubelet starts again within a second. */
export async function reviveKubelet(name: string): Promise<void> {
  if (find(name)?.running !== true) throw new LabError(`no node ${name} runs`);
  rmSync(`${dirOf(name)}/kubelet.off`, { force: true });
  await until(() => kubeletPid(name) !== undefined, { what: `${name}: its kubelet`, timeoutMs: 10_000 });
}

/** Every node that was booted and not terminated. */
export function listNodes(): NodeHandle[] {
  if (!existsSync(nodesDir)) return [];
  return readdirSync(nodesDir).flatMap((name) => find(name) ?? []);
}

/** Runs a command inside a node: its processes, mounts and network. */
export function inNode(name: string): string[] {
  const pid = firstProcess(name) ?? fail(name);
  return ['nsenter', `--target=${pid}`, '--all', '--'];
}

/** The pids of everything that runs on the node, its containers included. */
export function nodeProcesses(name: string): number[] {
  return processesIn(name);
}

const turns = new Map<string, Promise<unknown>>();

/** A termination that overtook the boot of its node would find nothing to kill. */
function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
  const mine = (turns.get(name) ?? Promise.resolve()).catch(() => undefined).then(work);
  turns.set(name, mine);
  const done = () => turns.get(name) === mine && turns.delete(name);
  mine.then(done, done);
  return mine;
}

function find(name: string): NodeHandle | undefined {
  const record = read(name);
  if (record === undefined) return undefined;
  return {
    name,
    address: record.address,
    providerID: record.providerID,
    running: firstProcess(name) !== undefined,
    poweredOff: existsSync(`${dirOf(name)}/powered-off`),
    kubelet: kubeletPid(name) !== undefined,
  };
}

function read(name: string): NodeRecord | undefined {
  const file = `${dirOf(name)}/node.json`;
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function recordOf(spec: NodeSpec, at: Place): NodeRecord {
  const { name, providerID } = spec;
  return { name, address: at.address, slot: at.slot, ...(providerID === undefined ? {} : { providerID }) };
}

function fail(name: string): never {
  throw new LabError(`no node ${name} runs`, logFile(daemonOf(name)));
}

async function writeFiles(dir: string, at: Place, spec: NodeSpec): Promise<void> {
  const machine = { milliCpu: cpus().length * 1000, memoryBytes: totalmem() };
  await Promise.all([
    issue({
      path: `${dir}/node`,
      commonName: `system:node:${spec.name}`,
      organization: 'system:nodes',
      names: [`IP:${at.address}`, `DNS:${spec.name}`],
    }),
    copyTemplate(dir),
  ]);
  const files = {
    'containerd.toml': containerdToml(),
    'kubelet.yaml': kubeletConfig(dir, at, spec, machine),
    'kubelet.args': kubeletArgs(at, spec),
    kubeconfig: kubeconfig('kubelet', {
      'client-certificate': `${dir}/node.crt`,
      'client-key': `${dir}/node.key`,
    }),
    // Nothing answers there, and says so at once: a pod that looks up a name does not hang.
    'resolv.conf': 'nameserver 127.0.0.1\n',
    'init.sh': initScript(dir, at, spec),
    'boot.sh': bootScript(dir, spec.name),
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(`${dir}/${file}`, text);
  if (spec.switch !== undefined) copyFileSync(switchFile, `${dir}/spillway-switch`);
  for (const made of ['lib/cni/conf', 'lib/kubelet', 'log']) mkdirSync(`${dir}/${made}`, { recursive: true });
  writeFileSync(`${dir}/lib/cni/conf/10-lab.conflist`, cniConf(at));
}

/**
 * The process that is recorded becomes unshare, whose child is pid 1. That one alone enters the node's control group,
 * before it takes the group for the root of all.
 */
function bootScript(dir: string, name: string): string {
  const joins = makeCgroup(name).map((file) => `echo 0 > ${file}`);
  const inner = [...joins, `exec unshare --cgroup bash ${dir}/init.sh`].join('; ');
  const apart = '--pid --mount --net --uts --ipc --fork --kill-child --mount-proc --propagation private';
  return `exec unshare ${apart} bash -ec '${inner}'\n`;
}

/** Hard links: blobs and lower layers are never written to. The two databases are, so they are copies. */
async function copyTemplate(dir: string): Promise<void> {
  mkdirSync(`${dir}/lib`, { recursive: true });
  await must(['cp', '-al', `${templateDir}/containerd`, `${dir}/lib/containerd`]);
  for (const file of [
    'io.containerd.metadata.v1.bolt/meta.db',
    'io.containerd.snapshotter.v1.overlayfs/metadata.db',
  ]) {
    rmSync(`${dir}/lib/containerd/${file}`);
    copyFileSync(`${templateDir}/containerd/${file}`, `${dir}/lib/containerd/${file}`);
  }
}

function firstProcess(name: string): number | undefined {
  const outer = daemonPid(daemonOf(name));
  return outer === undefined ? undefined : children(outer)[0];
}

function kubeletPid(name: string): number | undefined {
  const first = firstProcess(name);
  if (first === undefined) return undefined;
  const services = children(first).flatMap(children);
  return services.find(
    (pid) => readProc(pid, 'comm') === 'kubelet\n' && !readProc(pid, 'stat').includes(') Z '),
  );
}

function hasOwnNetwork(pid: number): boolean {
  return readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
}

function children(pid: number): number[] {
  const line = readProc(pid, `task/${pid}/children`).trim();
  return line === '' ? [] : line.split(' ').map(Number);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
