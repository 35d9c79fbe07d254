/** Nodes that somebody else scales: the cloud's contract on the Kubernetes model, in process and over the wire, and what only they do. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joined } from 'node:path';
import { describe, expect, test } from 'vitest';
import { goneMs } from '../../adapters/cloud/external/state.ts';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { serveKubernetes } from '../../lab/servers/kubernetes.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type CloudId, cloudId, instant, launchToken } from '../../src/domain/ids.ts';
import { instanceLabel, offTaint, placesNamespace } from '../../src/domain/kube.ts';
import { GiB } from '../../src/domain/resources.ts';
import { Chance } from '../../src/sim/chance.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { expectFault } from './cloud.cases.ts';
import { cloudContract } from './cloud.contract.ts';
import { cloudFor, externalHarness, group, needing, setUp, writes } from './cloud.external.harness.ts';
import { straying } from './cloud.faults.ts';
import { others, own } from './cloud.harness.ts';
import {
  drained,
  groupLabel,
  manifest,
  model,
  quick,
  realChance,
  realTime,
  taint,
  tenant,
} from './kubernetes.harness.ts';
import { until } from './kubernetes.scene.ts';

const minute = 60_000;

function inProcess() {
  const time = new VirtualTime(instant(1_700_000_000_000), drained);
  const cluster = model({ clock: time, scheduler: time, entropy: new Chance(7) });
  setUp(cluster);
  const port = cluster.asPort();
  const pass = async (ms: number): Promise<void> => void (await time.run(instant(time.now() + ms)));
  return { time, cluster, port, pass };
}

cloudContract(
  'places of the model in process',
  async () => {
    const { time, cluster, port, pass } = inProcess();
    const eventually = async (condition: () => Promise<boolean>): Promise<void> => {
      for (let waited = 0; !(await condition()); waited += 500) {
        if (waited > 300_000) throw new Error('not within five minutes');
        await pass(500);
      }
    };
    return externalHarness(cluster, port, time, eventually, () => port.close());
  },
  'external',
);

cloudContract(
  'places of the model over the wire',
  async () => {
    const cluster = model({ clock: realTime, scheduler: realTime, entropy: realChance }, quick);
    setUp(cluster);
    const server = await serveKubernetes(cluster, { port: 0 });
    const dir = mkdtempSync(joined(tmpdir(), 'spillway-external-'));
    writeFileSync(joined(dir, 'config'), server.kubeconfig);
    const port = kubernetes({
      kubeconfig: joined(dir, 'config'),
      clock: realTime,
      random: Math.random,
      log: { info: () => undefined, warn: () => undefined },
    });
    const eventually = (condition: () => Promise<boolean>): Promise<void> =>
      until('the contract', condition, 5_000).then(() => undefined);
    return externalHarness(cluster, port, realTime, eventually, async () => {
      await port.close();
      await server.close();
      rmSync(dir, { recursive: true });
    });
  },
  'external',
);

describe('places on nodes that somebody else brings', () => {
  const start = () => {
    const world = inProcess();
    const { cluster, port, time, pass } = world;
    const cloud = cloudFor(own, port, time);
    const find = async (id: CloudId) => (await cloud.list()).find((one) => one.id === id);
    /** As whoever scales it would. */
    const brings = async (name: string, type = 'x.small', labels: Record<string, string> = {}) => {
      cluster.joinNode({
        ...{ name, cpuMillis: 1_900, memoryBytes: 7 * GiB, taints: [taint] },
        labels: {
          ...{ pool: 'burst', 'node.kubernetes.io/instance-type': type },
          ...{ 'topology.kubernetes.io/zone': 'zone-b', ...labels },
        },
      });
      await pass(10_000);
    };
    /** As the engine does once it is there. */
    const joins = (name: string, id: CloudId) =>
      port.labelNode(name, { [instanceLabel]: id, [groupLabel]: group.name });
    const node = async (name: string) => (await port.nodes()).find((n) => n.name === name);
    const places = async () => (await port.places()).map(({ ref, node: on }) => [ref.name, on] as const);
    /** A pod of ours on it that runs, as a burst's. */
    const runs = async (on: string, name = 'spill-one') => {
      const one = manifest('sleep', name, 'b1', on);
      const labels = { ...one.metadata.labels, 'spillway.dev/cluster': own };
      await port.createPod({ ...one, metadata: { ...one.metadata, labels } });
      await pass(30_000);
      const ref = { namespace: tenant.namespace, name };
      expect((await port.pod(ref))?.containers.main?.state).toBe('running');
      return ref;
    };
    return { ...world, cloud, find, brings, joins, node, places, runs };
  };

  test('where nobody brings one it stays pending, for as long as that is, and says why in kube-scheduler’s words', async () => {
    const { cloud, find, pass } = start();
    const { id } = await cloud.launch(needing(500), launchToken('a'));
    await pass(30 * minute);
    expect(await find(id)).toMatchObject({ state: 'pending', privateDnsName: '' });
    expect((await find(id))?.external?.waits).toContain('no nodes available');
    expect(await cloud.console(id)).toContain('no nodes available');
    await cloud.terminate(id);
    expect((await find(id))?.state).toBe('terminated');
  });

  test('what came is told by its node: name, type and zone', async () => {
    const { cloud, find, brings } = start();
    const { id } = await cloud.launch(needing(500), launchToken('a'));
    await brings('n1', 'x.large');
    expect(await find(id)).toMatchObject({
      ...{ state: 'running', privateDnsName: 'n1', type: 'x.large', zone: 'zone-b', external: {} },
    });
  });

  test.each([
    ['of another pool', 'x.small', { pool: 'theirs' }],
    ['of a type that was not planned', 'x.huge', {}],
    ['that is an instance already', 'x.small', { [instanceLabel]: 'external-other' }],
  ])('a node %s is not for it', async (_, type, labels) => {
    const { cloud, find, brings } = start();
    const { id } = await cloud.launch(needing(500), launchToken('a'));
    await brings('n1', type, labels);
    expect((await find(id))?.state).toBe('pending');
  });

  test('two places are never on one node, whoever asked for them', async () => {
    const { cloud, port, time, brings, places } = start();
    await cloud.launch(needing(100), launchToken('a'));
    await cloudFor(others, port, time).launch(needing(100), launchToken('b'));
    await brings('n1');
    expect((await places()).map(([, on]) => on).sort()).toEqual(['n1', undefined]);
    await brings('n2');
    expect((await places()).map(([, on]) => on).sort()).toEqual(['n1', 'n2']);
  });

  test('the job’s pod takes the place by preemption, and the instance goes on', async () => {
    const { cloud, find, brings, joins, port, pass, runs, cluster } = start();
    const { id } = await cloud.launch(needing(1_900), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    await runs('n1');
    const [held] = await port.places();
    expect(held?.deletingSince).toBeDefined();
    expect(held?.disruption?.reason).toBe('PreemptionByScheduler');
    await pass(60 * minute);
    expect(await find(id)).toMatchObject({ state: 'running', privateDnsName: 'n1' });
    expect(cluster.truth().running.map(({ container }) => container)).not.toContain('place');
  });

  test('a node on which a pod of ours runs is not given up, whoever asks', async () => {
    const { cloud, find, brings, joins, runs, node, port, pass } = start();
    const { id } = await cloud.launch(needing(1_900), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    const ref = await runs('n1');
    await cloud.terminate(id);
    expect((await find(id))?.state).toBe('running');
    expect((await node('n1'))?.labels[instanceLabel]).toBe(id);
    const pod = await port.pod(ref);
    await port.deletePod(ref, pod?.uid ?? '', 1);
    await pass(minute);
    await cloud.terminate(id);
    expect((await find(id))?.state).toBe('terminated');
    expect((await node('n1'))?.labels).not.toHaveProperty(instanceLabel);
    expect((await node('n1'))?.labels).not.toHaveProperty(groupLabel);
  });

  test('a node that was given up may have the next place', async () => {
    const { cloud, find, brings, joins, pass } = start();
    const { id } = await cloud.launch(needing(1_900), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    const next = await cloud.launch(needing(1_900), launchToken('b'));
    await cloud.terminate(id);
    await pass(10_000);
    expect(await find(next.id)).toMatchObject({ state: 'running', privateDnsName: 'n1' });
    expect((await find(id))?.state).toBe('terminated');
  });

  test('a node that is silent is not given up: its containers may run', async () => {
    const { cloud, find, brings, joins, runs, cluster, pass, port } = start();
    const { id } = await cloud.launch(needing(1_900), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    const ref = await runs('n1');
    cluster.silenceNode('n1');
    await pass(10 * minute);
    await port.deletePod(ref, (await port.pod(ref))?.uid ?? '', 1);
    await cloud.terminate(id);
    await pass(10 * minute);
    expect((await find(id))?.state).toBe('running');
    expect(cluster.truth().running.length).toBeGreaterThan(0);
  });

  test('a person’s taint says that a silent machine is off, and of one that is Ready it says nothing', async () => {
    const { cloud, find, brings, joins, cluster, pass } = start();
    const { id } = await cloud.launch(needing(500), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    const off = { key: offTaint, value: 'nodeshutdown', effect: 'NoSchedule' };
    cluster.server.patch('admin', { kind: 'nodes', namespace: undefined, name: 'n1' }, 'merge', {
      spec: { taints: [taint, off] },
    });
    expect((await find(id))?.state).toBe('running');
    cluster.powerOff('n1');
    await pass(10 * minute);
    expect((await find(id))?.state).toBe('terminated');
  });

  test('a Node object that went is the word that its machine ended, once a living kubelet would have ended our pods', async () => {
    const { cloud, find, brings, joins, runs, cluster, pass } = start();
    const { id } = await cloud.launch(needing(1_900), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    await runs('n1');
    cluster.server.remove('admin', { kind: 'nodes', namespace: undefined, name: 'n1' });
    const before: (string | undefined)[] = [];
    let running = cluster.truth().running.length;
    for (let ms = 0; ms < goneMs && running > 0; ms += 5_000) {
      before.push((await find(id))?.state);
      await pass(5_000);
      running = cluster.truth().running.length;
    }
    expect(running).toBe(0);
    expect(new Set(before)).toEqual(new Set(['running']));
    await find(id);
    await pass(goneMs);
    expect((await find(id))?.state).toBe('terminated');
  });

  test('a machine of the same name that comes later is not taken for it', async () => {
    const { cloud, find, brings, joins, runs, cluster, pass, port } = start();
    const { id } = await cloud.launch(needing(1_900), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    await runs('n1');
    cluster.powerOff('n1');
    cluster.server.remove('admin', { kind: 'nodes', namespace: undefined, name: 'n1' });
    await pass(minute);
    await brings('n1');
    expect((await port.nodes())[0]?.labels).not.toHaveProperty(instanceLabel);
    expect((await find(id))?.privateDnsName).toBe('');
    await pass(goneMs);
    expect((await find(id))?.state).toBe('terminated');
  });

  test('a kubelet that registers its Node object anew keeps its pods, and the instance lives for as long as they do', async () => {
    const { cloud, find, brings, joins, runs, cluster, pass, port } = start();
    const { id } = await cloud.launch(needing(1_900), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    const ref = await runs('n1');
    // Deleted, and back before the pod collector looks: only its kubelet was started again.
    cluster.silenceNode('n1');
    cluster.server.remove('admin', { kind: 'nodes', namespace: undefined, name: 'n1' });
    cluster.reviveNode('n1');
    await pass(30_000);
    expect((await port.nodes())[0]?.labels).not.toHaveProperty(instanceLabel);
    for (let ms = 0; ms < 3 * goneMs; ms += 10_000) {
      expect((await find(id))?.state).toBe('running');
      await pass(10_000);
    }
    await cloud.terminate(id);
    expect((await find(id))?.state).toBe('running');
    expect(cluster.truth().running.map(({ container }) => container)).toContain('main');
    await port.deletePod(ref, (await port.pod(ref))?.uid ?? '', 1);
    await pass(minute);
    await find(id);
    await pass(goneMs);
    expect((await find(id))?.state).toBe('terminated');
  });

  test('a place ends by its deadline without anybody, and its node is free', async () => {
    const { cloud, find, brings, cluster, pass } = start();
    const { id } = await cloud.launch(needing(500), launchToken('a'));
    await brings('n1');
    await pass(group.holdMs);
    expect((await find(id))?.state).toBe('terminated');
    expect(cluster.truth().running).toEqual([]);
  });

  test('what is over stays in sight for an hour, and then no pod of it is left', async () => {
    const { cloud, find, pass, places } = start();
    const { id } = await cloud.launch(needing(500), launchToken('a'));
    await cloud.terminate(id);
    await pass(59 * minute);
    expect((await find(id))?.state).toBe('terminated');
    await pass(2 * minute);
    await cloud.list();
    expect(await places()).toEqual([]);
    await expectFault(cloud.terminate(id), 'not_found');
  });

  test('what ends hours after its place was taken is in sight for an hour as well: whoever missed it hears of it', async () => {
    const { cloud, find, brings, joins, runs, cluster, pass } = start();
    const { id } = await cloud.launch(needing(1_900), launchToken('a'));
    await brings('n1');
    await joins('n1', id);
    await runs('n1');
    await pass(3 * 60 * minute);
    cluster.powerOff('n1');
    cluster.server.remove('admin', { kind: 'nodes', namespace: undefined, name: 'n1' });
    await find(id);
    await pass(goneMs);
    expect((await find(id))?.state).toBe('terminated');
    await pass(59 * minute);
    expect((await find(id))?.state).toBe('terminated');
    await pass(2 * minute);
    expect((await find(id))?.state).toBe('terminated');
    expect(await find(id)).toBeUndefined();
  });

  test('what cannot be tidied away keeps nobody from the list', async () => {
    const { port, time, pass } = start();
    const stuck = { ...port, releasePod: () => Promise.reject(new PortError('refused', 'x', 'no right')) };
    await cloudFor(own, port, time).launch(needing(500), launchToken('a'));
    const cloud = cloudFor(own, stuck, time);
    const [made] = await cloud.list();
    await expectFault(cloud.terminate(made?.id ?? cloudId('')), 'refused');
    await cloud.list();
    await pass(61 * minute);
    expect((await cloud.list()).map(({ state }) => state)).toEqual(['terminated']);
  });

  test('a pod there that no gateway of this cluster made is left alone', async () => {
    const { cloud, cluster, port, time, places } = start();
    const made = await cloudFor(others, port, time).launch(needing(500), launchToken('a'));
    cluster.server.create('admin', 'pods', 'default', {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'theirs' } },
      spec: { containers: [{ name: 'c', image: 'lab/base:1' }] },
    });
    expect(await cloud.list()).toEqual([]);
    await expectFault(cloud.terminate(made.id), 'not_found');
    await expectFault(cloud.terminate(cloudId('external-x')), 'not_found');
    expect(await places()).toHaveLength(1);
  });

  test('admission lets the gateway make nothing there but what holds a place', async () => {
    const { port } = start();
    const other = manifest('sleep', 'spill-place-x', 'b1', 'n1');
    const metadata = { ...other.metadata, namespace: placesNamespace };
    const refused = await expectFault(port.createPod({ ...other, metadata }), 'refused');
    expect(refused.message).toContain('spillway-place');
    const { spec } = await madeBy(port);
    const with_ = (more: Record<string, unknown>) =>
      port.createPod({ ...other, metadata, spec: { ...spec, ...more } });
    const [container] = spec.containers as readonly Record<string, unknown>[];
    await expectFault(with_({ containers: [{ ...container, command: ['sh'] }] }), 'refused');
    await expectFault(with_({ activeDeadlineSeconds: undefined }), 'refused');
    await expectFault(with_({ volumes: [{ name: 'v', emptyDir: {} }] }), 'refused');
    await expectFault(with_({ tolerations: [{ operator: 'Exists' }] }), 'refused');
    await with_({});
  });

  /** What is posted for a place. */
  async function madeBy(port: ReturnType<typeof start>['port']) {
    let posted: Parameters<typeof port.createPod>[0] | undefined;
    const seen = {
      ...port,
      createPod: async (asked: Parameters<typeof port.createPod>[0]) => {
        posted = asked;
        return port.createPod(asked);
      },
    };
    await cloudFor(own, seen, { now: () => instant(0) }).launch(needing(500), launchToken('seen'));
    if (posted === undefined) throw new Error('nothing was made');
    return posted;
  }

  test('a place whose answer was lost is found again by its token', async () => {
    const { port, time } = start();
    const { port: stray, lose } = straying(port, writes);
    const cloud = cloudFor(own, stray, time);
    lose('answer');
    await expectFault(cloud.launch(needing(500), launchToken('a')), 'unknown');
    lose(undefined);
    const made = await cloud.launch(needing(500), launchToken('a'));
    expect((await cloud.list()).map(({ id }) => id)).toEqual([made.id]);
  });
});
