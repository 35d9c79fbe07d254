/** User data of instances, one template a kind of cluster, put together from `deploy/node`: `deploy/node/user-data/*`. */
import { readFileSync } from 'node:fs';

const part = (name: string): string =>
  readFileSync(new URL(`../deploy/node/${name}`, import.meta.url), 'utf8').trimEnd();

/** A file on the machine; nothing in it is expanded. */
const file = (path: string, text: string, mode = '0644'): string =>
  `install -D -m ${mode} /dev/stdin ${path} <<'SPILLWAY'\n${text}\nSPILLWAY`;

/** The dead man's switch, as a shell script installs and starts it. */
export function switchScript(environment: readonly string[]): string {
  return [
    '# The switch: no gateway for LEASE_SECONDS (capacity.lease) and no burst, or older than MAX_AGE_SECONDS (more than',
    '# capacity.maxAge and the longest time limit together), and the machine powers itself off.',
    file('/usr/local/sbin/spillway-switch', part('spillway-switch'), '0755'),
    file('/etc/systemd/system/spillway-switch.service', part('spillway-switch.service')),
    file('/etc/systemd/system/spillway-switch.timer', part('spillway-switch.timer')),
    file(
      '/etc/spillway/switch.env',
      ['LEASE_SECONDS=1800', 'MAX_AGE_SECONDS=1209600', ...environment].join('\n'),
    ),
    'systemctl daemon-reload',
    'systemctl enable --now spillway-switch.timer',
  ].join('\n');
}

const taint = 'spillway.dev/burst=true:NoSchedule';

/** What EC2 says of the machine itself, and the node's provider id by it. */
const imds = `token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token)
imds() { curl -sf -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"; }
provider=aws:///$(imds placement/availability-zone)/$(imds instance-id)`;

const eks = (): string => `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="SPILLWAY-PART"

--SPILLWAY-PART
Content-Type: application/node.eks.aws

apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  cluster:
    name: CLUSTER_NAME
    apiServerEndpoint: API_SERVER_URL
    certificateAuthority: CA_BASE64
    cidr: SERVICE_CIDR
  kubelet:
    config:
      registerWithTaints:
        - { key: spillway.dev/burst, value: "true", effect: NoSchedule }

--SPILLWAY-PART
Content-Type: text/x-shellscript; charset="utf-8"

#!/bin/bash
set -eu
${switchScript([
  'API_SERVER=API_SERVER_URL',
  'CA_FILE=/etc/kubernetes/pki/ca.crt',
  'TOKEN_COMMAND="aws-iam-authenticator token --token-only -i CLUSTER_NAME"',
])}

--SPILLWAY-PART--
`;

const kubeadm = (): string => `#!/bin/bash
# The image has containerd, kubelet and kubeadm of the cluster's version.
set -eu
${switchScript([
  'API_SERVER=https://API_SERVER_HOST:6443',
  'CA_FILE=/etc/kubernetes/pki/ca.crt',
  'CERT_FILE=/var/lib/kubelet/pki/kubelet-client-current.pem',
  'KEY_FILE=/var/lib/kubelet/pki/kubelet-client-current.pem',
])}
${imds}
cat >/etc/kubernetes/spillway-join.yaml <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken:
    apiServerEndpoint: API_SERVER_HOST:6443
    token: JOIN_TOKEN
    caCertHashes: ["CA_CERT_HASH"]
nodeRegistration:
  taints:
    - { key: spillway.dev/burst, value: "true", effect: NoSchedule }
  kubeletExtraArgs:
    - { name: provider-id, value: "$provider" }
END
kubeadm join --config /etc/kubernetes/spillway-join.yaml
`;

const k3s = (): string => `#!/bin/bash
# The image has k3s at /usr/local/bin/k3s, of the cluster's version, and curl; k3s joins by K3S_JOIN_TOKEN.
set -eu
${switchScript([
  'TASKS=/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io',
  'API_SERVER=https://127.0.0.1:6444',
  'CA_FILE=/var/lib/rancher/k3s/agent/server-ca.crt',
  'CERT_FILE=/var/lib/rancher/k3s/agent/client-kubelet.crt',
  'KEY_FILE=/var/lib/rancher/k3s/agent/client-kubelet.key',
])}
${imds}
cat >/etc/systemd/system/k3s-agent.service <<END
[Unit]
Description=k3s agent
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
KillMode=process
Delegate=yes
Restart=always
Environment=K3S_URL=https://API_SERVER_HOST:6443 K3S_TOKEN=K3S_JOIN_TOKEN
ExecStart=/usr/local/bin/k3s agent --node-taint ${taint} --kubelet-arg=provider-id=$provider

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now k3s-agent
`;

/** By the file's name. */
export const userData: Readonly<Record<string, () => string>> = {
  'eks.mime': eks,
  'kubeadm.sh': kubeadm,
  'k3s.sh': k3s,
};
