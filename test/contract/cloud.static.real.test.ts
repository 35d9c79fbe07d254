/** A fixed node on the lab's API server: one write that others may be in the way of, admission's word on the rest, and what a kubelet tells. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { staticCloud } from '../../adapters/cloud/static/index.ts';
import { fixedLabel } from '../../adapters/cloud/static/marks.ts';
import { kubernetes } from '../../adapters/kubernetes/index.ts';
import { kubectl } from '../../lab/real/control-plane.ts';
import { bootNode, terminateNode } from '../../lab/real/node.ts';
import { gatewayKubeconfig } from '../../lab/real/tenants.ts';
import { launchToken } from '../../src/domain/ids.ts';
import { instanceLabel } from '../../src/domain/kube.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { CloudPort, KubernetesPort } from '../../src/ports.ts';
import { expectFault } from './cloud.cases.ts';
import { own } from './cloud.harness.ts';
import { fixedSpec, group, needing } from './cloud.static.harness.ts';
import { realTime } from './kubernetes.harness.ts';
import { until } from './kubernetes.scene.ts';

const rights = fileURLToPath(new URL('../../deploy/kubernetes/static/rights.yaml', import.meta.url));
const name = `fixed-${process.pid}`;
const selector = { pool: name };

describe('a fixed node of the lab', () => {
  let port: KubernetesPort;
  let cloud: CloudPort;
  beforeAll(async () => {
    port = kubernetes({
      kubeconfig: gatewayKubeconfig,
      clock: realTime,
      random: Math.random,
      log: { info: () => undefined, warn: () => undefined },
    });
    cloud = staticCloud(
      { cluster: own, groups: [{ ...group, selector }] },
      { kubernetes: port, clock: realTime },
    );
    await bootNode({ name, providerID: `lab:///a/${name}`, taints: [], labels: {} });
    await kubectl(['wait', 'node', name, '--for=create', '--timeout=60s']);
    await kubectl(['wait', 'node', name, '--for=condition=Ready', '--timeout=60s']);
    await kubectl(['label', 'node', name, `pool=${name}`]);
  }, 120_000);
  afterAll(async () => {
    await kubectl(['delete', '-f', rights, '--ignore-not-found']);
    await kubectl([
      'delete',
      'pod',
      name,
      '-n',
      'default',
      '--ignore-not-found',
      '--force',
      '--grace-period=0',
    ]);
    await terminateNode(name);
    await kubectl(['delete', 'node', name, '--ignore-not-found']);
    await port?.close();
  }, 60_000);

  const node = async () => {
    const found = (await port.nodes()).find((n) => n.name === name);
    if (found === undefined) throw new Error('no node');
    return found;
  };

  it('is not the gateway’s before an administrator says so, twice', async () => {
    expect((await expectFault(cloud.check(fixedSpec), 'refused')).message).toContain(fixedLabel);
    const marks = { labels: { [instanceLabel]: 'static-x' }, annotations: {} };
    await expectFault(port.markNode(await node(), marks), 'refused');
    await kubectl(['label', 'node', name, `${fixedLabel}=true`]);
    expect((await expectFault(cloud.check(fixedSpec), 'refused')).message).toContain('pods');
    await kubectl(['apply', '-f', rights]);
    // The authorizer hears of a role a moment later.
    await until('the right', () =>
      cloud.check(fixedSpec).then(
        () => true,
        () => false,
      ),
    );
  });

  it('is taken by one write, which a change in between refuses, and given back as it was', async () => {
    const before = await node();
    const made = await cloud.launch(fixedSpec, launchToken('real-a'));
    expect(made).toMatchObject({ privateDnsName: name, state: 'running' });
    expect((await cloud.launch(fixedSpec, launchToken('real-a'))).id).toBe(made.id);
    const stale = { labels: { [instanceLabel]: 'static-other' }, annotations: {} };
    await expectFault(port.markNode(before, stale), 'conflict');
    expect((await node()).labels[instanceLabel]).toBe(made.id);
    expect(
      (await expectFault(cloud.launch(fixedSpec, launchToken('real-b')), 'no_capacity')).message,
    ).toContain('1 taken');
    await cloud.terminate(made.id);
    expect((await cloud.list()).find(({ id }) => id === made.id)?.state).toBe('terminated');
    expect((await node()).labels).toEqual(before.labels);
  });

  it('can be neither deleted, cordoned nor changed otherwise', async () => {
    const seen = await node();
    await expectFault(port.deleteNode(name), 'refused');
    await expectFault(port.cordonNode(name), 'refused');
    await expectFault(port.markNode(seen, { labels: { pool: 'mine' }, annotations: {} }), 'refused');
    const theirs = { labels: {}, annotations: { 'example.org/theirs': 'x' } };
    await expectFault(port.markNode(seen, theirs), 'refused');
    expect((await node()).labels).toEqual(seen.labels);
  });

  it('has no room for what others request there', async () => {
    const { cpuMillis } = (await node()).allocatable;
    const requests = { cpu: `${cpuMillis - 500}m`, memory: '16Mi' };
    const container = { name: 'c', image: 'lab/base:1', imagePullPolicy: 'Never', command: ['sleep', '600'] };
    const spec = { nodeName: name, containers: [{ ...container, resources: { requests } }] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec };
    await kubectl(['apply', '-f', '-'], { input: JSON.stringify(pod) });
    await until('the pod on the node', async () =>
      (await port.podsOn(name)).some((p) => p.ref.name === name),
    );
    const error = await expectFault(cloud.launch(needing(1_000, 0), launchToken('real-c')), 'no_capacity');
    expect(error.message).toContain("1 full with others' pods");
    const made = await cloud.launch(needing(100, 0), launchToken('real-d'));
    expect(made.fixed?.room?.cpuMillis).toBeLessThanOrEqual(500);
    expect(made.fixed?.room?.memoryBytes).toBeLessThan(1024 * GiB);
    await cloud.terminate(made.id);
  });
});
