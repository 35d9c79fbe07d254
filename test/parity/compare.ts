/** Two runs of one script, side by side. Pure: what a run left was gathered before, without what is its own. */

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
}

/** `tolerance`: seconds that a burst may take longer or shorter, beside half of what it took on-prem. */
export function compare(onprem: Left, burst: Left, tolerance = 20): Difference[] {
  return [
    ...rows('accounting', onprem.accounting, burst.accounting),
    ...rows('record', onprem.record, burst.record),
    ...files(onprem.files, burst.files),
    ...elapsed(onprem.elapsedSeconds, burst.elapsedSeconds, tolerance),
  ];
}

type Row = Readonly<Record<string, string>>;

function rows(place: Difference['place'], onprem: readonly Row[], burst: readonly Row[]): Difference[] {
  if (onprem.length !== burst.length)
    return [{ place, name: 'lines', onprem: listed(onprem), burst: listed(burst) }];
  return onprem.flatMap((row, i) => fields(place, row, burst[i] ?? {}));
}

const listed = (of: readonly Row[]): string =>
  `${of.length}: ${of.map((row) => Object.values(row).slice(0, 3).join(' ')).join('; ')}`;

function fields(place: Difference['place'], onprem: Row, burst: Row): Difference[] {
  const names = [...new Set([...Object.keys(onprem), ...Object.keys(burst)])];
  return names.flatMap((name) => said(place, name, onprem[name], burst[name]));
}

const absent = '(absent)';

function said(
  place: Difference['place'],
  name: string,
  onprem: string | undefined,
  burst: string | undefined,
): Difference[] {
  return onprem === burst ? [] : [{ place, name, onprem: onprem ?? absent, burst: burst ?? absent }];
}

function files(onprem: Left['files'], burst: Left['files']): Difference[] {
  const paths = [...new Set([...onprem.keys(), ...burst.keys()])].sort();
  return paths.flatMap((path) => {
    const [a, b] = [onprem.get(path), burst.get(path)];
    if (a === undefined || b === undefined) return said('file', path, a?.kind, b?.kind);
    return file(path, a, b);
  });
}

function file(path: string, a: FileLeft, b: FileLeft): Difference[] {
  return [
    ...said('file', `${path}: kind`, a.kind, b.kind),
    ...said('file', `${path}: mode`, a.mode, b.mode),
    ...said('file', `${path}: owner`, a.owner, b.owner),
    ...said('file', `${path}: links`, `${a.links}`, `${b.links}`),
    ...content(path, a.content, b.content),
  ];
}

/** What `env -0` wrote is compared by variable. */
const environment = /(^|\/|\.)environment$/;
/** The job's own output, by any of the names that a script gives it. */
const output = /\.(out|err)$/;

function content(path: string, a: Buffer, b: Buffer): Difference[] {
  if (a.equals(b)) return [];
  if (environment.test(path)) return fields('environment', variables(a), variables(b));
  return [{ place: output.test(path) ? 'output' : 'file', name: path, ...apart(a, b) }];
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
  const line = a.lastIndexOf('\n', at - 1) + 1;
  const from = at - line > 200 ? at : line;
  const shown = (of: Buffer): string =>
    `${of.length} bytes, from ${from}: ${JSON.stringify(of.subarray(from, from + 160).toString('latin1'))}`;
  return { onprem: shown(a), burst: shown(b) };
}

/** The script goes over the wire, and both sides share one small machine. */
function elapsed(onprem: number, burst: number, tolerance: number): Difference[] {
  if (Math.abs(onprem - burst) <= tolerance + onprem / 2) return [];
  return [{ place: 'time', name: 'Elapsed', onprem: `${onprem} s`, burst: `${burst} s` }];
}
