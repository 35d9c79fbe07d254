/** From what a survey saw to what is proposed: which partitions are watched, what Spillway's own are called, and of which shape its virtual nodes are. */
import type { NodeShape, Survey, SurveyedPartition } from '../../domain/survey.ts';
import { settingOf } from '../../domain/survey.ts';
import { CommandError } from '../ask.ts';
import { type Machine, machineFor, machineOf } from './machines.ts';

/** What somebody asked for; the rest is proposed. */
export interface Wishes {
  readonly watch?: readonly string[] | undefined;
  readonly cluster?: string | undefined;
  /** The name of an instance type. */
  readonly type?: string | undefined;
  /** US dollars an hour of it. */
  readonly usd?: number | undefined;
  readonly region?: string | undefined;
  /** How many nodes may burst at once. */
  readonly nodes?: number | undefined;
}

export interface ShapeCount {
  readonly shape: NodeShape;
  readonly count: number;
}

export interface Virtual extends ShapeCount {
  /** As `c[1-12]`. */
  readonly names: string;
  /** As `[17001-17012]`. */
  readonly ports: string;
}

export interface Plan {
  readonly cluster: string;
  /** The first is the one that the others' defaults are copied from. */
  readonly watch: readonly string[];
  readonly home: SurveyedPartition;
  readonly names: { readonly explicit: string; readonly wait: string; readonly burst: string };
  /** Slurm has Spillway's partitions already. */
  readonly standing: boolean;
  /** Slurm has a partition that is DOWN by which users ask for the cloud. */
  readonly asks: boolean;
  /** Of the nodes of the watched partitions, the most frequent first. */
  readonly shapes: readonly ShapeCount[];
  readonly virtual: readonly Virtual[];
  /** How many nodes may burst at once. */
  readonly nodes: number;
  readonly vcpuPerCpu: 1 | 2;
  readonly machine: Machine;
  /** Whether a whole node of the most frequent shape without devices fits into `machine`. */
  readonly fits: boolean;
  readonly usd: number | undefined;
  readonly region: string;
  readonly pollSeconds: number;
}

export const usualRegion = 'eu-central-1';
const usualNodes = 16;
const firstPort = 17_001;
const mostShapes = 4;

export type Candidate =
  | { readonly name: string; readonly may: true; readonly proposed: boolean }
  | { readonly name: string; readonly may: false; readonly why: string };

/** What may be watched, in the order in which it is proposed: the default partition, then the largest. */
export function candidatesOf(survey: Survey): readonly Candidate[] {
  const own = ownOf(survey);
  const taken: ReadonlySet<string> = new Set(own.standing ? Object.values(own.names) : []);
  return [...survey.partitions]
    .sort((a, b) => Number(b.byDefault) - Number(a.byDefault) || b.totalCpus - a.totalCpus)
    .map((p): Candidate => {
      const why = taken.has(p.name) ? "is Spillway's own" : unfit(p);
      return why === undefined
        ? { name: p.name, may: true, proposed: !p.hidden }
        : { name: p.name, may: false, why };
    });
}

function unfit(p: SurveyedPartition): string | undefined {
  if (!/^[A-Za-z0-9_.-]+$/.test(p.name))
    return 'has a name with a character that the configuration does not take';
  if (p.state !== 'UP') return `is ${p.state}: nothing starts there`;
  if (p.rootOnly) return 'is for root alone (RootOnly)';
  return p.totalNodes === 0 ? 'has no nodes' : undefined;
}

/** Throws CommandError for a wish that this Slurm cannot grant. */
export function planOf(survey: Survey, wishes: Wishes): Plan {
  const own = ownOf(survey);
  const watch = watchOf(survey, wishes.watch);
  const home = survey.partitions.find((p) => p.name === watch[0]);
  if (home === undefined) throw new CommandError(`Slurm has no partition ${watch[0]}`);
  const shapes = shapesOf(survey, watch);
  // The proposed machine has no devices, so nodes without any are what it stands for.
  const usual = shapes.find((s) => s.shape.gres === '') ?? shapes[0];
  if (usual === undefined)
    throw new CommandError(
      `no node of ${watch.join(', ')} could be read: run scontrol show node by hand as that user`,
    );
  const nodes =
    wishes.nodes ??
    Math.min(
      usualNodes,
      shapes.reduce((sum, s) => sum + s.count, 0),
    );
  // A Slurm CPU is a hyper-thread where all threads are counted, else a core.
  const { cpus, boards, sockets, cores, threads } = usual.shape;
  const vcpuPerCpu = threads > 1 && cpus === boards * sockets * cores * threads ? 1 : 2;
  const need = { vcpus: cpus * vcpuPerCpu, memoryMib: usual.shape.memoryMib };
  const { machine, fits } = wishes.type === undefined ? machineFor(need) : machineOf(wishes.type, need);
  return {
    cluster: wishes.cluster ?? clusterOf(settingOf(survey, 'ClusterName')),
    ...{ watch, home, shapes, nodes, vcpuPerCpu, machine, fits },
    ...own,
    virtual: virtualOf(survey, shapes, nodes),
    usd: wishes.usd,
    region: wishes.region ?? usualRegion,
    // As the facts have it: no more often than ten times what one look takes.
    pollSeconds: Math.min(3_600, Math.max(30, Math.ceil((10 * survey.snapshot.tookMs) / 1000))),
  };
}

function watchOf(survey: Survey, wished: readonly string[] | undefined): readonly string[] {
  const candidates = candidatesOf(survey);
  if (wished === undefined) {
    const proposed = candidates.flatMap((c) => (c.may && c.proposed ? [c.name] : []));
    if (proposed.length > 0) return proposed;
    const why = candidates.map((c) => `${c.name} ${c.may ? 'is hidden' : c.why}`).join('; ');
    throw new CommandError(
      `no partition is one to watch (${why === '' ? 'there is none' : why}); name one that is: --watch NAME`,
    );
  }
  for (const name of wished) {
    const known = candidates.find((c) => c.name === name);
    if (known === undefined)
      throw new CommandError(
        `--watch ${name}: Slurm has no such partition; there are ${candidates.map((c) => c.name).join(', ')}`,
      );
    if (!known.may) throw new CommandError(`--watch ${name}: ${name} ${known.why}`);
  }
  return wished;
}

/** Small letters, digits, - and _, as the configuration takes a cluster's name. */
export function clusterOf(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .slice(0, 40)
    .replace(/^[_-]+|[_-]+$/g, '');
  return plain === '' ? 'hpc1' : plain;
}

interface Own {
  readonly names: Plan['names'];
  readonly standing: boolean;
  readonly asks: boolean;
}

/** Slurm's own partitions keep their names: where one of ours is taken by something else, another is proposed. */
export function ownOf({ partitions }: Pick<Survey, 'partitions'>): Own {
  const of = (name: string): SurveyedPartition | undefined => partitions.find((p) => p.name === name);
  const [burst, wait, cloud] = [of('burst'), of('burst_wait'), of('cloud')];
  const standing =
    burst !== undefined && wait !== undefined && burst.up && !wait.up && burst.nodes === wait.nodes;
  const free = (name: string): string => {
    for (let tries = 0; ; tries += 1) {
      const candidate = tries === 0 ? name : `spillway_${name}${tries === 1 ? '' : tries}`;
      if (of(candidate) === undefined) return candidate;
    }
  };
  const asks = standing && cloud !== undefined && !cloud.up;
  return {
    names: standing
      ? { explicit: asks ? 'cloud' : free('cloud'), wait: 'burst_wait', burst: 'burst' }
      : { explicit: free('cloud'), wait: free('burst_wait'), burst: free('burst') },
    ...{ standing, asks },
  };
}

function shapesOf(survey: Survey, watch: readonly string[]): readonly ShapeCount[] {
  const watched = (partitions: readonly string[]): boolean => partitions.some((p) => watch.includes(p));
  // sinfo tells less, but to everybody.
  const seen: readonly (NodeShape & { readonly partitions: readonly string[] })[] =
    survey.nodes.ok && survey.nodes.value.length > 0
      ? survey.nodes.value
      : survey.snapshot.nodes.map((n) => ({
          ...n,
          ...{ boards: 1, sockets: 1, cores: n.cpus, threads: 1, tmpMib: 0 },
        }));
  const counts = new Map<string, { shape: NodeShape; count: number }>();
  for (const {
    cpus,
    boards,
    sockets,
    cores,
    threads,
    memoryMib,
    tmpMib,
    features,
    gres,
    partitions,
  } of seen) {
    if (!watched(partitions)) continue;
    const shape = { cpus, boards, sockets, cores, threads, memoryMib, tmpMib, features, gres };
    const key = JSON.stringify(shape);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { shape, count: 1 });
    else known.count += 1;
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || a.shape.cpus - b.shape.cpus);
}

/** Each shape by its share of the site, and each at least once; the rare ones of a zoo are left to the administrator. */
function virtualOf(survey: Survey, shapes: readonly ShapeCount[], nodes: number): readonly Virtual[] {
  const known = survey.nodes.ok
    ? survey.nodes.value.map((n) => n.name)
    : survey.snapshot.nodes.map((n) => n.name);
  const taken = (prefix: string): boolean => known.some((name) => new RegExp(`^${prefix}\\d+$`).test(name));
  const prefix = ['c', 'spill', 'spillway'].find((p) => !taken(p)) ?? 'spillway-virtual';
  const kept = shapes.slice(0, mostShapes);
  const total = kept.reduce((sum, s) => sum + s.count, 0);
  let next = 1;
  return kept.map(({ shape, count }) => {
    const share = Math.max(1, Math.round((nodes * count) / total));
    const [from, to] = [next, next + share - 1];
    next += share;
    const range = (first: number, last: number): string =>
      first === last ? `${first}` : `[${first}-${last}]`;
    return {
      ...{ shape, count: share },
      names: `${prefix}${range(from, to)}`,
      ports: range(firstPort + from - 1, firstPort + to - 1),
    };
  });
}
