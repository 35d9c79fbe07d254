/** The evidence of a small morning in which all went as it should, for tests that spoil one thing of it. */
import type { Evidence, Submitted } from '../../lab/demo/evidence.ts';
import type { SeenBurst, SeenDecision } from '../../lab/demo/gateway.ts';
import type { JobPlan } from '../../lab/demo/morning.ts';
import { cluster } from '../../lab/demo/site.ts';
import { attemptKey, burstId, instant, type JobRef, jobKey, jobRef, uuid } from '../../src/domain/ids.ts';
import type { AccountedJob } from '../../src/domain/job.ts';
import type { Asked, TrueJob, TrueRun } from '../../src/sim/models/slurm-types.ts';
import type { PodRun } from '../../src/sim/world.ts';

export const openedAt = Date.UTC(2026, 0, 5, 8);
const at = (seconds: number) => instant(openedAt + seconds * 1000);

export type Where = 'home' | 'cloud' | 'twice' | 'no capacity' | 'no budget' | 'home first';

export function planOf(over: Partial<JobPlan> = {}): JobPlan {
  return {
    ...{ atMs: 0, user: 'alice', account: 'physics', name: 'md', partition: 'batch', cpus: 16, runMs: 4_000 },
    ...{ exit: { code: 0 }, tasks: 1 },
    ...over,
  };
}

function runOf(over: Partial<TrueRun>): TrueRun {
  return {
    ...{ restarts: 0, submitAt: at(0), startAt: at(5), endAt: at(9), partition: 'batch', nodes: ['n01'] },
    ...{ burst: false, state: 'COMPLETED', exit: { code: 0, signal: 0 }, process: 'over' },
    ...over,
  };
}

export function jobOf(ref: JobRef, runs: readonly TrueRun[], over: Partial<TrueJob> = {}): TrueJob {
  const last = runs.at(-1) ?? runOf({});
  const asked: Asked = {
    ...{ partition: 'batch', timeLimitMs: 60_000, minNodes: 1, maxNodes: undefined, comment: '' },
    memory: { per: 'cpu', mib: 1_500 },
  };
  return {
    ...{ id: Number(ref), ref, arrayJobId: undefined, task: undefined, user: 'alice', name: 'md' },
    ...{ ...asked, partition: last.partition, asked, submitAt: at(0), state: last.state, held: undefined },
    ...{ priority: 1_000, restarts: last.restarts, runs, moves: [] },
    ...over,
  };
}

export function podOf(ref: JobRef, restarts: number, from: number, to: number | undefined, code = 0): PodRun {
  const key = jobKey(cluster, ref, at(0));
  return {
    grant: {
      ...{ burst: burstId(`b-${ref}`), attempt: attemptKey(key, restarts), podUid: `u-${ref}-${restarts}` },
      ...{ epoch: 1, generation: uuid('00000000-0000-4000-8000-000000000000') },
    },
    ...{ podUid: `u-${ref}-${restarts}`, node: 'ip-1', rank: 0, startedAt: at(from) },
    endedAt: to === undefined ? undefined : at(to),
    exit: { exitCode: code, signal: 0 },
  };
}

interface Parts {
  readonly job: TrueJob;
  readonly ran: readonly PodRun[];
  readonly bursts: readonly SeenBurst[];
  readonly decisions: readonly SeenDecision[];
}

function partsOf(ref: JobRef, where: Where, { user, account, exit }: JobPlan): Parts {
  const over = { code: exit.code ?? 0, signal: exit.signal ?? 0 };
  const end = { state: over.code + over.signal === 0 ? 'COMPLETED' : 'FAILED', exit: over } as const;
  const cloud = { burst: true, partition: 'burst', nodes: ['v01'] };
  const burst = (state: string, more: Partial<SeenBurst> = {}): SeenBurst => ({
    ...{ job: ref, restarts: 0, user, account, state },
    ...more,
  });
  const back = (kind: string, text: string): Pick<Parts, 'bursts' | 'decisions'> => ({
    bursts: [burst('returned', { cause: { kind, text } })],
    decisions: [
      {
        ...{ id: `d-${ref}`, job: ref, user, at: at(2), kind: 'outcome', verdict: 'wait' },
        ...{ text: `given back: ${text}`, because: [] },
      },
    ],
  });
  const none = { ran: [], bursts: [], decisions: [] };
  const home = { ...none, job: jobOf(ref, [runOf(end)], { user }) };
  switch (where) {
    case 'home':
      return home;
    case 'home first':
      return { ...home, bursts: [burst('started_onprem')] };
    case 'no capacity':
      return { ...home, ...back('no_capacity', 'no capacity: InsufficientInstanceCapacity') };
    case 'no budget': {
      const measured = `1.67 USD at most, 0.08 USD left for account ${account}: would fit with 1.59 dollars more`;
      return {
        ...home,
        decisions: [
          {
            ...{ id: `d-${ref}`, job: ref, user, at: at(2), kind: 'decision', verdict: 'wait' },
            ...{ text: `waits: budget: ${measured}`, because: [{ rule: 'budget', pass: false, measured }] },
          },
        ],
      };
    }
    case 'cloud': {
      const job = jobOf(ref, [runOf({ ...cloud, ...end })], { user });
      return { ...none, job, ran: [podOf(ref, 0, 5, 9, over.code)], bursts: [burst('settled')] };
    }
    case 'twice': {
      const first = runOf({ ...cloud, state: 'REQUEUED', endAt: at(7) });
      const second = runOf({ ...cloud, ...end, restarts: 1, startAt: at(12), endAt: at(16) });
      const bursts = [burst('requeued'), burst('settled', { restarts: 1 })];
      return {
        ...none,
        job: jobOf(ref, [first, second], { user }),
        ran: [podOf(ref, 0, 5, 7), podOf(ref, 1, 12, 16)],
        bursts,
      };
    }
  }
}

/** Five jobs at home, for five reasons; fifteen in the cloud, one of them twice. Two are written to fail. */
const usual: readonly (readonly [Where, Partial<JobPlan>])[] = [
  ['home', {}],
  ['home', { exit: { signal: 11 } }],
  ['home first', {}],
  ['no capacity', {}],
  ['no budget', { user: 'carol', account: 'chemistry' }],
  ['twice', { user: 'erin', account: 'biology' }],
  ['cloud', { exit: { code: 2 } }],
  ['cloud', { user: 'dave', account: 'chemistry', cpus: 8 }],
  ...Array.from({ length: 12 }, () => ['cloud', {}] as const),
];

export function evidence(over: Partial<Evidence> = {}): Evidence {
  const submitted: Submitted[] = usual.map(([, more], i) => ({
    ref: jobRef(`${101 + i}`),
    plan: planOf(more),
  }));
  const parts = usual.map(([where], i) =>
    partsOf(jobRef(`${101 + i}`), where, submitted[i]?.plan ?? planOf()),
  );
  const jobs = parts.map(({ job }) => job);
  const accounted = new Map(jobs.map((job) => [job.ref, accountedOf(job)]));
  const usd = (n: number) => n * 1_000_000;
  return {
    ...{ submitted, jobs, accounted, ran: parts.flatMap(({ ran }) => ran) },
    bursts: parts.flatMap(({ bursts }) => bursts),
    decisions: parts.flatMap(({ decisions }) => decisions),
    machines: [{ id: 'i-1', node: 'ip-1', state: 'terminated' }],
    left: [],
    reclaims: [{ machine: 'i-1', jobs: [jobRef('106')] }],
    budgets: [
      { account: 'physics', limitMicroUsd: usd(60), heldMicroUsd: 0, spentMicroUsd: usd(5.5) },
      { account: 'chemistry', limitMicroUsd: usd(1.75), heldMicroUsd: 0, spentMicroUsd: usd(0.1) },
      { account: 'biology', limitMicroUsd: usd(60), heldMicroUsd: 0, spentMicroUsd: usd(1) },
    ],
    highest: new Map([
      ['physics', usd(55)],
      ['chemistry', usd(1.75)],
    ]),
    errors: [],
    alone: {
      submitted,
      jobs: submitted.map(({ ref }) => jobOf(ref, [runOf({ startAt: at(20), endAt: at(24) })])),
    },
    ...over,
  };
}

export function accountedOf({ ref, id, runs }: TrueJob): AccountedJob {
  const last = runs.at(-1) ?? runOf({});
  const { state, partition, submitAt, startAt, endAt, exit, restarts } = last;
  return {
    ref,
    id,
    state,
    partition,
    submitAt,
    startAt,
    endAt,
    exit,
    nodeList: '',
    restarts,
    adminComment: '',
  };
}

export { runOf };
