/** What one seed does: plain data, so that a failing one can be made smaller piece by piece and written down. */
import type { ClusterSetup, NodeGroup } from '../../../src/domain/policy.ts';
import type { Chance } from '../../../src/sim/chance.ts';

export interface JobPlan {
  readonly atMs: number;
  readonly user: 'alice' | 'bob';
  /** `cloud`: asked for the cloud. `batch`: overflows when the backlog says so. */
  readonly partition: 'cloud' | 'batch' | 'batch,other';
  readonly runMs: number;
  readonly exit: { readonly code: number } | { readonly signal: number };
  readonly onTerm: 'die' | 'ignore';
  readonly cpus: number;
  /** One if undefined. */
  readonly nodes?: number | undefined;
  readonly timeMin: number;
  readonly requeue: boolean;
  readonly array: string | undefined;
  /** Paths under no mount: what it needs, and what it makes of that; `clash`: on each of its nodes under one name, too. */
  readonly data?: { readonly needs: string; readonly makes: string; readonly clash?: boolean } | undefined;
}

export type PersonDoes = 'cancel' | 'hold' | 'release' | 'away' | 'back' | 'requeue' | 'shorten';
export interface PersonPlan {
  readonly atMs: number;
  readonly job: number;
  readonly does: PersonDoes;
}

export type WorldDoes =
  | 'silence' // a kubelet dies, its containers live on
  | 'revive'
  | 'power-off' // a machine is off, and nobody says so
  | 'reclaim' // the cloud ends a machine
  | 'notice' // the same of a spot machine, two minutes after it has said so
  | 'no-spot'
  | 'spot-dear' // above what is paid, so it is taken back everywhere
  | 'slurmctld-restart'
  | 'virtual-node-down'
  | 'virtual-node-up'
  | 'cut-streams'
  | 'no-capacity'
  | 'never-joins'
  | 'slurm-away'
  | 'kubernetes-away'
  | 'cloud-away'
  | 'watch-broken'
  | 'accounting-late'
  | 'oom';
export interface WorldPlan {
  readonly atMs: number;
  readonly does: WorldDoes;
  readonly forMs: number;
  readonly nth: number;
}

/** `lost`: the effect happens, its answer does not arrive. `unsent`: neither, and the caller cannot tell. */
export type FaultKind = 'transient' | 'unreachable' | 'lost' | 'unsent' | 'slow';
export interface FaultPlan {
  readonly call: string;
  /** Counted from 1, over all gateways. */
  readonly nth: number;
  readonly kind: FaultKind;
}

export interface KillPlan {
  readonly call: string;
  readonly nth: number;
  readonly when: 'before' | 'after';
  readonly downMs: number;
  /** The next gateway finds the store as it was so long ago. */
  readonly olderMs: number | undefined;
}

export interface PausePlan {
  readonly atMs: number;
  readonly forMs: number;
}

/** `whole`: a call for more makes nothing at all. After that time there is no such limit any more. */
export interface QuotaPlan {
  readonly machines: number;
  readonly whole: boolean;
  readonly forMs: number;
}

export interface Scenario {
  readonly seed: number;
  readonly onLost: 'fail' | 'requeue';
  /** approve: people say yes or no to each burst, or nothing. */
  readonly mode: 'observe' | 'approve' | 'auto';
  /** After a few minutes the budgets are lowered to next to nothing: what becomes of what runs. */
  readonly lowered: 'finish' | 'requeue' | 'cancel' | undefined;
  /** Bursts a day, until somebody lifts it. */
  readonly ramp: number | undefined;
  readonly onFailure?: ClusterSetup['onFailure'];
  /** Instead of the centre's one. */
  readonly groups?: readonly NodeGroup[];
  /** So many nodes that are always there, and no cloud. */
  readonly fixed?: number;
  /** Somebody else scales the cluster, and there is no cloud. */
  readonly external?: boolean;
  /** The group may be bought as spot. */
  readonly spot?: boolean;
  /** So many machines the account may have at first. */
  readonly quota?: QuotaPlan | undefined;
  /** How long an instance without work is kept. */
  readonly idleMs: number;
  /** Of each account, in micro-dollars: plenty, or enough for a few bursts. */
  readonly budget: number;
  /** For machines besides their jobs, in micro-dollars; nothing is held for them if undefined. */
  readonly overhead?: number;
  readonly jobs: readonly JobPlan[];
  /** On-prem is full for so long at first. */
  readonly fullMs: number;
  readonly people: readonly PersonPlan[];
  readonly world: readonly WorldPlan[];
  readonly faults: readonly FaultPlan[];
  readonly kills: readonly KillPlan[];
  readonly pauses: readonly PausePlan[];
  /** A second gateway stands by from then on. */
  readonly secondAtMs: number | undefined;
  /** Chance that an outside call takes seconds. */
  readonly slowness: number;
  readonly partBytes?: number | undefined;
  /** The object store does not answer the gateway. */
  readonly objectsAway?: { readonly atMs: number; readonly forMs: number } | undefined;
}

const writes = [
  'slurm.move',
  'slurm.move',
  'slurm.move',
  'slurm.requeue',
  'slurm.annotate',
  'slurm.appendComment',
  'kubernetes.createPod',
  'kubernetes.createPod',
  'kubernetes.deletePod',
  'kubernetes.releasePod',
  'kubernetes.createSecret',
  'kubernetes.deleteSecret',
  'kubernetes.labelNode',
  'cloud.launch',
  'cloud.launch',
  'cloud.terminate',
  'store.commit',
  'store.commit',
  'store.commit',
] as const;
const reads = [
  'slurm.job',
  'slurm.snapshot',
  'slurm.accounting',
  'kubernetes.pod',
  'kubernetes.secret',
  'kubernetes.nodes',
  'kubernetes.tenant',
  'kubernetes.dial',
  'cloud.list',
  'store.burst',
  'store.liveBursts',
  'store.lease',
] as const;
/** How many calls of a kind a run has, so that a plan for the nth of them is likely to be met. */
const usual: Readonly<Record<string, number>> = {
  'slurm.move': 6,
  'slurm.requeue': 1,
  'slurm.annotate': 4,
  'slurm.appendComment': 1,
  'kubernetes.createPod': 4,
  'kubernetes.deletePod': 6,
  'kubernetes.releasePod': 4,
  'kubernetes.createSecret': 4,
  'kubernetes.deleteSecret': 5,
  'kubernetes.labelNode': 2,
  'cloud.launch': 2,
  'cloud.terminate': 2,
  'store.commit': 90,
  'slurm.job': 60,
  'slurm.snapshot': 40,
  'kubernetes.pod': 60,
  'store.burst': 90,
  'cloud.list': 60,
};

const minute = 60_000;

/** Nobody submits anything and nothing goes wrong: what a test adds to it is all that happens. */
export const calm: Scenario = {
  ...{ seed: 2, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
  ...{ budget: 1_000_000, jobs: [], fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0 },
};

/** Every second seed has no more than one kind of trouble: what a single fault can do must not hide behind ten others. */
export function scenarioOf(seed: number, chance: Chance): Scenario {
  const drawn = withData(drawnOf(seed, chance));
  // Not drawn, so that the other seeds stay as they are.
  if (seed % 20 === 15) return underQuota(drawn, chance);
  if (seed % 5 !== 3) return drawn;
  const spot = spotTroubles(seed);
  if (seed % 10 === 3) {
    const world = [...drawn.world, ...spot].sort((a, b) => a.atMs - b.atMs);
    return { ...drawn, spot: true, world };
  }
  // Nothing else is amiss, and a job runs that may run again.
  const [first = jobOf(chance), ...others] = drawn.jobs;
  const long = { partition: 'cloud', timeMin: 8, runMs: 400_000, requeue: true, array: undefined } as const;
  return {
    ...drawn,
    ...{ spot: true, world: spot, people: [], faults: [], kills: [], pauses: [], slowness: 0 },
    ...{ secondAtMs: undefined, budget: 1_000_000, lowered: undefined },
    jobs: [{ ...first, ...long, atMs: 0 }, ...others],
  };
}

/**
 * Jobs that need a machine each, and an account that may not have so many. At first there is none to be had, so that all of them wait and are asked
 * for by one call minutes later, which meets the quota; in the midst of what follows is one trouble.
 */
function underQuota(of: Scenario, chance: Chance): Scenario {
  const turn = Math.floor(of.seed / 20);
  const many = 4 + (turn % 3);
  const drawn = of.jobs;
  const jobs = Array.from({ length: many }, (_, nth): JobPlan => {
    const { exit, onTerm, runMs } = drawn[nth % drawn.length] ?? jobOf(chance);
    const whose = { user: nth % 2 === 0 ? 'alice' : 'bob', partition: 'cloud', array: undefined } as const;
    const needs = { cpus: 8, timeMin: 6, requeue: nth % 3 > 0 };
    return { ...whose, ...{ exit, onTerm, runMs }, ...needs, atMs: nth === 0 ? 0 : 20_000 };
  });
  // The first call finds nothing, the second is for all, those after it are for parts of them.
  const call = { call: 'cloud.launch', nth: 2 + (Math.floor(turn / 6) % 4) };
  const dies = {
    ...call,
    when: 'after',
    downMs: turn % 2 === 0 ? 5_000 : 70_000,
    olderMs: undefined,
  } as const;
  const commit = { call: 'store.commit', nth: 29 + (Math.floor(turn / 6) % 12) };
  const troubles: readonly Partial<Scenario>[] = [
    { kills: [dies] },
    { faults: [{ ...call, kind: 'lost' }] },
    { kills: [{ ...dies, when: 'before' }] },
    { faults: [{ ...call, kind: 'unsent' }] },
    { kills: [{ ...dies, ...commit }] },
    { kills: [{ ...dies, olderMs: 1_000 * (1 + (turn % 20)) }] },
  ];
  return {
    ...of,
    ...{ jobs, people: [], faults: [], kills: [], pauses: [], secondAtMs: undefined },
    world: [{ atMs: 0, does: 'no-capacity', forMs: 60_000, nth: 0 }],
    ...{ mode: 'auto', ramp: undefined, lowered: undefined, budget: 10_000_000, fullMs: 0, slowness: 0 },
    quota: { machines: turn % many, whole: turn % 4 !== 3, forMs: 200_000 + 60_000 * (turn % 5) },
    ...troubles[turn % troubles.length],
  };
}

function spotTroubles(seed: number): readonly WorldPlan[] {
  const nth = Math.floor(seed / 5);
  const at = (least: number): number => (least + ((nth * 37) % 200)) * 1_000;
  const notice: WorldPlan = { atMs: at(60), does: 'notice', forMs: 0, nth: nth % 3 };
  const again: WorldPlan = { atMs: at(300), does: 'notice', forMs: 0, nth: 0 };
  switch (nth % 5) {
    case 0:
      return [notice];
    case 1:
      return [notice, again];
    case 2:
      return [notice, { atMs: at(20), does: 'no-spot', forMs: 120_000, nth: 0 }];
    case 3:
      // Nobody is told ahead.
      return [{ atMs: at(60), does: 'reclaim', forMs: 0, nth: nth % 3 }];
    default:
      return [{ atMs: at(60), does: 'spot-dear', forMs: 200_000, nth: 0 }, again];
  }
}

/**
 * Every seventh seed: its jobs have data under no mount, and the store is away for a while or the gateway dies as it signs. Not
 * drawn, so that the other seeds stay as they are.
 */
function withData(of: Scenario): Scenario {
  const { seed } = of;
  if (seed % 7 !== 3) return of;
  const turn = Math.floor(seed / 7);
  const jobs = of.jobs.map((job, nth) =>
    job.array === undefined && (job.nodes === undefined || turn % 2 === 1)
      ? { ...job, data: { needs: `/data/set-${nth}`, makes: `/data/out-${nth}` } }
      : job,
  );
  const call = ['objects.head', 'objects.signPut', 'objects.signGet', 'objects.list'][turn % 4] ?? '';
  const when = turn % 3 === 0 ? 'before' : 'after';
  const kill: KillPlan = { call, nth: 1 + (turn % 5), when, downMs: 20_000, olderMs: undefined };
  return {
    ...of,
    jobs,
    kills: turn % 2 === 0 ? [...of.kills, kill] : of.kills,
    objectsAway: turn % 3 === 1 ? { atMs: 60_000 * (1 + (turn % 6)), forMs: 90_000 } : undefined,
  };
}

function drawnOf(seed: number, chance: Chance): Scenario {
  const wild = chance.hit(0.5);
  const some = (most: number): number => (wild ? chance.whole(0, most) : 0);
  const jobs = Array.from({ length: chance.whole(1, 5) }, () => jobOf(chance)).map((j, nth) =>
    nodesFor(seed, nth, j),
  );
  const tame = wild
    ? 'all'
    : chance.pick(['people', 'world', 'faults', 'kills', 'kills', 'pauses', 'older', 'lost node'] as const);
  if (tame === 'lost node') return lostNode(seed, chance);
  const people = tame === 'people' ? chance.whole(1, 2) : some(3);
  const world = tame === 'world' ? chance.whole(1, 2) : some(4);
  const faults = tame === 'faults' ? chance.whole(1, 3) : some(6);
  const kills = tame === 'kills' || tame === 'older' ? 1 : some(3);
  const pauses = tame === 'pauses' ? 1 : chance.hit(0.3) ? some(1) : 0;
  return {
    seed,
    onLost: chance.hit(0.5) ? 'requeue' : 'fail',
    mode: modeOf(seed),
    ramp: rampOf(seed),
    lowered: loweredOf(seed),
    idleMs: minute,
    budget: chance.pick([1_000_000, 1_000_000, 40_000]),
    jobs,
    fullMs: chance.whole(0, 12) * minute,
    people: Array.from({ length: people }, () => ({
      atMs: chance.whole(1, 600_000),
      job: chance.whole(0, jobs.length - 1),
      does: chance.pick([
        'cancel',
        'cancel',
        'hold',
        'release',
        'away',
        'back',
        'requeue',
        'shorten',
      ] as const),
    })),
    world: Array.from({ length: world }, () => worldOf(chance)),
    faults:
      tame === 'faults' && seed % 2 === 0
        ? [firstCommit(seed)]
        : Array.from({ length: faults }, () => faultOf(chance)),
    kills: Array.from({ length: kills }, (): KillPlan => {
      const call = chance.pick(writes);
      return {
        call,
        nth: nthOf(call, chance),
        when: chance.hit(0.5) ? 'before' : 'after',
        downMs: chance.whole(1, 90) * 1_000,
        olderMs: tame === 'older' || (wild && chance.hit(0.15)) ? chance.whole(1, 240) * 1_000 : undefined,
      };
    }),
    pauses: Array.from({ length: pauses }, () => ({
      atMs: chance.whole(10, 500) * 1_000,
      forMs: chance.whole(10, 180) * 1_000,
    })),
    secondAtMs: pauses > 0 || (wild && chance.hit(0.2)) ? chance.whole(0, 120_000) : undefined,
    slowness: wild ? chance.pick([0, 0.02, 0.1]) : 0,
  };
}

/** Not drawn, so that the other seeds stay as they are. */
const modeOf = (seed: number): Scenario['mode'] => (seed % 5 === 2 ? 'approve' : 'auto');

const loweredOf = (seed: number): Scenario['lowered'] =>
  seed % 10 === 1 ? (['requeue', 'cancel', 'finish'] as const)[Math.floor(seed / 10) % 3] : undefined;
/** Jobs of two and three nodes; not drawn either. On-prem has two nodes, so those of three are for the cloud alone. */
function nodesFor(seed: number, nth: number, plan: JobPlan): JobPlan {
  if ((seed + nth) % 3 !== 0 || plan.array !== undefined) return plan;
  const nodes = plan.partition === 'cloud' && (seed + nth) % 2 === 0 ? 3 : 2;
  return { ...plan, nodes, cpus: Math.max(nodes, plan.cpus) };
}

const rampOf = (seed: number): number | undefined => (seed % 10 === 4 ? 2 : undefined);

/** A kubelet dies, or Slurm gives a virtual node up, while a job that may run again runs: what follows must wait for the old run's end. */
function lostNode(seed: number, chance: Chance): Scenario {
  const job: JobPlan = {
    ...jobOf(chance),
    ...(seed % 2 === 0 ? { nodes: 2 } : {}),
    atMs: 0,
    partition: 'cloud',
    timeMin: 8,
    runMs: 400_000,
    requeue: true,
    array: undefined,
  };
  const kind = chance.pick(['lost', 'unsent', 'slow'] as const);
  // Of two nodes now the script's, now the other.
  const nth = seed % 4 === 0 ? 1 : 0;
  return {
    seed,
    onLost: 'requeue',
    mode: modeOf(seed),
    ramp: rampOf(seed),
    lowered: loweredOf(seed),
    idleMs: 4 * minute,
    budget: 1_000_000,
    jobs: [job],
    fullMs: 0,
    people: [],
    world: [
      {
        atMs: chance.whole(50, 150) * 1_000,
        does: chance.pick(['silence', 'virtual-node-down']),
        forMs: 5_000,
        nth,
      },
      ...(chance.hit(0.5)
        ? [{ atMs: chance.whole(100, 300) * 1_000, does: 'silence' as const, forMs: 5_000, nth }]
        : []),
    ],
    faults: chance.hit(0.6) ? [{ call: 'slurm.requeue', nth: 1, kind }] : [],
    kills: [],
    pauses: [],
    secondAtMs: undefined,
    slowness: 0,
  };
}

function jobOf(chance: Chance): JobPlan {
  const timeMin = chance.whole(2, 8);
  return {
    atMs: chance.whole(0, 240_000),
    user: chance.pick(['alice', 'bob']),
    partition: chance.hit(0.7) ? 'cloud' : chance.pick(['batch', 'batch', 'batch,other']),
    // Now and then longer than its limit.
    runMs: chance.whole(1, timeMin * 65) * 1_000,
    exit: chance.hit(0.6) ? { code: 0 } : chance.hit(0.6) ? { code: 7 } : { signal: chance.pick([9, 11]) },
    onTerm: chance.hit(0.7) ? 'die' : 'ignore',
    cpus: chance.whole(1, 4),
    timeMin,
    requeue: chance.hit(0.6),
    array: chance.hit(0.15) ? chance.pick(['1-2', '1-3%1', '1-3%2']) : undefined,
  };
}

function worldOf(chance: Chance): WorldPlan {
  return {
    atMs: chance.whole(20, 600) * 1_000,
    does: chance.pick([
      'silence',
      'silence',
      'revive',
      'power-off',
      'reclaim',
      'slurmctld-restart',
      'virtual-node-down',
      'virtual-node-up',
      'cut-streams',
      'cut-streams',
      'no-capacity',
      'never-joins',
      'slurm-away',
      'kubernetes-away',
      'cloud-away',
      'watch-broken',
      'accounting-late',
      'oom',
    ] as const),
    forMs: chance.whole(5, 150) * 1_000,
    nth: chance.whole(0, 3),
  };
}

/** Of commits, as often one of the first, with which bursts and instances begin. */
function nthOf(call: string, chance: Chance): number {
  if (call === 'store.commit' && chance.hit(0.5)) return chance.whole(1, 14);
  return chance.whole(1, usual[call] ?? 10);
}

/** One of the commits with which a burst begins: decided, approved, money held, planned, launched. */
function firstCommit(seed: number): FaultPlan {
  return { call: 'store.commit', nth: 2 + ((seed / 2) % 9), kind: seed % 4 === 0 ? 'lost' : 'unsent' };
}

function faultOf(chance: Chance): FaultPlan {
  const write = chance.hit(0.65);
  const call = write ? chance.pick(writes) : chance.pick(reads);
  return {
    call,
    nth: nthOf(call, chance),
    kind: write
      ? chance.pick(['lost', 'lost', 'unsent', 'transient', 'slow'] as const)
      : chance.pick(['transient', 'unreachable', 'slow'] as const),
  };
}
