/** Fixed nodes: the cloud's contract on the Kubernetes model, in process and over the wire through the real adapter, and what only they do. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { staticCloud } from '../../adapters/cloud/static/index.ts';
import { fixedLabel } from '../../adapters/cloud/static/marks.ts';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { serveKubernetes } from '../../lab/servers/kubernetes.ts';
import { cloudId, instant, launchToken } from '../../src/domain/ids.ts';
import { instanceLabel, offTaint } from '../../src/domain/kube.ts';
import { GiB } from '../../src/domain/resources.ts';
import { Chance } from '../../src/sim/chance.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { expectFault } from './cloud.cases.ts';
import { cloudContract } from './cloud.contract.ts';
import { straying } from './cloud.faults.ts';
import { others, own } from './cloud.harness.ts';
import { asAdmin, fixedHarness, fixedSpec, group, joinFixed, needing } from './cloud.static.harness.ts';
import { drained, manifest, model, quick, realChance, realTime, tenant } from './kubernetes.harness.ts';
import { until } from './kubernetes.scene.ts';

const enough = 14;

async function inProcess(count = enough) {
  const time = new VirtualTime(instant(1_700_000_000_000), drained);
  const cluster = model({ clock: time, scheduler: time, entropy: new Chance(7) });
  const port = cluster.asPort();
  const pass = async (ms: number): Promise<void> => void (await time.run(instant(time.now() + ms)));
  const names = joinFixed(cluster, count);
  await pass(60_000);
  return { time, cluster, port, pass, names };
}

cloudContract(
  'fixed nodes of the model in process',
  async () => {
    const { time, cluster, port, pass } = await inProcess();
    const eventually = async (condition: () => Promise<boolean>): Promise<void> => {
      for (let waited = 0; !(await condition()); waited += 500) {
        if (waited > 300_000) throw new Error('not within five minutes');
        await pass(500);
      }
    };
    return fixedHarness(cluster, port, time, eventually, () => port.close());
  },
  'fixed',
);

cloudContract(
  'fixed nodes of the model over the wire',
  async () => {
    const cluster = model({ clock: realTime, scheduler: realTime, entropy: realChance }, quick);
    const server = await serveKubernetes(cluster, { port: 0 });
    const dir = mkdtempSync(join(tmpdir(), 'spillway-static-'));
    writeFileSync(join(dir, 'config'), server.kubeconfig);
    const port = kubernetes({
      kubeconfig: join(dir, 'config'),
      clock: realTime,
      random: Math.random,
      log: { info: () => undefined, warn: () => undefined },
    });
    joinFixed(cluster, enough);
    await until('all nodes to be Ready', async () => {
      const nodes = await port.nodes();
      return (
        nodes.length === enough && nodes.every(({ ready, taints }) => ready === 'true' && !taints?.length)
      );
    });
    const eventually = (condition: () => Promise<boolean>): Promise<void> =>
      until('the contract', condition, 5_000).then(() => undefined);
    return fixedHarness(cluster, port, realTime, eventually, async () => {
      await port.close();
      await server.close();
      rmSync(dir, { recursive: true });
    });
  },
  'fixed',
);

describe('fixed nodes', () => {
  const start = async (count = 3) => {
    const world = await inProcess(count);
    const cloud = staticCloud(
      { cluster: own, groups: [group] },
      { kubernetes: world.port, clock: world.time },
    );
    const node = async (name: string) => {
      const found = (await world.port.nodes()).find((n) => n.name === name);
      if (found === undefined) throw new Error(`no node ${name}`);
      return found;
    };
    const stateOf = async (id: string) => (await cloud.list()).find((i) => i.id === id)?.state;
    /** A pod of ours on it that runs, as a burst's. */
    const runs = async (on: string, name = 'spill-one') => {
      const one = manifest('sleep', name, 'b1', on);
      const labels = { ...one.metadata.labels, 'spillway.dev/cluster': own };
      await world.port.createPod({ ...one, metadata: { ...one.metadata, labels } });
      await world.pass(30_000);
      const ref = { namespace: tenant.namespace, name };
      expect((await world.port.pod(ref))?.containers.main?.state).toBe('running');
      return ref;
    };
    return { ...world, cloud, node, stateOf, runs };
  };

  test('a node that is taken has our two labels and nothing else that is new, and none once it is given back', async () => {
    const { cloud, node, names } = await start();
    const before = await node(names[0] ?? '');
    const made = await cloud.launch(fixedSpec, launchToken('a'));
    expect(made).toMatchObject({ privateDnsName: before.name, state: 'running', type: 'fixed' });
    const taken = await node(before.name);
    expect(taken.labels).toEqual({
      ...before.labels,
      [instanceLabel]: made.id,
      'node-restriction.kubernetes.io/spillway-group': 'fixed',
    });
    expect(taken).toMatchObject({ unschedulable: false, taints: before.taints });
    await cloud.terminate(made.id);
    expect((await node(before.name)).labels).toEqual(before.labels);
    expect((await cloud.list()).map(({ id, state }) => [id, state])).toEqual([[made.id, 'terminated']]);
  });

  test('two gateways never have one node', async () => {
    const { cloud, port, time } = await start(2);
    const other = staticCloud({ cluster: others, groups: [group] }, { kubernetes: port, clock: time });
    const made = await Promise.all([
      cloud.launch(fixedSpec, launchToken('a')),
      other.launch(fixedSpec, launchToken('b')),
    ]);
    expect(new Set(made.map(({ privateDnsName }) => privateDnsName)).size).toBe(2);
    await expectFault(other.launch(fixedSpec, launchToken('c')), 'no_capacity');
    await expectFault(other.terminate(made[0].id), 'not_found');
  });

  test('a node that somebody changed since it was looked at is looked at again', async () => {
    const { cluster, port, time, names } = await start(2);
    let once = true;
    const meddled = {
      ...port,
      markNode: async (...asked: Parameters<typeof port.markNode>) => {
        if (once) asAdmin(cluster, names[0] ?? '', { spec: { unschedulable: true } });
        once = false;
        return port.markNode(...asked);
      },
    };
    const cloud = staticCloud({ cluster: own, groups: [group] }, { kubernetes: meddled, clock: time });
    expect((await cloud.launch(fixedSpec, launchToken('a'))).privateDnsName).toBe(names[1]);
  });

  test('what others request is not ours to have: the first node with room is taken, and says how much that is', async () => {
    const { cluster, cloud, pass } = await start();
    const requests = { cpu: '3500m', memory: '1Gi' };
    cluster.server.create('admin', 'pods', 'default', {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'theirs' } },
      spec: {
        containers: [{ name: 'c', image: 'lab/base:1', command: ['sleep', '3600'], resources: { requests } }],
      },
    });
    await pass(30_000);
    // n00 is too small for it, so it is on n01; n02 is free.
    const made = await cloud.launch(needing(3_000, GiB), launchToken('a'));
    expect(made.privateDnsName).toBe('n02');
    expect(made.fixed?.room).toMatchObject({ cpuMillis: 4_000, memoryBytes: 16 * GiB });
    const error = await expectFault(cloud.launch(needing(3_000, GiB), launchToken('b')), 'no_capacity');
    expect(error.message).toMatch(/2 full with others' pods/);
    expect(error.message).toMatch(/1 taken/);
    const beside = await cloud.launch(needing(500, 12 * GiB), launchToken('c'));
    expect(beside.privateDnsName).toBe('n01');
    expect(beside.fixed?.room).toMatchObject({ cpuMillis: 500, memoryBytes: 15 * GiB });
  });

  test.each([
    ['cordoned', { spec: { unschedulable: true } }],
    ['tainted', { spec: { taints: [{ key: 'maintenance', effect: 'NoSchedule' }] } }],
  ])('a node that is %s is not taken', async (word, patch) => {
    const { cluster, cloud, names } = await start(1);
    asAdmin(cluster, names[0] ?? '', patch);
    const error = await expectFault(cloud.launch(fixedSpec, launchToken('a')), 'no_capacity');
    expect(error.message).toContain(`1 ${word}`);
  });

  test('a node without an administrator’s mark is not taken, and doctor says how to set it', async () => {
    const { cluster, cloud, names } = await start(1);
    asAdmin(cluster, names[0] ?? '', { metadata: { labels: { [fixedLabel]: null } } });
    await expectFault(cloud.launch(fixedSpec, launchToken('a')), 'no_capacity');
    const error = await expectFault(cloud.check(fixedSpec), 'refused');
    expect(error.message).toContain(`kubectl label nodes n00 ${fixedLabel}=true`);
    asAdmin(cluster, names[0] ?? '', { metadata: { labels: { [fixedLabel]: 'true' } } });
    await cloud.check(fixedSpec);
    asAdmin(cluster, names[0] ?? '', { metadata: { labels: { pool: null } } });
    expect((await expectFault(cloud.check(fixedSpec), 'refused')).message).toContain('pool=hpc');
  });

  test('more than there are may not be planned: doctor says how many', async () => {
    const { port, time } = await start(2);
    const cloud = staticCloud(
      { cluster: own, groups: [{ ...group, max: 3 }] },
      { kubernetes: port, clock: time },
    );
    expect((await expectFault(cloud.check(fixedSpec), 'refused')).message).toContain('write max: 2');
  });

  test('without the right to see all pods nothing is taken', async () => {
    const { cluster, cloud } = await start();
    cluster.server.rights.take('list pods', true);
    await expectFault(cloud.check(fixedSpec), 'refused');
    await expectFault(cloud.launch(fixedSpec, launchToken('a')), 'refused');
  });

  test('admission lets the gateway change nothing else of a fixed node, nor delete it', async () => {
    const { port, node, names } = await start(1);
    const one = await node(names[0] ?? '');
    const marks = (labels: Record<string, string>, annotations: Record<string, string>) =>
      port.markNode(one, { labels, annotations });
    await expectFault(port.deleteNode(one.name), 'refused');
    await expectFault(port.cordonNode(one.name), 'refused');
    await expectFault(marks({ pool: 'mine' }, {}), 'refused');
    await expectFault(marks({}, { 'example.org/theirs': 'x' }), 'refused');
  });

  test('a node on which a pod of ours runs is not given back, whoever asks', async () => {
    const { cloud, stateOf, runs, port, pass } = await start(1);
    const { id, privateDnsName } = await cloud.launch(fixedSpec, launchToken('a'));
    const ref = await runs(privateDnsName);
    await cloud.terminate(id);
    expect(await stateOf(id)).toBe('running');
    const pod = await port.pod(ref);
    await port.deletePod(ref, pod?.uid ?? '', 1);
    await pass(60_000);
    await cloud.terminate(id);
    expect(await stateOf(id)).toBe('terminated');
  });

  test('a node that is silent is not given back, though its pod was asked to end: its containers may run', async () => {
    const { cluster, cloud, stateOf, runs, pass, port } = await start(1);
    const { id, privateDnsName: name } = await cloud.launch(fixedSpec, launchToken('a'));
    const ref = await runs(name);
    cluster.silenceNode(name);
    await pass(600_000);
    await port.deletePod(ref, (await port.pod(ref))?.uid ?? '', 1);
    await pass(60_000);
    await cloud.terminate(id);
    expect(await stateOf(id)).toBe('running');
    expect(cluster.truth().running.length).toBeGreaterThan(0);
    // Its kubelet is back, and ends what was asked to end meanwhile: only then it is free.
    cluster.reviveNode(name);
    await pass(120_000);
    await cloud.terminate(id);
    expect(await stateOf(id)).toBe('terminated');
    expect(cluster.truth().running.filter(({ burst }) => burst !== undefined)).toEqual([]);
  });

  test('a person’s taint says that a silent machine is off, and of one that is Ready it says nothing', async () => {
    const { cluster, cloud, stateOf, pass } = await start(1);
    const { id, privateDnsName: name } = await cloud.launch(fixedSpec, launchToken('a'));
    const off = { spec: { taints: [{ key: offTaint, value: 'nodeshutdown', effect: 'NoExecute' }] } };
    asAdmin(cluster, name, off);
    expect(await stateOf(id)).toBe('running');
    cluster.powerOff(name);
    await pass(600_000);
    expect(await stateOf(id)).toBe('terminated');
    // Until it was given back nobody else has it.
    await expectFault(cloud.launch(fixedSpec, launchToken('b')), 'no_capacity');
  });

  test('a Node object that was deleted is no word that its machine is off', async () => {
    const { cluster, cloud, names } = await start(1);
    const { id } = await cloud.launch(fixedSpec, launchToken('a'));
    cluster.server.remove('admin', { kind: 'nodes', namespace: undefined, name: names[0] ?? '' });
    expect(await cloud.list()).toEqual([]);
    await expectFault(cloud.terminate(id), 'not_found');
  });

  test('a record that is not ours to read makes no instance, and its node is left alone', async () => {
    const { cluster, cloud, names } = await start(1);
    asAdmin(cluster, names[0] ?? '', {
      metadata: { labels: { [instanceLabel]: 'static-x' }, annotations: { 'spillway.dev/taken': '{"id"' } },
    });
    expect(await cloud.list()).toEqual([]);
    await expectFault(cloud.launch(fixedSpec, launchToken('a')), 'no_capacity');
    await expectFault(cloud.terminate(cloudId('static-x')), 'not_found');
  });

  test('what it takes twice under one token for a lost answer is one node', async () => {
    const { port, time } = await start();
    const { port: stray, lose } = straying(port, ['markNode']);
    const cloud = staticCloud({ cluster: own, groups: [group] }, { kubernetes: stray, clock: time });
    lose('answer');
    await expectFault(cloud.launch(fixedSpec, launchToken('a')), 'unknown');
    lose(undefined);
    const made = await cloud.launch(fixedSpec, launchToken('a'));
    expect((await cloud.list()).map(({ id }) => id)).toEqual([made.id]);
  });
});
