/** `sbatch`: its options, and what a script of `sleep`, `exit` and `kill` would do. */
import { type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { Dependency, Limit, SlurmAsk, Work } from '../../src/sim/models/slurm-types.ts';
import { NoFormat } from './slurm-print.ts';

type Set = (ask: Writable<SlurmAsk>, value: string) => void;
type Writable<T> = { -readonly [K in keyof T]: T[K] };

const setters: Readonly<Record<string, Set>> = {
  partition: (ask, v) => {
    ask.partition = v;
  },
  'job-name': (ask, v) => {
    ask.name = v;
  },
  comment: (ask, v) => {
    ask.comment = v;
  },
  time: (ask, v) => {
    ask.timeMs = limitOf(v);
  },
  mem: (ask, v) => {
    ask.memory = { per: 'node', mib: mebibytes(v) };
  },
  'mem-per-cpu': (ask, v) => {
    ask.memory = { per: 'cpu', mib: mebibytes(v) };
  },
  nodes: (ask, v) => {
    const [least = '', most = least] = v.split('-');
    Object.assign(ask, { minNodes: whole(least), maxNodes: whole(most) });
  },
  ntasks: (ask, v) => {
    ask.tasks = whole(v);
  },
  'cpus-per-task': (ask, v) => {
    ask.cpusPerTask = whole(v);
  },
  array: (ask, v) => {
    ask.array = v;
  },
  nice: (ask, v) => {
    ask.nice = whole(v);
  },
  dependency: (ask, v) => {
    ask.after = v.split(',').flatMap(dependencies);
  },
  begin: (ask, v) => {
    ask.beginInMs = fromNow(v);
  },
  deadline: (ask, v) => {
    ask.deadlineInMs = fromNow(v);
  },
  qos: (ask, v) => {
    ask.qos = v;
  },
  account: (ask, v) => {
    ask.account = v;
  },
  chdir: (ask, v) => {
    ask.workDir = v;
  },
  input: (ask, v) => {
    ask.stdin = v;
  },
  // Where output goes is nothing to the model.
  output: () => undefined,
  error: () => undefined,
};

const letters: Readonly<Record<string, string>> = {
  p: 'partition',
  J: 'job-name',
  t: 'time',
  N: 'nodes',
  n: 'ntasks',
  c: 'cpus-per-task',
  a: 'array',
  d: 'dependency',
  q: 'qos',
  A: 'account',
  D: 'chdir',
  i: 'input',
  o: 'output',
  e: 'error',
  H: 'hold',
};

const flags: Readonly<Record<string, Partial<SlurmAsk>>> = {
  hold: { held: true },
  exclusive: { exclusive: true },
  requeue: { requeue: true },
  'no-requeue': { requeue: false },
  parsable: {},
};

export interface Submission {
  readonly ask: SlurmAsk;
  readonly parsable: boolean;
}

/** The script comes on stdin, or as the text of `--wrap`. */
export function readSubmission(args: readonly string[], stdin: string): Submission {
  const ask: Writable<SlurmAsk> = {};
  let script = stdin;
  let parsable = false;
  for (let i = 0; i < args.length; i += 1) {
    const word = args[i] ?? '';
    const [, long, joined] = /^--([a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    const [, letter = '', rest = ''] = /^-([A-Za-z])(.*)$/s.exec(word) ?? [];
    const name = long ?? letters[letter] ?? '';
    if (Object.hasOwn(flags, name)) {
      Object.assign(ask, flags[name]);
      parsable ||= name === 'parsable';
      continue;
    }
    let value = long === undefined ? rest : joined;
    if (value === undefined || (long === undefined && value === '')) {
      i += 1;
      value = args[i] ?? '';
    }
    const set = Object.hasOwn(setters, name) ? setters[name] : undefined;
    if (name === 'wrap') script = value;
    else if (set === undefined) throw new NoFormat(`sbatch ${word}: not known here`);
    else set(ask, value);
  }
  return { ask: { ...ask, work: workOf(script) }, parsable };
}

/** The `sleep`s of a script one after the other, and its last `exit N` or `kill -N $$`. */
export function workOf(script: string): Work {
  let ms = 0;
  for (const [, seconds] of script.matchAll(/\bsleep\s+(\d+(?:\.\d+)?)/g)) ms += Number(seconds) * 1000;
  const [, signal] = /\bkill\s+-(\d+)\s+\$\$/.exec(script) ?? [];
  const [, code = '0'] = [...script.matchAll(/\bexit\s+(\d+)/g)].at(-1) ?? [];
  return signal === undefined ? { ms, exit: Number(code) & 0xff } : { ms, signal: Number(signal) };
}

function dependencies(text: string): Dependency[] {
  const [kind = '', ...ids] = text.split(':');
  if (kind !== 'afterany' && kind !== 'afterok' && kind !== 'afternotok')
    throw new NoFormat(`a dependency ${kind}: not known here`);
  return ids.map((id): { kind: typeof kind; ref: JobRef } => ({ kind, ref: jobRef(id) }));
}

/** `MM`, `MM:SS`, `HH:MM:SS`, `D-HH[:MM[:SS]]`, `UNLIMITED`. */
export function limitOf(text: string): Limit {
  if (/^(unlimited|infinite)$/i.test(text)) return 'unlimited';
  const [, days, clock] = /^(?:(\d+)-)?(\d+(?::\d+){0,2})$/.exec(text) ?? [];
  if (clock === undefined) throw new NoFormat(`a time of ${text}: not known here`);
  const parts = clock.split(':').map(Number);
  const [h = 0, m = 0, s = 0] =
    days !== undefined || parts.length === 3 ? parts : parts.length === 2 ? [0, ...parts] : [0, ...parts, 0];
  return (((Number(days ?? 0) * 24 + h) * 60 + m) * 60 + s) * 1000;
}

/** `now+90minutes`: of the many forms of a time the one that asks for no clock. */
function fromNow(text: string): number {
  const [, minutes] = /^now\+(\d+)minutes$/.exec(text) ?? [];
  if (minutes === undefined) throw new NoFormat(`a time of ${text}: only now+NUMBERminutes is known here`);
  return Number(minutes) * 60_000;
}

export function mebibytes(text: string): number {
  const [, number, unit = 'M'] = /^(\d+)([KMGT])?$/i.exec(text) ?? [];
  if (number === undefined) throw new NoFormat(`memory of ${text}: not known here`);
  return Math.round(Number(number) * 1024 ** ('KMGT'.indexOf(unit.toUpperCase()) - 1));
}

export function whole(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new NoFormat(`a count of ${text}: not known here`);
  return Number(text);
}
