/** What the gateway may do in the cluster, and what not even it may: against the lab's real API server. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { kubectl } from '../../lab/real/control-plane.ts';
import { env } from '../../lab/real/kubernetes.ts';
import { type Outcome, run, until } from '../../lab/real/proc.ts';
import { gatewayKubeconfig, gatewayNamespace } from '../../lab/real/tenants.ts';
import { instant } from '../../src/domain/ids.ts';
import type { ClusterSettings } from '../../src/engine/context.ts';
import { examineDaemons } from '../../src/engine/doctor-daemons.ts';
import { breaches, goodPod, type Pod, variants } from '../contract/pod-breaches.ts';

const ns = 'spillway-alice';
const alice = { namespace: ns, uid: 2001, gids: [2001, 3001], claims: ['home'] };
const gateway = `system:serviceaccount:${gatewayNamespace}:gw`;
const golden = fileURLToPath(new URL('../fixtures/gateway-rights.txt', import.meta.url));
const suffix = process.pid;
let bin = '';

beforeAll(async () => {
  const lab = await env({ say: () => undefined });
  if (lab.SPILLWAY_LAB_KUBECTL === undefined) throw new Error('no cluster: npm run lab -- up kubernetes');
  bin = lab.SPILLWAY_LAB_KUBECTL;
});

afterAll(async () => {
  await asGateway(['delete', 'secret', `spill-rights-${suffix}`, '-n', ns, '--ignore-not-found']);
});

describe('the gateway’s rights', { retry: 0 }, () => {
  it('are exactly those of the golden file', async () => {
    const args = ['auth', 'can-i', '--list', '--no-headers', `--as=${gateway}`, '-n', ns];
    const rights = (await kubectl(args)).split('\n').map((line) => line.trimEnd().replace(/ {2,}/g, '  '));
    expect(`${rights.sort().join('\n')}\n`).toBe(readFileSync(golden, 'utf8'));
  });

  it.each([
    ['pods of a namespace that is no tenant’s', ['list', 'pods', '-n', 'default']],
    ['making a namespace', ['create', 'namespaces']],
    ['changing a namespace, whose annotations say who a pod may be', ['patch', 'namespaces', '-n', ns]],
    ['another’s tokens', ['create', 'serviceaccounts', '--subresource=token', '-n', ns]],
    ['listing secrets', ['list', 'secrets', '-n', ns]],
    ['a node’s kubelet', ['get', 'nodes', '--subresource=proxy']],
    ['the status of a pod', ['patch', 'pods', '--subresource=status', '-n', ns]],
  ])('do not hold %s', async (_what, [verb = '', resource = '', ...rest]) => {
    const answer = await asGateway(['auth', 'can-i', verb, resource, ...rest]);
    expect(answer.stdout.trim()).toBe('no');
  });

  it('let doctor see which DaemonSets do not get onto burst nodes', async () => {
    const name = `network-${suffix}`;
    const labels = { app: name };
    const pod = {
      // On no node at all: it is only looked at.
      nodeSelector: { 'spillway.dev/no-such': 'node' },
      containers: [{ name: 'c', image: 'none' }],
      volumes: [{ name: 'cni', hostPath: { path: '/opt/cni/bin' } }],
    };
    const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } };
    const daemon = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name, namespace: 'kube-system' },
      spec,
    };
    await kubectl(['create', '-f', '-'], { input: JSON.stringify(daemon) });
    const port = kubernetes({
      kubeconfig: gatewayKubeconfig,
      clock: { now: () => instant(Date.now()) },
      random: Math.random,
      log: { info: () => undefined, warn: () => undefined },
    });
    try {
      const taint = { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' };
      const cluster = { groups: [{ name: 'cpu', taint }] } as unknown as ClusterSettings;
      const found = [];
      for await (const finding of examineDaemons(port, [cluster])) found.push(finding);
      expect(found).toMatchObject([{ ok: false }]);
      expect(found[0]?.text).toContain(`kube-system/${name} (network): not on its nodes`);
    } finally {
      await port.close();
      await kubectl(['delete', 'daemonset', name, '-n', 'kube-system', '--wait=false']);
    }
  });

  it('hold its own Secrets and no other', async () => {
    const made = await asGateway(['create', 'secret', 'generic', `spill-rights-${suffix}`, '-n', ns]);
    expect(made).toMatchObject({ code: 0 });
    const other = await asGateway(['create', 'secret', 'generic', `mine-${suffix}`, '-n', ns]);
    expect(other.stderr).toContain('secrets are named spill-');
  });
});

/** Its label says that pod security lets everything through: what refuses here is Spillway's admission alone. */
const bare = `spillway-rights-${suffix}`;

const bareTenant = { ...alice, namespace: bare };

async function makeBare(): Promise<void> {
  const { uid, gids, claims } = alice;
  const namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: bare,
      labels: { 'spillway.dev/tenant': 'true', 'pod-security.kubernetes.io/enforce': 'privileged' },
      annotations: {
        'spillway.dev/uid': `${uid}`,
        'spillway.dev/gids': gids.join(','),
        'spillway.dev/claims': claims.join(','),
      },
    },
  };
  await kubectl(['create', '-f', '-'], { input: JSON.stringify(namespace) });
  const role = ['--clusterrole=spillway-tenant', `--serviceaccount=${gatewayNamespace}:gw`, '-n', bare];
  await kubectl(['create', 'rolebinding', 'spillway-gateway', ...role]);
  await kubectl(['create', 'serviceaccount', 'other', '-n', bare]);
  // The default service account is made a moment after the namespace; until then no pod is.
  await until(async () => (await create(goodPod(bareTenant))).code === 0, {
    what: `pods to be admitted in ${bare}`,
    timeoutMs: 30_000,
    everyMs: 200,
  });
}

describe('a pod in a tenant’s namespace', { retry: 0 }, () => {
  beforeAll(makeBare, 60_000);
  afterAll(() => kubectl(['delete', 'namespace', bare, '--wait=false']));

  it.each(variants)('is admitted %s', async (_what, change) => {
    const good = goodPod(alice);
    change(good);
    expect(await create(good)).toMatchObject({ code: 0 });
  });

  it.each(breaches)('is refused with %s, by admission alone', async (_what, breach, words) => {
    const bad = goodPod(bareTenant);
    breach(bad);
    const answer = await create(bad);
    expect(answer.stderr).toContain(words);
    expect(answer.stderr).toContain('ValidatingAdmissionPolicy');
    expect(answer.code).not.toBe(0);
  });

  it('is refused by pod security as well', async () => {
    const bad = goodPod(alice);
    Object.assign(bad.spec.securityContext, { runAsNonRoot: undefined });
    expect((await create(bad)).stderr).toContain('violates PodSecurity "restricted');
  });

  it('is refused when someone else makes it, an admin included', async () => {
    const answer = await create(goodPod(alice), adminKubectl());
    expect(answer.stderr).toContain("only Spillway's gateway makes or changes pods here");
  });

  it('keeps its labels, whoever asks: another burst’s name is not to be had later', async () => {
    const pod = goodPod(alice, `labels-${suffix}`);
    expect(await create(pod, gatewayKubectl(), [])).toMatchObject({ code: 0 });
    const at = ['pod', pod.metadata.name, '-n', ns];
    const answer = await asGateway(['label', ...at, '--overwrite', 'spillway.dev/burst=another']);
    expect(answer.stderr).toContain('its labels never change');
    const release = ['patch', ...at, '--type=merge', '-p', '{"metadata":{"finalizers":null}}'];
    expect(await asGateway(release)).toMatchObject({ code: 0 });
    const gone = ['delete', ...at, '--grace-period=0', '--force', '--timeout=20s'];
    expect(await asGateway(gone)).toMatchObject({ code: 0 });
  });
});

describe('a pod that the gateway made', { retry: 0 }, () => {
  const name = `spill-held-${suffix}`;
  beforeAll(async () => {
    expect(await create(goodPod(alice, `held-${suffix}`), gatewayKubectl(), [])).toMatchObject({ code: 0 });
  });

  it.each([
    ['changed', ['label', 'pod', name, 'a=b'], 'makes or changes pods'],
    ['deleted', ['delete', 'pod', name, '--wait=false'], 'ends jobs here'],
    ['deleted by force', ['delete', 'pod', name, '--grace-period=0', '--force'], 'ends jobs here'],
    ['entered', ['exec', name, '-c', 'keeper', '--', 'id'], 'enters a job'],
    ['attached to', ['attach', name, '-c', 'keeper'], 'enters a job'],
    ['debugged', ['debug', name, '--image=lab/base:1', '--profile=restricted'], 'makes or changes pods'],
  ])('is not %s by an admin', async (_what, args, words) => {
    // The container's state is asked before the policy where there is none yet: then that refuses.
    const answer = await run([...adminKubectl(), '-n', ns, ...args], { timeoutMs: 20_000 });
    expect(answer.code).not.toBe(0);
    expect(answer.stderr).toContain(words);
  });

  it('is said to be over by nobody but its kubelet and the control plane', async () => {
    const over = '{"metadata":{"labels":{"spillway.dev/burst":"another"}},"status":{"phase":"Failed"}}';
    const patch = ['patch', 'pod', name, '-n', ns, '--subresource=status', '--type=merge', '-p', over];
    const answer = await run([...adminKubectl(), ...patch]);
    expect(answer.stderr).toContain("only Spillway's gateway makes or changes pods here");
  });

  it('may be released and deleted by the gateway', async () => {
    const released = [
      'patch',
      'pod',
      name,
      '-n',
      ns,
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    ];
    expect(await asGateway(released)).toMatchObject({ code: 0 });
    const gone = ['delete', 'pod', name, '-n', ns, '--grace-period=0', '--force', '--timeout=20s'];
    expect(await asGateway(gone)).toMatchObject({ code: 0 });
  });
});

const group = 'node-restriction.kubernetes.io/spillway-group';

describe('a node', { retry: 0 }, () => {
  const burst = `rights-burst-${suffix}`;
  const other = `rights-other-${suffix}`;
  beforeAll(async () => {
    for (const [name, taints] of [
      [burst, [{ key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' }]],
      [other, []],
    ] as const) {
      const node = { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { taints } };
      await kubectl(['create', '-f', '-'], { input: JSON.stringify(node) });
    }
  });
  afterAll(async () => {
    await kubectl(['delete', 'node', burst, other, '--ignore-not-found']);
  });

  it.each([
    ['another’s node labelled', ['label', 'node', other, `${group}=cpu`], 'not a burst node'],
    ['another’s node cordoned', ['cordon', other], 'not a burst node'],
    ['another’s node deleted', ['delete', 'node', other], 'not a burst node'],
    ['another label set', ['label', 'node', burst, 'kubernetes.io/hostname=x'], 'only node-restriction'],
    ['the burst taint removed', ['taint', 'node', burst, 'spillway.dev/burst-'], 'keeps its taint'],
  ])('of the cluster is not the gateway’s: %s is refused', async (_what, args, words) => {
    // kubectl cordon ends 0 even when it was refused.
    expect((await asGateway(args)).stderr).toContain(words);
  });

  it('that bursts is labelled, cordoned and deleted by the gateway', async () => {
    expect(await asGateway(['label', 'node', burst, `${group}=cpu`])).toMatchObject({ code: 0 });
    expect(await asGateway(['cordon', burst])).toMatchObject({ code: 0 });
    expect(await asGateway(['delete', 'node', burst])).toMatchObject({ code: 0 });
  });
});

function gatewayKubectl(): string[] {
  return [bin, '--kubeconfig', gatewayKubeconfig];
}

function adminKubectl(): string[] {
  return [bin, '--kubeconfig', gatewayKubeconfig.replace('gateway', 'admin')];
}

function asGateway(args: readonly string[]): Promise<Outcome> {
  return run([...gatewayKubectl(), ...args], { timeoutMs: 30_000 });
}

function create(object: Pod, as = gatewayKubectl(), how = ['--dry-run=server']): Promise<Outcome> {
  return run([...as, 'create', ...how, '-f', '-'], { input: JSON.stringify(object), timeoutMs: 30_000 });
}
