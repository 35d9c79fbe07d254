import type { Burst } from '../../src/domain/burst.ts';
import { attemptKey, burstId, clusterName, instant, jobKey, jobRef } from '../../src/domain/ids.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { PodInput } from '../../src/translate/index.ts';

const cluster = clusterName('hpc1');
const job = jobKey(cluster, jobRef('4711'), instant(1_700_000_000_000));

export function burst(change: Partial<Burst> = {}): Burst {
  return {
    id: burstId('0190b0a4-7c1e-7d2a-8f00-3b1c2d4e5f60'),
    cluster,
    job,
    attempt: attemptKey(job, 0),
    ref: jobRef('4711'),
    jobId: 4711,
    restarts: 0,
    submitAt: instant(1_700_000_000_000),
    firstSubmitAt: instant(1_700_000_000_000),
    name: 'job.sh',
    user: 'alice',
    uid: 2001,
    gid: 2001,
    account: 'physics',
    origin: 'decision',
    receipt: undefined,
    state: 'provisioning',
    rev: 3,
    createdAt: instant(1_700_000_001_000),
    enteredAt: instant(1_700_000_002_000),
    group: 'cpu',
    needs: { cpuMillis: 4000, memoryBytes: 8 * GiB, extended: {} },
    saved: {
      partition: 'batch',
      timeLimitMs: 3_600_000,
      memory: { per: 'node', mib: 8192 },
      minNodes: 1,
      maxNodes: 1,
      comment: '',
      priority: 1000,
      nice: 0,
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
    ...change,
  };
}

export function input(change: Partial<PodInput> = {}): PodInput {
  return {
    burst: burst(),
    tenant: { namespace: 'spillway-alice', uid: 2001, gids: [2001, 3001], claims: ['home', 'scratch'] },
    groups: [3001],
    image: 'registry.example.org/hpc/base:1',
    agentImage: 'registry.example.org/spillway/agent:1',
    imagePullPolicy: 'IfNotPresent',
    mounts: [{ path: '/home', claim: 'home' }],
    node: 'ip-10-0-0-7.ec2.internal',
    taint: { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' },
    keeperPort: 8470,
    graceSeconds: 30,
    secretName: 'spill-key-x',
    limitMemory: true,
    ...change,
  };
}
