import type { Job, JobDetail, Partition, SlurmNode } from '../../domain/job.ts';
import type { FrontCluster, JobRecord, UserInfo } from '../../engine/front.ts';

/** What FirecREST v2 answers: seconds since the epoch, limits in minutes, Slurm's own words for states. */

const seconds = (ms: number | undefined): number | null => (ms === undefined ? null : Math.floor(ms / 1_000));
const minutes = (limit: Job['timeLimitMs']): number | null =>
  typeof limit === 'number' ? Math.round(limit / 60_000) : null;

/** Of one that is in the queue; its directory and exit code are known where it was asked for by its id. */
export function liveView(cluster: string, job: Job, now: number, detail?: JobDetail) {
  const start = job.state === 'PENDING' ? undefined : job.startAt;
  return {
    jobId: job.ref,
    name: job.name,
    status: {
      state: job.state,
      stateReason: job.reason === '' ? 'None' : job.reason,
      exitCode: detail?.exitCode.code ?? null,
      interruptSignal: detail?.exitCode.signal ?? null,
    },
    tasks: null,
    time: {
      elapsed: start === undefined ? 0 : Math.max(0, Math.floor(((detail?.endAt ?? now) - start) / 1_000)),
      start: seconds(start),
      end: seconds(detail?.endAt),
      suspended: null,
      limit: minutes(job.timeLimitMs),
    },
    account: job.account,
    allocationNodes: job.minNodes,
    cluster,
    group: null,
    nodes: job.nodeList,
    partition: job.partition,
    killRequestUser: null,
    user: job.user,
    workingDirectory: detail?.workDir ?? null,
    priority: job.priority,
  };
}

export function recordView(cluster: string, r: JobRecord, now: number) {
  return {
    jobId: r.ref,
    name: r.name,
    status: { state: r.state, stateReason: null, exitCode: r.exit.code, interruptSignal: r.exit.signal },
    tasks: null,
    time: {
      elapsed: r.startAt === undefined ? 0 : Math.max(0, Math.floor(((r.endAt ?? now) - r.startAt) / 1_000)),
      start: seconds(r.startAt),
      end: seconds(r.endAt),
      suspended: null,
      limit: minutes(r.timeLimitMs),
    },
    account: r.account,
    allocationNodes: r.nodes,
    cluster,
    group: null,
    nodes: r.nodeList,
    partition: r.partition,
    killRequestUser: null,
    user: r.user,
    workingDirectory: r.workDir,
    priority: null,
  };
}

/** FirecREST's words for what sinfo says, flags behind it left out. [src/lib/scheduler_clients/slurm/models.py] */
const states: readonly (readonly [RegExp, string])[] = [
  [/^idle/, 'IDLE'],
  [/^alloc/, 'ALLOCATED'],
  [/^mix/, 'MIXED'],
  [/^(down|fail)/, 'DOWN'],
  [/^(drain|drng)/, 'DRAIN'],
  [/^comp/, 'COMPLETING'],
  [/^maint/, 'OFFLINE'],
  [/^res/, 'RESERVED'],
  [/^(power|pow)(ing)?_(down|dn)/, 'POWERING_DOWN'],
  [/^(power|pow)(ing)?_up/, 'POWERING_UP'],
];

export const nodeView = (node: SlurmNode) => ({
  ...{ sockets: null, cores: null, threads: null, cpus: node.cpus, cpuLoad: null, freeMemory: null },
  features: node.features === '' || node.features === '(null)' ? [] : node.features.split(','),
  ...{ name: node.name, address: node.name, hostname: node.name },
  state: node.state
    .toLowerCase()
    .split('+')
    .map((word) => states.find(([known]) => known.test(word))?.[1] ?? 'UNKNOWN'),
  partitions: node.partitions,
  ...{ weight: null, allocMemory: null },
  allocCpus: node.allocatedCpus,
  idleCpus: node.cpus - node.allocatedCpus,
});

export const partitionView = (p: Partition) => ({
  ...{ name: p.name, cpus: p.totalCpus, totalNodes: p.totalNodes },
  partition: p.up ? 'UP' : 'DOWN',
});

export function systemView({ name, snapshot, submits }: FrontCluster, version: string, now: number) {
  const at = snapshot?.at;
  return {
    name,
    scheduler: { type: 'slurm', connectionMode: 'ssh', version, timeout: 30 },
    servicesHealth: [
      {
        serviceType: 'scheduler',
        lastChecked: at === undefined ? null : new Date(at).toISOString(),
        latency: snapshot === undefined ? null : snapshot.tookMs / 1_000,
        // Older than that, what is told of the queue is not its state any more.
        healthy: at !== undefined && now - at < 300_000,
        message: at === undefined ? 'this gateway does not look at the queue: another leads' : null,
      },
    ],
    // Files are not this gateway's to give.
    fileSystems: [],
    submits,
  };
}

export function userInfoView(user: string, { uid, gid, groups, accounts }: UserInfo) {
  const all = groups.map((g) => ({ id: String(g.gid), name: g.name }));
  return {
    user: { id: String(uid), name: user },
    group: all.find(({ id }) => id === String(gid)) ?? { id: String(gid), name: String(gid) },
    groups: all,
    accounts: accounts.map(({ name, isDefault }) => ({ name, default: isDefault })),
  };
}
