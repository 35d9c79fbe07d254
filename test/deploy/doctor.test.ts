/** What doctor says of the machines: that they end by themselves, and that both sides have the same times. */
import { expect, it } from 'vitest';
import { userData } from '../../docs/user-data.ts';
import { clusterName, instant, uuid } from '../../src/domain/ids.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import type { ClusterSettings } from '../../src/engine/context.ts';
import { examineBreakers, examineMachines } from '../../src/engine/doctor-nodes.ts';
import { MemStore } from '../../src/sim/models/store.ts';

const minute = 60_000;
const shipped = userData['kubeadm.sh']?.() ?? '';

async function told(template: { shutdown?: string; userData?: string }, over: Partial<NodeGroup> = {}) {
  const group = {
    name: 'cpu',
    launchTemplate: 'lt',
    joinTimeoutMs: 15 * minute,
    leaseMs: 30 * minute,
    ...over,
  };
  const cluster = {
    groups: [{ maxAgeMs: 7 * 24 * 60 * minute, ...group }],
    cloud: { template: async () => ({ shutdown: 'terminate', userData: shipped, ...template }) },
  } as unknown as ClusterSettings;
  for await (const finding of examineMachines([cluster])) return finding;
  throw new Error('nothing was said');
}

it('the user data that we ship, and the times as they are where nothing is said, are well', async () => {
  expect(shipped).toContain('spillway-switch');
  expect(await told({})).toMatchObject({ ok: true });
});

it('of fixed nodes no switch is asked: they stay', async () => {
  const finding = await told({ userData: '' }, { fixed: true });
  expect(finding.what).toBe('locks outside the gateway');
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
  const found = [];
  for await (const finding of examineMachines([cluster])) found.push(finding);
  const lock = found.find(({ what }) => what.endsWith('lock on its launches'));
  if (words === undefined) expect(lock).toBeUndefined();
  else expect(lock).toMatchObject({ ok: true, text: expect.stringMatching(words) });
  expect(asked).toEqual(open === undefined ? [] : ['hpc1-doctor']);
});
