/** Steps against a store model and a Slurm of one job: what a lost answer, a race or a dead node may lead to, and what it may not. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { steps } from '../../src/burst/steps.ts';
import type { Burst, Exit } from '../../src/domain/burst.ts';
import { PortError } from '../../src/domain/fault.ts';
import { cloudId, instanceId, instant, launchToken, uuid } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { JobDetail } from '../../src/domain/job.ts';
import type { NodeView, PodView } from '../../src/domain/kube.ts';
import type { Next } from '../../src/domain/next.ts';
import { nothing } from '../../src/domain/resources.ts';
import type { KubernetesPort, MoveSpec, SlurmPort } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { type KeeperView, type StandinView, type Streams, standinKey } from '../../src/stream/streams.ts';
import { at, burst, detail, pod } from './fixtures.ts';

const unused = (what: string) => () => {
  throw new Error(`${what} is not part of this test`);
};
/** A port of which only what is given may be called. */
const only = <T extends object>(given: Partial<T>): T =>
  new Proxy(given as T, { get: (t, key) => Reflect.get(t, key) ?? unused(String(key)) });

let time = at;
let job: JobDetail | undefined;
let moves: MoveSpec[];
/** The run that each requeue named. */
let requeues: number[];
let onRequeue: () => { made: boolean; fault?: PortError };
let finished: Exit[];
/** What becomes of a move: whether it is made, and what the caller hears. */
let onMove: () => { made: boolean; fault?: PortError };
let podSeen: PodView | undefined;
let nodes: NodeView[];
let deletions: number[];
let comments: string[];
let standin: StandinView | undefined;
let keeper: KeeperView | undefined;
let mode: 'auto' | 'observe';
let onLost: 'fail' | 'requeue';
let onFailure: BurstContext['setup']['onFailure'];
let store: MemStore;
let ids = 0;

const slurm = only<SlurmPort>({
  job: async () => job,
  accounting: async () => [],
  history: async () => ({ runs: [], partial: [] }),
  requeue: async (_ref, restarts) => {
    const { made, fault } = onRequeue();
    requeues.push(restarts);
    if (made && job !== undefined)
      job = { ...job, state: 'PENDING', restarts: restarts + 1, submitAt: instant(time + 1_000) };
    if (fault !== undefined) throw fault;
  },
  annotate: async () => undefined,
  appendComment: async (_ref, text) => void comments.push(text),
  move: async (_ref, to) => {
    const { made, fault } = onMove();
    moves.push(to);
    if (made && job !== undefined) job = { ...job, partition: to.partition };
    if (fault !== undefined) throw fault;
  },
});
const kubernetes = only<KubernetesPort>({
  pod: async () => podSeen,
  secret: async () => ({ key: new Uint8Array(32) }),
  deleteSecret: async () => undefined,
  deletePod: async (_ref, _uid, graceSeconds) => {
    deletions.push(graceSeconds);
    if (podSeen === undefined) return;
    podSeen = { ...podSeen, deletingSince: podSeen.deletingSince ?? time };
    // Its kubelet, where there is one, ends the container.
    if (nodes.some((n) => n.ready === 'true'))
      podSeen = {
        ...podSeen,
        containers: {
          main: { state: 'terminated', exitCode: 137, signal: 0, reason: 'Error', finishedAt: time },
        },
      };
  },
  // As the API server does it: a pod with a grace waits for its kubelet's word.
  releasePod: async () => {
    const over = podSeen?.containers.main?.state === 'terminated';
    if (over || deletions.at(-1) === 0) podSeen = undefined;
  },
});
const streams = only<Streams>({
  keeper: () => keeper,
  standinOf: () => standin,
  attachKeeper: () => undefined,
  couple: () => undefined,
  discard: () => undefined,
  signal: () => undefined,
  release: () => undefined,
  bye: () => undefined,
  finish: (_burst, exit) => void (finished.length === 0 && finished.push(exit)),
});
const context = (): BurstContext => ({
  setup: {
    name: burst().cluster,
    watch: ['batch'],
    explicit: 'cloud',
    waitPartition: 'burst_wait',
    burstPartition: 'burst',
    mode,
    onLost,
    onFailure,
    pollMs: 1,
  },
  slurm,
  kubernetes,
  store,
  streams,
  clock: { now: () => time },
  entropy: {
    uuid: () => uuid(`00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`),
    bytes: (n) => new Uint8Array(n),
    random: () => 0,
  },
  pods: {
    images: { default: 'i', partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] },
    agentImage: 'a',
    imagePullPolicy: 'Never',
    mounts: [],
    keeperPort: 1,
  },
  generation: uuid('g'),
  epoch: () => 0,
  facts: async () => ({
    version: '',
    killWaitMs: 10_000,
    minJobAgeMs: 1,
    partitions: [],
    preemptMode: 'OFF',
  }),
  nodes: async () => nodes,
  hint: () => 'RUNNING',
  group: () => undefined,
  offered: () => undefined,
  budgets: [],
  replan: () => undefined,
  wake: () => undefined,
  log: () => undefined,
});

beforeEach(() => {
  time = at;
  job = detail({ partition: 'cloud' });
  moves = [];
  requeues = [];
  onRequeue = () => ({ made: true });
  finished = [];
  onMove = () => ({ made: true });
  podSeen = undefined;
  nodes = [];
  deletions = [];
  comments = [];
  standin = undefined;
  keeper = undefined;
  mode = 'auto';
  onLost = 'fail';
  onFailure = undefined;
  store = new MemStore({
    clock: { now: () => time },
    entropy: { uuid: () => uuid(`s${++ids}`), bytes: (n) => new Uint8Array(n), random: () => 0 },
  });
});

const readyNode: NodeView = {
  name: 'node',
  uid: 'u',
  providerId: '',
  labels: {},
  ready: 'true',
  readySince: at,
  unschedulable: false,
  allocatable: { cpuMillis: 1, memoryBytes: 1, pods: 1 },
  createdAt: at,
};
const connected = (): StandinView => ({
  key: standinKey(burst().cluster, 7, 's'),
  cluster: burst().cluster,
  peer: {
    ...{ uid: 2001, gid: 2001, groups: [], user: 'alice', home: '/home/alice', shell: '/bin/sh' },
    ...{ jobId: 7, pid: 1, host: 'burst1' },
  },
  open: { restart: 0, argv: [], cwd: '', umask: 18, limits: {}, join: false, session: 's' },
  since: at,
  link: 'up',
  linkSince: at,
  coupled: burst().id,
  bye: false,
  termAt: undefined,
});
const waitingKeeper = (): KeeperView => ({
  ...{ burst: burst().id, rank: 0, link: 'up', linkSince: at, everUp: true, fault: undefined, main: 'ready' },
  ...{ mainFault: undefined, inputComplete: false, started: undefined, exit: undefined },
  ...{ acked: { 1: 0, 2: 0 }, drained: false, dropped: 0, byeSent: false },
});
/** A burst whose pod waits on a Ready node, as it must before its job is claimed. */
async function putReady(over: Partial<Burst> = {}): Promise<void> {
  podSeen = pod({ state: 'running', startedAt: at });
  nodes = [readyNode];
  keeper = waitingKeeper();
  await put({ state: 'ready', pod: { ref: podSeen.ref, uid: podSeen.uid }, ...over });
}

async function put(over: Partial<Burst>): Promise<void> {
  const ctx = context();
  await store.commit(ctx.entropy.uuid(), burst().cluster, 0, [
    { kind: 'burst', burst: burst({ rev: 0, ...over }), why: 'test' },
  ]);
}
async function now(): Promise<Burst> {
  const b = await store.burst(burst().id);
  if (b === undefined) throw new Error('no burst');
  return b;
}
/** One step, then as many more as want to go on at once. */
async function step(): Promise<Next> {
  for (let i = 0; i < 20; i++) {
    const b = await now();
    const next = await steps[b.state](context(), b);
    if (next.again !== 'now') return next;
  }
  throw new Error('20 steps in a row');
}
/** Steps, each as late as it asked to come again, until the burst is over. */
async function finish(): Promise<Burst> {
  for (let i = 0; i < 20; i++) {
    const next = await step();
    if (next.again === 'never') return now();
    if (next.again === 'after') time = instant(time + next.ms);
  }
  return now();
}
const fault = (f: PortError['fault']): PortError => new PortError(f, 'slurm.move', f);
const saved = burst().saved;

describe('the claim', () => {
  it('whose answer is lost but that was made is found made, and not made again', async () => {
    await putReady();
    onMove = () => ({ made: true, fault: fault('unknown') });
    await step();
    expect((await now()).claim).toMatchObject({ answered: false });
    await step();
    expect(await now()).toMatchObject({ state: 'placed', claim: { answered: true } });
    expect(moves).toHaveLength(1);
  });

  it('whose answer is lost and that is not seen is not repeated while it can still happen', async () => {
    await putReady();
    onMove = () => ({ made: false, fault: fault('unknown') });
    await step();
    time = instant(at + 29_000);
    await step();
    expect((await now()).state).toBe('moving');
    expect(moves).toHaveLength(1);
    // 15 s for the far side and 15 s more: from here it cannot.
    time = instant(at + 31_000);
    onMove = () => ({ made: true });
    await step();
    await step();
    expect((await now()).state).toBe('placed');
    expect(moves).toHaveLength(2);
  });

  it('is not made for a pod that ended since it was ready, nor while nothing is known of it', async () => {
    await putReady();
    nodes = [];
    await step();
    expect(await now()).toMatchObject({
      state: 'ready',
      trouble: { text: expect.stringMatching(/^unknown/) },
    });
    nodes = [readyNode];
    podSeen = pod({ state: 'terminated', exitCode: 137, signal: 0, reason: 'OOMKilled', finishedAt: at });
    expect(await finish()).toMatchObject({ state: 'returned', cause: { kind: 'pod_failed' } });
    expect(moves).toEqual([]);
  });

  it('that came too late leaves the job alone', async () => {
    await putReady();
    onMove = () => {
      job = detail({ partition: 'cloud', state: 'RUNNING', nodeList: 'n1' });
      return { made: false, fault: fault('started') };
    };
    expect(await finish()).toMatchObject({ state: 'started_onprem', cause: { kind: 'started_onprem' } });
    expect(moves).toHaveLength(1);
  });

  it('that the site refuses is not retried, and nothing is moved back', async () => {
    await putReady();
    onMove = () => ({ made: false, fault: fault('refused') });
    expect(await finish()).toMatchObject({ state: 'returned', cause: { kind: 'move_refused' } });
    expect(moves).toHaveLength(1);
  });

  it('that fails and changes nothing, again and again, ends', async () => {
    await putReady();
    onMove = () => ({ made: false, fault: fault('transient') });
    for (let i = 0; i < 20 && (await now()).state !== 'returned'; i++) {
      time = instant(time + 30_000);
      await step();
    }
    expect((await now()).state).toBe('returned');
    expect(moves).toHaveLength(8);
  });

  it('is not made of a job that may run for longer than was held for: it needs a new hold', async () => {
    const price = { held: 1_000, rates: { x: 1 } };
    for (const [timeLimitMs, left] of [
      [600_000, false],
      [660_000, true],
      ['unlimited', true],
    ] as const) {
      moves = [];
      store = new MemStore({ clock: { now: () => time }, entropy: context().entropy });
      job = detail({ partition: 'cloud', timeLimitMs });
      await putReady({ price, saved: { ...burst().saved, timeLimitMs: 600_000 } });
      await step();
      expect(moves).toHaveLength(left ? 0 : 1);
      if (left) expect((await now()).cause?.text).toMatch(/now, and money is held for 10 min/);
    }
  });

  it('keeps what the owner changed, and leaves a job that its owner holds', async () => {
    job = detail({ partition: 'cloud', timeLimitMs: 180_000 });
    await putReady();
    await step();
    expect(moves[0]).toMatchObject({ partition: 'burst', timeLimitMs: 180_000, minNodes: 1, maxNodes: 1 });
    await put({ id: burst().id, state: 'ready' }).catch(() => undefined);
    moves = [];
    store = new MemStore({ clock: { now: () => time }, entropy: context().entropy });
    job = detail({ partition: 'cloud', priority: 0, reason: 'JobHeldUser' });
    await putReady();
    expect(await finish()).toMatchObject({ state: 'withdrawn', cause: { kind: 'owner_changed' } });
    expect(moves).toEqual([]);
  });
});

describe('the claim of a job that asks for what does not translate', () => {
  it('is not made: its owner asked for a licence or a burst buffer meanwhile', async () => {
    for (const over of [{ licenses: 'matlab:1' }, { raw: { JobId: '7', BurstBuffer: '#BB x' } }]) {
      store = new MemStore({ clock: { now: () => time }, entropy: context().entropy });
      job = detail({ partition: 'cloud', ...over });
      await putReady();
      expect(await finish()).toMatchObject({ state: 'withdrawn', cause: { kind: 'owner_changed' } });
      expect((await now()).cause?.text).toMatch(
        /asks for (licences matlab:1 \(|what does not translate now: --bb=#BB x \()/,
      );
    }
    expect(moves).toEqual([]);
  });

  it('waits while its record cannot be read in full', async () => {
    job = detail({ partition: 'cloud', raw: {} });
    await putReady();
    await step();
    expect(await now()).toMatchObject({
      state: 'ready',
      trouble: { text: expect.stringContaining('in full') },
    });
    expect(moves).toEqual([]);
    job = detail({ partition: 'cloud' });
    await step();
    expect(moves).toHaveLength(1);
  });
});

describe('the give-back', () => {
  const cause = { kind: 'no_capacity', text: 'x' } as const;
  it('waits for an unanswered move until that can no longer happen, and then restores what was saved', async () => {
    await put({
      state: 'returning',
      cause,
      claim: { deadline: instant(at + 15_000), answered: false, times: 1 },
    });
    await step();
    expect(moves).toEqual([]);
    // It happened after all.
    job = detail({ partition: 'burst' });
    time = instant(at + 31_000);
    await step();
    expect(moves).toEqual([
      expect.objectContaining({ partition: saved.partition, minNodes: 1, maxNodes: 1, memory: saved.memory }),
    ]);
    expect((await now()).state).toBe('returned');
  });

  it.each([
    ['pod_failed', true],
    ['image_failed', true],
    ['image_unsigned', true],
    ['registry_silent', false],
    ['no_capacity', false],
  ] as const)('for %s: whether its owner is told on the job: %s', async (kind, told) => {
    job = detail();
    await put({ state: 'returning', cause: { kind, text: 'the reason' } });
    await step();
    expect((await now()).state).toBe('returned');
    expect(comments).toEqual(told ? ['spillway: not run in the cloud: the reason'] : []);
  });

  it('takes a job up again that Slurm started in the last moment, if its pod still waits', async () => {
    job = detail({ partition: 'burst', state: 'RUNNING', id: 77 });
    podSeen = pod({ state: 'running', startedAt: at });
    nodes = [readyNode];
    await put({
      state: 'returning',
      cause: { kind: 'no_standin', text: 'x' },
      pod: { ref: podSeen.ref, uid: podSeen.uid },
    });
    const next = await steps.returning(context(), await now());
    expect(next.again).toBe('now');
    expect(await now()).toMatchObject({ state: 'placed', jobId: 77, cause: undefined });
  });
});

describe('a running burst', () => {
  const running = { state: 'running', pod: { ref: { namespace: 'n', name: 'p' }, uid: 'u' } } as const;
  beforeEach(() => {
    job = detail({ partition: 'burst', state: 'RUNNING' });
    standin = connected();
  });

  it.each<[string, () => void]>([
    ['an absent pod', () => undefined],
    [
      'a node that is not Ready',
      () => {
        podSeen = pod({ state: 'running', startedAt: at });
      },
    ],
    [
      'a container whose end was told before its node fell silent',
      () => {
        podSeen = pod({ state: 'terminated', exitCode: 0, signal: 0, reason: 'Completed', finishedAt: at });
      },
    ],
  ])('%s is unknown, not an end', async (_what, given) => {
    given();
    await put(running);
    await step();
    const b = await now();
    expect(b.state).toBe('running');
    expect(b.trouble?.text).toMatch(/^unknown/);
  });

  it('whose keeper is there and was never given a start was never begun, and is lost; one that says its grant goes on', async () => {
    podSeen = pod({ state: 'running', startedAt: at });
    nodes = [readyNode];
    const seen = waitingKeeper();
    keeper = seen;
    await put(running);
    time = instant(at + 20_000);
    await step();
    expect((await now()).state).toBe('running');
    const { podUid, generation } = { podUid: 'u', generation: uuid('g') };
    const grant = { burst: burst().id, attempt: burst().attempt, podUid, epoch: 0, generation };
    keeper = { ...seen, started: { grant, at, pid: 1 } };
    time = instant(at + 40_000);
    await step();
    expect((await now()).state).toBe('running');
    keeper = seen;
    await steps.running(context(), await now());
    expect(await now()).toMatchObject({
      state: 'lost',
      exit: { lost: true, reason: expect.stringContaining('never given') },
    });
  });

  it('a job that neither daemon knows goes on', async () => {
    job = undefined;
    await put(running);
    await step();
    expect((await now()).state).toBe('running');
  });

  it('a requeue ends this run, and the job is held back even if its pod is not known to be over', async () => {
    job = detail({ partition: 'burst', restarts: 1, submitAt: instant(at + 1_000) });
    standin = undefined;
    await put(running);
    await step();
    expect(await now()).toMatchObject({
      state: 'cancelling',
      cause: { kind: 'requeued' },
      trouble: { text: expect.stringContaining('unknown') },
    });
  });
});

async function putInstance(state: 'ready' | 'gone'): Promise<Instance> {
  const id = instanceId('i-1');
  const made: Instance = {
    id,
    cluster: burst().cluster,
    group: 'cpu',
    state,
    rev: (await store.instance(id))?.rev ?? 0,
    token: launchToken('t'),
    spec: { group: 'cpu', launchTemplate: '', types: [], zones: [], capacityType: 'on-demand', tags: {} },
    cloudId: cloudId('i-abc'),
    type: undefined,
    zone: undefined,
    node: podSeen?.node,
    capacity: nothing,
    createdAt: at,
    enteredAt: at,
    launchedAt: at,
    readyAt: at,
    idleSince: undefined,
    endedAt: undefined,
    why: undefined,
    trouble: undefined,
  };
  await store.commit(context().entropy.uuid(), burst().cluster, 0, [
    { kind: 'instance', instance: made, why: 'test' },
  ]);
  return made;
}

describe('a lost burst', () => {
  const lostAfter = 600_000;
  /** Its node fell silent while its script ran, and stays silent for longer than anybody waits. */
  async function putLost(): Promise<void> {
    job = detail({ partition: 'burst', state: 'RUNNING', requeue: true });
    podSeen = pod({ state: 'running', startedAt: at });
    standin = connected();
    const { id } = await putInstance('ready');
    await put({ state: 'running', instance: id, pod: { ref: podSeen.ref, uid: podSeen.uid } });
    await step();
    time = instant(at + lostAfter - 1_000);
    await step();
    expect((await now()).state).toBe('running');
    time = instant(at + lostAfter + 1_000);
    await step();
  }

  it('is fenced: its instance is terminated, and nothing follows before that is known', async () => {
    onLost = 'requeue';
    await putLost();
    expect((await now()).state).toBe('fencing');
    expect(await store.instance(instanceId('i-1'))).toMatchObject({
      state: 'draining',
      fenced: expect.stringContaining('may still run'),
    });
    time = instant(time + 3_600_000);
    await step();
    expect(requeues).toEqual([]);
    expect((await now()).state).toBe('fencing');
  });

  async function terminated(): Promise<void> {
    const row = await store.instance(instanceId('i-1'));
    if (row === undefined) throw new Error('no instance');
    await store.commit(context().entropy.uuid(), burst().cluster, 0, [
      { kind: 'instance', instance: { ...row, state: 'gone' }, why: 'test' },
    ]);
  }

  it('is requeued once its instance is gone, where the site wants it', async () => {
    onLost = 'requeue';
    await putLost();
    await terminated();
    expect(await finish()).toMatchObject({ state: 'requeued', cause: { kind: 'requeued' } });
    expect(requeues).toEqual([0]);
  });

  it.each([
    [{ nodeLost: 'requeue' }, 'fail', [0]],
    [{ nodeLost: 'fail' }, 'requeue', []],
    [{ podEvicted: 'fail', podLost: 'fail' }, 'requeue', [0]],
  ] as const)('%o over onLost: %s, as its node was lost', async (by, otherwise, asked) => {
    onLost = otherwise;
    onFailure = by;
    await putLost();
    expect((await now()).lostBy).toBe('nodeLost');
    await terminated();
    for (let i = 0; i < 10; i++) {
      time = instant(time + 2_000);
      await step();
    }
    expect(requeues).toEqual(asked);
  });

  it('is asked for once more where nothing came of the first requeue, once that cannot happen any more, and never a third time', async () => {
    onLost = 'requeue';
    onRequeue = () => ({ made: false, fault: fault('unknown') });
    await putLost();
    await terminated();
    const first = time;
    while (requeues.length < 2 && time < first + 60_000) {
      time = instant(time + 2_000);
      await step();
    }
    expect(requeues).toEqual([0, 0]);
    expect(time - first).toBeGreaterThanOrEqual(30_000);
    expect(finished).toEqual([]);
    for (let i = 0; i < 40; i++) {
      time = instant(time + 2_000);
      await step();
    }
    expect(requeues).toEqual([0, 0]);
    expect(finished).toEqual([expect.objectContaining({ lost: true })]);
  });

  it('is requeued at the second try after a gateway that died before the first', async () => {
    onLost = 'requeue';
    onRequeue = () => (requeues.length > 0 ? { made: true } : { made: false, fault: fault('unknown') });
    await putLost();
    await terminated();
    for (let i = 0; i < 30 && requeues.length < 2; i++) {
      time = instant(time + 2_000);
      await step();
    }
    expect(await finish()).toMatchObject({ state: 'requeued' });
    expect(requeues).toEqual([0, 0]);
    expect(finished).toEqual([]);
  });

  it('whose requeue was made though its answer is lost goes on as requeued', async () => {
    onLost = 'requeue';
    onRequeue = () => ({ made: true, fault: fault('unknown') });
    await putLost();
    await terminated();
    expect(await finish()).toMatchObject({ state: 'requeued' });
    expect(requeues).toEqual([0]);
    expect(finished).toEqual([]);
  });

  it('ends as lost where the site wants that', async () => {
    await putLost();
    await terminated();
    await step();
    expect(requeues).toEqual([]);
    expect(finished).toEqual([expect.objectContaining({ lost: true })]);
    job = detail({ partition: 'burst', state: 'FAILED' });
    expect(await finish()).toMatchObject({ state: 'failed' });
  });

  it('whose instance is gone does not wait for a kubelet to confirm its pod’s deletion', async () => {
    job = detail({ partition: 'burst', state: 'FAILED' });
    podSeen = pod({ state: 'running', startedAt: at });
    const gone = await putInstance('gone');
    await put({
      state: 'lost',
      instance: gone.id,
      exit: { lost: true, reason: 'instance i-abc is terminated' },
      pod: { ref: podSeen.ref, uid: podSeen.uid },
    });
    await step();
    expect(deletions.at(-1)).toBe(0);
    expect(podSeen).toBeUndefined();
    expect(await now()).toMatchObject({ state: 'failed', pod: undefined });
  });
});

describe('before the grant', () => {
  it('a job that neither daemon knows is given two minutes, then given up', async () => {
    job = undefined;
    await put({ state: 'ready' });
    await step();
    time = instant(at + 119_000);
    await step();
    expect((await now()).state).toBe('ready');
    time = instant(at + 121_000);
    await step();
    expect(await now()).toMatchObject({ state: 'withdrawn', cause: { kind: 'job_ended' } });
    expect(moves).toEqual([]);
  });

  it('back in mode observe, what was proposed is withdrawn', async () => {
    mode = 'observe';
    await put({ state: 'proposed' });
    await step();
    expect(await now()).toMatchObject({ state: 'withdrawn', cause: { kind: 'stopped' } });
  });
});
