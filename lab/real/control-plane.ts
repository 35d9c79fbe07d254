/** etcd, API server, controller manager and scheduler, in the lab's network namespace. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { addresses, labNetns } from './kube-network.ts';
import { pkiDir } from './kube-pki.ts';
import { kubeconfig } from './node-config.ts';
import { dirs, ports } from './paths.ts';
import { type Daemon, must, type RunOptions, run, startDaemon, stopDaemon, until } from './proc.ts';

const dir = dirs.kubernetes;
const kubectlBin = `${dirs.bin}/kubectl`;

export const adminKubeconfig = `${dir}/admin.kubeconfig`;
export const serviceCidr = '10.233.0.0/24';

export const apiServerDaemon = 'kube-apiserver';

const daemons: Readonly<Record<string, () => readonly string[]>> = {
  etcd: () => [
    '/usr/bin/etcd',
    `--data-dir=${dir}/etcd`,
    `--listen-client-urls=http://127.0.0.1:${ports.etcdClient}`,
    `--advertise-client-urls=http://127.0.0.1:${ports.etcdClient}`,
    `--listen-peer-urls=http://127.0.0.1:${ports.etcdPeer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${ports.etcdPeer}`,
    `--initial-cluster=default=http://127.0.0.1:${ports.etcdPeer}`,
    // A lab that loses power starts anew; waiting for the disk would only slow its tests.
    '--unsafe-no-fsync=true',
    '--logger=zap',
    '--log-level=warn',
  ],
  [apiServerDaemon]: () => [
    `${dirs.bin}/kube-apiserver`,
    `--bind-address=${addresses.controlPlane}`,
    `--advertise-address=${addresses.controlPlane}`,
    `--secure-port=${ports.apiserver}`,
    `--etcd-servers=http://127.0.0.1:${ports.etcdClient}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    `--client-ca-file=${pkiDir}/ca.crt`,
    `--tls-cert-file=${pkiDir}/kube-apiserver.crt`,
    `--tls-private-key-file=${pkiDir}/kube-apiserver.key`,
    `--service-account-key-file=${pkiDir}/sa.pub`,
    `--service-account-signing-key-file=${pkiDir}/sa.key`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-cluster-ip-range=${serviceCidr}`,
    `--kubelet-client-certificate=${pkiDir}/apiserver-kubelet-client.crt`,
    `--kubelet-client-key=${pkiDir}/apiserver-kubelet-client.key`,
    `--kubelet-certificate-authority=${pkiDir}/ca.crt`,
    // A node's name resolves nowhere.
    '--kubelet-preferred-address-types=InternalIP',
    '--endpoint-reconciler-type=none',
    '--allow-privileged=true',
    '--profiling=false',
    // A restart (fault api-down off) need not drain watches for long.
    '--shutdown-delay-duration=0s',
  ],
  'kube-controller-manager': () => [
    `${dirs.bin}/kube-controller-manager`,
    `--kubeconfig=${kubeconfigFile('system:kube-controller-manager')}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.controllerManager}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    `--root-ca-file=${pkiDir}/ca.crt`,
    `--service-account-private-key-file=${pkiDir}/sa.key`,
    // Lost after 20 s, not 50: the kubelets renew their leases every 5 s.
    '--node-monitor-grace-period=20s',
    '--node-monitor-period=2s',
    '--profiling=false',
  ],
  'kube-scheduler': () => [
    `${dirs.bin}/kube-scheduler`,
    `--kubeconfig=${kubeconfigFile('system:kube-scheduler')}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.scheduler}`,
    '--leader-elect=false',
    '--profiling=false',
  ],
};

export const controlPlane: readonly string[] = Object.keys(daemons);

export async function startControlPlane(): Promise<void> {
  mkdirSync(dir, { recursive: true });
  writeKubeconfig('admin', adminKubeconfig);
  for (const user of ['system:kube-controller-manager', 'system:kube-scheduler'])
    writeKubeconfig(user, kubeconfigFile(user));
  start('etcd');
  await startApiServer();
  start('kube-controller-manager');
  start('kube-scheduler');
}

/** Resolves when it is ready, its hooks for roles and priority levels included. */
export async function startApiServer(): Promise<void> {
  start(apiServerDaemon);
  await until(async () => (await kubectl(['get', '--raw', '/readyz'], { timeoutMs: 5_000 })) === 'ok', {
    what: 'the API server to be ready',
    timeoutMs: 60_000,
    everyMs: 200,
    daemon: apiServerDaemon,
  });
}

export async function stopControlPlane(): Promise<void> {
  // The API server waits on open watches when asked kindly, and nobody needs what it would still write.
  await Promise.all(['kube-scheduler', 'kube-controller-manager'].map((name) => stopDaemon(name, 2_000)));
  await stopDaemon(apiServerDaemon, 3_000);
  await stopDaemon('etcd', 2_000);
}

/** kubectl as the cluster's admin; must succeed. */
export function kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return must([kubectlBin, '--kubeconfig', adminKubeconfig, ...args], options);
}

export async function apiServerReady(): Promise<boolean> {
  if (!existsSync(adminKubeconfig)) return false;
  const ask = [kubectlBin, '--kubeconfig', adminKubeconfig, 'get', '--raw', '/readyz'];
  return (await run(ask, { timeoutMs: 5_000 })).stdout === 'ok';
}

function start(name: string): void {
  const argv = daemons[name]?.() ?? [];
  startDaemon({ name, argv, netns: labNetns } satisfies Daemon);
}

const kubeconfigFile = (user: string): string => `${dir}/${user.replace('system:', '')}.kubeconfig`;

function writeKubeconfig(user: string, file: string): void {
  const path = `${pkiDir}/${user.replace('system:', '')}`;
  const credentials = { 'client-certificate': `${path}.crt`, 'client-key': `${path}.key` };
  writeFileSync(file, kubeconfig(user, credentials), { mode: 0o600 });
}
