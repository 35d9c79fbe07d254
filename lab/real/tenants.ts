/** What an administrator gives the gateway in the cluster: deploy/kubernetes, and a namespace for each user. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { kubectl } from './control-plane.ts';
import { kubeconfig } from './node-config.ts';
import { dirs } from './paths.ts';
import { until } from './proc.ts';
import { people, teams } from './users.ts';

const deploy = (file: string) => fileURLToPath(new URL(`../../deploy/kubernetes/${file}`, import.meta.url));

export const gatewayNamespace = 'spillway-gateway';
export const gatewayKubeconfig = `${dirs.kubernetes}/gateway.kubeconfig`;
export const tenantNamespace = (user: string): string => `spillway-${user}`;

/** Idempotent: objects are applied, the gateway's token is asked for once. */
export async function ensureTenants(): Promise<void> {
  mkdirSync(dirs.home, { recursive: true });
  const files = ['gateway.yaml', 'admission.yaml', 'flowschema.yaml'].flatMap((file) => ['-f', deploy(file)]);
  await kubectl(['apply', ...files]);
  await kubectl(['apply', '-f', '-'], { input: people.map(tenant).join('---\n') });
  if (existsSync(gatewayKubeconfig)) return;
  const token = await kubectl(['create', 'token', 'gw', '-n', gatewayNamespace, '--duration=8760h']);
  writeFileSync(gatewayKubeconfig, kubeconfig('gw', { token }), { mode: 0o600 });
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

type Person = (typeof people)[number];

function tenant({ name, uid, team }: Person): string {
  const values: Readonly<Record<string, string>> = {
    USER: name,
    UID: `${uid}`,
    GIDS: `${uid},${teams[team]}`,
    HOME: dirs.home,
  };
  return readFileSync(deploy('tenant.yaml'), 'utf8').replace(
    /\$\{(\w+)\}/g,
    (whole, key: string) => values[key] ?? whole,
  );
}
