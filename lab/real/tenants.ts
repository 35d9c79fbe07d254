/** What an administrator gives the gateway in the cluster: deploy/kubernetes, and a namespace for each user. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { kubectl } from './control-plane.ts';
import { kubeconfig } from './node-config.ts';
import { dirs } from './paths.ts';
import { must, until } from './proc.ts';
import { people, teams } from './users.ts';

const deploy = (file: string) => fileURLToPath(new URL(`../../deploy/kubernetes/${file}`, import.meta.url));

export const gatewayNamespace = 'spillway-gateway';
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
export const tenantsKubeconfig = `${dirs.kubernetes}/tenants.kubeconfig`;
export const gatewayKubeconfig = `${dirs.kubernetes}/gateway.kubeconfig`;
export const tenantNamespace = (user: string): string => `spillway-${user}`;

/** Idempotent: objects are applied, each identity's token is asked for once. */
export async function ensureTenants(): Promise<void> {
  mkdirSync(dirs.home, { recursive: true });
  const files = ['gateway.yaml', 'tenants.yaml', 'admission.yaml', 'flowschema.yaml'];
  await kubectl(['apply', ...files.flatMap((file) => ['-f', deploy(file)])]);
  await kubectl(['apply', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: hostPaths }),
  });
  await ensureKubeconfig('gw', gatewayKubeconfig);
  await ensureKubeconfig('tenants', tenantsKubeconfig);
  await applyTenants();
}

async function ensureKubeconfig(account: string, file: string): Promise<void> {
  if (existsSync(file)) return;
  const token = await kubectl(['create', 'token', account, '-n', gatewayNamespace, '--duration=8760h']);
  writeFileSync(file, kubeconfig(account, { token }), { mode: 0o600 });
}

/** A policy is enforced a moment after it is stored: until then a test could slip through. */
export async function policiesEnforced(): Promise<void> {
  // Good in every way but who makes it: what refuses it is a policy and nothing else.
  const allowed = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const securityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  const containers = [{ name: 'main', image: 'lab/base:1', securityContext: allowed }];
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'probe' },
    spec: { securityContext, containers },
  };
  const first = people[0].name;
  await until(
    async () => {
      const args = ['create', '--dry-run=server', '-n', tenantNamespace(first), '-f', '-'];
      const refused = await kubectl(args, { input: JSON.stringify(pod) }).then(
        () => '',
        (error: unknown) => `${error}`,
      );
      return refused.includes('spillway-pods');
    },
    { what: 'the admission policies to be enforced', timeoutMs: 30_000, everyMs: 200 },
  );
}

/** Its only right to directories of nodes: the lab's homes are one. */
const hostPaths = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'lab-hostpaths' },
    rules: [{ apiGroups: ['spillway.dev'], resources: ['hostpaths'], verbs: ['use'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'lab-hostpaths' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'lab-hostpaths' },
    subjects: [{ kind: 'ServiceAccount', name: 'tenants', namespace: gatewayNamespace }],
  },
];

/** `kubernetes.tenants` of the lab: its people, and a directory of this machine as everybody's home. */
export function tenantsConfig(users: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return {
    kubeconfig: tenantsKubeconfig,
    users,
    claims: [{ claim: 'home', volume: { hostPath: { path: dirs.home, type: 'Directory' } } }],
  };
}

/** By `spillway tenants apply` itself, whose configuration needs the rest of a gateway's, unread here. */
async function applyTenants(): Promise<void> {
  const csv = `${dirs.kubernetes}/people.csv`;
  const lines = people.map(({ name, uid, team }) => `${name},${uid},${uid},${teams[team]}`);
  writeFileSync(csv, `user,uid,gid,groups\n${lines.join('\n')}\n`);
  const file = `${dirs.kubernetes}/tenants.yaml`;
  const none = '/nonexistent';
  writeFileSync(
    file,
    stringify({
      clusters: [
        {
          name: 'lab',
          slurm: {
            via: 'ssh',
            host: 'localhost',
            user: 'nobody',
            hostKey: `SHA256:${'A'.repeat(43)}`,
            keyFile: none,
          },
          watch: ['batch'],
        },
      ],
      listen: { cert: none, key: none, clientCa: none },
      kubernetes: { kubeconfig: gatewayKubeconfig, agentImage: 'none', tenants: tenantsConfig({ csv }) },
      images: { default: 'none' },
      nodeGroups: [
        {
          ...{
            name: 'cpu',
            provider: 'ec2',
            region: 'lab-1',
            launchTemplate: 'none',
            types: ['lab.large'],
            zones: ['a'],
          },
          ...{ vcpuPerCpu: 1, capacity: { max: 1 } },
        },
      ],
    }),
  );
  const argv = [
    process.execPath,
    '--import',
    import.meta.resolve('tsx'),
    main,
    '-c',
    file,
    'tenants',
    'apply',
  ];
  await must(argv, { timeoutMs: 60_000 });
}
