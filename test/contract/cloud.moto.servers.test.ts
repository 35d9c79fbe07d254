/** The EC2 adapter's requests, as moto takes them: an EC2 that nobody here wrote. It knows no capacity, no client tokens and no notices of spot, so shapes alone are held against it. */
import { CreateLaunchTemplateCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import { cloudId, launchToken } from '../../src/domain/ids.ts';
import type { LaunchSpec } from '../../src/domain/instance.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { CloudPort } from '../../src/ports.ts';
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
