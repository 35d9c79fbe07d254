/** What doctor says of the machines: that they end by themselves, and that both sides have the same times. */
import { expect, it } from 'vitest';
import { userData } from '../../docs/user-data.ts';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant, uuid } from '../../src/domain/ids.ts';
import type { Subnet } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import type { ClusterSettings } from '../../src/engine/context.ts';
import { examineBreakers, examineMachines } from '../../src/engine/doctor-nodes.ts';
import type { BudgetAction } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';

const minute = 60_000;
const shipped = userData['kubeadm.sh']?.() ?? '';

async function told(...of: Parameters<typeof examined>) {
  const [first] = await examined(...of);
  if (first === undefined) throw new Error('nothing was said');
  return first;
}

async function examined(template: { shutdown?: string; userData?: string }, over: Partial<NodeGroup> = {}) {
  const group = {
    name: 'cpu',
    launchTemplate: 'lt',
    joinTimeoutMs: 15 * minute,
    leaseMs: 30 * minute,
    ...over,
  };
  const cluster = {
    setup: { name: 'hpc1' },
    groups: [{ maxAgeMs: 7 * 24 * 60 * minute, ...group }],
    cloud: { template: async () => ({ shutdown: 'terminate', userData: shipped, ...template }) },
  } as unknown as ClusterSettings;
  return all(examineMachines([cluster]));
}

async function all<T>(of: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const one of of) found.push(one);
  return found;
}

it('the user data that we ship, and the times as they are where nothing is said, are well', async () => {
  expect(shipped).toContain('spillway-switch');
  expect(await told({})).toMatchObject({ ok: true });
});

it('of fixed nodes no switch is asked, and no lock: they stay', async () => {
  expect(await examined({ userData: '' }, { fixed: true })).toEqual([]);
});

it.each<[string, Parameters<typeof told>[0], Partial<NodeGroup>, RegExp]>([
  ['stops where it should end', { shutdown: 'stop' }, {}, /stays, and is billed on/],
  ['has no switch', { userData: '#!/bin/sh' }, {}, /do not start it/],
  [
    'has another lease than the gateway',
    {},
    { leaseMs: 180 * minute },
    /LEASE_SECONDS=1800, and capacity.lease 10800 s/,
  ],
  ['may come up later than its lease', {}, { joinTimeoutMs: 30 * minute }, /joinTimeout, 1800 s/],
  [
    'ends before the gateway stops using it',
    {
      userData: `${shipped}\nMAX_AGE_SECONDS=86400\n`.replace(
        /MAX_AGE_SECONDS=["']?1209600/g,
        'MAX_AGE_SECONDS=86400',
      ),
    },
    {},
    /MAX_AGE_SECONDS=86400, at which a machine ends whatever runs/,
  ],
])('a machine that %s is told', async (_what, template, over, words) => {
  const finding = await told(template, over);
  expect(finding).toMatchObject({ ok: false });
  expect(finding.text).toMatch(words);
});

it('a node group whose machines did not boot is told, with what to do', async () => {
  const time = { now: () => instant(1_700_000_000_000) };
  const store = new MemStore({
    clock: time,
    entropy: { uuid: () => uuid('u'), bytes: () => new Uint8Array(), random: () => 0 },
  });
  const cluster = clusterName('hpc1');
  const told = async () => {
    const found = [];
    for await (const finding of examineBreakers(store, cluster)) found.push(finding);
    return found;
  };
  expect(await told()).toEqual([]);
  await store.tripBreaker(cluster, 'cpu', 'spillway', '10 machines in a row did not boot');
  expect(await told()).toEqual([
    {
      what: 'node group cpu of hpc1',
      ok: false,
      text: 'node group cpu launches nothing since 2023-11-14T22:13:20.000Z: 10 machines in a row did not boot',
      todo: expect.stringContaining('spillway capacity resume cpu'),
    },
  ]);
});

it.each([
  [true, /does not hold: .*gateway-policy\.json/],
  [false, /^holds: /],
  [undefined, undefined],
] as const)('whether the cloud keeps launches to its own tag is told: %s', async (open, words) => {
  const asked: string[] = [];
  const launchesFor = async (other: string) => {
    asked.push(other);
    return open;
  };
  const cluster = {
    setup: { name: 'hpc1' },
    groups: [
      { name: 'cpu', launchTemplate: 'lt', joinTimeoutMs: 15 * minute, maxAgeMs: 7 * 24 * 60 * minute },
    ],
    cloud: {
      template: async () => ({ shutdown: 'terminate', userData: shipped }),
      ...(open === undefined ? {} : { launchesFor }),
    },
  } as unknown as ClusterSettings;
  const found = await all(examineMachines([cluster]));
  const lock = found.find(({ what }) => what.endsWith('lock on its launches'));
  if (words === undefined) expect(lock).toBeUndefined();
  else expect(lock).toMatchObject({ ok: true, text: expect.stringMatching(words) });
  expect(asked).toEqual(open === undefined ? [] : ['hpc1-doctor']);
});

const vpc = { id: 'subnet-a', zone: 'eu-1a', vpc: 'vpc-1', free: 250 };

it.each<[string, readonly Partial<Subnet>[], boolean, RegExp]>([
  ['are what they should be', [{}, {}], true, /^subnet-a in eu-1a \(250 addresses free\), .*, of vpc-1$/],
  [
    'are not where they should be',
    [{}, { zone: 'eu-1a' }],
    false,
    /subnet-b is in eu-1a, and stands at eu-1b/,
  ],
  ['are in two VPCs', [{}, { vpc: 'vpc-2' }], false, /in vpc-1 and vpc-2; one group is in one VPC/],
  ['have no address left', [{}, { free: 0 }], false, /subnet-b in eu-1b has no free address left/],
  ['are not told of', [{}], false, /nothing was told of subnet-b/],
])('subnets that %s are told', async (_what, seen, ok, words) => {
  const [a, b] = [vpc, { ...vpc, id: 'subnet-b', zone: 'eu-1b' }];
  const subnets = { 'eu-1a': 'subnet-a', 'eu-1b': 'subnet-b' };
  const cluster = {
    ...{ setup: { name: 'hpc1' }, groups: [{ name: 'cpu', launchTemplate: 'lt', subnets }] },
    cloud: {
      template: async () => ({ shutdown: 'terminate', userData: shipped }),
      subnets: async (ids: readonly string[]) => {
        expect(ids).toEqual(['subnet-a', 'subnet-b']);
        return seen.map((over, i) => ({ ...(i === 0 ? a : b), ...over }));
      },
    },
  } as unknown as ClusterSettings;
  const told = (await all(examineMachines([cluster]))).filter(({ what }) => what.endsWith(': subnets'));
  expect(told).toMatchObject([{ ok, text: expect.stringMatching(words) }]);
});

const action: BudgetAction = {
  ...{ budget: 'spillway-hpc1', threshold: '100 % actual', policy: 'spillway-no-launches', on: ['role gw'] },
  ...{ onCaller: true, automatic: true, status: 'STANDBY' },
};
const denied = new PortError('refused', 'cloud.budgetActions', 'add budgets:DescribeBudgetActionsForAccount');
const late = new PortError('transient', 'cloud.budgetActions', 'no answer within 10 s');

it.each<[string, readonly Partial<BudgetAction>[] | Error, RegExp]>([
  [
    'stands by',
    [{}],
    /^holds: at 100 % actual of budget spillway-hpc1, spillway-no-launches for role gw: STANDBY, acts by itself/,
  ],
  ['has acted', [{ status: 'EXECUTION_SUCCESS' }], /^holds: .*nothing is launched any more$/],
  ['was approved by hand', [{ automatic: false, status: 'EXECUTION_SUCCESS' }], /^holds: /],
  ['waits for a person', [{ automatic: false }], /^does not hold: .*waits for a person's leave \(MANUAL\)$/],
  ['asks a person now', [{ automatic: false, status: 'PENDING' }], /^does not hold: .*PENDING, waits/],
  ['failed', [{ status: 'EXECUTION_FAILURE' }], /^does not hold: .*EXECUTION_FAILURE, look there$/],
  ['was taken back', [{ status: 'REVERSE_SUCCESS' }], /^does not hold: .*taken back: reset it there$/],
  ['is in a state of which nobody knows', [{ status: 'NEW' }], /^does not hold: .*: NEW/],
  ['is one of two', [{ automatic: false }, { budget: 'b' }], /^holds: at 100 % actual of budget b,[^;]*$/],
  ['is for others', [{ onCaller: false }], /^does not hold for who asks now, but for others: .*role gw/],
  [
    'is for many others',
    Array.from({ length: 5 }, () => ({ onCaller: false })),
    /^does not hold for who asks now.*; and 2 more$/,
  ],
  ['is not there', [], /^does not hold: no budget .*budget-action\.json is one$/],
  ['may not be seen', denied, /^unknown, could not be asked: .*budgets:DescribeBudgetActionsForAccount/],
  ['was not told in time', late, /^unknown, could not be asked: .*no answer within 10 s/],
])('a budget action that %s is told', async (_what, seen, words) => {
  const budgetActions = async (): Promise<readonly BudgetAction[]> => {
    if (seen instanceof Error) throw seen;
    return seen.map((one) => ({ ...action, ...one }));
  };
  const cluster = {
    ...{ setup: { name: 'hpc1' }, groups: [{ name: 'cpu', launchTemplate: 'lt' }] },
    cloud: { template: async () => ({ shutdown: 'terminate', userData: shipped }), budgetActions },
  } as unknown as ClusterSettings;
  const locks = (await all(examineMachines([cluster]))).filter(({ what }) => what.endsWith('by a budget'));
  expect(locks).toEqual([
    { what: 'cloud of hpc1: lock by a budget', ok: true, text: expect.stringMatching(words) },
  ]);
});
