/** A small Slurm under virtual time, in which nothing is left to chance unless a test asks for it. */
import { clusterName, instant, type JobRef } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import { SlurmModel } from '../../src/sim/models/slurm.ts';
import type {
  BurstHost,
  Ended,
  SlurmConfig,
  StandInRun,
  TrueJob,
  TrueRun,
} from '../../src/sim/models/slurm-types.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { drain } from './drain.ts';

export const start = instant(1_800_000_000_000);
export const cluster = clusterName('hpc1');
export const [s, min, hour] = [1_000, 60_000, 3_600_000];

const rules = {
  defaultTimeMs: 10 * min,
  maxTimeMs: 24 * hour,
  defMemory: { per: 'cpu', mib: 100 },
} as const;
const shape = { cpus: 4, memoryMib: 4_000 };
const virtual = ['c1', 'c2', 'c3', 'c4'];

export const config: Partial<SlurmConfig> = {
  nodes: [
    ...['n1', 'n2'].map((name) => ({ name, ...shape })),
    ...virtual.map((name) => ({ name, ...shape, burst: true })),
  ],
  partitions: [
    { name: 'batch', nodes: ['n1', 'n2'], up: true, default: true, ...rules },
    { name: 'cloud', nodes: ['n1', 'n2'], up: false, ...rules },
    { name: 'wait', nodes: virtual, up: false, ...rules },
    { name: 'burst', nodes: virtual, up: true, ...rules },
    { name: 'bare', nodes: virtual, up: false, maxTimeMs: 'unlimited' },
  ],
  users: [
    { name: 'alice', uid: 2001, gid: 2001, groups: [2001, 3001], account: 'physics', home: '/home/alice' },
    { name: 'bob', uid: 2002, gid: 2002, groups: [2002, 3001], account: 'physics', home: '/home/bob' },
    {
      ...{ name: 'spillway', uid: 900, gid: 900, groups: [900], account: 'services', home: '/' },
      adminLevel: 'Operator',
    },
  ],
  launchMs: [500, 500],
  completingMs: [100, 100],
  dbdLagMs: [1_000, 1_000],
};

/** A stand-in as the model's host sees it. */
export interface Seen {
  readonly run: StandInRun;
  readonly at: number;
  /** Signals as they came, SIGKILL as 9. */
  readonly signals: { readonly signo: number; readonly at: number }[];
  /** Ends by the first SIGTERM, as a script without a trap does; until a test says otherwise. */
  ends: boolean;
}

export function world(change: Partial<SlurmConfig> = {}, seed = 1) {
  const time = new VirtualTime(start, drain);
  let timers = 0;
  const scheduler = {
    after: (ms: number, work: () => void) => {
      timers += 1;
      return time.after(ms, work);
    },
  };
  const model = new SlurmModel(
    { ...config, ...change },
    { clock: time, scheduler, entropy: new Chance(seed) },
  );
  const port = model.asPort(cluster, 'spillway');
  const seen: Seen[] = [];
  const host: BurstHost = {
    start(run) {
      const one: Seen = { run, at: time.now(), signals: [], ends: true };
      seen.push(one);
      const end = (how: Ended) => model.ended(run.jobId, run.restarts, how);
      return {
        signal: (signo) => {
          one.signals.push({ signo, at: time.now() });
          if (signo === 15 && one.ends) end({ signal: 15 });
        },
        kill: () => {
          one.signals.push({ signo: 9, at: time.now() });
          end({ signal: 9 });
        },
      };
    },
  };
  const truth = (ref: JobRef): TrueJob => {
    const job = model.truth().findLast((one) => one.ref === ref);
    if (job === undefined) throw new Error(`no job ${ref}`);
    return job;
  };
  const newest = (ref: JobRef): TrueRun => {
    const run = truth(ref).runs.at(-1);
    if (run === undefined) throw new Error(`no run of ${ref}`);
    return run;
  };
  return {
    ...{ time, model, port, host, seen, truth, newest },
    timers: () => timers,
    pass: (ms: number) => time.run(instant(time.now() + ms)),
    soon: () => instant(time.now() + 15_000),
    /** Seconds since the beginning. */
    since: (at: number | undefined) => ((at ?? Number.NaN) - start) / 1000,
  };
}

/** A world whose burst nodes have a host. */
export function hosted(...args: Parameters<typeof world>): ReturnType<typeof world> {
  const it = world(...args);
  it.model.host = it.host;
  return it;
}
