/** How long one turn's decisions take: `npx tsx bench/decide.ts [jobs]`. Reading the queue and writing receipts are left out. */
import { decideBacklog } from '../src/decide/backlog.ts';
import { assumed } from '../src/decide/ready.ts';
import { clusterName, instant, jobRef } from '../src/domain/ids.ts';
import type { Job } from '../src/domain/job.ts';
import { GiB } from '../src/domain/resources.ts';

const count = Number(process.argv[2] ?? 10_000);
const now = instant(Date.now());
const reasons = [
  'Resources',
  'Priority',
  'Dependency',
  'JobHeldUser',
  'QOSMaxJobsPerUserLimit',
  'PartitionDown',
];

const jobs: Job[] = Array.from({ length: count }, (_, i) => ({
  ref: jobRef(`${i + 1}`),
  id: i + 1,
  arrayJobId: undefined,
  arrayTask: undefined,
  name: `job ${i}`,
  user: `user${i % 200}`,
  account: `account${i % 40}`,
  qos: 'normal',
  partition: i % 5 === 0 ? 'cloud' : 'batch',
  state: 'PENDING',
  reason: reasons[i % reasons.length] ?? 'Resources',
  submitAt: instant(now - (i % 7200) * 1000),
  eligibleAt: instant(now - (i % 7200) * 1000),
  startAt: undefined,
  priority: 1000 + (i % 977),
  timeLimitMs: 3_600_000,
  minNodes: 1,
  maxNodes: 1,
  cpus: 1 + (i % 16),
  batch: true,
  hetJob: false,
  dependency: '',
  features: '',
  licenses: '',
  reservation: '',
  requiredNodes: '',
  gres: '',
  restarts: 0,
  nodeList: '',
}));

const group = {
  name: 'cpu',
  launchTemplate: 't',
  types: ['big'],
  zones: ['a'],
  vcpuPerCpu: 2,
  overhead: { cpuMillis: 100, memoryBytes: GiB / 2, extended: {} },
  capacityType: 'on-demand',
  max: 100,
  idleMs: 300_000,
  joinTimeoutMs: 900_000,
  lostAfterMs: 600_000,
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
} as const;

const input = {
  snapshot: {
    cluster: clusterName('bench'),
    at: now,
    tookMs: 0,
    jobs,
    partitions: [],
    nodes: [],
    partial: [],
  },
  now,
  setup: {
    name: clusterName('bench'),
    watch: ['batch'],
    explicit: 'cloud',
    waitPartition: 'burst_wait',
    burstPartition: 'burst',
    mode: 'auto',
    onLost: 'fail',
    pollMs: 30_000,
  },
  policy: {
    burstWhen: [{ kind: 'backlog', pendingJobs: 10, forMs: 3_600_000 }],
    never: [],
    maxBursts: 500,
    maxTimeMs: undefined,
    budgets: [],
    backOffMs: 1_800_000,
    returns: 3,
  },
  groups: [{ group, types: [{ name: 'big', vcpus: 64, memoryBytes: 256 * GiB, gpus: 0 }] }],
  stop: undefined,
  live: new Set<ReturnType<typeof jobRef>>(),
  liveBursts: 0,
  returned: new Map(),
  budgets: [],
  beside: { cpuMillis: 0, memoryBytes: 0, extended: {} },
  examined: () => undefined,
  forecast: () => undefined,
  queues: [],
  had: new Map(),
  readyIn: () => assumed,
} as const;

const runs: number[] = [];
let bursts = 0;
for (let i = 0; i < 7; i++) {
  const began = performance.now();
  bursts = decideBacklog(input).filter((d) => d.decision.verdict === 'burst').length;
  runs.push(performance.now() - began);
}
runs.sort((a, b) => a - b);
console.log(
  `${count} pending jobs, ${bursts} bursts: median ${runs[3]?.toFixed(0)} ms, slowest ${runs[6]?.toFixed(0)} ms`,
);
