import { randomUUID } from 'node:crypto';
import type { Burst, BurstState } from '../../src/domain/burst.ts';
import type { Receipt, Verdict } from '../../src/domain/decision.ts';
import {
  attemptKey,
  burstId,
  type ClusterName,
  cloudId,
  clusterName,
  instanceId,
  instant,
  jobKey,
  jobRef,
  launchToken,
  uuid,
} from '../../src/domain/ids.ts';
import type { Instance, InstanceState } from '../../src/domain/instance.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';
import type { Intent, Write } from '../../src/ports.ts';

export const newId = () => uuid(randomUUID());

const t0 = Date.UTC(2026, 0, 5, 8);
let made = 0;

/** A burst of a job of its own, new (rev 0), unless told otherwise. */
export function aBurst(over: Partial<Burst> = {}): Burst {
  const n = ++made;
  const cluster = over.cluster ?? clusterName('hpc1');
  const ref = over.ref ?? jobRef(String(1000 + n));
  const job = jobKey(cluster, ref, instant(t0));
  return {
    id: burstId(`b-${String(n).padStart(6, '0')}-${randomUUID().slice(0, 8)}`),
    cluster,
    job,
    attempt: attemptKey(job, over.restarts ?? 0),
    ref,
    jobId: 1000 + n,
    restarts: 0,
    submitAt: instant(t0),
    firstSubmitAt: instant(t0),
    name: 'größer "2" \\ 🚀',
    user: 'alice',
    uid: 2001,
    gid: 2001,
    account: 'physics',
    origin: 'decision',
    receipt: undefined,
    state: 'proposed',
    rev: 0,
    createdAt: instant(t0 + n),
    enteredAt: instant(t0 + n),
    group: 'cpu',
    needs: { cpuMillis: 4000, memoryBytes: 8 * GiB, extended: {} },
    saved: {
      partition: 'batch',
      timeLimitMs: 'unlimited',
      memory: { per: 'node', mib: 0 },
      minNodes: 1,
      maxNodes: undefined,
      comment: '',
      priority: 4294967295,
      nice: -5,
    },
    instance: undefined,
    pod: undefined,
    claim: undefined,
    grant: undefined,
    startedAt: undefined,
    endedAt: undefined,
    exit: undefined,
    usage: undefined,
    dropped: 0,
    cause: undefined,
    trouble: undefined,
    predecessor: undefined,
    killBy: undefined,
    ...over,
  };
}

/** Every optional part filled in. */
export function aFullBurst(over: Partial<Burst> = {}): Burst {
  const b = aBurst(over);
  return {
    ...b,
    receipt: newId(),
    needs: { cpuMillis: 500, memoryBytes: 2 ** 52 + 1, extended: { 'nvidia.com/gpu': 2 } },
    saved: {
      ...b.saved,
      timeLimitMs: 3_600_000,
      maxNodes: 4,
      memory: { per: 'cpu', mib: 2048 },
      comment: 'a\nb\tc',
    },
    instance: instanceId('i-1'),
    pod: { ref: { namespace: 'user-alice', name: 'spillway-x' }, uid: 'u-1' },
    others: [
      {
        rank: 1,
        instance: instanceId('i-2'),
        pod: { ref: { namespace: 'user-alice', name: 'spillway-y' }, uid: 'u-2' },
        machine: 'm.small',
      },
      { rank: 2, instance: undefined, pod: undefined },
    ],
    broken: { at: instant(t0 + 6), exit: { signal: 9, reason: 'OOMKilled' } },
    ...{ capacityType: 'spot', spotRefused: false, reclaimedAt: instant(t0 + 6), reclaims: 1, signal: 10 },
    spent: { microUsd: 7, by: 'history' },
    data: {
      paths: [{ way: 'in', path: '/data/ü' }],
      egress: { perGiB: 90_000, held: 900_000 },
      ...{ since: instant(t0 + 5), up: { sha256: 'ab', size: 3 }, there: instant(t0 + 6), inBytes: 2 ** 42 },
      ...{
        results: { sha256: 'cd', size: 2 ** 40 },
        resultBytes: 2 ** 41,
        home: true,
        homeAt: instant(t0 + 7),
        kept: 's3://b/k',
      },
      ...{ told: ['a socket'], lost: 'its memory', tries: 2, againAt: instant(t0 + 7) },
      others: [
        { rank: 1, results: { sha256: 'ef', size: 0 } },
        { rank: 2, lost: 'gone', tries: 1, againAt: instant(t0 + 8) },
      ],
    },
    claim: { deadline: instant(t0 + 5), answered: true, times: 2 },
    grant: { burst: b.id, attempt: b.attempt, podUid: 'u-1', epoch: 7, generation: newId() },
    startedAt: instant(t0 + 6),
    endedAt: instant(t0 + 7),
    exit: { code: 7, reason: 'Error' },
    usage: { userMs: 1, systemMs: 0, maxRssBytes: 2 ** 40 },
    dropped: 2 ** 53 - 1,
    cause: { kind: 'pod_failed', text: 'OOMKilled' },
    trouble: { since: instant(t0 + 8), text: 'node unknown' },
    predecessor: burstId('b-before'),
    quote: { until: instant(t0 + 10), microUsd: 7, why: 'Zu lange.', cpus: 4, timeLimitMs: 'unlimited' },
    answer: { yes: true, by: 'alice', at: instant(t0 + 9), why: '“ja” 🚀' },
    cancel: { deadline: instant(t0 + 11), answered: false },
    killBy: instant(t0 + 9),
    ...over,
  };
}

export function anInstance(over: Partial<Instance> = {}): Instance {
  const n = ++made;
  return {
    id: instanceId(`i-${String(n).padStart(6, '0')}-${randomUUID().slice(0, 8)}`),
    cluster: clusterName('hpc1'),
    group: 'cpu',
    state: 'intended',
    rev: 0,
    token: launchToken(`t-${randomUUID()}`),
    spec: {
      group: 'cpu',
      launchTemplate: 'spillway-cpu',
      types: ['c7i.large', 'm7i.large'],
      zones: ['eu-central-1a'],
      capacityType: 'spot',
      maxPrices: { 'c7i.large': 90_000, 'm7i.large': 101_000 },
      without: [{ type: 'm7i.large', zone: 'eu-central-1a' }],
      tags: { 'spillway.dev/cluster': 'hpc1' },
    },
    cloudId: undefined,
    type: undefined,
    zone: undefined,
    node: undefined,
    capacity: nothing,
    createdAt: instant(t0 + n),
    enteredAt: instant(t0 + n),
    launchedAt: undefined,
    readyAt: undefined,
    idleSince: undefined,
    endedAt: undefined,
    why: undefined,
    trouble: undefined,
    ...over,
  };
}

export function aFullInstance(over: Partial<Instance> = {}): Instance {
  const room = { cpuMillis: 2_000, memoryBytes: 4_096, extended: { 'nvidia.com/gpu': 1 }, pods: 58 };
  const subnets = { 'eu-central-1a': 'subnet-0a1' };
  return anInstance({
    spec: { ...anInstance().spec, subnets, fixed: { needs: room, most: room } },
    capacity: room,
    measured: { cpuMillis: 2_000, memoryBytes: 4_096, pods: 58 },
    cloudId: cloudId('i-0abc'),
    type: 'c7i.large',
    zone: 'eu-central-1a',
    node: 'ip-10-0-0-1',
    launchedAt: instant(t0 + 1),
    readyAt: instant(t0 + 2),
    idleSince: instant(t0 + 3),
    price: { microUsd: 178_500, from: instant(t0 - 6), spot: 'history', capMicroUsd: 200_000 },
    reclaimedAt: instant(t0 + 3),
    askedAt: instant(t0 + 1),
    askAgainAt: instant(t0 + 2),
    releasedAt: instant(t0 + 4),
    withheld: 'drain',
    hold: {
      ...{ perHour: 200_000, from: instant(t0 + 1), held: 150_000, rows: 2 },
      ...{ on: [burstId('b-1')], relieved: 1_000, short: instant(t0 + 3) },
    },
    endedAt: instant(t0 + 4),
    why: 'idle',
    trouble: { since: instant(t0 + 5), text: 'does not answer' },
    ...over,
  });
}

export function aReceipt(of: Burst, over: Partial<Receipt> & { readonly verdict?: Verdict } = {}): Receipt {
  const { verdict = 'wait', ...rest } = over;
  return {
    id: newId(),
    cluster: of.cluster,
    job: of.job,
    attempt: of.attempt,
    ref: of.ref,
    user: of.user,
    burst: undefined,
    at: instant(t0 + 20),
    snapshotAt: instant(t0 + 19),
    kind: 'decision',
    decision: {
      verdict,
      because: [{ rule: 'backlog', pass: false, measured: '4 jobs', limit: '10 jobs' }],
      group: undefined,
    },
    basis: {
      policy: 'f00d',
      forecast: { by: 'backfill 500, draws 100', startsIn: { p10Ms: 1, p50Ms: 60_000, p90Ms: 3_600_000 } },
      ready: { group: 'cpu', p50Ms: 180_000, p90Ms: 300_000, measured: 12 },
      data: {
        ...{ from: 'earlier', jobs: 3 },
        in: { bytes: 2 ** 40, p50Ms: 60_000, p90Ms: 90_000, measured: 12 },
        out: { bytes: 0, p50Ms: 0, p90Ms: 0, measured: 0 },
      },
      offer: {
        ...{ group: 'cpu', type: 'c7i.4xlarge', zones: ['a', 'b'], capacity: 'on-demand' },
        ...{ perHourMicroUsd: 400_000, expectedMicroUsd: 800_001, worstMicroUsd: 1_600_000 },
        ...{ noCapacity: 0.05, interrupted: 0.01, measured: 12, savesMs: 7_200_000 },
        ...{ expectedStartMs: 190_000, expectedEndMs: 7_390_000 },
      },
      passedOver: [{ group: 'cpu', capacity: 'spot', why: 'spot prices are not known: 503' }],
    },
    text: 'The backlog is small.',
    ...rest,
  };
}

export function anIntent(of: { readonly id: Intent['subject'] }, over: Partial<Intent> = {}): Intent {
  return {
    id: newId(),
    subject: of.id,
    effect: 'slurm.move',
    spec: { partition: 'burst', nested: { list: [1, 'two', null, true] } },
    epoch: 1,
    at: instant(t0 + 30),
    deadline: instant(t0 + 60),
    ...over,
  };
}

export const putBurst = (burst: Burst, why = 'test'): Write => ({ kind: 'burst', burst, why });
export const putInstance = (instance: Instance, why = 'test'): Write => ({ kind: 'instance', instance, why });
export const putReceipt = (receipt: Receipt): Write => ({ kind: 'receipt', receipt });
export const putIntent = (intent: Intent): Write => ({ kind: 'intent', intent });

/** The same burst as the store has it after a commit, in another state. */
export const next = (b: Burst, state: BurstState, over: Partial<Burst> = {}): Burst => ({
  ...b,
  rev: b.rev + 1,
  state,
  ...over,
});
export const nextInstance = (i: Instance, state: InstanceState, over: Partial<Instance> = {}): Instance => ({
  ...i,
  rev: i.rev + 1,
  state,
  ...over,
});

export function aCluster(): ClusterName {
  return clusterName(`c${randomUUID().slice(0, 8)}`);
}
