/** The texts of Slurm's commands, in the formats that are asked for. Times are seconds since the epoch. */
import type { Partition, SlurmNode } from '../../src/domain/job.ts';
import type { SlurmModel, SlurmRow } from '../../src/sim/models/slurm.ts';
import type { Row } from '../../src/sim/models/slurm-books.ts';
import { longTime, memoryText, shown, tresOf } from '../../src/sim/models/slurm-show.ts';

/** A format that the model's commands do not know. */
export class NoFormat extends Error {}

const epoch = (ms: number | undefined, none: string): string =>
  ms === undefined ? none : `${Math.floor(ms / 1000)}`;
const orNull = (text: string): string => (text === '' ? '(null)' : text);

/** `5:00`, `1:00:00`, `1-02:03:00`: squeue leaves leading zeros out. */
function shortTime(ms: number | 'unlimited' | 'partition'): string {
  if (ms === 'partition') return 'NOT_SET';
  return longTime(ms)
    .replace(/^00:0?/, '')
    .replace(/^0/, '');
}

type Field = (row: SlurmRow, model: SlurmModel) => string;

const jobFields: Readonly<Record<string, Field>> = {
  JobID: ({ view }) => `${view.id}`,
  ArrayJobID: ({ view, job }) => `${job.array?.jobId ?? view.id}`,
  ArrayTaskID: ({ view }) => view.arrayTask ?? 'N/A',
  HetJobID: ({ job }) => (job.het === undefined ? 'N/A' : `${job.het.leader}`),
  BatchFlag: ({ view }) => (view.batch ? '1' : '0'),
  UserName: ({ view }) => view.user,
  QOS: ({ view }) => view.qos,
  Partition: ({ view }) => view.partition,
  State: ({ view }) => view.state,
  Reason: ({ view }) => view.reason,
  SubmitTime: ({ view }) => epoch(view.submitAt, 'N/A'),
  EligibleTime: ({ view }) => epoch(view.eligibleAt, 'N/A'),
  Deadline: ({ view }) => epoch(view.deadlineAt, 'N/A'),
  StartTime: ({ view }) => epoch(view.startAt, 'N/A'),
  PriorityLong: ({ view }) => `${view.priority}`,
  TimeLimit: ({ view }) => shortTime(view.timeLimitMs),
  NumNodes: ({ view }) => `${view.minNodes}`,
  MaxNodes: ({ view }) => `${view.maxNodes ?? view.minNodes}`,
  NumCPUs: ({ view }) => `${view.cpus}`,
  'tres-alloc': ({ job }, { state }) => tresOf(job, state),
  Dependency: ({ view }) => orNull(view.dependency),
  Feature: () => '(null)',
  Licenses: () => '(null)',
  Reservation: () => '(null)',
  ReqNodes: () => '',
  'tres-per-node': () => 'N/A',
  'tres-per-job': () => 'N/A',
  'tres-per-socket': () => 'N/A',
  'tres-per-task': () => 'N/A',
  RestartCnt: ({ view }) => `${view.restarts}`,
  NodeList: ({ view }) => view.nodeList,
  UserID: ({ view }) => `${view.uid}`,
  GroupID: ({ view }) => `${view.gid}`,
  Nice: ({ view }) => `${view.nice}`,
  Requeue: ({ view }) => (view.requeue ? '1' : '0'),
  AccrueTime: ({ view }) => epoch(view.accrueAt, 'N/A'),
  EndTime: ({ view }) => epoch(view.endAt, 'N/A'),
  MinMemory: ({ job }) => memoryText(job),
  'cpus-per-task': ({ view }) => `${view.cpusPerTask}`,
  NumTasks: ({ view }) => `${view.tasks ?? 1}`,
  OverSubscribe: ({ view }) => (view.exclusive ? 'NO' : 'OK'),
  exit_code: ({ view }) => `${view.exitCode.code * 256 + view.exitCode.signal}`,
  BatchHost: ({ view }) => (view.batchHost === '' ? 'n/a' : view.batchHost),
  Account: ({ view }) => view.account,
  Name: ({ view }) => view.name,
  WCKey: () => '(null)',
  Network: () => '(null)',
  Command: ({ view }) => orNull(view.command),
  WorkDir: ({ view }) => view.workDir,
  Comment: ({ view }) => orNull(view.comment),
  admin_comment: ({ view }) => orNull(view.adminComment),
  system_comment: () => '(null)',
};

/** `squeue -O`, each field at its full width with what is to follow it: `JobID:0|,Name:0|`. */
export function queueText(rows: readonly SlurmRow[], format: string, model: SlurmModel): string {
  const fields = format.split(',').map((one) => {
    const [, name = '', suffix = ''] = /^([^:]+):0(.*)$/s.exec(one) ?? [];
    const field = Object.hasOwn(jobFields, name) ? jobFields[name] : undefined;
    if (field === undefined)
      throw new NoFormat(`squeue -O ${one}: not a field at full width that is known here`);
    return (row: SlurmRow): string => `${field(row, model)}${suffix}`;
  });
  return rows.map((row) => `${fields.map((field) => field(row)).join('')}\n`).join('');
}

export function jobText(rows: readonly SlurmRow[], { state }: SlurmModel): string {
  const line = ({ job, view }: SlurmRow): string =>
    shown(view, job, state)
      .map(([key, value]) => `${key}=${value}`)
      .join(' ');
  return rows.map((row) => `${line(row)}\n`).join('');
}

export function partitionText(
  partitions: readonly Partition[],
  byDefault: string | undefined,
  hidden: ReadonlySet<string>,
): string {
  return partitions
    .map((p) => {
      const memory = p.defMemory;
      const def =
        memory === undefined ? 'Node=UNLIMITED' : `${memory.per === 'cpu' ? 'CPU' : 'Node'}=${memory.mib}`;
      const defaultTime = p.defaultTimeMs === undefined ? 'NONE' : longTime(p.defaultTimeMs);
      return (
        `PartitionName=${p.name} AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL ` +
        `Default=${p.name === byDefault ? 'YES' : 'NO'} QoS=${p.qos ?? 'N/A'} DefaultTime=${defaultTime} DisableRootJobs=NO ` +
        `ExclusiveUser=NO GraceTime=0 Hidden=${hidden.has(p.name) ? 'YES' : 'NO'} MaxNodes=UNLIMITED MaxTime=${longTime(p.maxTimeMs)} MinNodes=0 ` +
        `LLN=NO MaxCPUsPerNode=UNLIMITED Nodes=${orNull(p.nodes)} PriorityJobFactor=${p.priorityJobFactor} ` +
        `PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=${p.overSubscribe} OverTimeLimit=NONE ` +
        `PreemptMode=OFF State=${p.up ? 'UP' : 'DOWN'} TotalCPUs=${p.totalCpus} TotalNodes=${p.totalNodes} ` +
        `SelectTypeParameters=NONE JobDefaults=(null) DefMemPer${def} MaxMemPerNode=UNLIMITED${billing(p)}\n`
      );
    })
    .join('');
}

function billing({ billingWeights }: Partition): string {
  if (billingWeights === undefined) return '';
  const weights = Object.entries(billingWeights).map(([tres, weight]) => `${tres}=${weight.toFixed(1)}`);
  return ` TRESBillingWeights=${weights.join(',')}`;
}

/** `account|user|limit` of each association, or `name|limit` of each QOS. */
export function limitsText({ config, state }: SlurmModel, what: 'assoc' | 'qos'): string {
  const tres = (of: string): string => config.minutesLimits?.find((l) => l.of === of)?.tres ?? '';
  if (what === 'qos') return `normal|${tres('QOS normal')}\n`;
  const lines = [...state.users.values()].flatMap(({ name, account }) => [
    `${account}||${tres(`account ${account}`)}`,
    `${account}|${name}|${tres(`user ${name} in account ${account}`)}`,
  ]);
  return [...new Set(lines)].map((line) => `${line}\n`).join('');
}

/** `name|` and what is asked of it, of one QOS. */
export function qosText({ config }: SlurmModel, name: string, format: readonly string[]): string {
  const limits = config.qosLimits?.[name];
  return limits === undefined ? '' : `${[name, ...format.map((of) => limits[of] ?? '')].join('|')}\n`;
}

export function configText({ config, state }: SlurmModel): string {
  const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} sec`;
  const lines: readonly (readonly [string, string])[] = [
    ['BOOT_TIME', epoch(state.bornAt, '')],
    ['KillWait', seconds(config.killWaitMs)],
    ['MinJobAge', seconds(config.minJobAgeMs)],
    ['AccountingStorageEnforce', 'associations,limits,qos'],
    ['PreemptMode', 'OFF'],
    ['SchedulerType', 'sched/backfill'],
    ['SelectType', 'select/cons_tres'],
    ['SLURM_VERSION', config.version],
    ['AccountingStorageType', `accounting_storage/${config.noAccounting === true ? 'none' : 'slurmdbd'}`],
  ];
  const own = Object.entries(config.settings ?? {});
  const kept = lines.filter(([key]) => config.settings?.[key] === undefined);
  const text = [...kept, ...own].map(([key, value]) => `${key.padEnd(23)} = ${value}\n`).join('');
  return `Configuration data as of ${epoch(state.now(), '')}\n${text}`;
}

const nodeFields: Readonly<Record<string, (node: SlurmNode, partition: string) => string>> = {
  '%N': ({ name }) => name,
  '%P': (_, partition) => partition,
  '%T': ({ state }) => state,
  '%c': ({ cpus }) => `${cpus}`,
  '%C': ({ cpus, allocatedCpus }) => `${allocatedCpus}/${cpus - allocatedCpus}/0/${cpus}`,
  '%m': ({ memoryMib }) => `${memoryMib}`,
  '%f': () => '(null)',
  '%G': () => '(null)',
};

/** `scontrol -o show node`: one socket, a core for each CPU. */
export function nodeDetailText(nodes: readonly SlurmNode[]): string {
  return nodes
    .map(
      (n) =>
        `NodeName=${n.name} Arch=x86_64 CoresPerSocket=${n.cpus}  CPUAlloc=${n.allocatedCpus} CPUEfctv=${n.cpus} CPUTot=${n.cpus} ` +
        `CPULoad=0.00 AvailableFeatures=(null) ActiveFeatures=(null) Gres=(null) OS=Linux 6.1.0 #1 SMP RealMemory=${n.memoryMib} ` +
        `AllocMem=0 Sockets=1 Boards=1 State=${n.state.toUpperCase()} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A ` +
        `Partitions=${n.partitions.join(',')} \n`,
    )
    .join('');
}

/** `account|user|partition` of each association. */
export function associationsText({ state }: SlurmModel): string {
  const lines = [...state.users.values()].flatMap(({ name, account }) => [
    `${account}||\n`,
    `${account}|${name}|\n`,
  ]);
  return [...new Set(lines)].join('');
}

/** `sinfo -N -o`: a line for each node and partition. */
export function nodeText(nodes: readonly SlurmNode[], format: string, byDefault: string | undefined): string {
  const known = (letter: string): string => {
    if (!Object.hasOwn(nodeFields, letter)) throw new NoFormat(`sinfo -o ${letter}: not known here`);
    return letter;
  };
  format.replace(/%./g, known);
  return nodes
    .flatMap((node) =>
      node.partitions.map((name) => {
        const partition = name === byDefault ? `${name}*` : name;
        return `${format.replace(/%./g, (letter) => nodeFields[letter]?.(node, partition) ?? '')}\n`;
      }),
    )
    .join('');
}

const runFields: Readonly<Record<string, (row: Row) => string>> = {
  JobID: ({ name }) => name,
  JobIDRaw: ({ id }) => `${id}`,
  State: ({ state, byUid }) => (byUid === undefined ? state : `${state} by ${byUid}`),
  Partition: ({ partition }) => partition,
  Submit: ({ submitAt }) => epoch(submitAt, 'Unknown'),
  Start: ({ startAt, endAt }) => epoch(startAt, endAt === undefined ? 'Unknown' : 'None'),
  End: ({ endAt }) => epoch(endAt, 'Unknown'),
  ExitCode: ({ exit }) => `${exit.code}:${exit.signal}`,
  AdminComment: ({ adminComment }) => adminComment,
  Comment: ({ comment }) => comment,
  User: ({ user }) => user,
  Account: ({ account }) => account,
  Timelimit: ({ timeLimitMs }) => (timeLimitMs === 'partition' ? 'Partition_Limit' : longTime(timeLimitMs)),
  AllocCPUS: ({ cpus }) => `${cpus}`,
  NNodes: ({ nodes }) => `${nodes}`,
  Priority: ({ priority }) => `${priority}`,
  AllocTRES: ({ cpus, nodes, memoryMib }) =>
    `billing=${cpus},cpu=${cpus}${memoryMib === undefined ? '' : `,mem=${memoryMib}M`},node=${nodes}`,
  NodeList: ({ nodeList }) => (nodeList === '' ? 'None assigned' : nodeList),
};

/** `sacct -P -o`. */
export function runText(rows: readonly Row[], format: string, delimiter: string): string {
  const fields = format.split(',').map((name) => {
    const field = Object.hasOwn(runFields, name) ? runFields[name] : undefined;
    if (field === undefined) throw new NoFormat(`sacct -o ${name}: not known here`);
    return field;
  });
  return rows.map((row) => `${fields.map((field) => field(row)).join(delimiter)}\n`).join('');
}
