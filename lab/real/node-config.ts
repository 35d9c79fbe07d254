/** The files of one node: what pid 1 does, containerd's, the kubelet's and CNI's configuration. */
import { mountCgroups } from './cgroups.ts';
import { addresses, apiServer, type Place } from './kube-network.ts';
import { dirs, stateDir } from './paths.ts';

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

export interface NodeSpec {
  /** The Node's name, a DNS label. */
  readonly name: string;
  readonly providerID?: string;
  /** Set by the kubelet when it registers; NodeRestriction refuses node-restriction.kubernetes.io/ ones. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  /** What pods may use, at most the machine's own: the rest is reserved for the system. */
  readonly milliCpu?: number;
  readonly memoryBytes?: number;
  readonly maxPods?: number;
  /** Its dead man's switch; without it there is none. */
  readonly switch?: Switch;
}

/** The parameters of deploy/node/spillway-switch, in seconds, and how often it looks. */
export interface Switch {
  readonly leaseSeconds: number;
  readonly maxAgeSeconds: number;
  readonly everySeconds: number;
}

export const pauseImage = 'docker.io/lab/pause:1';

/**
 * Pid 1 of a node. /var/lib, /var/log and /run are the node's own inside its mount namespace, so that containerd,
 * CNI and the kubelet use their usual paths and cannot meet another node's.
 */
export function initScript(dir: string, at: Place, { name, switch: own }: NodeSpec): string {
  const log = `${dirs.log}/node-${name}`;
  return `#!/bin/bash
set -eu
export PATH=${dirs.bin}:/usr/sbin:/usr/bin:/sbin:/bin
mount -t sysfs sysfs /sys
${mountCgroups()}
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p ${dir}/lib/spillway-lab ${dir}/log ${dir}/lib/containerd
exec >>${log}.log 2>&1
mount --bind ${stateDir} ${dir}/lib/spillway-lab
mount --rbind ${dir}/lib /var/lib
mount --bind ${dir}/log /var/log
mount --make-rshared /
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip link set lo up
ip addr add ${at.address}/24 dev eth0
ip link set eth0 up
ip route add default via ${addresses.nodesGateway}
sysctl -qw net.ipv4.ip_forward=1
cd /
# A service comes back when it dies, unless its .off file holds it down.
service() {
  while :; do
    until [ ! -e ${dir}/$1.off ]; do sleep 0.2; done
    "$@" >>${log}-$1.log 2>&1 || echo "$1 ended: $?"
    sleep 0.2
  done
}
service containerd --config ${dir}/containerd.toml &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.02; done
service kubelet --config ${dir}/kubelet.yaml --kubeconfig ${dir}/kubeconfig $(cat ${dir}/kubelet.args) &
${own === undefined ? '' : switchLoop(dir, own, log)}wait
`;
}

/**
 * What systemd's timer does on a machine of a cloud. Nobody here has one: to power off is to leave a note and end pid 1, which takes
 * all else with it.
 */
function switchLoop(dir: string, { leaseSeconds, maxAgeSeconds, everySeconds }: Switch, log: string): string {
  const environment = {
    LEASE_SECONDS: leaseSeconds,
    MAX_AGE_SECONDS: maxAgeSeconds,
    API_SERVER: apiServer,
    CA_FILE: `${dirs.kubernetes}/pki/ca.crt`,
    CERT_FILE: `${dir}/node.crt`,
    KEY_FILE: `${dir}/node.key`,
    POWER_OFF: `sh ${dir}/power-off.sh`,
  };
  const assignments = Object.entries(environment).map(([key, value]) => `${key}='${value}'`);
  return `cat >${dir}/power-off.sh <<'END'
touch ${dir}/powered-off
kill -TERM 1
END
trap 'exit 0' TERM
while sleep ${everySeconds}; do
  env ${assignments.join(' ')} sh ${dir}/spillway-switch >>${log}-switch.log 2>&1
done &
`;
}

export function containerdToml(): string {
  return `version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
disabled_plugins = ['io.containerd.nri.v1.nri', 'io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing']

[grpc]
  address = '/run/containerd/containerd.sock'

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE every sandbox fails otherwise.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['/usr/lib/cni']
    conf_dir = '/var/lib/cni/conf'

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '${pauseImage}'
`;
}

export function cniConf(at: Place): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'lab',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: at.podCidr }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  });
}

/** JSON is YAML too. */
export function kubeletConfig(dir: string, at: Place, spec: NodeSpec, machine: Machine): string {
  const reserved = reservedFor(spec, machine);
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${dirs.kubernetes}/pki/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    address: at.address,
    healthzBindAddress: '127.0.0.1',
    readOnlyPort: 0,
    tlsCertFile: `${dir}/node.crt`,
    tlsPrivateKeyFile: `${dir}/node.key`,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    oomScoreAdj: 0,
    podCIDR: at.podCidr,
    maxPods: spec.maxPods ?? 110,
    ...(spec.providerID === undefined ? {} : { providerID: spec.providerID }),
    registerWithTaints: spec.taints ?? [],
    ...(Object.keys(reserved).length === 0 ? {} : { systemReserved: reserved }),
    // Without it each pod gets a warning as an event. Nothing answers there.
    clusterDNS: ['127.0.0.1'],
    clusterDomain: 'cluster.local',
    resolvConf: `${dir}/resolv.conf`,
    // The disk is everyone's: only a full one may evict pods or images.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    // Lost within 20 s instead of 50, so that tests of lost nodes need not wait long.
    nodeLeaseDurationSeconds: 20,
    serializeImagePulls: false,
    registryPullQPS: 0,
    eventRecordQPS: 0,
    kubeAPIQPS: 100,
    kubeAPIBurst: 200,
  });
}

export function kubeletArgs(at: Place, spec: NodeSpec): string {
  const labels = Object.entries(spec.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return [
    `--hostname-override=${spec.name}`,
    `--node-ip=${at.address}`,
    ...(labels.length === 0 ? [] : [`--node-labels=${labels.join(',')}`]),
  ].join(' ');
}

export interface Machine {
  readonly milliCpu: number;
  readonly memoryBytes: number;
}

function reservedFor(spec: NodeSpec, machine: Machine): Record<string, string> {
  const cpu = spec.milliCpu === undefined ? 0 : machine.milliCpu - spec.milliCpu;
  const memory = spec.memoryBytes === undefined ? 0 : machine.memoryBytes - spec.memoryBytes;
  return {
    ...(cpu > 0 ? { cpu: `${cpu}m` } : {}),
    ...(memory > 0 ? { memory: `${memory}` } : {}),
  };
}

/** A kubeconfig with one client certificate or token. */
export function kubeconfig(
  user: string,
  credentials: Readonly<Record<string, string>>,
  namespace?: string,
): string {
  return `${JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    clusters: [
      {
        name: 'lab',
        cluster: { server: apiServer, 'certificate-authority': `${dirs.kubernetes}/pki/ca.crt` },
      },
    ],
    users: [{ name: user, user: credentials }],
    contexts: [
      { name: 'lab', context: { cluster: 'lab', user, ...(namespace === undefined ? {} : { namespace }) } },
    ],
  })}\n`;
}
