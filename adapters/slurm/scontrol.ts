/** What only `scontrol show` prints: a job's memory unit and node range, partitions, the configuration. */
import type { ClusterFacts, JobDetail, Partition } from '../../src/domain/job.ts';
import { jobOf, type Values, waitStatus } from './squeue.ts';
import { count, duration, epoch, integer, mebibytes, tres, Unreadable, word } from './time.ts';

const token = /([A-Za-z][A-Za-z0-9/:_]*)=(.*?)(?=\s+[A-Za-z][A-Za-z0-9/:_]*=|\s*$)/gs;

/** `Key=Value Key=Value`; the first of a key counts. Only for texts that no user can write into. */
export function pairs(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, key = '', value = ''] of text.matchAll(token)) if (!found.has(key)) found.set(key, value);
  return found;
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** What squeue does not tell of a job: whether its memory is per CPU, and whether its node count has an upper bound. */
export interface Hints {
  readonly memoryPer: 'node' | 'cpu';
  readonly bounded: boolean;
  /** Every key that was printed, users' texts by what squeue told of them. */
  readonly raw: Readonly<Record<string, string>>;
}

/**
 * In `scontrol show job` a job's name may spell ` UserId=root(0) Partition=burst`, even with a newline. So nothing that matters
 * is read from it: its line is found by the exact name and user that squeue told, what users can write is cut out by the
 * exact texts that squeue told, and a hint counts only where its value agrees with squeue's. Undefined: name or value
 * changed between the two answers, so ask again.
 */
export function readHints(v: Values, shown: string): Hints | undefined {
  const own = ownText(v, shown);
  if (own === undefined) return undefined;
  const memory = [...own.trusted.matchAll(/\sMinMemory(CPU|Node)=(\S+)/g)].find(
    ([, , amount]) => amount === v.MinMemory,
  );
  const nodes = [...own.trusted.matchAll(/\sNumNodes=(\S+)/g)].map(([, range = '']) => range.split('-'));
  const range = nodes.find(
    ([low, high]) => high === v.MaxNodes || (high === undefined && low === v.NumNodes),
  );
  if (memory === undefined || range === undefined) return undefined;
  const raw = pairs(own.trusted);
  for (const [key, value] of pairs(own.tail)) if (!raw.has(key)) raw.set(key, value);
  for (const [key, value] of [
    ['JobName', v.Name],
    ['Account', v.Account],
    ['WCKey', v.WCKey],
    ['Network', v.Network],
    ['Command', v.Command],
    ['WorkDir', v.WorkDir],
    ['Comment', v.Comment],
    ['AdminComment', v.admin_comment],
  ] as const)
    raw.set(key, value);
  return {
    memoryPer: memory[1] === 'CPU' ? 'cpu' : 'node',
    bounded: range.length > 1,
    raw: Object.fromEntries(raw),
  };
}

/** One job's full record; without hints by what squeue alone tells. Throws Unreadable. */
export function detailOf(v: Values, hints: Hints | undefined): JobDetail {
  const job = jobOf(v);
  const mib = mebibytes(v.MinMemory, 'MinMemory');
  return {
    ...job,
    maxNodes: job.state === 'PENDING' && hints?.bounded ? count(v.MaxNodes, 'MaxNodes') : undefined,
    uid: integer(v.UserID, 'UserID'),
    gid: integer(v.GroupID, 'GroupID'),
    command: word(v.Command),
    workDir: word(v.WorkDir),
    comment: word(v.Comment),
    adminComment: word(v.admin_comment),
    nice: integer(v.Nice, 'Nice'),
    requeue: v.Requeue === '1',
    accrueAt: epoch(v.AccrueTime, 'AccrueTime'),
    endAt: epoch(v.EndTime, 'EndTime'),
    memory: { per: hints?.memoryPer ?? memoryUnit(v, mib), mib },
    cpusPerTask: word(v['cpus-per-task']) === '' ? 1 : count(v['cpus-per-task'], 'cpus-per-task'),
    tasks: word(v.NumTasks) === '' ? undefined : count(v.NumTasks, 'NumTasks'),
    exclusive: v.OverSubscribe === 'NO',
    exitCode: waitStatus(v.exit_code),
    batchHost: word(v.BatchHost),
    raw: hints?.raw ?? v,
  };
}

/** By the total that the job is accounted for. */
function memoryUnit(v: Values, mib: number): 'node' | 'cpu' {
  const asked = tres(v['tres-alloc']);
  const total = mebibytes(asked.get('mem') ?? '0', 'TRES mem');
  return mib > 0 && total === mib * count(asked.get('cpu') ?? '0', 'TRES cpu') ? 'cpu' : 'node';
}

/** The job's own record: what is Slurm's before the first text of the user's, and what comes after the last one. */
function ownText(v: Values, shown: string): { readonly trusted: string; readonly tail: string } | undefined {
  const array = 'ArrayJobId=\\d+ ArrayTaskId=\\S* (?:ArrayTaskThrottle=\\d+ )?';
  const head = new RegExp(
    `^(JobId=${v.JobID} (?:${array}|HetJobId=\\d+ HetJobOffset=\\d+ )?)JobName=${literal(v.Name)} ` +
      `((?:HetJobIdSet=\\S+ )?UserId=${literal(v.UserName)}\\(${v.UserID}\\) GroupId=)`,
    'm',
  ).exec(shown);
  if (head === null) return undefined;
  const rest = shown.slice(head.index + head[0].length);
  const texts = ` Command=${v.Command} WorkDir=${v.WorkDir}`;
  const end = rest.indexOf(texts);
  if (end < 0) return undefined;
  const cut = (text: string, known: readonly string[]): string =>
    known.reduce((left, one) => left.replace(one, () => ' '), text);
  const before = [` Account=${v.Account} `, ` WCKey=${v.WCKey} `, ` Network=${v.Network} `];
  const comments = [
    ` AdminComment=${v.admin_comment} `,
    ` SystemComment=${v.system_comment} `,
    ` Comment=${v.Comment} `,
  ];
  const tail = cut(rest.slice(end + texts.length), comments).split('\nJobId=')[0] ?? '';
  return { trusted: `${head[1]}${head[2]}${cut(`${rest.slice(0, end)} `, before)}`, tail };
}

/** One line a partition, of `scontrol -a -o show partition`. */
export function readPartitions(text: string): readonly Partition[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('PartitionName='))
    .map((line) => partitionOf(pairs(line)));
}

export function partitionOf(p: ReadonlyMap<string, string>): Partition {
  const name = p.get('PartitionName') ?? '';
  const defaultTime = p.get('DefaultTime') ?? 'NONE';
  const maxTime = duration(p.get('MaxTime') ?? 'UNLIMITED', `MaxTime of ${name}`);
  const wanted = word(defaultTime) === '' ? undefined : duration(defaultTime, `DefaultTime of ${name}`);
  return {
    name,
    up: p.get('State') === 'UP',
    defaultTimeMs: wanted === 'partition' ? undefined : wanted,
    maxTimeMs: maxTime === 'partition' ? 'unlimited' : maxTime,
    defMemory: defMemory(p),
    priorityJobFactor: integer(p.get('PriorityJobFactor') ?? '1', `PriorityJobFactor of ${name}`),
    nodes: word(p.get('Nodes') ?? ''),
    totalNodes: count(p.get('TotalNodes') ?? '0', `TotalNodes of ${name}`),
    totalCpus: count(p.get('TotalCPUs') ?? '0', `TotalCPUs of ${name}`),
    overSubscribe: p.get('OverSubscribe') ?? '',
    billingWeights: weights(p.get('TRESBillingWeights')),
    qos: word(p.get('QoS') ?? '') || undefined,
  };
}

/** `CPU=1.0,Mem=0.25G,GRES/gpu=2.0`: a unit says per how much, and zero is zero in each. */
function weights(text: string | undefined): Partition['billingWeights'] {
  if (text === undefined || word(text) === '') return undefined;
  const found: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [tres = '', value = ''] = part.split('=');
    found[tres] = Number.parseFloat(value);
  }
  return found;
}

function defMemory(p: ReadonlyMap<string, string>): Partition['defMemory'] {
  for (const [key, per] of [
    ['DefMemPerCPU', 'cpu'],
    ['DefMemPerNode', 'node'],
  ] as const) {
    const value = p.get(key);
    if (value !== undefined && value !== 'UNLIMITED') return { per, mib: mebibytes(value, key) };
  }
  return undefined;
}

/** Every key of `scontrol show config`; the first of a key counts. */
export function configValues(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key = '', value = ''] = /^(\S+)\s*= ?(.*)$/.exec(line) ?? [];
    if (key !== '' && !values.has(key)) values.set(key, value.trim());
  }
  return values;
}

/** `KillWait                = 30 sec`. */
export function readConfig(text: string): Omit<ClusterFacts, 'partitions'> {
  const values = configValues(text);
  const seconds = (key: string): number => {
    const [, number] = /^(\d+) sec$/.exec(values.get(key) ?? '') ?? [];
    if (number === undefined) throw new Unreadable(`${key} in scontrol show config`, values.get(key) ?? '');
    return Number(number) * 1000;
  };
  return {
    version: values.get('SLURM_VERSION') ?? '',
    killWaitMs: seconds('KillWait'),
    minJobAgeMs: seconds('MinJobAge'),
    preemptMode: values.get('PreemptMode') ?? '',
    enforced: word(values.get('AccountingStorageEnforce') ?? '')
      .split(',')
      .filter((what) => what !== ''),
  };
}
