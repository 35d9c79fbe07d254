/** What doctor says of the machines: that they end by themselves, and that both sides have the same times. */
import { expect, it } from 'vitest';
import { userData } from '../../docs/user-data.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import type { ClusterSettings } from '../../src/engine/context.ts';
import { examineMachines } from '../../src/engine/doctor-nodes.ts';

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
