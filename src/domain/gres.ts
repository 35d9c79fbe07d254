/** Generic resources (GRES) as Slurm writes what a job asks for: `gres:gpu:a100:2`, from 24.05 on `gres/gpu:a100=2`. */

export interface GresAsk {
  readonly per: 'node' | 'job' | 'socket' | 'task';
  readonly name: string;
  readonly type: string | undefined;
  readonly count: number;
}

/** How the job is laid out: what per job, socket or task comes to on one node follows from it. */
export interface Layout {
  readonly nodes: number;
  readonly tasks: number;
  /** `--sockets-per-node`, which Slurm wants beside `--gpus-per-socket`. */
  readonly sockets: number | undefined;
}

/** Of one node, by `name` or `name:type`. */
export type GresOfNode = ReadonlyMap<string, number>;

export type Told<T> =
  | { readonly kind: 'told'; readonly value: T }
  | { readonly kind: 'untold'; readonly why: string };

const untold = (why: string): { readonly kind: 'untold'; readonly why: string } => ({ kind: 'untold', why });

const unit = /^per-(job|socket|task)\//;
const item = /^gres[:/]([A-Za-z_][A-Za-z0-9_]*)(?::(.*))?$/;
/** `--gres=none`. */
const isNone = /^gres[:/]none$/;
const counted = /^(\d+)([KMGT])?$/i;
const factors: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** `Job.gres`, item by item; what cannot be read is named, for none of it may be dropped. */
export function readGres(text: string): Told<readonly GresAsk[]> {
  const asks: GresAsk[] = [];
  for (const part of text.split(',').filter((one) => one !== '' && !isNone.test(one))) {
    const ask = askOf(part);
    if (ask === undefined) return untold(`${part} cannot be read`);
    asks.push(ask);
  }
  return { kind: 'told', value: asks };
}

function askOf(part: string): GresAsk | undefined {
  const [, of] = unit.exec(part) ?? [];
  const per = (of ?? 'node') as GresAsk['per'];
  const [, name, rest = ''] = item.exec(part.replace(unit, '').replace('=', ':')) ?? [];
  if (name === undefined) return undefined;
  const words = rest === '' ? [] : rest.split(':');
  const last = amount(words.at(-1) ?? '');
  const types = last === undefined ? words : words.slice(0, -1);
  if (types.length > 1 || types.some((type) => type === '')) return undefined;
  return { per, name, type: types[0], count: last ?? 1 };
}

function amount(text: string): number | undefined {
  const [, digits, suffix = ''] = counted.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (factors[suffix.toUpperCase()] ?? 1);
}

/** What one node of the job must have. Several ways to ask for the same count once, by the largest. */
export function gresOfNode(asks: readonly GresAsk[], layout: Layout): Told<GresOfNode> {
  const found = new Map<string, number>();
  for (const ask of asks) {
    const count = onNode(ask, layout);
    if (typeof count === 'string') return untold(count);
    const key = ask.type === undefined ? ask.name : `${ask.name}:${ask.type}`;
    if (count > 0) found.set(key, Math.max(found.get(key) ?? 0, count));
  }
  return { kind: 'told', value: found };
}

function onNode({ per, name, count }: GresAsk, { nodes, tasks, sockets }: Layout): number | string {
  switch (per) {
    case 'node':
      return count;
    case 'job':
      // Slurm would put more on one node than on another; here all of a job's pods are alike.
      return count % nodes === 0 ? count / nodes : `${count} ${name} do not divide among ${nodes} nodes`;
    case 'task':
      return count * Math.ceil(tasks / nodes);
    case 'socket':
      return sockets === undefined
        ? `${name} per socket, and how many sockets is not said (--sockets-per-node)`
        : count * sockets;
  }
}

const itemsOf = (text: string): readonly GresAsk[] =>
  text
    .replace(/\([^)]*\)/g, '')
    .split(',')
    .flatMap((part) => askOf(`gres:${part}`) ?? []);

/** What a node has, as `sinfo` prints it: `gpu:a100:2(S:0-1),gpu:v100:1`. Of a type it is counted by its name as well. */
export function gresIn(text: string): GresOfNode {
  const found = new Map<string, number>();
  const add = (key: string, count: number) => found.set(key, (found.get(key) ?? 0) + count);
  for (const { name, type, count } of itemsOf(text)) {
    add(name, count);
    if (type !== undefined) add(`${name}:${type}`, count);
  }
  return found;
}

/** Whether a node has what is wanted, by what `sinfo` prints of it. */
export function nodeHas(text: string, wanted: GresOfNode): boolean {
  const has = itemsOf(text);
  return [...wanted].every(([key, count]) => {
    const of = has.filter(({ name, type }) => key === name || key === `${name}:${type}`);
    return of.reduce((sum, one) => sum + one.count, 0) >= count;
  });
}
