/** The lab's cluster as a model, and its people. */
import { type JobRef, jobRef } from '../../src/domain/ids.ts';
import { type SlurmDeps, SlurmModel } from '../../src/sim/models/slurm.ts';
import type { Dependency, SlurmAsk, SlurmConfig, Work } from '../../src/sim/models/slurm-types.ts';
import type { Ask, SlurmHarness } from './slurm.harness.ts';

export const partitions = {
  home: 'batch',
  explicit: 'cloud',
  wait: 'burst_wait',
  burst: 'burst',
} as const;

const onPrem = ['n1', 'n2'];
const virtual = Array.from({ length: 12 }, (_, index) => `c${index + 1}`);
const shape = { cpus: 8, memoryMib: 8_000 };
const rules = {
  defaultTimeMs: 600_000,
  maxTimeMs: 86_400_000,
  defMemory: { per: 'cpu', mib: 500 },
} as const;

export const setup: Partial<SlurmConfig> = {
  nodes: [
    ...onPrem.map((name) => ({ name, ...shape })),
    ...virtual.map((name) => ({ name, ...shape, burst: true })),
  ],
  partitions: [
    { name: partitions.home, nodes: onPrem, up: true, default: true, ...rules },
    { name: partitions.explicit, nodes: onPrem, up: false, ...rules },
    { name: partitions.wait, nodes: virtual, up: false, ...rules },
    { name: partitions.burst, nodes: virtual, up: true, billingWeights: { CPU: 0, Mem: 0 }, ...rules },
  ],
  qosLimits: { normal: {}, burst: { GrpTRES: 'cpu=512', MaxJobsPU: '50' } },
  minutesLimits: [
    { of: 'account physics', tres: 'cpu=1000' },
    { of: 'user bob in account chemistry', tres: 'billing=7' },
    { of: 'QOS normal', tres: 'cpu=9,mem=5' },
  ],
  users: [
    { name: 'alice', uid: 2001, gid: 2001, groups: [2001, 3001], account: 'physics', home: '/home/alice' },
    { name: 'bob', uid: 2002, gid: 2002, groups: [2002, 3002], account: 'chemistry', home: '/home/bob' },
    {
      ...{ name: 'spillway', uid: 900, gid: 900, groups: [900], account: 'services', home: '/home/spillway' },
      adminLevel: 'Operator',
    },
  ],
};

export function slurmModel(config: Partial<SlurmConfig>, deps: SlurmDeps): SlurmModel {
  return new SlurmModel({ ...setup, ...config }, deps);
}

/** What the people of the contract do, on the model. */
export function people(model: SlurmModel): Pick<SlurmHarness, 'submit' | 'alter' | 'cancel'> {
  const owners = new Map<JobRef, string>();
  return {
    async submit(ask) {
      const user = ask.user ?? 'alice';
      const ref = model.submit(user, asked(ask));
      owners.set(ref, user);
      return ref;
    },
    async alter(who, ref, { requeue, timeMin, ...change }) {
      const user = who === 'owner' ? (owners.get(ref) ?? 'alice') : 'root';
      const keys = { ...change, ...(timeMin === undefined ? {} : { timeMs: timeMin * 60_000 }) };
      if (Object.keys(keys).length > 0) model.alter(user, ref, keys);
      if (requeue === true) model.requeue(user, ref);
    },
    cancel: async (ref) => model.cancel('root', ref),
  };
}

function asked(ask: Ask): SlurmAsk {
  const { user: _user, timeMin, nodes, after, work, partition = partitions.explicit, ...more } = ask;
  const { beginMin, deadlineMin, ...rest } = more;
  const [minNodes, maxNodes = minNodes] = (nodes ?? '').split('-').filter((n) => n !== '');
  const waits: Dependency[] = after === undefined ? [] : [{ kind: 'afterany', ref: jobRef(after) }];
  return {
    ...rest,
    partition,
    after: waits,
    work: does(work),
    ...(timeMin === undefined ? {} : { timeMs: timeMin * 60_000 }),
    ...(beginMin === undefined ? {} : { beginInMs: beginMin * 60_000 }),
    ...(deadlineMin === undefined ? {} : { deadlineInMs: deadlineMin * 60_000 }),
    ...(minNodes === undefined ? {} : { minNodes: Number(minNodes), maxNodes: Number(maxNodes) }),
  };
}

function does({ seconds = 0, exit = 0, kill }: NonNullable<Ask['work']> = {}): Work {
  return kill === undefined ? { ms: seconds * 1000, exit } : { ms: seconds * 1000, signal: kill };
}
