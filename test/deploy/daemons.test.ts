/** Doctor asks whether what a node cannot do without gets onto the burst nodes. */
import { afterEach, expect, it } from 'vitest';
import { runsOn, tolerates } from '../../src/domain/kube.ts';
import type { ClusterSettings } from '../../src/engine/context.ts';
import type { Finding } from '../../src/engine/doctor.ts';
import { examineDaemons } from '../../src/engine/doctor-daemons.ts';
import { type Fake, fake, status } from '../adapters/kubernetes/fake.ts';

const taint = { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' } as const;
let api: Fake | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

const daemonSet = (name: string, paths: readonly string[], tolerations: readonly unknown[] = []) => ({
  metadata: { namespace: 'kube-system', name },
  spec: {
    template: {
      spec: { tolerations, volumes: [...paths.map((path) => ({ hostPath: { path } })), { emptyDir: {} }] },
    },
  },
});

async function told(
  items: readonly unknown[],
  over: Partial<ClusterSettings> = {},
): Promise<readonly Finding[]> {
  api ??= await fake();
  const answer = api.answer;
  api.answer = (asked, response) =>
    answer(asked, response) ??
    (asked.path === '/apis/apps/v1/daemonsets'
      ? { body: { kind: 'DaemonSetList', metadata: {}, items } }
      : undefined);
  const cluster = { groups: [{ name: 'cpu', taint }], ...over } as unknown as ClusterSettings;
  const found: Finding[] = [];
  for await (const finding of examineDaemons(api.port, [cluster])) found.push(finding);
  return found;
}

const own = { key: taint.key, operator: 'Equal', value: 'true', effect: 'NoSchedule' };

it('those of network, storage and devices that do not tolerate the taint are told; others are nobody’s need', async () => {
  const [finding, ...more] = await told([
    daemonSet('aws-node', ['/opt/cni/bin', '/etc/cni/net.d'], [{ operator: 'Exists' }]),
    daemonSet(
      'ebs-csi-node',
      ['/var/lib/kubelet/plugins/ebs.csi.aws.com', '/var/lib/kubelet/plugins_registry'],
      [{ key: taint.key, operator: 'Equal', value: 'other', effect: 'NoSchedule' }],
    ),
    daemonSet(
      'nvidia-device-plugin',
      ['/var/lib/kubelet/device-plugins'],
      [{ key: 'nvidia.com/gpu', operator: 'Exists' }],
    ),
    daemonSet('fluent-bit', ['/var/log']),
  ]);
  expect(more).toEqual([]);
  expect(finding).toEqual({
    what: 'node group cpu: DaemonSets',
    ok: false,
    text: 'kube-system/ebs-csi-node (storage), kube-system/nvidia-device-plugin (devices): not on its nodes, as spillway.dev/burst=true:NoSchedule is not tolerated',
    todo: 'add the toleration { key: spillway.dev/burst, operator: Equal, value: "true", effect: NoSchedule } to its pod template',
  });
});

it('all is well where they tolerate it, and where there are none', async () => {
  const [well] = await told([daemonSet('cilium', ['/opt/cni/bin'], [own])]);
  expect(well).toMatchObject({
    ok: true,
    text: expect.stringContaining('kube-system/cilium (network): tolerate'),
  });
  await api?.close();
  api = undefined;
  expect((await told([]))[0]).toMatchObject({ ok: true, text: 'none brings network, storage or devices' });
});

it('without the right to look it says which to give, and goes on; an observer is not asked', async () => {
  api = await fake();
  api.answer = () => status(403, 'Forbidden', 'daemonsets.apps is forbidden');
  const [finding] = await told([]);
  expect(finding).toMatchObject({ ok: false, text: expect.stringContaining('daemonsets.apps is forbidden') });
  expect(finding?.todo).toContain('deploy/kubernetes/gateway.yaml');
  expect(await told([], { hands: false })).toEqual([]);
});

it.each([
  [{}, false],
  [{ anyValue: true }, true],
  [{ key: taint.key, anyValue: true }, true],
  [{ key: taint.key, value: 'true' }, true],
  [{ key: taint.key, value: 'false' }, false],
  [{ key: taint.key, value: 'true', effect: 'NoExecute' }, false],
  [{ key: 'other', anyValue: true }, false],
])('%j tolerates it as kube-scheduler has it: %s', (over, does) => {
  const one = { key: undefined, anyValue: false, value: '', effect: undefined, ...over };
  expect(tolerates([one], taint)).toBe(does);
  expect(tolerates([one], { ...taint, effect: 'PreferNoSchedule' })).toBe(true);
});

it('counts what one asks for on nodes that it runs on: by taint, selector and required affinity', async () => {
  const rule = (key: string, operator: string, values: readonly string[]) => ({ key, operator, values });
  const set = (name: string, spec: Readonly<Record<string, unknown>>) => ({
    metadata: { namespace: 'kube-system', name },
    spec: { template: { spec } },
  });
  const everywhere = [{ operator: 'Exists' }];
  const affine = (...nodeSelectorTerms: unknown[]) => ({
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
  });
  const asks = (cpu: string, memory: string) => ({ resources: { requests: { cpu, memory } } });
  const items = [
    set('aws-node', {
      tolerations: everywhere,
      containers: [asks('25m', '16Mi'), asks('25m', '16Mi')],
      initContainers: [asks('60m', '8Mi')],
      affinity: affine({
        matchExpressions: [
          rule('kubernetes.io/os', 'In', ['linux']),
          rule('eks.amazonaws.com/compute-type', 'NotIn', ['fargate']),
        ],
      }),
    }),
    set('windows', { tolerations: everywhere, nodeSelector: { 'kubernetes.io/os': 'windows' } }),
    set('elsewhere', { containers: [asks('1', '1Gi')] }),
    set('old', { tolerations: [own], affinity: affine({ matchExpressions: [rule('gpus', 'Gt', ['3'])] }) }),
    set('either', {
      tolerations: [own],
      affinity: affine(
        { matchExpressions: [rule('no-such', 'Exists', [])] },
        { matchExpressions: [rule('no-such', 'DoesNotExist', []), rule('gpus', 'Lt', ['3'])] },
      ),
    }),
  ];
  await told(items);
  const seen = (await api?.port.daemonSets()) ?? [];
  const labels = { 'kubernetes.io/os': 'linux', gpus: '2' };
  expect(seen.filter((d) => runsOn(d, labels, taint)).map(({ name }) => name)).toEqual([
    'aws-node',
    'either',
  ]);
  expect(seen[0]?.requests).toEqual({ cpuMillis: 60, memoryBytes: 32 * 2 ** 20, extended: {} });
});
