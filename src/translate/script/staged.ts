/** What a `#SPILLWAY` line says of data: `stage-in=/path`, `stage-out=/path`, and after a path how much it is, `size=20GiB`. */
export interface StagedPath {
  /** `in`: there before the script begins; `out`: brought back when it has ended. */
  readonly way: 'in' | 'out';
  /** Absolute, without a slash at its end; a file or a directory with all below it. */
  readonly path: string;
  /** As its owner says; nobody has looked. */
  readonly bytes: number | undefined;
  /** Of the script, from 1. */
  readonly line: number;
}

export const stagingKeys = ['stage-in', 'stage-out', 'size'] as const;
type StagingKey = (typeof stagingKeys)[number];

export const isStagingKey = (key: string): key is StagingKey => stagingKeys.some((one) => one === key);

/** More than anybody writes by hand; each is a walk through a tree. */
const mostPaths = 100;
/** [limits.h: PATH_MAX] */
const longestPath = 4095;
const units: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** Takes one word of a line into what was read before it. Answers what is wrong with it, with what to write instead. */
export function stagedWord(
  found: StagedPath[],
  key: StagingKey,
  value: string,
  line: number,
): string | undefined {
  if (key === 'size') return sizeOfLast(found, value, line);
  const way = key === 'stage-in' ? 'in' : 'out';
  const wrong = wrongPath(value);
  if (wrong !== undefined) return wrong;
  const path = value.replace(/\/$/, '');
  const other = found.find((one) => one.way === way && (within(path, one.path) || within(one.path, path)));
  if (other !== undefined)
    return other.path === path
      ? `stands in line ${other.line} too; write it once`
      : `and ${other.path} of line ${other.line} lie within one another; write the outer one alone`;
  if (found.length >= mostPaths) return `more than ${mostPaths} paths; name the directories that they lie in`;
  found.push({ way, path, bytes: undefined, line });
  return undefined;
}

function sizeOfLast(found: StagedPath[], value: string, line: number): string | undefined {
  const last = found.at(-1);
  if (last === undefined || last.line !== line || last.bytes !== undefined)
    return 'stands after no path; write it behind its path, such as stage-in=/data/set size=20GiB';
  const [, amount = '', unit = ''] = /^(\d{1,6})([KMGT]iB)$/.exec(value) ?? [];
  const factor = units[unit];
  if (factor === undefined)
    return 'is no size; write a whole number and KiB, MiB, GiB or TiB, such as size=20GiB';
  found[found.length - 1] = { ...last, bytes: Number(amount) * factor };
  return undefined;
}

/** Nothing is replaced in a path: what stands there is where the data are, here and in the pod. */
function wrongPath(path: string): string | undefined {
  if (!path.startsWith('/')) return 'is no absolute path; write it from / on, such as /data/set';
  if (/[$*?~[\]{}%]/.test(path))
    return 'has a variable or a pattern, and none is replaced here; write the path itself';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no file of such a name is meant.
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'has a control character';
  const parts = path.replace(/\/$/, '').split('/').slice(1);
  if (parts.length === 0 || parts[0] === '') return 'is all of the machine; name a directory or a file';
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'has an empty part, . or .. in it; write the path without them';
  if (Buffer.byteLength(path) > longestPath) return `is longer than ${longestPath} bytes`;
  return undefined;
}

/** Whether the first is the second or lies below it. */
export function within(path: string, of: string): boolean {
  return path === of || path.startsWith(of === '/' ? '/' : `${of}/`);
}
