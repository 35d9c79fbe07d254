/** An instance of the lab's EC2 is a node: it joins, outlives the API, and is over when its processes are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import { kubectl } from '../../lab/real/control-plane.ts';
import * as ec2 from '../../lab/real/ec2.ts';
import { killKubelet, listNodes, nodeProcesses, terminateNode } from '../../lab/real/node.ts';
import { daemonPid } from '../../lab/real/proc.ts';
import { clusterName, instant, launchToken } from '../../src/domain/ids.ts';
import type { CloudInstance, LaunchSpec } from '../../src/domain/instance.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { CloudPort } from '../../src/ports.ts';

const ctx = { say: () => undefined };
let port: CloudPort;
let spec: LaunchSpec;
let serial = 0;

beforeAll(async () => {
  const lab = await ec2.env(ctx);
  const { SPILLWAY_LAB_EC2_ENDPOINT: endpoint, SPILLWAY_LAB_EC2_REGION: region = '' } = lab;
  if (endpoint === undefined) throw new Error('no EC2: npm run lab -- up ec2');
  port = ec2Cloud(
    {
      cluster: clusterName('ec2-test'),
      region,
      endpoint,
      credentials: { accessKeyId: 'lab', secretAccessKey: 'lab' },
    },
    { clock: { now: () => instant(Date.now()) } },
  );
  spec = {
    group: 'cpu',
    launchTemplate: lab.SPILLWAY_LAB_EC2_TEMPLATE ?? '',
    types: ['lab.small'],
    zones: [`${region}b`],
    capacityType: 'on-demand',
    tags: {},
  };
});

afterEach(async () => {
  await ec2.faults['api-down']?.(false, ctx);
  await ec2.faults['never-joins']?.(false, ctx);
  await eventually(async () => {
    const left = (await port.list()).filter(({ state }) => state !== 'terminated');
    for (const { id, state } of left) if (state !== 'shutting-down') await port.terminate(id);
    return left.length === 0;
  });
});

afterAll(async () => {
  const ids = new Set((await port.list()).map(({ id }) => `${id}`));
  await ec2.forgetNodes((id) => ids.has(id));
  await port?.close();
});

test('it joins as a node of its name, type, zone, group and taint', async () => {
  const { id, privateDnsName: name } = await running();
  await ready(name);
  const node = JSON.parse(await kubectl(['get', 'node', name, '-o', 'json']));
  expect(node.spec.providerID).toBe(`aws:///${spec.zones[0]}/${id}`);
  expect(node.spec.taints).toEqual([{ key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' }]);
  expect(node.metadata.labels).toMatchObject({
    'spillway.dev/group': 'cpu',
    'node.kubernetes.io/instance-type': 'lab.small',
    'topology.kubernetes.io/zone': spec.zones[0],
  });
  const kib = Number.parseInt(node.status.capacity.memory, 10);
  expect(kib * 1024).toBeGreaterThan(3.9 * GiB);
});

test('terminated, nothing of it is left', async () => {
  const { id, privateDnsName: name } = await running();
  expect(nodeProcesses(name).length).toBeGreaterThan(2);
  await port.terminate(id);
  await state(id, 'terminated');
  expect(nodeProcesses(name)).toEqual([]);
  expect(listNodes().map((node) => node.name)).not.toContain(name);
});

test('terminated while it boots, nothing of it is left either', async () => {
  const { id } = await port.launch(spec, token());
  await eventually(async () => (await port.list()).some((one) => one.id === id));
  await port.terminate(id);
  await state(id, 'terminated');
  expect(listNodes().filter(({ providerID = '' }) => providerID.endsWith(id))).toEqual([]);
});

test('it lives on while the API is down, and is known again afterwards', async () => {
  const t = token();
  const { id, privateDnsName: name } = await running(t);
  await ready(name);
  const before = nodeProcesses(name).length;
  await ec2.faults['api-down']?.(true, ctx);
  await expect(port.list()).rejects.toMatchObject({ fault: 'unreachable' });
  expect(nodeProcesses(name).length).toBeGreaterThanOrEqual(before);
  await ec2.faults['api-down']?.(false, ctx);
  expect((await port.list()).find((one) => one.id === id)?.state).toBe('running');
  expect((await port.launch(spec, t)).id).toBe(id);
});

test('it boots though the API was killed right after the launch', async () => {
  const { id } = await port.launch(spec, token());
  const pid = daemonPid('ec2');
  if (pid === undefined) throw new Error('the API does not run');
  process.kill(pid, 'SIGKILL');
  await eventually(async () => daemonPid('ec2') === undefined);
  await ec2.faults['api-down']?.(false, ctx);
  const { privateDnsName } = await state(id, 'running');
  await ready(privateDnsName);
  expect(listNodes().filter(({ providerID = '' }) => providerID.endsWith(id))).toHaveLength(1);
});

test('its processes dead, the cloud says terminated by itself', async () => {
  const { id, privateDnsName } = await running();
  await terminateNode(privateDnsName);
  await state(id, 'terminated');
});

test('it dies while the API is down: terminated as soon as that is back', async () => {
  const { id, privateDnsName } = await running();
  await ec2.faults['api-down']?.(true, ctx);
  await terminateNode(privateDnsName);
  await ec2.faults['api-down']?.(false, ctx);
  await state(id, 'terminated');
});

test('its kubelet dead, it still runs for the cloud', async () => {
  const { id, privateDnsName } = await running();
  await killKubelet(privateDnsName);
  // Three looks of the daemon.
  await sleep(1_500);
  expect((await port.list()).find((one) => one.id === id)?.state).toBe('running');
});

test('one that never joins runs, has no node, and can be terminated', async () => {
  await ec2.faults['never-joins']?.(true, ctx);
  const { id } = await running();
  expect(listNodes().filter(({ providerID = '' }) => providerID.endsWith(id))).toEqual([]);
  await port.terminate(id);
  await state(id, 'terminated');
});

function token() {
  return launchToken(`ec2-test-${process.pid}-${Date.now()}-${++serial}`);
}

async function running(t = token()): Promise<CloudInstance> {
  const { id } = await port.launch(spec, t);
  return state(id, 'running');
}

async function state(id: CloudInstance['id'], wanted: CloudInstance['state']): Promise<CloudInstance> {
  const found: CloudInstance[] = [];
  await eventually(async () => {
    const one = (await port.list()).find((seen) => seen.id === id);
    if (one?.state === wanted) found.push(one);
    return found.length > 0;
  });
  const [one] = found;
  if (one === undefined) throw new Error(`${id} is not ${wanted}`);
  return one;
}

async function ready(name: string): Promise<void> {
  await kubectl(['wait', 'node', name, '--for=create', '--timeout=30s']);
  await kubectl(['wait', 'node', name, '--for=condition=Ready', '--timeout=30s']);
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('not within 30 s');
    await sleep(100);
  }
}
