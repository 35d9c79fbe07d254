/** The job that a script would become in a cluster as it was last seen: what the script leaves out, the cluster fills in, and that is told. */
import type { Instant, JobRef } from '../domain/ids.ts';
import type { Job, JobDetail, Partition, Snapshot } from '../domain/job.ts';
import type { ClusterSetup } from '../domain/policy.ts';
import { type Asked, detailOf, lineOf, type Script, written } from '../translate/index.ts';

/** Whose job it would be, as the login node and Slurm know him. */
export interface Applicant {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly account: string | undefined;
  /** Undefined: neither the script nor whoever asks says where it would be submitted. */
  readonly workDir: string | undefined;
}

/** As the newest in the queue. `ref`, `id`: no job's of Slurm. */
export function unsubmitted(
  { ref, id }: { readonly ref: JobRef; readonly id: number },
  script: Script,
  asked: Asked,
  who: Applicant,
  snapshot: Snapshot,
  setup: Pick<ClusterSetup, 'watch' | 'explicit'>,
): { readonly job: JobDetail; readonly notes: readonly string[] } {
  const notes: string[] = [];
  const usual = setup.watch[0] ?? setup.explicit ?? '';
  const partition = written(script, 'partition') ?? usual;
  if (written(script, 'partition') === undefined)
    notes.push(`No partition is named: it is held to be ${usual}; --partition tells.`);
  const known = snapshot.partitions.find(({ name }) => partition.split(',').includes(name));
  if (known === undefined && snapshot.partitions.length > 0)
    notes.push(`Slurm shows no partition ${partition}.`);
  const limit = asked.timeMs ?? known?.defaultTimeMs ?? known?.maxTimeMs;
  if (asked.timeMs === undefined)
    notes.push(defaulted('--time', limit === undefined ? undefined : minutes(limit), partition));
  const memory = asked.memory ?? known?.defMemory ?? { per: 'node', mib: 0 };
  if (asked.memory === undefined)
    notes.push(
      defaulted(
        '--mem',
        memory.mib === 0
          ? "all of a node's"
          : `${memory.mib} MiB per ${memory.per === 'cpu' ? 'CPU' : 'node'}`,
        partition,
      ),
    );
  const line = lineOf(
    script,
    { ...asked, timeMs: limit },
    { user: who.user, account: who.account, partition, name: written(script, 'job-name') ?? 'job.sh' },
    snapshot.at,
  );
  const { priority, as } = priorityOf(line, snapshot);
  notes.push(`Its priority is taken to be ${as}.`);
  const reason = beyond(limit, known) ? 'PartitionTimeLimit' : line.reason;
  const job = detailOf(
    { ...line, ref, id, reason, priority },
    script,
    asked,
    { uid: who.uid, gid: who.gid, workDir: who.workDir ?? '' },
    memory,
  );
  return { job, notes };
}

const defaulted = (option: string, value: string | undefined, partition: string): string =>
  value === undefined
    ? `No ${option}: what partition ${partition} gives is not known.`
    : `No ${option}: it is what partition ${partition} gives, ${value}.`;

const minutes = (limit: number | 'unlimited'): string =>
  limit === 'unlimited' ? 'without end' : `${Math.round(limit / 60_000)} min`;

const beyond = (limit: number | 'unlimited' | undefined, partition: Partition | undefined): boolean =>
  limit !== undefined &&
  typeof partition?.maxTimeMs === 'number' &&
  (limit === 'unlimited' || limit > partition.maxTimeMs);

/** Slurm reckons it once the job is there; whoever waits and is most like it tells most. */
function priorityOf(line: Job, { jobs }: Snapshot): { readonly priority: number; readonly as: string } {
  const partitions = line.partition.split(',');
  const newest: (Job | undefined)[] = [undefined, undefined, undefined];
  for (const job of jobs) {
    if (job.state !== 'PENDING' || job.priority === 0) continue;
    if (!job.partition.split(',').some((p) => partitions.includes(p))) continue;
    const near = job.account !== line.account ? 2 : job.user !== line.user ? 1 : 0;
    if (isNewer(job, newest[near]?.submitAt)) newest[near] = job;
  }
  const [own, account, anybody] = newest;
  if (own !== undefined)
    return {
      priority: own.priority,
      as: `that of job ${own.ref}, the newest of that user and account that waits there`,
    };
  if (account !== undefined)
    return { priority: account.priority, as: 'that of the newest job of its account that waits there' };
  if (anybody !== undefined)
    return { priority: anybody.priority, as: 'that of the newest job that waits there' };
  return { priority: 1, as: 'the lowest; nothing waits there' };
}

const isNewer = ({ submitAt }: Job, than: Instant | undefined): boolean =>
  than === undefined || submitAt > than;

/** What neither a script nor the queue tells. */
export function unknownOf(script: Script, asked: Asked, who: Applicant, hands: boolean): readonly string[] {
  const has = (option: string): boolean => written(script, option) !== undefined;
  return [
    ...(asked.exclusive ? ['It asks for whole nodes; the forecast counts the CPUs that are written.'] : []),
    ...(has('deadline') ? ['Its --deadline was not reckoned with.'] : []),
    ...(has('begin')
      ? ['Its --begin was not reckoned with: nobody knows how long it waits for its turn after that.']
      : []),
    ...(who.workDir === undefined
      ? ['Whether the pod has the directory that it is submitted from was not looked at; --chdir tells.']
      : []),
    ...(who.account === undefined ? ['It has no account: budgets of accounts were left out.'] : []),
    ...(hands
      ? []
      : ['Kubernetes and images are not configured yet: image and namespace were not looked at.']),
    'Limits of its account and QOS, a job_submit plugin, and jobs that will yet come can change it.',
  ];
}
