/** What a script asks for, in numbers: as far as it can be told without a cluster, whose partitions fill in the rest. */
import { type Script, written } from './script.ts';

export interface Asked {
  readonly nodes: number;
  readonly tasks: number;
  readonly cpus: number;
  /** Undefined: the partition's default. 0 MiB: all of a node's. */
  readonly memory: { readonly per: 'node' | 'cpu'; readonly mib: number } | undefined;
  /** Undefined: the partition's default. */
  readonly timeMs: number | 'unlimited' | undefined;
  readonly exclusive: boolean;
  /** Values that sbatch would not take. */
  readonly problems: readonly string[];
}

export function askedOf(script: Script): Asked {
  const problems: string[] = [];
  const read = <T>(name: string, parse: (text: string) => T | undefined): T | undefined => {
    const text = written(script, name);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) problems.push(`--${name}=${text}: cannot be read`);
    return value;
  };
  const nodes = read('nodes', (text) => whole(/^(\d+)(?:[-,:].*)?$/.exec(text)?.[1] ?? '')) ?? 1;
  const perNode = read('ntasks-per-node', whole);
  const tasks = read('ntasks', whole) ?? (perNode ?? 1) * nodes;
  const perTask = read('cpus-per-task', whole) ?? 1;
  const node = read('mem', mebibytes);
  const cpu = read('mem-per-cpu', mebibytes);
  return {
    nodes,
    tasks,
    cpus: Math.max(1, tasks * perTask, read('mincpus', whole) ?? 0),
    memory:
      cpu !== undefined
        ? { per: 'cpu', mib: cpu }
        : node !== undefined
          ? { per: 'node', mib: node }
          : undefined,
    timeMs: read('time', timeLimit),
    exclusive: script.options.some(({ name }) => name === 'exclusive'),
    problems,
  };
}

const whole = (text: string): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);

const units: Readonly<Record<string, number>> = { K: 1 / 1024, M: 1, G: 1024, T: 1024 ** 2 };

/** Without a unit MiB, as sbatch means it. */
export function mebibytes(text: string): number | undefined {
  const [, amount, unit = 'M'] = /^(\d{1,12})([KMGT])?B?$/i.exec(text) ?? [];
  const factor = units[unit.toUpperCase()];
  return amount === undefined || factor === undefined ? undefined : Math.ceil(Number(amount) * factor);
}

/** `MIN`, `MIN:SEC`, `HOUR:MIN:SEC`, `DAY-HOUR`, `DAY-HOUR:MIN`, `DAY-HOUR:MIN:SEC`; 0 is none. [sbatch(1), --time] */
export function timeLimit(text: string): number | 'unlimited' | undefined {
  if (/^(unlimited|infinite|-1)$/i.test(text)) return 'unlimited';
  const found = /^(?:(\d{1,6})-)?(\d{1,9})(?::(\d{1,6}))?(?::(\d{1,6}))?$/.exec(text);
  if (found === null) return undefined;
  const [, days, ...parts] = found;
  const [a = 0, b = 0, c = 0] = parts.map((p) => (p === undefined ? undefined : Number(p)));
  const three = parts[2] !== undefined;
  const seconds =
    days !== undefined
      ? Number(days) * 86_400 + a * 3600 + b * 60 + c
      : three
        ? a * 3600 + b * 60 + c
        : a * 60 + b;
  return seconds === 0 ? 'unlimited' : seconds * 1000;
}
