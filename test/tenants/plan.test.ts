import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { KubeObject, Person, Roster, TenantPlan, TenantSettings } from '../../src/domain/tenants.ts';
import { differences } from '../../src/tenants/differences.ts';
import { namespaceFor } from '../../src/tenants/names.ts';
import { objectsFor, quantityOf } from '../../src/tenants/objects.ts';
import { askedFor, planTenants } from '../../src/tenants/plan.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const alice: Person = { user: 'alice', uid: 2001, gid: 2001, groups: [3001] };
const bob: Person = { user: 'bob', uid: 2002, gid: 2002, groups: [3002] };
const settings: TenantSettings = {
  labels: { 'example.org/team': 'hpc' },
  quota: { pods: 100, cpuMillis: 64_000, memoryBytes: 2 ** 40, extended: { 'nvidia.com/gpu': 2 } },
  mostMemoryBytes: 2 ** 38,
  claims: [
    {
      ...{ claim: 'home', bytes: 2 ** 40, accessMode: 'ReadWriteMany' },
      from: { kind: 'volume', source: { nfs: { server: 'nas1', path: '/home/${user}' } }, mountOptions: [] },
    },
  ],
  egress: [{ cidr: '10.0.0.0/8', except: [], ports: [{ port: 443, protocol: 'TCP' }] }],
};
const roster = (...people: Person[]): Roster => ({ people, troubles: [] });
const plan = (of: Roster, seen: readonly KubeObject[], by = settings): TenantPlan =>
  planTenants(of, by, seen, sha256);
const setUp = (of: Roster, by = settings): readonly KubeObject[] => askedFor(of, by, sha256);
const find = (objects: readonly KubeObject[], kind: string, name?: string): KubeObject => {
  const found = objects.find((o) => o.kind === kind && (name === undefined || o.metadata.name === name));
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
};
const open = ({ changes }: TenantPlan) =>
  changes
    .filter(({ what }) => what !== 'same')
    .map(({ what, object, fields }) => [what, object.kind, ...fields]);

describe('a user’s namespace', () => {
  const objects = objectsFor(alice, settings);

  it('says whose it is, and that pod security is restricted', () => {
    expect(find(objects, 'Namespace').metadata).toMatchObject({
      name: 'spillway-alice',
      labels: {
        'spillway.dev/tenant': 'true',
        'pod-security.kubernetes.io/enforce': 'restricted',
        'example.org/team': 'hpc',
      },
      annotations: {
        'spillway.dev/uid': '2001',
        'spillway.dev/gids': '2001,3001',
        'spillway.dev/claims': 'home',
      },
    });
  });

  it('has a quota on requests alone: our pods have no CPU limit, and a quota on limits would refuse them', () => {
    const { hard } = find(objects, 'ResourceQuota').spec as { hard: Record<string, string> };
    expect(hard).toMatchObject({
      ...{
        'count/pods': '100',
        'requests.cpu': '64000m',
        'requests.memory': '1Ti',
        'requests.nvidia.com/gpu': '2',
      },
      services: '0',
    });
    expect(Object.keys(hard).filter((key) => key.startsWith('limits.'))).toEqual([]);
  });

  it('is closed to the network, but for the pods of bursts among each other, and what the site lets out', () => {
    expect(find(objects, 'NetworkPolicy', 'spillway-deny').spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
    expect(find(objects, 'NetworkPolicy', 'spillway-steps').spec).toMatchObject({
      ingress: [{ from: [{ podSelector: {} }] }],
    });
    expect(find(objects, 'NetworkPolicy', 'spillway-egress').spec).toMatchObject({
      egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: [{ port: 443, protocol: 'TCP' }] }],
    });
    const none = objectsFor(alice, { ...settings, egress: [] });
    expect(none.some(({ metadata }) => metadata.name === 'spillway-egress')).toBe(false);
  });

  it('has its volume with the user’s name in it, kept when the namespace goes', () => {
    expect(find(objects, 'PersistentVolume').spec).toMatchObject({
      nfs: { server: 'nas1', path: '/home/alice' },
      ...{ persistentVolumeReclaimPolicy: 'Retain', claimRef: { namespace: 'spillway-alice', name: 'home' } },
    });
  });

  it('gets the gateway’s right to make pods last', () => {
    expect(objects.at(0)?.kind).toBe('Namespace');
    expect(objects.at(-1)?.kind).toBe('RoleBinding');
  });

  it.each([
    [{ user: 'alice', uid: 1 }, 'spillway-alice'],
    [{ user: 'Alice', uid: 7 }, 'spillway-alice-u7'],
    [{ user: 'alice.b@x', uid: 8 }, 'spillway-alice-b-x-u8'],
    [{ user: 'gateway', uid: 9 }, 'spillway-gateway-u9'],
    [{ user: 'x'.repeat(80), uid: 10 }, `spillway-${'x'.repeat(40)}-u10`],
  ])('is named so that no two users share one: %o', (person, name) => {
    expect(namespaceFor(person)).toBe(name);
    expect(name.length).toBeLessThanOrEqual(63);
  });
});

describe('a plan', () => {
  it('makes all of it where there is nothing, and nothing where all is there', () => {
    const made = plan(roster(alice, bob), []);
    expect(new Set(made.changes.map(({ what }) => what))).toEqual(new Set(['create']));
    expect(open(plan(roster(alice, bob), setUp(roster(alice, bob))))).toEqual([]);
  });

  it('brings a new group up to date, and touches nothing else', () => {
    const now = { ...alice, groups: [3001, 3005] };
    expect(open(plan(roster(now), setUp(roster(alice))))).toEqual([
      [
        'update',
        'Namespace',
        'metadata.annotations.spillway.dev/gids',
        'metadata.annotations.spillway.dev/applied',
      ],
    ]);
  });

  it('finds what is not asked for any more', () => {
    const less = { ...settings, quota: { ...settings.quota, extended: {} } };
    expect(open(plan(roster(alice), setUp(roster(alice)), less))).toEqual([
      ['update', 'ResourceQuota', 'metadata.annotations.spillway.dev/applied'],
    ]);
  });

  it('finds what somebody changed', () => {
    const seen = setUp(roster(alice)).map((o) =>
      o.kind === 'ResourceQuota'
        ? { ...o, spec: { hard: { ...(o.spec as { hard: object }).hard, 'count/pods': '9' } } }
        : o,
    );
    expect(open(plan(roster(alice), seen))).toEqual([['update', 'ResourceQuota', 'spec.hard.count/pods']]);
  });

  it('leaves a user alone whose namespace is of another uid, is another’s, or is one of two', () => {
    const older = setUp(roster({ ...alice, uid: 1999 }));
    const [foreign] = setUp(roster(alice)).map((o) => ({ ...o, metadata: { name: o.metadata.name } }));
    const [twin] = setUp(roster(alice)).map((o) => ({
      ...o,
      metadata: { ...o.metadata, name: 'team-alice' },
    }));
    for (const [seen, words] of [
      [older, /is of uid 1999, and alice is 2001 now/],
      [[foreign], /is there and is no tenant's/],
      [[twin], /uid 2001 has another namespace already: team-alice/],
    ] as const) {
      const made = plan(roster(alice), seen as readonly KubeObject[]);
      expect(made.changes).toEqual([]);
      expect(made.troubles).toEqual([{ user: 'alice', text: expect.stringMatching(words) }]);
    }
  });

  it.each([
    [{ uid: 0 }, /root/],
    [{ uid: 65532 }, /Spillway's own/],
    [{ groups: [0] }, /group 0/],
  ])('sets up nobody who is root, or Spillway: %o', (change, words) => {
    const made = plan(roster({ ...alice, ...change }, bob), []);
    expect(made.troubles).toEqual([{ user: 'alice', text: expect.stringMatching(words) }]);
    expect(new Set(made.changes.map(({ user }) => user))).toEqual(new Set(['bob']));
  });

  it('gives nothing to two users of one uid', () => {
    expect(plan(roster(alice, { ...bob, uid: 2001 }), []).changes).toEqual([]);
  });

  it('counts as left over whose user is gone, and not whose user the name service did not tell', () => {
    const seen = setUp(roster(alice, bob));
    const [left, ...more] = plan(roster(alice), seen).leftovers;
    expect(left).toMatchObject({
      ...{ user: 'bob', namespace: 'spillway-bob', stays: undefined },
      closed: { spec: { hard: { 'count/pods': '0', services: '0' } } },
      objects: [
        { kind: 'Namespace', name: 'spillway-bob' },
        { kind: 'PersistentVolume', name: 'spillway-bob-home' },
      ],
    });
    expect(more).toEqual([]);
    const silent = { people: [alice], troubles: [{ user: 'bob', text: 'no answer' }] };
    expect(plan(silent, seen).leftovers).toEqual([]);
  });

  it('leaves by-hand namespaces and volumes with data alone', () => {
    const byHand = setUp(roster(bob)).map((o) => ({
      ...o,
      metadata: { ...o.metadata, labels: { 'spillway.dev/tenant': 'true' } },
    }));
    expect(plan(roster(alice), byHand).leftovers).toEqual([]);
    const scratch = {
      claim: 'scratch',
      bytes: 2 ** 30,
      accessMode: 'ReadWriteMany',
      from: { kind: 'storageClass', name: 'fast' },
    } as const;
    const dynamic = setUp(roster(bob), { ...settings, claims: [scratch] });
    expect(plan(roster(alice), dynamic).leftovers[0]?.stays).toMatch(
      /claim scratch is of storage class fast/,
    );
  });
});

describe('a difference', () => {
  const object = (spec: unknown): KubeObject => ({
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name: 'x' },
    spec,
  });
  it('is none between two ways to write one quantity, or an empty text and none', () => {
    expect(
      differences(object({ a: '1000m', b: '1024Gi', c: '', d: {} }), object({ a: '1', b: '1Ti' })),
    ).toEqual([]);
  });
  it('is told by its path, in lists too', () => {
    expect(differences(object({ a: [{ b: 1 }, { b: 2 }] }), object({ a: [{ b: 1 }, { b: 3 }] }))).toEqual([
      'spec.a[1].b',
    ]);
    expect(differences(object({ a: ['x'] }), object({ a: ['x', 'y'] }))).toEqual(['spec.a']);
  });
});

it.each([
  [2 ** 40, '1Ti'],
  [3 * 2 ** 29, '1536Mi'],
  [1000, '1000'],
])('%i bytes are written %s', (bytes, text) => {
  expect(quantityOf(bytes)).toBe(text);
});
