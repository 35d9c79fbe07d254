/** Two runs of one script, side by side. Pure: what a run left was gathered before, without what is its own. */
import { saidMs } from '../../src/burst/disrupted.ts';
import { elapsedOfKilled } from '../../src/translate/differences.ts';

export interface FileLeft {
  readonly kind: 'file' | 'directory' | 'link' | 'fifo' | 'other';
  /** The permission bits, set-id and sticky ones too, in octal. */
  readonly mode: string;
  readonly owner: string;
  /** Names that it has; of a directory its entries say as much. */
  readonly links: number;
  readonly content: Buffer;
}

/** What a run left behind. */
export interface Left {
  /** One map a line of sacct, the job's steps too, in its order. */
  readonly accounting: readonly Readonly<Record<string, string>>[];
  /** `scontrol show job` and `squeue` after the end, a map for each task. */
  readonly record: readonly Readonly<Record<string, string>>[];
  readonly files: ReadonlyMap<string, FileLeft>;
  /** Of its longest run. */
  readonly elapsedSeconds: number;
}

export const places = ['accounting', 'record', 'environment', 'output', 'file', 'time'] as const;
export interface Difference {
  readonly place: (typeof places)[number];
  /** A field, a variable, or a path with what of it differs. */
  readonly name: string;
  readonly onprem: string;
  readonly burst: string;
  /** Of an output of a script that says which of its lines differ: whether it is in no other. */
  readonly inLines?: boolean | undefined;
}

/** `lines`: what a script says of lines of its outputs that differ. `tolerance`: seconds that a burst may take longer or shorter, beside half of what it took on-prem. */
export function compare(
  onprem: Left,
  burst: Left,
  tolerance = 20,
  lines: readonly RegExp[] = [],
): Difference[] {
  return [
    ...rows('accounting', onprem.accounting, burst.accounting),
    ...rows('record', onprem.record, burst.record),
    ...files(onprem.files, burst.files, lines),
    ...elapsed(onprem, burst, tolerance),
  ];
}

type Row = Readonly<Record<string, string>>;

/** Rows that both have are compared in full; what only one has is one difference, of steps that Slurm counts (`.0`, `.1`) another. */
function rows(place: Difference['place'], onprem: readonly Row[], burst: readonly Row[]): Difference[] {
  const [ours, theirs] = [keyed(onprem), keyed(burst)];
  const common = [...ours].flatMap(([key, row]) => {
    const other = theirs.get(key);
    return other === undefined ? [] : fields(place, row, other);
  });
  const only = (of: Map<string, Row>, beside: Map<string, Row>, steps: boolean): Row[] =>
    [...of].filter(([key, row]) => !beside.has(key) && isStep(row) === steps).map(([, row]) => row);
  const alone = (name: string, steps: boolean): Difference[] => {
    const [a, b] = [only(ours, theirs, steps), only(theirs, ours, steps)];
    return a.length + b.length === 0 ? [] : [{ place, name, onprem: listed(a), burst: listed(b) }];
  };
  return [...common, ...alone('lines', false), ...alone('steps', true)];
}

const isStep = (row: Row): boolean => /\.\d+$/.test(row.JobID ?? '');

/** By what names a row: a job or a step, a task of the record, a line of squeue; of several runs of one job by their order. */
function keyed(of: readonly Row[]): Map<string, Row> {
  const found = new Map<string, Row>();
  const seen = new Map<string, number>();
  for (const row of of) {
    const name = row.JobID ?? row.ArrayTaskId ?? ('squeue' in row ? 'squeue' : '');
    const nth = seen.get(name) ?? 0;
    seen.set(name, nth + 1);
    found.set(`${name} ${nth}`, row);
  }
  return found;
}

const listed = (of: readonly Row[]): string =>
  `${of.length}: ${of.map((row) => Object.values(row).slice(0, 3).join(' ')).join('; ')}`;

function fields(place: Difference['place'], onprem: Row, burst: Row): Difference[] {
  const names = [...new Set([...Object.keys(onprem), ...Object.keys(burst)])];
  return names.flatMap((name) => said(place, name, onprem[name], burst[name]));
}

export const absent = '(absent)';

function said(
  place: Difference['place'],
  name: string,
  onprem: string | undefined,
  burst: string | undefined,
): Difference[] {
  return onprem === burst ? [] : [{ place, name, onprem: onprem ?? absent, burst: burst ?? absent }];
}

function files(onprem: Left['files'], burst: Left['files'], lines: readonly RegExp[]): Difference[] {
  const paths = [...new Set([...onprem.keys(), ...burst.keys()])].sort();
  return paths.flatMap((path) => {
    const [a, b] = [onprem.get(path), burst.get(path)];
    if (a === undefined || b === undefined) return said('file', path, a?.kind, b?.kind);
    return file(path, a, b, lines);
  });
}

function file(path: string, a: FileLeft, b: FileLeft, lines: readonly RegExp[]): Difference[] {
  return [
    ...said('file', `${path}: kind`, a.kind, b.kind),
    ...said('file', `${path}: mode`, a.mode, b.mode),
    ...said('file', `${path}: owner`, a.owner, b.owner),
    ...said('file', `${path}: links`, `${a.links}`, `${b.links}`),
    ...content(path, a.content, b.content, lines),
  ];
}

/** What `env -0` wrote is compared by variable. */
const environment = /(^|\/|\.)environment$/;
/** The job's own output, by any of the names that a script gives it. */
const output = /\.(out|err)$/;

function content(path: string, a: Buffer, b: Buffer, lines: readonly RegExp[]): Difference[] {
  if (a.equals(b)) return [];
  if (environment.test(path)) return fields('environment', variables(a), variables(b));
  if (!output.test(path)) return [{ place: 'file', name: path, ...apart(a, b) }];
  if (lines.length === 0) return [{ place: 'output', name: path, ...apart(a, b) }];
  const [restA, restB] = [without(a, lines), without(b, lines)];
  return restA.equals(restB)
    ? [{ place: 'output', name: path, ...apart(a, b), inLines: true }]
    : [{ place: 'output', name: path, ...apart(restA, restB), inLines: false }];
}

function without(text: Buffer, lines: readonly RegExp[]): Buffer {
  const kept = text
    .toString('latin1')
    .split('\n')
    .filter((line) => !lines.some((pattern) => pattern.test(line)));
  return Buffer.from(kept.join('\n'), 'latin1');
}

export function variables(block: Buffer): Record<string, string> {
  const entries = block.toString('latin1').split('\0');
  return Object.fromEntries(
    entries
      .filter((entry) => entry !== '')
      .map((entry) => [entry.split('=', 1)[0] ?? '', entry.slice(entry.indexOf('=') + 1)]),
  );
}

/** From where they part, and so much that a person sees in what. */
function apart(a: Buffer, b: Buffer): { onprem: string; burst: string } {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at += 1;
  const line = at === 0 ? 0 : a.lastIndexOf('\n', at - 1) + 1;
  const from = at - line > 200 ? at : line;
  const shown = (of: Buffer): string =>
    `${of.length} bytes, from ${from}: ${JSON.stringify(of.subarray(from, from + 160).toString('latin1'))}`;
  return { onprem: shown(a), burst: shown(b) };
}

/** The script goes over the wire, and both sides share one small machine. Of one that died as if killed, the gateway first asks whether its pod was. */
function elapsed(onprem: Left, burst: Left, tolerance: number): Difference[] {
  const [a, b] = [onprem.elapsedSeconds, burst.elapsedSeconds];
  const most = tolerance + a / 2;
  if (Math.abs(a - b) <= most) return [];
  const name =
    onprem.accounting.some(asKilled) && b - a <= most + saidMs / 1_000 ? elapsedOfKilled : 'Elapsed';
  return [{ place: 'time', name, onprem: `${a} s`, burst: `${b} s` }];
}

/** By its own doing: neither Slurm nor its owner ended it. */
const asKilled = ({ State, ExitCode = '' }: Row): boolean =>
  State === 'FAILED' && /^(0:9|0:15|137:0|143:0)$/.test(ExitCode);
