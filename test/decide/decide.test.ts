import { describe, expect, it } from 'vitest';
import { decideBacklog } from '../../src/decide/backlog.ts';
import { decide, inWords, rules } from '../../src/decide/decide.ts';
import type { RuleContext } from '../../src/decide/rule.ts';
import { clusterName, instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { Job, Snapshot } from '../../src/domain/job.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../../src/domain/policy.ts';
import { GiB } from '../../src/domain/resources.ts';

const now = instant(1_800_000_000_000);
const minutesAgo = (m: number) => instant(now - m * 60_000);

const job = (over: Partial<Job> & { id: number }): Job => ({
  ref: jobRef(`${over.id}`),
  arrayJobId: undefined,
  arrayTask: undefined,
  name: 'job',
  user: 'alice',
  account: 'physics',
  qos: 'normal',
  partition: 'batch',
  state: 'PENDING',
  reason: 'Resources',
  submitAt: minutesAgo(5),
  eligibleAt: minutesAgo(5),
  startAt: undefined,
  priority: 100,
  timeLimitMs: 600_000,
  minNodes: 1,
  maxNodes: 1,
  cpus: 1,
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
  ...over,
});

const setup: ClusterSetup = {
  name: clusterName('hpc1'),
  watch: ['batch'],
  explicit: 'cloud',
  waitPartition: 'burst_wait',
  burstPartition: 'burst',
  mode: 'auto',
  onLost: 'fail',
  pollMs: 1_000,
};
const policy: Policy = {
  thresholds: [{ pendingJobs: 6, forMs: 0 }],
  never: [],
  maxBursts: 10,
  maxTimeMs: undefined,
  budgets: [],
  backOffMs: 60_000,
};
const group: NodeGroup = {
  name: 'cpu',
  launchTemplate: 't',
  types: ['big'],
  zones: ['a'],
  vcpuPerCpu: 2,
  overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} },
  capacityType: 'on-demand',
  max: 4,
  idleMs: 1,
  joinTimeoutMs: 1,
  lostAfterMs: 1,
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
};
const groups = [{ group, types: [{ name: 'big', vcpus: 16, memoryBytes: 64 * GiB, gpus: 0 }] }];
const snapshot = (jobs: readonly Job[]): Snapshot => ({
  cluster: setup.name,
  at: now,
  tookMs: 1,
  jobs,
  partitions: [],
  nodes: [],
  partial: [],
});

const context = (over: Partial<Job>, more: Partial<RuleContext> = {}): RuleContext => ({
  job: job({ id: 1, partition: 'cloud', reason: 'PartitionDown', ...over }),
  now,
  snapshot: snapshot([]),
  setup,
  policy,
  groups,
  liveBursts: 0,
  lastReturnAt: undefined,
  pendingFor: new Map(),
  budgetLeft: () => undefined,
  arrayRoom: undefined,
  ...more,
});

/** The names of the rules that fail. */
const failing = (c: RuleContext): string[] =>
  decide(c)
    .because.filter((r) => !r.pass)
    .map((r) => r.rule);

describe('decide', () => {
  it('a job that asks for the cloud by partition bursts, and says why', () => {
    const decision = decide(context({}));
    expect(decision).toMatchObject({ verdict: 'burst', group: 'cpu' });
    expect(inWords(decision)).toContain('asked for by partition cloud');
    expect(decision.because.map((r) => r.rule)).toEqual(rules.map((r) => r.name));
  });

  it.each<[string, Partial<Job>]>([
    ['batch', { batch: false }],
    ['batch', { hetJob: true }],
    ['batch', { name: 'ondemand/sys/dashboard/sys/jupyter' }],
    ['batch', { name: 'sys/dashboard' }],
    ['nodes', { minNodes: 2, maxNodes: 2 }],
    ['placement', { requiredNodes: 'n1' }],
    ['placement', { reservation: 'maint' }],
    ['placement', { licenses: 'matlab:1' }],
    ['placement', { features: 'skylake' }],
    ['placement', { gres: 'gres:gpu:1' }],
    ['size', { cpus: 9 }],
  ])('never: %s %o', (rule, over) => {
    const decision = decide(context(over));
    expect(decision.verdict).toBe('never');
    expect(failing(context(over))).toEqual([rule]);
    expect(inWords(decision)).toContain(`${rule}:`);
  });

  it.each([
    'Dependency',
    'DependencyNeverSatisfied',
    'JobHeldUser',
    'JobHeldAdmin',
    'BeginTime',
    'Licenses',
    'Reservation',
    'AssocGrpCpuLimit',
    'QOSMaxJobsPerUserLimit',
    'MaxJobsPerAccount',
    'JobArrayTaskLimit',
    'SomethingNobodyKnows',
  ])('a pending reason that bursting cannot help is waited for: %s', (reason) => {
    expect(decide(context({ reason })).verdict).toBe('wait');
    expect(failing(context({ reason }))).toEqual(['pending-reason']);
  });

  it('PartitionDown helps only in the explicit partition', () => {
    expect(failing(context({ partition: 'batch', reason: 'PartitionDown' }))).toContain('pending-reason');
  });

  it('a range of nodes that may be one node is pinned to one, and may burst', () => {
    expect(decide(context({ minNodes: 1, maxNodes: 4 })).verdict).toBe('burst');
  });

  it('more CPUs than a virtual node has would need two nodes', () => {
    const seen = snapshot([]);
    const node = {
      name: 'c1',
      state: 'IDLE',
      partitions: ['burst'],
      cpus: 4,
      allocatedCpus: 0,
      memoryMib: 1,
      features: '',
      gres: '',
    };
    const shaped = { snapshot: { ...seen, nodes: [node] } };
    expect(failing(context({ cpus: 5 }, shaped))).toEqual(['size']);
    expect(failing(context({ cpus: 4 }, shaped))).toEqual([]);
  });

  it('another partition is never ours', () => {
    expect(failing(context({ partition: 'gpu' }))).toContain('partition');
  });

  it('a partition list counts if one of it is watched', () => {
    expect(failing(context({ partition: 'other,cloud' }))).toEqual([]);
  });

  it.each<[string, Policy['never'][number], Partial<Job>]>([
    ['nodes', { kind: 'nodesAbove', nodes: 0 }, {}],
    ['account', { kind: 'account', account: 'physics' }, {}],
    ['partition', { kind: 'partition', partition: 'cloud' }, {}],
  ])('a never-rule of the site by %s', (_what, rule, over) => {
    expect(failing(context(over, { policy: { ...policy, never: [rule] } }))).toEqual(['never']);
  });

  it('a time limit above maxTime, or none, stays', () => {
    const limited = { policy: { ...policy, maxTimeMs: 600_000 } };
    expect(failing(context({ timeLimitMs: 600_001 }, limited))).toEqual(['time']);
    expect(failing(context({ timeLimitMs: 'unlimited' }, limited))).toEqual(['time']);
    expect(failing(context({ timeLimitMs: 600_000 }, limited))).toEqual([]);
  });

  it('a job given back is left alone until the back-off is over', () => {
    expect(failing(context({}, { lastReturnAt: instant(now - 59_000) }))).toEqual(['back-off']);
    expect(failing(context({}, { lastReturnAt: instant(now - 60_000) }))).toEqual([]);
  });

  it('an account whose hard budget is spent waits', () => {
    expect(failing(context({}, { budgetLeft: () => 0 }))).toEqual(['budget']);
    expect(failing(context({}, { budgetLeft: () => 1 }))).toEqual([]);
  });

  it('waits at the cap, and at the throttle of its array', () => {
    expect(failing(context({}, { liveBursts: 10 }))).toEqual(['cap']);
    expect(failing(context({}, { arrayRoom: 0 }))).toEqual(['array']);
  });
});

describe('decideBacklog', () => {
  const input = (jobs: readonly Job[], more: Partial<Parameters<typeof decideBacklog>[0]> = {}) => ({
    snapshot: snapshot(jobs),
    now,
    setup,
    policy,
    groups,
    live: new Set<JobRef>(),
    liveBursts: 0,
    lastReturnAt: new Map(),
    budgetLeft: () => undefined,
    examined: () => undefined,
    ...more,
  });
  const bursting = (i: Parameters<typeof decideBacklog>[0]) =>
    decideBacklog(i)
      .filter((d) => d.decision.verdict === 'burst')
      .map((d) => d.job.ref as string);

  it('six pending jobs pass the threshold; five do not', () => {
    const six = [1, 2, 3, 4, 5, 6].map((id) => job({ id }));
    expect(bursting(input(six))).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(bursting(input(six.slice(1)))).toEqual([]);
  });

  it('jobs that cannot burst do not count towards the threshold', () => {
    const jobs = [
      ...[1, 2, 3, 4, 5].map((id) => job({ id })),
      job({ id: 6, reason: 'Dependency' }),
      job({ id: 7, reason: 'JobHeldUser' }),
      job({ id: 8, reason: 'QOSMaxJobsPerUserLimit' }),
    ];
    expect(bursting(input(jobs))).toEqual([]);
    expect(bursting(input([...jobs, job({ id: 9 })]))).toEqual(['1', '2', '3', '4', '5', '9']);
  });

  it('a threshold with minutes takes only the jobs that have waited so long', () => {
    const patient = { policy: { ...policy, thresholds: [{ pendingJobs: 2, forMs: 10 * 60_000 }] } };
    const jobs = [
      job({ id: 1, eligibleAt: minutesAgo(10) }),
      job({ id: 2, eligibleAt: minutesAgo(12) }),
      job({ id: 3, eligibleAt: minutesAgo(9) }),
    ];
    expect(bursting(input(jobs, patient))).toEqual(['1', '2']);
  });

  it('the cap counts what was decided earlier in the same turn', () => {
    const jobs = [1, 2, 3, 4].map((id) => job({ id, partition: 'cloud', reason: 'PartitionDown' }));
    expect(bursting(input(jobs, { liveBursts: 8 }))).toEqual(['1', '2']);
  });

  it('the more important go first', () => {
    const jobs = [
      job({ id: 1, partition: 'cloud', reason: 'PartitionDown' }),
      job({ id: 2, partition: 'cloud', reason: 'PartitionDown', priority: 900 }),
    ];
    expect(bursting(input(jobs, { liveBursts: 9 }))).toEqual(['2']);
  });

  it('an array bursts task by task, never more than its throttle leaves', () => {
    const array = job({
      id: 7,
      arrayJobId: 7,
      arrayTask: '3-9%3',
      ref: jobRef('7'),
      partition: 'cloud',
      reason: 'PartitionDown',
    });
    const ran = job({ id: 8, arrayJobId: 7, arrayTask: '1', ref: jobRef('7_1'), state: 'RUNNING' });
    expect(bursting(input([array, ran]))).toEqual(['7_3', '7_4']);
  });

  it('a job with a live burst is decided already', () => {
    const one = job({ id: 1, partition: 'cloud', reason: 'PartitionDown' });
    expect(decideBacklog(input([one], { live: new Set([one.ref]) }))).toEqual([]);
  });
});
