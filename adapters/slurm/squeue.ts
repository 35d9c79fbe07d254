/** Jobs as `squeue -O` prints them: in full width, with epoch times, and without the details that `%C` would force. */
import { type JobRef, jobRef } from '../../src/domain/ids.ts';
import { type ExitCode, type Job, jobFlags, jobStates, type SeenState } from '../../src/domain/job.ts';
import { type Columns, eachRow, excerpt, type Row, readTable, separator, type Value } from './table.ts';
import { count, duration, epoch, epochRequired, integer, remembering, tres, word } from './time.ts';

/** `-O` names, the same from 20.11 to 25.11. What a user can fill with any text is not here but in `texts`. */
const jobFields = [
  'JobID',
  'ArrayJobID',
  'ArrayTaskID',
  'HetJobID',
  'BatchFlag',
  'UserName',
  'QOS',
  'Partition',
  'State',
  'Reason',
  'SubmitTime',
  'EligibleTime',
  'Deadline',
  'StartTime',
  'PriorityLong',
  'TimeLimit',
  'NumNodes',
  'MaxNodes',
  'NumCPUs',
  'tres-alloc',
  'Dependency',
  'Feature',
  'Licenses',
  'Reservation',
  'ReqNodes',
  'tres-per-node',
  'tres-per-job',
  'tres-per-socket',
  'tres-per-task',
  'RestartCnt',
  'NodeList',
] as const;

const moreFields = [
  'UserID',
  'GroupID',
  'Nice',
  'Requeue',
  'AccrueTime',
  'EndTime',
  'MinMemory',
  'cpus-per-task',
  'NumTasks',
  'OverSubscribe',
  'exit_code',
  'BatchHost',
] as const;

/** Without accounting enforcement an account is any text too. */
const jobTexts = ['Account', 'Name'] as const;
const moreTexts = [
  'WCKey',
  'Network',
  'Command',
  'WorkDir',
  'Comment',
  'admin_comment',
  'system_comment',
] as const;

type JobField = (typeof jobFields)[number] | (typeof jobTexts)[number];
type Field = JobField | (typeof moreFields)[number] | (typeof moreTexts)[number];
export type Values<F extends Field = Field> = Readonly<Record<F, string>>;

/** Read as numbers where they are: of a hundred thousand lines no text is made of them first. */
const numberFields = [
  'JobID',
  'ArrayJobID',
  'SubmitTime',
  'EligibleTime',
  'StartTime',
  'PriorityLong',
  'NumNodes',
  'MaxNodes',
  'NumCPUs',
  'RestartCnt',
] as const satisfies readonly (typeof jobFields)[number][];
type NumberField = (typeof numberFields)[number];

/** A line of the list, as texts or with its numbers read. */
export type ListValues = Values<Exclude<JobField, NumberField>> & Readonly<Record<NumberField, Value>>;

interface Shape<F extends Field> {
  readonly fields: readonly F[];
  readonly texts: readonly F[];
}

export const listShape: Shape<JobField> = { fields: jobFields, texts: jobTexts };
export const fullShape: Shape<Field> = {
  fields: [...jobFields, ...moreFields],
  texts: [...jobTexts, ...moreTexts],
};

/** Pending, running, suspended and completing: suspended jobs hold their nodes, and ours must not seem gone. */
export const liveStates = 'PD,R,S,CG';

/** The argument of `-O`. Width 0 is "as wide as it is". */
export function format(shape: Shape<Field>, mark: string): string {
  const last = shape.fields.length - 1;
  const fields = shape.fields.map((name, index) => `${name}:0${index === last ? mark : separator}`);
  return [...fields, ...shape.texts.map((name) => `${name}:0${mark}`)].join(',');
}

export function readValues<F extends Field>(
  output: string,
  shape: Shape<F>,
  mark: string,
): { readonly jobs: readonly Values<F>[]; readonly odd: readonly string[] } {
  const { rows, odd } = readTable(output, mark, shape.fields.length, shape.texts.length);
  const names = [...shape.fields, ...shape.texts];
  const named = (row: Row): Values<F> => {
    const values = [...row.fields, ...row.texts];
    return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])) as Values<F>;
  };
  return { jobs: rows.map(named), odd };
}

/** A row under the names of its columns, without an object of its own for each. */
class Line {
  values: readonly Value[] = [];
}
for (const [index, name] of [...jobFields, ...jobTexts].entries())
  Object.defineProperty(Line.prototype, name, {
    get(this: Line) {
      return this.values[index] ?? '';
    },
  });

const columns: Columns = {
  fields: jobFields.length,
  texts: jobTexts.length,
  numbers: new Set(numberFields.map((name) => jobFields.indexOf(name))),
};

/** Every row that is one, and a word for each that is not. */
export function readJobs(
  output: string,
  mark: string,
): { readonly jobs: readonly Job[]; readonly partial: readonly string[] } {
  const jobs: Job[] = [];
  const partial: string[] = [];
  const read = (v: ListValues): void => {
    try {
      jobs.push(jobOf(v));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      partial.push(`squeue: job ${excerpt(`${v.JobID}`)}: ${why}`);
    }
  };
  const line = new Line();
  const whole = eachRow(output, mark, columns, (values) => {
    line.values = values;
    read(line as unknown as ListValues);
  });
  if (whole) return { jobs, partial };
  jobs.length = 0;
  partial.length = 0;
  const { jobs: values, odd } = readValues(output, listShape, mark);
  partial.push(...odd.map((text) => `squeue: a line that is no job: ${text}`));
  for (const v of values) read(v);
  return { jobs, partial };
}

const limit = remembering(duration);
const nodesAsked = remembering((text, what): number | 'none' => {
  const asked = tres(text).get('node');
  return asked === undefined ? 'none' : count(asked, what);
});
const known = remembering(stateOf);

/** Throws Unreadable. */
export function jobOf(v: ListValues): Job {
  const id = integer(v.JobID, 'JobID');
  const task = word(v.ArrayTaskID);
  const arrayJobId = task === '' ? undefined : integer(v.ArrayJobID, 'ArrayJobID');
  const state = known(v.State, 'State');
  const { minNodes, maxNodes } = nodesOf(v, state);
  return {
    ref: refFor(`${v.JobID}`, arrayJobId, task),
    id,
    arrayJobId,
    arrayTask: task === '' ? undefined : task,
    name: v.Name,
    user: v.UserName,
    account: word(v.Account),
    qos: word(v.QOS),
    partition: v.Partition,
    state,
    reason: word(v.Reason) === '' ? 'None' : v.Reason,
    submitAt: epochRequired(v.SubmitTime, 'SubmitTime'),
    eligibleAt: epoch(v.EligibleTime, 'EligibleTime'),
    deadlineAt: epoch(v.Deadline, 'Deadline'),
    startAt: epoch(v.StartTime, 'StartTime'),
    priority: integer(v.PriorityLong, 'Priority'),
    timeLimitMs: limit(v.TimeLimit, 'TimeLimit'),
    minNodes,
    maxNodes,
    cpus: count(v.NumCPUs, 'NumCPUs'),
    batch: v.BatchFlag === '1',
    hetJob: !['', '0'].includes(word(v.HetJobID)),
    dependency: word(v.Dependency),
    features: word(v.Feature),
    licenses: word(v.Licenses),
    reservation: word(v.Reservation),
    requiredNodes: word(v.ReqNodes),
    gres: gresOf(v),
    restarts: integer(v.RestartCnt, 'RestartCnt'),
    nodeList: word(v.NodeList),
  };
}

/** What `scontrol` takes: `120_3` once the task has a record of its own, `120` for an array that was not split yet. */
function refFor(id: string, arrayJobId: number | undefined, task: string): JobRef {
  return jobRef(arrayJobId !== undefined && /^\d+$/.test(task) ? `${arrayJobId}_${task}` : id);
}

/**
 * While a job pends, NumNodes is slurmctld's guess of where it would fit now (`-N1-4` showed 2 on a cluster of two nodes, `-n16` too);
 * the minimum that was asked for is the `node=` of its TRES. MaxNodes repeats NumNodes where no maximum was set, so a
 * maximum is believed here only where it differs; `scontrol` tells.
 */
function nodesOf(
  v: ListValues,
  state: SeenState,
): { readonly minNodes: number; readonly maxNodes: number | undefined } {
  const shown = count(v.NumNodes, 'NumNodes');
  const asked = nodesAsked(v['tres-alloc'], 'TRES node');
  const minNodes = state === 'PENDING' && asked !== 'none' ? asked : shown;
  const max = count(v.MaxNodes, 'MaxNodes');
  return { minNodes, maxNodes: state === 'PENDING' && max !== shown ? max : undefined };
}

/** Generic resources by whatever unit they were asked for; empty where there are none. */
function gresOf(v: ListValues): string {
  if (
    word(v['tres-per-node']) +
      word(v['tres-per-job']) +
      word(v['tres-per-socket']) +
      word(v['tres-per-task']) ===
    ''
  )
    return '';
  const kinds = [
    ['', v['tres-per-node']],
    ['per-job/', v['tres-per-job']],
    ['per-socket/', v['tres-per-socket']],
    ['per-task/', v['tres-per-task']],
  ] as const;
  return kinds
    .flatMap(([unit, text]) =>
      word(text)
        .split(',')
        // From 23.11 on --cpus-per-task stands there too, and is told as such.
        .filter((one) => one !== '' && !/^cpu[:=]/.test(one))
        .map((one) => `${unit}${one}`),
    )
    .join(',');
}

const states: ReadonlySet<string> = new Set([...jobStates, ...jobFlags]);

/** `CANCELLED by 2001` is sacct's. */
export function stateOf(text: string): SeenState {
  const state = text.split(/[ +]/)[0] ?? '';
  return states.has(state) ? (state as SeenState) : 'UNKNOWN';
}

/** `exit_code` is what wait(2) gave: 1792 is exit 7, 9 is SIGKILL. */
export function waitStatus(text: string): ExitCode {
  const raw = integer(text, 'exit_code');
  return { code: (raw >> 8) & 0xff, signal: raw & 0x7f };
}
