/** What the gateway may do in the cluster, and what not even it may: against the lab's real API server. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kubectl } from '../../lab/real/control-plane.ts';
import { env } from '../../lab/real/kubernetes.ts';
import { type Outcome, run } from '../../lab/real/proc.ts';
import { gatewayKubeconfig, gatewayNamespace } from '../../lab/real/tenants.ts';

const ns = 'spillway-alice';
const gateway = `system:serviceaccount:${gatewayNamespace}:gw`;
const golden = fileURLToPath(new URL('../fixtures/gateway-rights.txt', import.meta.url));
const suffix = process.pid;
let bin = '';

type Json = { [key: string]: unknown };

beforeAll(async () => {
  const lab = await env({ say: () => undefined });
  if (lab.SPILLWAY_LAB_KUBECTL === undefined) throw new Error('no cluster: npm run lab -- up kubernetes');
  bin = lab.SPILLWAY_LAB_KUBECTL;
});

afterAll(async () => {
  const mine = ['-n', ns, '-l', `spillway.dev/test=${suffix}`, '--ignore-not-found'];
  await asGateway(['delete', 'secret', `spill-rights-${suffix}`, '-n', ns, '--ignore-not-found']);
  // A namespace's pods are the gateway's to delete, not the admin's.
  await asGateway(['delete', 'pod', ...mine, '--grace-period=0', '--force']);
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

  it('hold its own Secrets and no other', async () => {
    const made = await asGateway(['create', 'secret', 'generic', `spill-rights-${suffix}`, '-n', ns]);
    expect(made).toMatchObject({ code: 0 });
    const other = await asGateway(['create', 'secret', 'generic', `mine-${suffix}`, '-n', ns]);
    expect(other.stderr).toContain('secrets are named spill-');
  });
});

describe('a pod in a tenant’s namespace', { retry: 0 }, () => {
  it('is admitted in the shape that the gateway makes', async () => {
    expect(await create(pod('good'))).toMatchObject({ code: 0 });
  });

  const refusals: [string, (p: Pod) => void, string][] = [
    ['another’s uid', (p) => set(p.spec.securityContext, { runAsUser: 2002 }), 'uid is not'],
    ['no uid', (p) => set(p.spec.securityContext, { runAsUser: undefined }), 'uid is not'],
    ['another’s uid on one container', (p) => set(main(p), { runAsUser: 2002 }), 'overrides uid'],
    ['Spillway’s uid beside the user’s files', (p) => set(main(p), { runAsUser: 65532 }), 'overrides uid'],
    ['a foreign primary group', (p) => set(p.spec.securityContext, { runAsGroup: 3002 }), 'gid is not'],
    ['a foreign group on one container', (p) => set(main(p), { runAsGroup: 3002 }), 'overrides gid'],
    [
      'a foreign supplementary group',
      (p) => set(p.spec.securityContext, { supplementalGroups: [3001, 3002] }),
      'supplementary group is not',
    ],
    ['fsGroup', (p) => set(p.spec.securityContext, { fsGroup: 3001 }), 'fsGroup'],
    [
      'groups from the image',
      (p) => set(p.spec.securityContext, { supplementalGroupsPolicy: 'Merge' }),
      'must be Strict',
    ],
    [
      'no word on groups',
      (p) => set(p.spec.securityContext, { supplementalGroupsPolicy: undefined }),
      'must be Strict',
    ],
    ['a directory of the node', (p) => volume(p, { hostPath: { path: '/etc' } }), 'hostPath'],
    [
      'another claim',
      (p) => volume(p, { persistentVolumeClaim: { claimName: 'other' } }),
      'volume not allowed',
    ],
    [
      'a foreign Secret',
      (p) => volume(p, { secret: { secretName: 'token' } }, keeper(p)),
      'volume not allowed',
    ],
    [
      'a projected token',
      (p) => volume(p, { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }),
      'volume not allowed',
    ],
    ['the key in the user’s container', (p) => mount(mainContainer(p), 'spill-key'), "only Spillway's own"],
    [
      'a service account’s token',
      (p) => set(p.spec, { automountServiceAccountToken: true }),
      'spillway-pods',
    ],
    ['a node by name', (p) => set(p.spec, { nodeName: 'somewhere' }), 'nodeName not allowed'],
    ['restarts', (p) => set(p.spec, { restartPolicy: 'Always' }), 'restartPolicy must be Never'],
    ['one process space', (p) => set(p.spec, { shareProcessNamespace: true }), 'do not share processes'],
    [
      'environment from a Secret',
      (p) => set(mainContainer(p), { envFrom: [{ secretRef: { name: 'spill-x' } }] }),
      'no environment from secrets',
    ],
    ['root', (p) => set(p.spec.securityContext, { runAsNonRoot: undefined }), 'runAsNonRoot'],
    ['a privilege', (p) => set(main(p), { privileged: true, allowPrivilegeEscalation: true }), 'privileged'],
  ];

  it.each(refusals)('is refused with %s', async (_what, breach, words) => {
    const bad = pod('bad');
    breach(bad);
    const answer = await create(bad);
    expect(answer.stderr).toContain(words);
    expect(answer.code).not.toBe(0);
  });

  it('is refused when someone else makes it, an admin included', async () => {
    const answer = await create(pod('foreign'), adminKubectl());
    expect(answer.stderr).toContain("only Spillway's gateway makes or changes pods here");
  });
});

describe('a pod that the gateway made', { retry: 0 }, () => {
  const name = `spill-held-${suffix}`;
  beforeAll(async () => {
    expect(await create(pod('held'), gatewayKubectl(), [])).toMatchObject({ code: 0 });
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

const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
const own = { runAsUser: 65532, runAsGroup: 65532, ...restricted };

/** As src/translate makes it: installer, the user's container, the keeper. */
function pod(name: string) {
  const image = { image: 'lab/base:1', imagePullPolicy: 'Never' };
  const sleep = ['/bin/sleep', '3600'];
  const node = { key: 'metadata.name', operator: 'In', values: ['no-such-node'] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `spill-${name}-${suffix}`,
      namespace: ns,
      labels: { 'spillway.dev/test': `${suffix}` },
      finalizers: ['spillway.dev/settled'],
    },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [node] }] },
        },
      },
      tolerations: [{ key: 'spillway.dev/burst', operator: 'Exists' }],
      securityContext: {
        runAsUser: 2001,
        runAsGroup: 2001,
        supplementalGroups: [3001],
        supplementalGroupsPolicy: 'Strict',
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      } as Json,
      initContainers: [
        { ...image, name: 'agent', command: sleep, securityContext: own, volumeMounts: [at('spill-bin')] },
      ],
      containers: [
        {
          ...image,
          name: 'main',
          command: sleep,
          securityContext: { ...restricted } as Json,
          volumeMounts: ['spill-bin', 'spill-run', 'claim-0'].map(at),
        },
        {
          ...image,
          name: 'keeper',
          command: sleep,
          securityContext: { ...own } as Json,
          volumeMounts: ['spill-run', 'spill-spool', 'spill-key'].map(at),
        },
      ],
      volumes: [
        ...['spill-bin', 'spill-run', 'spill-spool'].map((name): Json => ({ name, emptyDir: {} })),
        { name: 'spill-key', secret: { secretName: 'spill-key-x', defaultMode: 0o444 } },
        { name: 'claim-0', persistentVolumeClaim: { claimName: 'home' } },
      ],
    },
  };
}

type Pod = ReturnType<typeof pod>;

function at(name: string) {
  return { name, mountPath: `/${name}` };
}

function set(object: object, values: Json): void {
  Object.assign(object, values);
}

function mainContainer(p: Pod): Pod['spec']['containers'][number] {
  return container(p, 0);
}

function keeper(p: Pod): Pod['spec']['containers'][number] {
  return container(p, 1);
}

function container(p: Pod, index: number): Pod['spec']['containers'][number] {
  const found = p.spec.containers[index];
  if (found === undefined) throw new Error('no such container');
  return found;
}

function main(p: Pod): Json {
  return mainContainer(p).securityContext;
}

function mount(on: Pod['spec']['containers'][number], name: string): void {
  on.volumeMounts.push(at(name));
}

function volume(p: Pod, source: Json, on = mainContainer(p)): void {
  p.spec.volumes.push({ name: 'spill-more', ...source });
  mount(on, 'spill-more');
}
