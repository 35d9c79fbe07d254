/** What a script asks for, in numbers: as far as it can be told without a cluster, whose partitions fill in the rest. */
import { readGres } from '../../domain/gres.ts';
import { gresIn } from './gres.ts';
import { type Script, written } from './script.ts';
import { mebibytes, timeLimit, whole } from './values.ts';

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

/** Node counts, and what a node has of CPUs and tasks, are 16 bits, the highest of which mean none and infinite. [slurm.conf(5), MaxNodeCount] */
const most16 = 65_533;
/** Tasks are 32 bits. */
const most32 = 4_294_967_293;
/** 8 PiB: beyond it no number here is exact, and no machine has a thousandth of it. */
const mostMib = 2 ** 33;
/** 68 years: Slurm reads a time limit as seconds in 31 bits. */
const mostMs = (2 ** 31 - 1) * 1_000;

type Parse = (text: string) => number | 'unlimited' | undefined;
type Most = readonly [most: number, inWords: string];

const nodeCounts: Most = [most16, `${most16}, the most nodes that Slurm counts`];
const nodeCpus: Most = [most16, `${most16}, the most that a node of Slurm's has`];
const taskCounts: Most = [most32, `${most32}, the most that Slurm counts`];
const nodeMemory: Most = [mostMib, '8 PiB, and no node has so much'];
const times: Most = [mostMs, '68 years, the most that Slurm counts'];

/** What it asks for altogether is looked at, too, so that no sum of it is without meaning. */
export function askedOf(script: Script): Asked {
  const problems: string[] = [];
  const read = <P extends Parse>(
    name: string,
    parse: P,
    [most, inWords]: Most,
  ): ReturnType<P> | undefined => {
    const text = written(script, name);
    if (text === undefined) return undefined;
    const value = parse(text) as ReturnType<P>;
    const over = typeof value === 'number' && value > most;
    if (value === undefined) problems.push(`--${name}=${text}: cannot be read`);
    if (over) problems.push(`--${name}=${text}: more than ${inWords}`);
    return over ? undefined : value;
  };
  const firstOf = (text: string) => whole(/^(\d+)(?:[-,:].*)?$/.exec(text)?.[1] ?? '');
  const nodes = read('nodes', firstOf, nodeCounts) ?? 1;
  const perNode = read('ntasks-per-node', whole, nodeCpus);
  const tasks = read('ntasks', whole, taskCounts) ?? (perNode ?? 1) * nodes;
  const perTask = read('cpus-per-task', whole, nodeCpus) ?? 1;
  const node = read('mem', mebibytes, nodeMemory);
  const cpu = read('mem-per-cpu', mebibytes, nodeMemory);
  const asked = {
    nodes,
    tasks,
    cpus: Math.max(1, tasks * perTask, read('mincpus', whole, nodeCpus) ?? 0),
    memory:
      cpu !== undefined
        ? { per: 'cpu' as const, mib: cpu }
        : node !== undefined
          ? { per: 'node' as const, mib: node }
          : undefined,
    timeMs: read('time', timeLimit, times),
    exclusive: script.options.some(({ name }) => name === 'exclusive'),
  };
  const perGpu = read('mem-per-gpu', mebibytes, nodeMemory);
  return { ...asked, problems: [...problems, ...beyondANode(script, asked, perGpu ?? 0)] };
}

/** What no node has, though each option by itself can be read. */
function beyondANode(
  script: Script,
  { nodes, tasks, cpus, memory }: Omit<Asked, 'problems'>,
  mibPerGpu: number,
): readonly string[] {
  const cpusOfOne = Math.ceil(cpus / Math.max(1, nodes));
  const beyond: string[] = [];
  if (cpusOfOne > most16) beyond.push(`it asks for ${cpusOfOne} CPUs on a node: more than ${nodeCpus[1]}`);
  else if (memory?.per === 'cpu' && memory.mib * cpusOfOne > mostMib)
    beyond.push(`--mem-per-cpu with ${cpusOfOne} CPUs on a node: more than ${nodeMemory[1]}`);
  const asks = readGres(gresIn(script));
  for (const { per, name, count } of asks.kind === 'told' ? asks.value : []) {
    const of = Math.max(1, nodes);
    const ofOne =
      per === 'task' ? count * Math.ceil(tasks / of) : per === 'job' ? Math.ceil(count / of) : count;
    if (ofOne > (name === 'gpu' ? most16 : Number.MAX_SAFE_INTEGER))
      beyond.push(`it asks for more of ${name} on a node than any has`);
    else if (name === 'gpu' && ofOne * mibPerGpu > mostMib)
      beyond.push(`--mem-per-gpu with ${ofOne} GPUs: more than ${nodeMemory[1]}`);
  }
  return beyond;
}
