import { describe, expect, it } from 'vitest';
import { quantity } from '../../../adapters/kubernetes/json.ts';
import { nodeView, podView, tenantView } from '../../../adapters/kubernetes/views.ts';

const meta = {
  name: 'spill-a',
  namespace: 'spillway-alice',
  uid: 'u-1',
  creationTimestamp: '2026-01-02T03:04:05Z',
};

describe('a pod', () => {
  it('says who ends it, while that holds', () => {
    const told = (status: string) => ({
      ...{
        type: 'DisruptionTarget',
        status,
        reason: 'EvictionByEvictionAPI',
        message: 'Eviction API: evicting',
      },
    });
    const of = (status: string) => podView({ metadata: meta, status: { conditions: [told(status)] } });
    expect(of('True')?.disruption).toEqual({
      ...{ reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' },
    });
    expect(of('False')).not.toHaveProperty('disruption');
  });

  it('is read with its containers, init containers among them', () => {
    const view = podView({
      metadata: {
        ...meta,
        labels: { 'spillway.dev/burst': 'b-7' },
        finalizers: ['spillway.dev/settled'],
        deletionTimestamp: '2026-01-02T04:00:00Z',
      },
      spec: { nodeName: 'n1' },
      status: {
        phase: 'Failed',
        reason: 'Evicted',
        message: 'The node was low on memory',
        podIP: '10.0.0.9',
        initContainerStatuses: [
          {
            name: 'agent',
            state: { terminated: { exitCode: 0, reason: 'Completed', finishedAt: '2026-01-02T03:05:00Z' } },
          },
        ],
        containerStatuses: [
          { name: 'main', state: { terminated: { exitCode: 137, signal: 9, reason: 'OOMKilled' } } },
          { name: 'keeper', state: { running: { startedAt: '2026-01-02T03:06:00Z' } } },
          { name: 'odd', state: {} },
        ],
      },
    });
    expect(view).toEqual({
      ref: { namespace: 'spillway-alice', name: 'spill-a' },
      uid: 'u-1',
      burst: 'b-7',
      phase: 'Failed',
      reason: 'Evicted',
      message: 'The node was low on memory',
      node: 'n1',
      podIp: '10.0.0.9',
      deletingSince: Date.UTC(2026, 0, 2, 4),
      finalizers: ['spillway.dev/settled'],
      createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
      containers: {
        agent: {
          state: 'terminated',
          exitCode: 0,
          signal: 0,
          reason: 'Completed',
          finishedAt: Date.UTC(2026, 0, 2, 3, 5),
        },
        main: { state: 'terminated', exitCode: 137, signal: 9, reason: 'OOMKilled', finishedAt: undefined },
        keeper: { state: 'running', startedAt: Date.UTC(2026, 0, 2, 3, 6) },
        odd: { state: 'waiting', reason: '', message: '' },
      },
      scheduled: true,
    });
  });

  it('says why it cannot be placed', () => {
    const view = podView({
      metadata: meta,
      status: {
        phase: 'Pending',
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' },
        ],
      },
    });
    expect(view).toMatchObject({
      scheduled: false,
      reason: 'Unschedulable',
      message: '0/1 nodes',
      burst: undefined,
      node: undefined,
      containers: {},
    });
  });

  it.each([undefined, null, 7, 'pod', [], {}, { metadata: { name: 'a' } }, { metadata: { uid: 'u' } }])(
    'is not read from %j',
    (object) => expect(podView(object)).toBeUndefined(),
  );

  it('is read from odd fields without a throw', () => {
    const odd = {
      metadata: { ...meta, labels: 3, finalizers: 'x' },
      spec: null,
      status: { containerStatuses: {} },
    };
    expect(podView(odd)).toMatchObject({
      phase: 'Unknown',
      finalizers: [],
      containers: {},
      scheduled: false,
    });
  });
});

describe('a node', () => {
  const node = (ready: string | undefined) => ({
    metadata: {
      ...{ ...meta, labels: { zone: 'a', bad: 7 }, resourceVersion: '42' },
      annotations: { 'spillway.dev/taken': '{}', 'example.org/theirs': 'x' },
    },
    spec: {
      ...{ providerID: 'aws:///a/i-1', unschedulable: true },
      taints: [
        { key: 'pool', value: 'hpc', effect: 'PreferNoSchedule' },
        { key: 'bare', effect: 'Odd' },
      ],
    },
    status: {
      allocatable: {
        cpu: '1930m',
        memory: '15Gi',
        pods: '58',
        'nvidia.com/gpu': '4',
        'hugepages-2Mi': '1Gi',
      },
      conditions:
        ready === undefined
          ? []
          : [{ type: 'Ready', status: ready, lastTransitionTime: '2026-01-02T03:10:00Z' }],
    },
  });

  it('is read with what it can take', () => {
    expect(nodeView(node('True'))).toEqual({
      name: 'spill-a',
      uid: 'u-1',
      providerId: 'aws:///a/i-1',
      labels: { zone: 'a' },
      ready: 'true',
      readySince: Date.UTC(2026, 0, 2, 3, 10),
      unschedulable: true,
      allocatable: {
        ...{ cpuMillis: 1930, memoryBytes: 15 * 2 ** 30, pods: 58 },
        extended: { 'nvidia.com/gpu': 4, 'hugepages-2Mi': 2 ** 30 },
      },
      createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
      taints: [
        { key: 'pool', value: 'hpc', effect: 'PreferNoSchedule' },
        { key: 'bare', value: '', effect: 'NoSchedule' },
      ],
      notes: { taken: '{}' },
      version: '42',
    });
  });

  it.each([
    ['False', 'false'],
    ['Unknown', 'unknown'],
    [undefined, 'unknown'],
    ['Perhaps', 'unknown'],
  ])('that says %s of its readiness is %s', (says, ready) => {
    expect(nodeView(node(says))).toMatchObject({ ready, readySince: undefined });
  });
});

it.each([
  ['0', 0],
  ['1500m', 1.5],
  ['16Gi', 16 * 2 ** 30],
  ['129e6', 129e6],
  ['1.5E3', 1500],
  ['2E', 2e18],
  ['100k', 100_000],
  ['128974848000m', 128_974_848],
  [4, 4],
  ['four', 0],
  [undefined, 0],
  ['12.3.4', 0],
])('quantity %j is %d', (text, value) => expect(quantity(text)).toBeCloseTo(value, 6));

describe('a tenant', () => {
  const of = (annotations: Record<string, string>) => tenantView({ metadata: { name: 'ns', annotations } });
  it('is read from annotations, whatever the spaces', () => {
    expect(
      of({
        'spillway.dev/uid': '2001',
        'spillway.dev/gids': ' 2001, 3001,',
        'spillway.dev/claims': 'home,scratch',
      }),
    ).toEqual({ namespace: 'ns', uid: 2001, gids: [2001, 3001], claims: ['home', 'scratch'] });
    expect(of({ 'spillway.dev/uid': '1', 'spillway.dev/gids': '1' })?.claims).toEqual([]);
  });

  it.each([
    [{}],
    [{ 'spillway.dev/uid': '2001' }],
    [{ 'spillway.dev/uid': '-1', 'spillway.dev/gids': '1' }],
    [{ 'spillway.dev/uid': '0x7', 'spillway.dev/gids': '1' }],
    [{ 'spillway.dev/uid': '2001', 'spillway.dev/gids': '2001,all' }],
  ])('is none where the annotations %j do not say who', (annotations) =>
    expect(of(annotations)).toBeUndefined(),
  );
});
