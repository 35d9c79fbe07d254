/** A gateway that is dead for good leaves no instance behind: each machine runs deploy/node/spillway-switch, here with short times. */
import { CreateLaunchTemplateCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  ended,
  endGateway,
  instances,
  killGateways,
  labEnv,
  outputOf,
  pods,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  if (gateway !== undefined) await endGateway(gateway);
  gateway = undefined;
});
afterAll(killGateways);

const leaseSeconds = 15;
const maxAgeSeconds = 75;
/** The lab keeps templates from one run to the next. */
const [shortLease, shortLife] = [`short-lease-${Date.now()}`, `short-life-${Date.now()}`];
const short = { capacity: { lease: `${leaseSeconds}s`, idle: '10m' } };

beforeAll(async () => {
  const env = await labEnv();
  // Doctor is another process of this one's environment.
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'lab', AWS_SECRET_ACCESS_KEY: 'lab' });
  const client = new EC2Client({
    region: env.SPILLWAY_LAB_EC2_REGION ?? '',
    endpoint: env.SPILLWAY_LAB_EC2_ENDPOINT ?? '',
    credentials: { accessKeyId: 'lab', secretAccessKey: 'lab' },
  });
  for (const [name, group, age] of [
    [shortLease, 'cpu', 3_600],
    [shortLife, 'licensed', maxAgeSeconds],
  ] as const) {
    const UserData = Buffer.from(
      JSON.stringify({
        labels: { 'spillway.dev/group': group },
        taints: ['spillway.dev/burst=true:NoSchedule'],
        'spillway-switch': `LEASE_SECONDS=${leaseSeconds}\nMAX_AGE_SECONDS=${age}\nEVERY_SECONDS=2`,
      }),
    ).toString('base64');
    const command = new CreateLaunchTemplateCommand({
      LaunchTemplateName: name,
      LaunchTemplateData: { UserData, InstanceInitiatedShutdownBehavior: 'terminate' },
    });
    await client.send(command);
  }
  client.destroy();
});

/** As the cloud tells it, the terminated too. */
async function fateOf(id: string): Promise<{ readonly state: string; readonly reason: string }> {
  const { SPILLWAY_LAB_EC2_ENDPOINT } = await labEnv();
  const { machines } = (await (await fetch(`${SPILLWAY_LAB_EC2_ENDPOINT}/_lab/state`)).json()) as {
    machines: { id: string; reason: string; history: { state: string }[] }[];
  };
  const found = machines.find((m) => m.id === id);
  return { state: found?.history.at(-1)?.state ?? 'unknown', reason: found?.reason ?? '' };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('an idle instance stays while a gateway stands for it; once that is dead for good it goes by itself, and one with a job on it outlives the lease, to its maximum age', async () => {
  const wishes = {
    ...short,
    groups: [
      { name: 'cpu', launchTemplate: shortLease, prices: { 'lab.large': 0.1 } },
      { name: 'licensed', launchTemplate: shortLife, licenses: ['matlab'], prices: { 'lab.large': 0.2 } },
    ],
  };
  gateway = await startGateway(wishes);
  // Doctor reads what is in the template: here a machine could be ended before it has come up.
  const doctor = await gateway.spillway('doctor');
  expect(doctor.stdout).toMatch(
    /^BAD {2}node group cpu: dead man's switch: .*joinTimeout.* LEASE_SECONDS=15; /m,
  );
  const first = await sbatch('alice', ['-p', 'cloud'], '#!/bin/bash\necho ran');
  expect(await ended(first)).toMatchObject({ state: 'COMPLETED' });
  await gateway.reaches(first, ['settled']);
  const [idle] = await instances();
  if (idle === undefined) throw new Error('no instance');
  // Twice the lease: what is claimed is that nothing happens.
  await sleep(2 * leaseSeconds * 1_000);
  expect((await fateOf(idle.id)).state).toBe('running');

  const script = '#!/bin/bash\necho ran\nexec sleep 600';
  const id = await sbatch('alice', ['-p', 'cloud', '-L', 'matlab'], script);
  await until('its first line', async () => outputOf('alice', id).includes('ran'), 60_000);
  const busy = (await instances()).find((i) => i.id !== idle.id);
  if (busy === undefined) throw new Error('no second instance');
  await gateway.kill9();
  await Promise.all([
    until(
      'the idle one to be gone',
      async () => (await fateOf(idle.id)).state === 'terminated',
      3 * leaseSeconds * 1_000,
    ),
    sleep(2 * leaseSeconds * 1_000),
  ]);
  expect((await fateOf(idle.id)).reason).toBe('Client.InstanceInitiatedShutdown');
  expect((await fateOf(busy.id)).state).toBe('running');
  await until(
    'its age to end the other',
    async () => (await instances()).length === 0,
    maxAgeSeconds * 1_000,
  );
  expect((await fateOf(busy.id)).reason).toBe('Client.InstanceInitiatedShutdown');
  gateway = await startGateway({ ...wishes, dataDir: gateway.dataDir });
  await ended(id);
});

it('one whose pods wait for a gateway that died before it started them goes as an idle one does', async () => {
  const wishes = { ...short, groups: [{ launchTemplate: shortLease }] };
  gateway = await startGateway({ ...wishes, dieAt: 'slurm.move:before' });
  const id = await sbatch('alice', ['-p', 'cloud', '-t', '5', '--wrap', 'echo ran']);
  await gateway.died();
  const [waits] = await instances();
  if (waits === undefined) throw new Error('no instance');
  expect((await pods()).map((p) => p.phase)).toEqual(['Running']);
  await until('it to be gone', async () => (await instances()).length === 0, 4 * leaseSeconds * 1_000);
  expect((await fateOf(waits.id)).reason).toBe('Client.InstanceInitiatedShutdown');
  // Nothing of the job was lost: it waited at home, and runs on another machine.
  const soon = { capacity: { ...short.capacity, idle: '1s' } };
  gateway = await startGateway({ ...wishes, ...soon, backOff: '5s', dataDir: gateway.dataDir });
  expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
});
