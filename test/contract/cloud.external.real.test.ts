/** A place on the lab: the real API server, kube-scheduler and kubelet from the pending pod over the node that comes to the job's own pod and the end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { kubectl } from '../../lab/real/control-plane.ts';
import { ensurePlaces, LabScaler, removePlaces } from '../../lab/real/scaler.ts';
import { gatewayKubeconfig } from '../../lab/real/tenants.ts';
import { launchToken } from '../../src/domain/ids.ts';
import { instanceLabel, placesNamespace } from '../../src/domain/kube.ts';
import { GiB, MiB } from '../../src/domain/resources.ts';
import type { CloudPort, KubernetesPort, PodManifest } from '../../src/ports.ts';
import { expectFault } from './cloud.cases.ts';
import { cloudFor, needing } from './cloud.external.harness.ts';
import { own } from './cloud.harness.ts';
import { groupLabel, manifest, realTime, tenant } from './kubernetes.harness.ts';
import { until } from './kubernetes.scene.ts';

const pool = `ext-${process.pid}`;
const job = `spill-ext-${process.pid}`;
const commands = {
  sleep: ['sleep', '600'],
  echo: ['sleep', '1'],
  'exit 7': ['bash', '-c', 'exit 7'],
} as const;

describe('a place on the lab', () => {
  let port: KubernetesPort;
  let cloud: CloudPort;
  let scaler: LabScaler;
  let made: PodManifest | undefined;
  beforeAll(async () => {
    await ensurePlaces();
    const real = kubernetes({
      kubeconfig: gatewayKubeconfig,
      clock: realTime,
      random: Math.random,
      log: { info: () => undefined, warn: () => undefined },
      uses: { places: true },
    });
    port = {
      ...real,
      createPod: async (asked) => {
        made ??= asked;
        return real.createPod(asked);
      },
    };
    cloud = cloudFor(own, port, realTime, { selector: { pool }, image: 'docker.io/lab/pause:1' });
    scaler = new LabScaler({
      ...{ name: pool, type: 'x.small', milliCpu: 1_000, memoryBytes: 2 * GiB, idleMs: 2_000 },
    });
    // The authorizer hears of a role a moment later.
    await until('the rights', async () => (await port.missingRights()).length === 0);
  }, 90_000);
  afterAll(async () => {
    await kubectl([
      ...['patch', 'pod', job, '-n', tenant.namespace, '--type=merge'],
      ...['-p', '{"metadata":{"finalizers":null}}'],
    ]).catch(() => undefined);
    await scaler?.stop();
    await removePlaces();
    await port?.close();
  }, 90_000);

  const find = async (id: string) => (await cloud.list()).find((one) => one.id === id);

  it('brings a node, holds it until the job’s pod preempts it there, and leaves it to whoever scales it', async () => {
    // All that the node leaves to pods but for a little: the two cannot be there at once.
    const { id } = await cloud.launch(needing(600, 256 * MiB), launchToken(`real-${process.pid}`));
    await until('the place', async () => (await find(id))?.state === 'running', 60_000);
    const there = await find(id);
    const node = there?.privateDnsName ?? '';
    expect(there).toMatchObject({ type: 'x.small', zone: 'a' });
    expect(scaler.nodes).toEqual([node]);
    await port.labelNode(node, { [instanceLabel]: id, [groupLabel]: 'burst' });

    const one = manifest('sleep', job, 'b-ext', node, commands);
    const [main] = one.spec.containers as readonly Readonly<Record<string, unknown>>[];
    const resources = { requests: { cpu: '600m', memory: `${256 * MiB}` } };
    const pod = await port.createPod({
      ...one,
      metadata: { ...one.metadata, labels: { ...one.metadata.labels, 'spillway.dev/cluster': own } },
      spec: { ...one.spec, containers: [{ ...main, resources }] },
    });
    await until(
      'the job’s pod',
      async () => (await port.pod(pod.ref))?.containers.main?.state === 'running',
      30_000,
    );
    expect((await port.pod(pod.ref))?.node).toBe(node);
    const [place] = await port.places();
    expect(place?.disruption?.reason).toBe('PreemptionByScheduler');
    expect(place?.deletingSince).toBeDefined();
    expect(await find(id)).toMatchObject({ state: 'running', privateDnsName: node });

    // Not while a pod of ours is there.
    await cloud.terminate(id);
    expect((await find(id))?.state).toBe('running');
    await port.deletePod(pod.ref, pod.uid, 1);
    await port.releasePod(pod.ref, pod.uid);
    await until('its end', async () => {
      await cloud.terminate(id);
      return (await find(id))?.state === 'terminated';
    });
    await until('the node to be taken away', async () => scaler.nodes.length === 0, 30_000);
    expect((await find(id))?.state).toBe('terminated');
    expect((await port.nodes()).map(({ name }) => name)).not.toContain(node);
  }, 120_000);

  it('admission lets the gateway make nothing there but what holds a place', async () => {
    if (made === undefined) throw new Error('nothing was made');
    const asked = made;
    const metadata = { ...asked.metadata, name: `spill-place-real-${process.pid}`, finalizers: [] };
    const make = (more: Record<string, unknown>, meta = {}) =>
      port.createPod({ ...asked, metadata: { ...metadata, ...meta }, spec: { ...asked.spec, ...more } });
    const [container] = asked.spec.containers as readonly Record<string, unknown>[];
    const refused: readonly (readonly [RegExp, Record<string, unknown>])[] = [
      [/runs its image as it is/, { containers: [{ ...container, command: ['sh'] }] }],
      [/ends by itself/, { activeDeadlineSeconds: undefined }],
      [/no volume/, { volumes: [{ name: 'v', emptyDir: {} }] }],
      [/only those under spillway.dev/, { tolerations: [{ operator: 'Exists' }] }],
      [/priority class spillway-place/, { priorityClassName: undefined }],
    ];
    for (const [words, more] of refused)
      expect((await expectFault(make(more), 'refused')).message).toMatch(words);
    await expectFault(make({}, { name: 'other' }), 'refused');
    await expectFault(make({}, { namespace: 'default' }), 'refused');
    const whole = await make({});
    await port.deletePod(whole.ref, whole.uid, 0);
    expect((await port.places()).every(({ ref }) => ref.namespace === placesNamespace)).toBe(true);
  });
});
