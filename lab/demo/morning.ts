/** What a morning's people submit, and when: from a seed, the same list each time. */
import { Chance } from '../../src/sim/chance.ts';
import { type ScriptExit, scriptOf } from '../../src/sim/models/keeper-work.ts';
import type { SlurmAsk } from '../../src/sim/models/slurm-types.ts';
import { people, type Watched } from './site.ts';
import { msAt } from './told.ts';

export interface JobPlan {
  /** After the centre opened. */
  readonly atMs: number;
  readonly user: string;
  readonly account: string;
  readonly name: string;
  readonly partition: Watched;
  readonly cpus: number;
  /** Of each task alike. */
  readonly runMs: number;
  readonly exit: ScriptExit;
  /** More than one: an array. */
  readonly tasks: number;
}

/** What Slurm is told: people ask for much more time than they need, and it counts limits in minutes. */
export const limitMs = 60_000;

const wares: Readonly<Record<string, readonly string[]>> = {
  alice: ['lattice-qcd', 'plasma-pic'],
  bob: ['ising', 'detector-mc'],
  carol: ['dft-relax', 'md-npt'],
  dave: ['docking', 'qm-mm'],
  erin: ['align-reads', 'assemble'],
  frank: ['variants', 'phylogeny'],
};

/** Who comes how often: chemistry is a small group. */
const comers = ['alice', 'alice', 'bob', 'bob', 'carol', 'dave', 'erin', 'erin', 'frank', 'frank'] as const;

const ok: ScriptExit = { code: 0 };
/** Programs that fail by themselves: that must look the same wherever they ran. */
const failures: readonly ScriptExit[] = [{ code: 1 }, { code: 2 }, { code: 137 }, { signal: 11 }];
/** One job in so many. */
const failsOneIn = 14;

/** What chemistry's jobs all ask for: its budget holds one of them at a time. */
export const smallest = 8;

/** Arrays: a whole sweep at one stroke is what fills a queue. */
const sweeps = [
  { at: msAt(8, 12), user: 'bob', name: 'ising-sweep', tasks: 16, cpus: 12 },
  { at: msAt(8, 24), user: 'dave', name: 'docking-screen', tasks: 10, cpus: smallest },
  { at: msAt(9, 4), user: 'frank', name: 'cohort', tasks: 14, cpus: 16 },
  { at: msAt(9, 40), user: 'alice', name: 'beta-scan', tasks: 12, cpus: 16 },
] as const;
const singles = 70;
/** One in so many of them goes to `long`. */
const longOneIn = 4;
const lastAtMs = msAt(9, 56);

export function morningOf(seed: number): readonly JobPlan[] {
  const chance = new Chance(seed);
  const plans: JobPlan[] = sweeps.map(({ at, ...sweep }) => ({
    ...sweep,
    account: accountOf(sweep.user),
    atMs: at,
    partition: 'batch',
    runMs: chance.whole(4_500, 6_500),
    exit: ok,
  }));
  for (let i = 0; i < singles; i += 1) plans.push(single(chance, i));
  return plans.sort((a, b) => a.atMs - b.atMs);
}

/** For a centre that stays open: one more, now. */
export function another(chance: Chance, atMs: number): JobPlan {
  return { ...single(chance, chance.whole(0, singles - 1)), atMs };
}

function single(chance: Chance, i: number): JobPlan {
  const user = chance.pick(comers);
  const account = accountOf(user);
  const long = i % longOneIn === 0;
  return {
    // Few come before coffee: the square root of an even chance leans to later.
    atMs: Math.round(Math.sqrt(chance.random()) * lastAtMs),
    user,
    account,
    name: chance.pick(wares[user] ?? [user]),
    partition: long ? 'long' : 'batch',
    cpus: account === 'chemistry' ? smallest : chance.pick(long ? [16, 24, 32] : [8, 16, 16, 24, 32]),
    runMs: long ? chance.whole(7_000, 11_000) : chance.whole(3_000, 7_000),
    exit: i % failsOneIn === failsOneIn - 1 ? chance.pick(failures) : ok,
    tasks: 1,
  };
}

const accountOf = (name: string): string => people.find((p) => p.name === name)?.account ?? '';

/** The job as `sbatch` takes it. The script carries what it does in a pod, and its work is the same at home. */
export function askOf(plan: JobPlan): SlurmAsk {
  const { exit, runMs: ms, user, cpus, tasks } = plan;
  return {
    partition: plan.partition,
    name: plan.name,
    timeMs: limitMs,
    cpusPerTask: cpus,
    script: scriptOf({ ms, exit, output: { 1: 2_000 } }),
    work: exit.signal === undefined ? { ms, exit: exit.code } : { ms, signal: exit.signal },
    workDir: `/home/${user}`,
    ...(tasks > 1 ? { array: `1-${tasks}` } : {}),
  };
}

export const jobsIn = (plans: readonly JobPlan[]): number => plans.reduce((sum, { tasks }) => sum + tasks, 0);
