/** Slurm's commands on the login node, as one user runs them. */
import { type Instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { SlurmModel } from '../../src/sim/models/slurm.ts';
import type { SlurmChange } from '../../src/sim/models/slurm-types.ts';
import { nodeView, partitionView } from '../../src/sim/models/slurm-view.ts';
import { SlurmRefused } from '../../src/sim/models/slurm-words.ts';
import {
  associationsText,
  configText,
  jobText,
  limitsText,
  NoFormat,
  nodeDetailText,
  nodeText,
  partitionText,
  qosText,
  queueText,
  runText,
} from './slurm-print.ts';
import { limitOf, mebibytes, readSubmission, whole } from './slurm-sbatch.ts';
import { queueTable } from './slurm-table.ts';

export interface Call {
  readonly model: SlurmModel;
  readonly user: string;
  readonly args: readonly string[];
  readonly stdin: string;
  readonly deadline: Instant | undefined;
}

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  /** A read changes nothing, so it may be answered with nothing but an error. */
  readonly what: (args: readonly string[]) => 'read' | 'write';
  readonly of: 'slurmctld' | 'slurmdbd' | 'nobody';
  /** What it prints on stdout. Throws what the model throws, and NoFormat. */
  readonly run: (call: Call) => string;
  /** How it says what slurmctld or slurmdbd said no with. */
  readonly refused: (words: string, args: readonly string[]) => string;
}

const read = () => 'read' as const;
const write = () => 'write' as const;
const loading = (words: string): string => `slurm_load_jobs error: ${words}`;

export const commands: Readonly<Record<string, Command>> = {
  date: {
    what: read,
    of: 'nobody',
    run: ({ model, args }) => {
      if (args.join(' ') !== '+%s') throw new NoFormat(`date ${args.join(' ')}: only +%s is known here`);
      return `${model.state.second() / 1000}\n`;
    },
    refused: (words) => words,
  },
  squeue: { what: read, of: 'slurmctld', run: squeue, refused: loading },
  scontrol: {
    what: (args) => (args.includes('show') || args.includes('write') ? 'read' : 'write'),
    of: 'slurmctld',
    run: scontrol,
    refused: (words, args) => (args.includes('show') ? loading(words) : words),
  },
  scancel: {
    what: write,
    of: 'slurmctld',
    run: scancel,
    refused: (words) => `scancel: error: Kill job error: ${words}`,
  },
  sinfo: {
    what: read,
    of: 'slurmctld',
    run: ({ model, args }) => {
      const { values } = options(args, 'o', 'haN');
      return nodeText([...model.state.nodes.values()].map(nodeView), values.get('o') ?? '', byDefault(model));
    },
    refused: (words) => `slurm_load_partitions: ${words}`,
  },
  sdiag: {
    what: read,
    of: 'slurmctld',
    run: ({ model: { state } }) =>
      `sdiag output at ${state.second() / 1000}\nServer thread count:  1\nAgent queue size:     0\n` +
      `DBD Agent queue size: 0\n\nJobs pending:   ${state.pending.size}\n` +
      `Jobs running:   ${state.live.size - state.pending.size}\n`,
    refused: (words) => `slurm_get_statistics: ${words}`,
  },
  sacct: { what: read, of: 'slurmdbd', run: sacct, refused: (words) => `sacct: error: ${words}` },
  sacctmgr: {
    what: (args) => (args.includes('modify') ? 'write' : 'read'),
    of: 'slurmdbd',
    run: sacctmgr,
    refused: (words) =>
      words.startsWith("Request didn't affect")
        ? `sacctmgr: accounting_storage/slurmdbd: acct_storage_p_modify_job: ${words}\n Nothing modified`
        : `sacctmgr: error: ${words}`,
  },
  sbatch: {
    what: write,
    of: 'slurmctld',
    run: ({ model, user, args, stdin }) => {
      const { ask, parsable } = readSubmission(args, stdin);
      const ref = model.submit(user, ask);
      return parsable ? `${ref}\n` : `Submitted batch job ${ref}\n`;
    },
    refused: (words) => `sbatch: error: Batch job submission failed: ${words}`,
  },
};

interface Options {
  readonly values: ReadonlyMap<string, string>;
  readonly flags: ReadonlySet<string>;
  readonly rest: readonly string[];
}

/** One-letter options, those of `taking` with a value, and `--name=value`. */
function options(args: readonly string[], taking: string, bare: string): Options {
  const values = new Map<string, string>();
  const flags = new Set<string>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    const word = args[i] ?? '';
    const [, name, value] = /^--([a-z]+)=(.*)$/s.exec(word) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, value);
    else if (/^-[A-Za-z]+$/.test(word))
      for (const letter of word.slice(1)) {
        if (bare.includes(letter)) flags.add(letter);
        else if (taking.includes(letter)) {
          i += 1;
          values.set(letter, args[i] ?? '');
        } else throw new NoFormat(`-${letter}: not known here`);
      }
    else rest.push(word);
  }
  return { values, flags, rest };
}

const codes: Readonly<Record<string, string>> = {
  PD: 'PENDING',
  R: 'RUNNING',
  S: 'SUSPENDED',
  CG: 'COMPLETING',
};

function squeue({ model, user, args }: Call): string {
  const { values } = options(args, 'tjO', 'har');
  const asked = (values.get('t') ?? 'PD,R,CG').split(',').map((state) => codes[state] ?? state);
  const format = values.get('O');
  const rows = model
    .rows(refIn(values.get('j')))
    .filter(({ view }) => view.user === user || seesAll(model, user));
  const wanted = asked.includes('all') ? rows : rows.filter(({ view }) => asked.includes(view.state));
  return format === undefined ? queueTable(wanted, model.state.now()) : queueText(wanted, format, model);
}

/** PrivateData=jobs shows others' jobs to Operators and root alone. */
function seesAll({ config, state }: SlurmModel, user: string): boolean {
  const hidden = (config.settings?.PrivateData ?? '').split(',').includes('jobs');
  return !hidden || user === 'root' || (state.users.get(user)?.adminLevel ?? 'None') !== 'None';
}

function scontrol(call: Call): string {
  const { model, user } = call;
  const { rest } = options(call.args, '', 'ao');
  const [verb = '', ...args] = rest;
  const { state, changes } = model;
  const [what] = args;
  switch (verb) {
    case 'show':
      return show(model, args);
    case 'update': {
      const { ref, change } = readUpdate(args);
      changes.update(state.user(user), ref, change);
      return '';
    }
    case 'write':
      return changes.script(state.user(user), Number(args[1])) ?? '';
    case 'hold':
    case 'release':
    case 'requeue':
      changes[verb](state.user(user), refIn(what) ?? jobRef(''));
      return '';
    default:
      throw new NoFormat(`scontrol ${verb}: not known here`);
  }
}

function show(model: SlurmModel, [what, name]: readonly string[]): string {
  if (what === 'partition' || what === 'partitions') {
    const hidden = model.config.partitions.filter((p) => p.hidden === true).map((p) => p.name);
    const shown = [...model.state.partitions.values()].map(partitionView);
    return partitionText(shown, byDefault(model), new Set(hidden));
  }
  if (what === 'node' || what === 'nodes')
    return nodeDetailText([...model.state.nodes.values()].map(nodeView));
  if (what === 'config') return configText(model);
  if (what === 'job' && name !== undefined) return jobText(model.rows(refIn(name)), model);
  throw new NoFormat(`scontrol show ${what}: not known here`);
}

const keys: Readonly<Record<string, (value: string) => SlurmChange>> = {
  partition: (partition) => ({ partition }),
  cpuspertask: (v) => ({ cpusPerTask: whole(v) }),
  timelimit: (v) => ({ timeMs: limitOf(v) }),
  minmemorynode: (v) => ({ memory: { per: 'node', mib: mebibytes(v) } }),
  minmemorycpu: (v) => ({ memory: { per: 'cpu', mib: mebibytes(v) } }),
  comment: (comment) => ({ comment }),
  nice: (v) => ({ nice: whole(v) }),
  priority: (v) => ({ priority: whole(v) }),
  requeue: (v) => ({ requeue: v === '1' }),
  numnodes: (v) => {
    const [least = '', most] = v.split('-');
    return { minNodes: whole(least), ...(most === undefined ? {} : { maxNodes: whole(most) }) };
  },
};

function readUpdate(words: readonly string[]): { readonly ref: JobRef; readonly change: SlurmChange } {
  let ref: JobRef | undefined;
  let change: SlurmChange = {};
  for (const word of words) {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
    const key = name.toLowerCase();
    const read = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (key === 'jobid') ref = refIn(value);
    else if (key === 'admincomment') throw new SlurmRefused('denied', ref);
    else if (read === undefined) throw new NoFormat(`scontrol update ${word}: not known here`);
    else change = { ...change, ...read(value) };
  }
  if (ref === undefined) throw new NoFormat('scontrol update: only of a job');
  return { ref, change };
}

function scancel({ model, user, args }: Call): string {
  const { values, flags, rest } = options(args, 's', 'bfQ');
  const who = model.state.user(user);
  const signal = values.get('s') ?? values.get('signal');
  for (const word of rest) {
    const ref = refIn(word) ?? jobRef('');
    if (signal === undefined) model.changes.cancel(who, ref);
    else model.changes.signal(who, ref, signo(signal), flags.has('b') ? 'script' : 'all');
  }
  return '';
}

const signals: Readonly<Record<string, number>> = { HUP: 1, INT: 2, KILL: 9, USR1: 10, USR2: 12, TERM: 15 };

const signo = (name: string): number => signals[name.replace(/^SIG/, '')] ?? whole(name);

function sacct({ model, args }: Call): string {
  const { values } = options(args, 'joSEs', 'XDPna');
  const ref = refIn(values.get('j'));
  const [from, to] = ['S', 'E'].map((name) => Date.parse(`${values.get(name)}Z`));
  if (ref === undefined && !(from !== undefined && to !== undefined && to >= from))
    throw new NoFormat('sacct: only of a job (-j) or of a span (-S -E) is known here');
  const { books } = model.state;
  const rows = ref === undefined ? books.ended(from ?? 0, to ?? 0) : books.rows(ref);
  return runText(rows, values.get('o') ?? '', values.get('delimiter') ?? '|');
}

function sacctmgr({ model, user, args }: Call): string {
  const { rest } = options(args, '', 'nPi');
  const text = rest.join(' ');
  const [, name] = /^show user (\S+) format=user,adminlevel$/.exec(text) ?? [];
  if (name !== undefined) {
    const known = model.state.users.get(name);
    return known === undefined ? '' : `${name}|${known.adminLevel ?? 'None'}\n`;
  }
  if (text === 'show user withcoord format=user,coord')
    return [...model.state.users.values()].map((u) => `${u.name}|${u.coordinates?.join() ?? ''}\n`).join('');
  if (text === 'show cluster format=cluster,federation')
    return `${model.config.settings?.ClusterName ?? 'cluster'}|\n`;
  if (/^show assoc (cluster=\S+ )?format=account,user,partition$/.test(text)) return associationsText(model);
  if (text === 'show assoc format=account,user,grptresmins') return limitsText(model, 'assoc');
  if (text === 'show qos format=name,grptresmins') return limitsText(model, 'qos');
  const [, qos, format] = /^show qos (\S+) format=name,(\S+)$/.exec(text) ?? [];
  if (qos !== undefined && format !== undefined) return qosText(model, qos, format.split(','));
  const [, id, key, value = ''] = /^modify job where jobid=(\S+) set (\w+)=(.*)$/s.exec(text) ?? [];
  const ref = refIn(id);
  if (ref === undefined || (key !== 'AdminComment' && key !== 'Comment'))
    throw new NoFormat(`sacctmgr ${text}: not known here`);
  const change = key === 'Comment' ? { comment: value } : { adminComment: value };
  model.changes.note(model.state.user(user), ref, change);
  return ` Modified jobs...\n  ${id}\n`;
}

function refIn(text: string | undefined): JobRef | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+(_\d+)?$/.test(text)) throw new NoFormat(`${text}: not a job id that is known here`);
  return jobRef(text);
}

function byDefault({ config }: SlurmModel): string | undefined {
  return config.partitions.find((one) => one.default === true)?.name;
}
