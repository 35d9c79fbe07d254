/** The EC2 adapter's requests, as moto takes them: an EC2 that nobody here wrote, and an SQS. It knows no capacity, no client tokens and no notices of spot, so shapes alone are held against it. */
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  PutWarmPoolCommand,
  SetDesiredCapacityCommand,
  SuspendProcessesCommand,
  UpdateAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  CreateLaunchTemplateCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeInstancesCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withScalingGroups } from '../../adapters/cloud/asg/index.ts';
import { ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import { interruptionQueue } from '../../adapters/cloud/sqs/index.ts';
import { cloudId, instant, launchToken } from '../../src/domain/ids.ts';
import type { LaunchSpec } from '../../src/domain/instance.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { CloudPort } from '../../src/ports.ts';
import { events } from '../fixtures/eventbridge.ts';
import { expectFault } from './cloud.cases.ts';
import { others, own, realTime } from './cloud.harness.ts';
import { type Moto, startMoto } from './moto.ts';

const region = 'us-east-1';
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const spec: LaunchSpec = {
  group: 'cpu',
  launchTemplate: 'spillway-cpu',
  types: ['c5.large', 'c5.xlarge'],
  zones: [`${region}a`, `${region}b`],
  capacityType: 'on-demand',
  tags: { 'spillway.dev/instance': 'i-of-ours' },
};

let moto: Moto;
let client: EC2Client;
let port: CloudPort;
let other: CloudPort;

beforeAll(async () => {
  moto = await startMoto();
  const { endpoint } = moto;
  client = new EC2Client({ region, endpoint, credentials });
  const connect = (cluster: typeof own): CloudPort =>
    ec2Cloud({ cluster, region, endpoint, credentials, maxAttempts: 1 }, { clock: realTime });
  [port, other] = [connect(own), connect(others)];
  const command = new CreateLaunchTemplateCommand({
    LaunchTemplateName: 'spillway-cpu',
    LaunchTemplateData: {
      ImageId: 'ami-12c6146b',
      UserData: Buffer.from('#!/bin/sh\nspillway-switch').toString('base64'),
      InstanceInitiatedShutdownBehavior: 'terminate',
    },
  });
  await client.send(command);
});
afterAll(async () => {
  await port?.close();
  await other?.close();
  client?.destroy();
  await moto?.close();
});

test('doctor’s questions are answered: template, zones, types, and a fleet that is only tried', async () => {
  await port.check(spec);
  expect(await port.list()).toEqual([]);
  expect(await port.template('spillway-cpu')).toEqual({
    shutdown: 'terminate',
    userData: '#!/bin/sh\nspillway-switch',
  });
  expect(await port.types(spec.types)).toEqual([
    { name: 'c5.large', vcpus: 2, memoryBytes: 4 * GiB, gpus: 0 },
    { name: 'c5.xlarge', vcpus: 4, memoryBytes: 8 * GiB, gpus: 0 },
  ]);
});

test.each(['on-demand', 'spot'] as const)(
  'a fleet over types and zones is one instance, %s',
  async (capacityType) => {
    const caps = { 'c5.large': 90_000, 'c5.xlarge': 180_000 };
    const asked = { ...spec, capacityType, ...(capacityType === 'spot' ? { maxPrices: caps } : {}) };
    const token = launchToken(`moto-${capacityType}`);
    const made = await port.launch(asked, token);
    const ours = (await port.list()).filter((i) => i.token === token);
    expect(ours).toMatchObject([
      {
        ...{ id: made.id, capacityType, zone: made.zone, type: made.type, reclaimed: false },
        tags: { ...spec.tags, 'spillway.dev/cluster': own, 'spillway.dev/group': 'cpu' },
      },
    ]);
    expect(spec.types).toContain(made.type);
    expect(spec.zones).toContain(made.zone);
    // Tagged as it was made: another cluster's gateway does not see it.
    expect(await other.list()).toEqual([]);
    await port.terminate(made.id);
    expect((await port.list()).find((i) => i.id === made.id)?.state).toBe('terminated');
  },
);

test('in a VPC of one’s own a fleet goes to the subnet of each zone, and doctor’s question of them is answered', async () => {
  const { Vpc } = await client.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }));
  const subnets: Record<string, string> = {};
  for (const [i, zone] of spec.zones.entries()) {
    const asked = { VpcId: Vpc?.VpcId, CidrBlock: `10.7.${i}.0/24`, AvailabilityZone: zone };
    const { Subnet } = await client.send(new CreateSubnetCommand(asked));
    subnets[zone] = Subnet?.SubnetId ?? '';
  }
  const ids = Object.values(subnets);
  const told = (await port.subnets?.(ids)) ?? [];
  expect(Object.fromEntries(told.map(({ zone, id }) => [zone, id]))).toEqual(subnets);
  for (const { vpc, free } of told) expect([vpc, free > 200]).toEqual([Vpc?.VpcId, true]);
  await port.check({ ...spec, subnets });
  const made = await port.launch({ ...spec, subnets }, launchToken('moto-subnets'));
  const { Reservations = [] } = await client.send(new DescribeInstancesCommand({ InstanceIds: [made.id] }));
  const [shown] = Reservations.flatMap(({ Instances = [] }) => Instances);
  expect(shown).toMatchObject({ VpcId: Vpc?.VpcId, SubnetId: subnets[made.zone] });
  await port.terminate(made.id);
  await expectFault(port.subnets?.(['subnet-0123456789abcdef0']) ?? Promise.resolve(), 'refused');
});

test('a fleet of several in a placement group is one call, and so many instances under one token', async () => {
  const near = { ...spec, zones: [`${region}a`], placementGroup: 'near' };
  const token = launchToken('moto-lot');
  const { made = [], short } = (await port.launchLot?.(near, token, 4)) ?? {};
  expect(new Set(made.map(({ id }) => id)).size).toBe(4);
  expect(short).toBeUndefined();
  const ours = (await port.list()).filter((i) => i.token === token);
  expect(ours.map(({ id }) => id).sort()).toEqual(made.map(({ id }) => id).sort());
  for (const { id } of made) await port.terminate(id);
});

test('spot prices are told for what was asked', async () => {
  const told = await port.spotPrices(spec.types, spec.zones, realTime.now());
  const pools = told.map(({ type, zone }) => `${type} ${zone}`).sort();
  expect(pools).toEqual(spec.types.flatMap((type) => spec.zones.map((zone) => `${type} ${zone}`)).sort());
});

test('what is not there is told as the real one tells it', async () => {
  await expectFault(port.terminate(cloudId('i-0123456789abcdef0')), 'not_found');
  await expectFault(port.template('no-such'), 'refused');
  await expectFault(port.check({ ...spec, launchTemplate: 'no-such' }), 'refused');
  await expectFault(port.check({ ...spec, zones: [`${region}z`] }), 'refused');
  await expectFault(port.types(['c5.nothing']), 'refused');
});

test('what EventBridge puts on a queue is told, kept and deleted, and what is strange there with it', async () => {
  const { endpoint } = moto;
  const sqs = new SQSClient({ region, endpoint, credentials });
  const read = (url: string) =>
    interruptionQueue(
      { ...{ url, region, credentials, waitSeconds: 1 }, maxAttempts: 1 },
      { clock: realTime, log: { info: () => undefined, warn: () => undefined } },
    );
  const { QueueUrl = '' } = await sqs.send(
    // A message that was not deleted would be back at once.
    new CreateQueueCommand({ QueueName: 'spillway-interruptions', Attributes: { VisibilityTimeout: '0' } }),
  );
  const [queue, lost] = [read(QueueUrl), read(QueueUrl.replace('interruptions', 'no-such'))];
  const command = new GetQueueAttributesCommand({
    QueueUrl,
    AttributeNames: ['ApproximateNumberOfMessages'],
  });
  const left = async () => Number((await sqs.send(command)).Attributes?.ApproximateNumberOfMessages);
  try {
    const [mine, other] = [cloudId('i-1234567890abcdef0'), cloudId('i-0fedcba9876543210')];
    const bodies = [
      events.interruption(mine),
      events.rebalance(other),
      events.state(mine, 'running'),
      'none',
    ];
    for (const MessageBody of bodies) await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));
    await queue.check('cloud.check');
    expect([await left(), queue.takenBack()]).toEqual([bodies.length, []]);
    const told = new Map<string, string>();
    // One answer may bring less than there is; what it brought is deleted with the next question.
    for (let asked = 0; asked < 10 && (await left()) > 0; asked++)
      for (const { id, what } of await queue.read()) told.set(id, what);
    expect(Object.fromEntries(told)).toEqual({ [mine]: 'taken-back', [other]: 'at-risk' });
    expect([await left(), queue.takenBack()]).toEqual([0, [mine]]);
    expect((await expectFault(lost.read(), 'refused')).message).toContain('interruptionQueue');
    await expectFault(lost.check('cloud.check'), 'refused');
  } finally {
    await queue.close();
    await lost.close();
    sqs.destroy();
  }
});

test('an auto scaling group with a warm pool is judged by what it is, and its instances are asked what they are', async () => {
  const { endpoint } = moto;
  const scaling = new AutoScalingClient({ region, endpoint, credentials });
  const name = 'eks-burst-0123';
  const tags = {
    'eks:nodegroup-name': 'burst',
    'spillway.dev/cluster': own,
    'spillway.dev/group': 'workers',
  };
  const config = { cluster: own, region, endpoint, credentials, maxAttempts: 1 };
  const clock = { ahead: 0, now: () => instant(realTime.now() + clock.ahead) };
  const grouped = withScalingGroups(
    ec2Cloud(config, { clock }),
    { ...config, groups: [{ name: 'workers', scalingGroup: name, max: 3 }] },
    { clock },
  );
  const asked = { ...spec, group: 'workers', types: ['c5.large'], launchTemplate: name };
  const refused = async () => (await expectFault(grouped.check(asked), 'refused')).message;
  try {
    await scaling.send(
      new CreateAutoScalingGroupCommand({
        AutoScalingGroupName: name,
        LaunchTemplate: { LaunchTemplateName: 'spillway-cpu', Version: '$Default' },
        ...{ MinSize: 0, MaxSize: 2, DesiredCapacity: 0, NewInstancesProtectedFromScaleIn: true },
        AvailabilityZones: [...spec.zones],
        Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value, PropagateAtLaunch: true })),
      }),
    );
    expect(await refused()).toContain('--nodegroup-name burst --scaling-config maxSize=3');
    await scaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName: name, MaxSize: 3 }));
    expect(await refused()).toContain('suspend its process AZRebalance and ReplaceUnhealthy');
    const ScalingProcesses = ['AZRebalance', 'ReplaceUnhealthy'];
    await scaling.send(new SuspendProcessesCommand({ AutoScalingGroupName: name, ScalingProcesses }));
    const pool = (ReuseOnScaleIn: boolean) =>
      new PutWarmPoolCommand({ AutoScalingGroupName: name, InstanceReusePolicy: { ReuseOnScaleIn } });
    await scaling.send(pool(true));
    expect(await refused()).toContain('ReuseOnScaleIn');
    await scaling.send(pool(false));
    await grouped.check(asked);
    // Somebody else's: of an instance that is in service without our token, moto fills no pool.
    await scaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName: name, DesiredCapacity: 1 }));
    const ours = async () => (await grouped.list()).filter((i) => i.tags['spillway.dev/group'] === 'workers');
    clock.ahead = 60_000;
    const [stray] = await ours();
    if (stray === undefined) throw new Error('one was launched');
    expect(stray).toMatchObject({ token: undefined, state: 'running' });
    await grouped.terminate(stray.id);
    expect((await ours()).filter(({ state }) => state !== 'terminated')).toEqual([]);
  } finally {
    await grouped.close();
    scaling.destroy();
  }
});
