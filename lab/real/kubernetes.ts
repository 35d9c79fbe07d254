/** The lab's Kubernetes: a control plane without any node, the gateway's rights, a namespace for each user. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { ensurePackages } from './apt.ts';
import { ensureTools } from './build.ts';
import { removeCgroup } from './cgroups.ts';
import {
  adminKubeconfig,
  apiServerDaemon,
  apiServerReady,
  controlPlane,
  kubectl,
  startApiServer,
  startControlPlane,
  stopControlPlane,
} from './control-plane.ts';
import { apiServer, networkDown, networkIsUp, networkUp } from './kube-network.ts';
import { makePki } from './kube-pki.ts';
import { raiseLimits, restoreLimits } from './limits.ts';
import { bootNode, killKubelet, listNodes, nodeProcesses, reviveKubelet, terminateNode } from './node.ts';
import { ensureNodeImage } from './node-image.ts';
import { parseNodeOptions } from './node-options.ts';
import type { Ctx, PartStatus } from './parts.ts';
import { dirs, logFile } from './paths.ts';
import { daemonPid, LabError, residentBytes, stopDaemon } from './proc.ts';
import {
  ensureTenants,
  gatewayKubeconfig,
  gatewayNamespace,
  policiesEnforced,
  tenantNamespace,
  tenantsKubeconfig,
} from './tenants.ts';
import { ensureUsers, people } from './users.ts';

const packages = [
  ...[
    'etcd-server',
    'runc',
    'containernetworking-plugins',
    'busybox-static',
    'iproute2',
    'openssl',
    'util-linux',
  ],
  ...['procps', 'mawk', 'hostname', 'diffutils', 'python3', 'libpython3.11-stdlib'],
];

export async function up({ say }: Ctx): Promise<void> {
  for (const dir of [dirs.kubernetes, dirs.log, dirs.run]) mkdirSync(dir, { recursive: true });
  await ensurePackages(packages, say);
  await ensureTools(say);
  await ensureUsers();
  raiseLimits();
  await Promise.all([networkUp(), makePki()]);
  // What a reboot or a crash left of nodes.
  for (const { name, running } of listNodes()) if (!running) await terminateNode(name);
  const image = ensureNodeImage(say);
  await startControlPlane();
  say('the API server is ready');
  await ensureTenants();
  await policiesEnforced();
  const agentFault = await image;
  if (agentFault !== undefined) throw agentFault;
}

export async function down(_ctx: Ctx): Promise<void> {
  await Promise.all(listNodes().map(({ name }) => terminateNode(name)));
  await stopDaemon('node-image');
  await stopControlPlane();
  await networkDown();
  await removeCgroup('');
  restoreLimits();
  for (const gone of [
    'etcd',
    'nodes',
    'slots',
    'gateway.kubeconfig',
    'tenants.kubeconfig',
    'admin.kubeconfig',
  ])
    rmSync(`${dirs.kubernetes}/${gone}`, { recursive: true, force: true });
}

export async function status(_ctx: Ctx): Promise<PartStatus> {
  const daemons = controlPlane.map((name) => ({ name, pid: daemonPid(name) }));
  const nodes = listNodes();
  const processes = [
    ...daemons.map(({ name, pid }) => ({
      name,
      pid,
      residentBytes: pid === undefined ? 0 : residentBytes(pid),
    })),
    ...nodes.map(({ name, running }) => ({
      name: `node ${name}`,
      pid: running ? daemonPid(`node-${name}`) : undefined,
      residentBytes: nodeProcesses(name).reduce((sum, pid) => sum + residentBytes(pid), 0),
    })),
  ];
  const dead = daemons.filter(({ pid }) => pid === undefined).map(({ name }) => name);
  const lost = nodes.filter(({ running }) => !running).map(({ name }) => `node ${name}`);
  const problem = !(await networkIsUp())
    ? 'its network namespace is not there; npm run lab -- up kubernetes'
    : dead.length > 0
      ? `${dead.join(', ')} not running; read ${dead.map(logFile).join(' ')}`
      : !(await apiServerReady())
        ? `the API server is not ready; read ${logFile(apiServerDaemon)}`
        : lost.length > 0
          ? `${lost.join(', ')} ended by itself; read ${dirs.log}`
          : undefined;
  const well = `${apiServer}, ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`;
  return { healthy: problem === undefined, summary: problem ?? well, processes };
}

export async function env(_ctx: Ctx): Promise<Readonly<Record<string, string>>> {
  if (!existsSync(gatewayKubeconfig)) return {};
  return {
    SPILLWAY_LAB_KUBECONFIG: gatewayKubeconfig,
    SPILLWAY_LAB_TENANTS_KUBECONFIG: tenantsKubeconfig,
    SPILLWAY_LAB_ADMIN_KUBECONFIG: adminKubeconfig,
    SPILLWAY_LAB_KUBECTL: `${dirs.bin}/kubectl`,
    SPILLWAY_LAB_API_SERVER: apiServer,
    SPILLWAY_LAB_GATEWAY_NAMESPACE: gatewayNamespace,
    SPILLWAY_LAB_TENANTS: people.map(({ name }) => `${name}=${tenantNamespace(name)}`).join(','),
    SPILLWAY_LAB_AGENT_IMAGE: 'spillway/agent:dev',
    SPILLWAY_LAB_USER_IMAGE: 'lab/base:1',
  };
}

export const faults = {
  /** The API server's port refuses connections; etcd keeps what it knew. */
  'api-down': async (on: boolean) => (on ? stopDaemon(apiServerDaemon, 100) : startApiServer()),
  /** `fault kubernetes kubelet-dead NODE on`: the kubelet alone is killed and stays dead. */
  'kubelet-dead': async (on: boolean, _ctx: Ctx, node?: string) => {
    if (node === undefined) throw new LabError('fault kubernetes kubelet-dead NODE on|off');
    await (on ? killKubelet(node) : reviveKubelet(node));
  },
};

export const nodes = {
  /** `node boot NAME [--label K=V] [--taint K=V:EFFECT] [--provider-id ID] …`, until the node is Ready. */
  boot: async (name: string, { say }: Ctx, options: readonly string[] = []) => {
    const spec = parseNodeOptions(name, options);
    // A dead machine's Node of the same name would hand its labels and taints on.
    if (!listNodes().some((node) => node.name === name && node.running))
      await kubectl(['delete', 'node', name, '--ignore-not-found', '--wait=false']);
    const { address } = await bootNode(spec);
    say(`node ${name} runs at ${address}`);
    await kubectl(['wait', 'node', name, '--for=create', '--timeout=60s']);
    await kubectl(['wait', 'node', name, '--for=condition=Ready', '--timeout=60s']);
    say(`node ${name} is Ready`);
  },
  /** With `--kubelet` only its kubelet dies. The Node object stays, as in a cluster without a cloud controller. */
  kill: async (name: string, { say }: Ctx, options: readonly string[] = []) => {
    const kubeletOnly = options.includes('--kubelet');
    await (kubeletOnly ? killKubelet(name) : terminateNode(name));
    say(kubeletOnly ? `the kubelet of ${name} is dead, its containers live` : `node ${name} is gone`);
  },
};
