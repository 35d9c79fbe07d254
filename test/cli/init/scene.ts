/** A Slurm as a survey saw it, and strange ones made of it. */
import { clusterName, instant, jobRef } from '../../../src/domain/ids.ts';
import type { Job, SlurmNode } from '../../../src/domain/job.ts';
import type { Survey, SurveyedNode, SurveyedPartition } from '../../../src/domain/survey.ts';

export const at = instant(Date.UTC(2026, 4, 4, 8));

export const partition = (name: string, more: Partial<SurveyedPartition> = {}): SurveyedPartition => ({
  ...{ name, up: true, state: 'UP', byDefault: false, hidden: false, rootOnly: false, narrowed: [] },
  ...{ defaultTimeMs: 3_600_000, maxTimeMs: 86_400_000, defMemory: { per: 'cpu', mib: 2_000 } },
  ...{ priorityJobFactor: 1, nodes: 'n[1-4]', totalNodes: 4, totalCpus: 64, overSubscribe: 'NO' },
  ...more,
});

export const node = (name: string, more: Partial<SurveyedNode> = {}): SurveyedNode => ({
  ...{ name, state: 'IDLE', partitions: ['batch'], cpus: 16, boards: 1, sockets: 2, cores: 8, threads: 1 },
  ...{ memoryMib: 64_000, tmpMib: 0, features: '', gres: '' },
  ...more,
});

const seen = (n: SurveyedNode): SlurmNode => ({ ...n, state: n.state.toLowerCase(), allocatedCpus: 4 });

export const pending = (id: number, more: Partial<Job> = {}): Job => ({
  ...{ ref: jobRef(`${id}`), id, arrayJobId: undefined, arrayTask: undefined, name: 'j', user: 'alice' },
  ...{ account: 'physics', qos: 'normal', partition: 'batch', state: 'PENDING', reason: 'Resources' },
  ...{ submitAt: at, eligibleAt: at, startAt: undefined, priority: 1, timeLimitMs: 60_000, minNodes: 1 },
  ...{ maxNodes: undefined, cpus: 2, batch: true, hetJob: false, dependency: '', features: '', licenses: '' },
  ...{ reservation: '', requiredNodes: '', gres: '', restarts: 0, nodeList: '' },
  ...more,
});

export const plain: Readonly<Record<string, string>> = {
  ...{ SLURM_VERSION: '22.05.8', ClusterName: 'hpc', AccountingStorageType: 'accounting_storage/slurmdbd' },
  ...{
    SelectType: 'select/cons_tres',
    SchedulerType: 'sched/backfill',
    PriorityType: 'priority/multifactor',
  },
  ...{
    SlurmdParameters: 'config_overrides',
    MULTIPLE_SLURMD: 'Yes',
    ReturnToService: '2',
    PreemptMode: 'OFF',
  },
  ...{
    TopologyPlugin: 'topology/none',
    TaskProlog: '(null)',
    JobSubmitPlugins: '(null)',
    PrivateData: 'none',
  },
  ...{ EnforcePartLimits: 'NO', SLURM_CONF: '/etc/slurm/slurm.conf' },
};

interface Wanted extends Partial<Omit<Survey, 'config' | 'nodes'>> {
  readonly config?: Readonly<Record<string, string>>;
  readonly nodes?: readonly SurveyedNode[] | 'untold';
  readonly jobs?: readonly Job[];
}

/** An ordinary site, but for what is wanted. */
export function surveyOf({ config = {}, nodes, jobs = [], ...more }: Wanted = {}): Survey {
  const all = nodes === undefined || nodes === 'untold' ? [1, 2, 3, 4].map((n) => node(`n${n}`)) : nodes;
  const partitions = more.partitions ?? [partition('batch', { byDefault: true })];
  return {
    ...{ at, skewMs: 0, historyMs: 0, history: undefined },
    adminLevel: { ok: true, value: 'Operator' },
    clusters: { ok: true, value: [{ name: 'hpc', federation: '' }] },
    associations: { ok: true, value: [{ account: 'physics', user: 'alice', partition: '' }] },
    ...more,
    partitions,
    config: new Map(
      Object.entries({ ...plain, ...config }).map(([key, value]) => [key.toLowerCase(), value]),
    ),
    nodes: nodes === 'untold' ? { ok: false, text: 'Access denied' } : { ok: true, value: all },
    snapshot: more.snapshot ?? {
      ...{ cluster: clusterName('init'), at, tookMs: 200, partial: [], jobs, partitions },
      nodes: all.map(seen),
    },
  };
}
