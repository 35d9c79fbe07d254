/** CEL (cel.dev) as a policy may use it: what an expression sees, what is refused when it is loaded, and how it is told. */
import { type ASTNode, Environment, type EvaluationError, type ParseResult } from '@marcbachmann/cel-js';
import { type FieldName, fields } from './fields.ts';

type Value = string | number | boolean | readonly string[] | undefined;

/** The domain's `Expression`, which this file may not name. */
export interface Compiled {
  readonly names: readonly FieldName[];
  readonly needs: readonly FieldName[];
  tell(values: readonly Value[]): boolean | { readonly why: string };
}

/** Why an expression is none, and at which of its columns, from 1. */
export class ExpressionError extends Error {
  constructor(text: string, column: number | undefined) {
    super(column === undefined ? text : `column ${column}: ${text}`);
    this.name = 'ExpressionError';
  }
}

/** What is told in one step over what it is given: no regular expressions, whose time has no bound, and nothing that makes text or lists grow. */
const functions = ['size', 'startsWith', 'endsWith', 'contains', 'lowerAscii', 'upperAscii'] as const;
const conversions = ['int', 'double', 'string', 'has'] as const;
/** Loops over a list; one inside the other multiply, and are refused. */
const loops = ['exists', 'all', 'exists_one'] as const;
const isLoop = (name: string): boolean => loops.some((l) => l === name);
const allowed: ReadonlySet<string> = new Set([...functions, ...conversions, ...loops]);

export const longestExpression = 1_000;
const limits = { maxAstNodes: 300, maxDepth: 40, maxListElements: 100 };

const roots = ['job', 'forecast', 'offer'] as const;
type Root = (typeof roots)[number];
const fieldNames = Object.keys(fields) as FieldName[];
const ofRoot = (root: Root): readonly FieldName[] => fieldNames.filter((f) => f.startsWith(`${root}.`));
const isRoot = (name: unknown): name is Root => roots.some((r) => r === name);

/** Types are checked against this one. */
const typed = roots.reduce(
  (made, root) =>
    made.registerVariable({
      name: root,
      schema: Object.fromEntries(ofRoot(root).map((f) => [f.slice(root.length + 1), fields[f].kind])),
    }),
  new Environment({ limits }),
);
/** And evaluated in this one, which takes plain objects as they are: what has the right type has it here too. */
const plain = roots.reduce((made, root) => made.registerVariable(root, 'map'), new Environment({ limits }));

const known = new Map<string, Compiled>();

/** Throws ExpressionError. */
export function compile(text: string): Compiled {
  const before = known.get(text);
  if (before !== undefined) return before;
  if (text.trim() === '') throw new ExpressionError('empty; write such as job.cpus <= 4', undefined);
  if (text.length > longestExpression)
    throw new ExpressionError(
      `${text.length} characters; write at most ${longestExpression}, or several entries`,
      undefined,
    );
  let parsed: ParseResult;
  try {
    parsed = typed.parse(text);
  } catch (e) {
    throw refused(e);
  }
  const names = new Set<FieldName>();
  walk(parsed.ast, { names, bound: [], looping: false });
  const { valid, type, error } = parsed.check();
  if (!valid) throw refused(error);
  if (type !== 'bool')
    throw new ExpressionError(`tells ${type}; write what is true or false, such as job.cpus <= 4`, undefined);
  const made = compiled(plain.parse(text), [...names], parsed.ast);
  // The policies of one process are few; a test's are not.
  if (known.size >= 1_000) known.clear();
  known.set(text, made);
  return made;
}

function compiled(run: ParseResult, names: readonly FieldName[], ast: ASTNode): Compiled {
  const slots = names.map((name) => {
    const [root = '', key = ''] = name.split('.');
    return { root, key, int: fields[name].kind === 'int' };
  });
  /** Every part of it is told whatever the others are. */
  const plainly = !hasWays(ast);
  const unknown = (values: readonly Value[]) => ({
    why: `not known: ${names.filter((_, i) => values[i] === undefined).join(', ')}`,
  });
  return {
    names,
    needs: [...needsOf(ast)],
    tell(values) {
      // An error takes ten times as long as an answer.
      if (plainly && names.some((_, i) => values[i] === undefined)) return unknown(values);
      const sees: Record<string, Record<string, unknown>> = { job: {}, forecast: {}, offer: {} };
      for (let i = 0; i < slots.length; i++) {
        const value = values[i];
        const slot = slots[i];
        if (value === undefined || slot === undefined) continue;
        (sees[slot.root] as Record<string, unknown>)[slot.key] =
          slot.int && typeof value === 'number' ? BigInt(Math.round(value)) : value;
      }
      try {
        const told: unknown = run(sees);
        return typeof told === 'boolean' ? told : { why: `tells ${typeof told}` };
      } catch (e) {
        const { code, summary } = e as Partial<EvaluationError>;
        return code === 'no_such_key' ? unknown(values) : { why: summary ?? String(e) };
      }
    },
  };
}

interface Walk {
  readonly names: Set<FieldName>;
  /** What loops call their elements. */
  readonly bound: readonly string[];
  readonly looping: boolean;
}

/** Collects what it names and refuses what is not taken. */
function walk(node: ASTNode, w: Walk): void {
  switch (node.op) {
    case 'id':
      if (w.bound.includes(node.args)) return;
      if (isRoot(node.args))
        throw at(node, `${node.args} is no value of its own; there are ${ofRoot(node.args).join(', ')}`);
      throw at(node, `there is no ${node.args}; there are ${roots.join(', ')}`);
    case '.': {
      const [of, field] = node.args;
      if (of.op === 'id' && !w.bound.includes(of.args) && !isRoot(of.args)) break;
      if (of.op !== 'id' || !isRoot(of.args) || w.bound.includes(of.args))
        throw at(node, `.${field}: only ${roots.join(', ')} have fields`);
      w.names.add(named(node, of.args, field));
      return;
    }
    case 'map':
    case '.?':
    case '[?]':
      throw at(node, 'maps and optional fields are not taken; write plain comparisons');
    case 'call':
    case 'rcall': {
      const [name] = node.args;
      if (!allowed.has(name)) throw at(node, noFunction(name));
      if (node.op === 'rcall' && isLoop(name)) {
        loop(node, name, node.args[1], node.args[2], w);
        return;
      }
    }
  }
  for (const part of partsOf(node)) walk(part, w);
}

function loop(node: ASTNode, name: string, list: ASTNode, args: readonly ASTNode[], w: Walk): void {
  if (w.looping) throw at(node, `${name} inside of another loop; write one at a time`);
  const [element, ...rest] = args;
  const bound = element?.op === 'id' ? [...w.bound, element.args] : w.bound;
  for (const part of [list, ...rest])
    walk(part, { ...w, bound: part === list ? w.bound : bound, looping: true });
}

function partsOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
    case 'map':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case '!_':
    case '-_':
      return [node.args];
    default:
      return node.args;
  }
}

/** Fields of each part of an `&&` that has no other way to be true: without them the whole is not. */
function needsOf(node: ASTNode): ReadonlySet<FieldName> {
  if (node.op === '&&') return new Set(node.args.flatMap((part) => [...needsOf(part)]));
  if (hasWays(node)) return new Set();
  const names = new Set<FieldName>();
  walk(node, { names, bound: [], looping: false });
  return names;
}

function hasWays(node: ASTNode): boolean {
  if (node.op === '||' || node.op === '&&' || node.op === '?:') return true;
  if (node.op === 'call' && node.args[0] === 'has') return true;
  if (node.op === 'rcall' && isLoop(node.args[0])) return true;
  return partsOf(node).some(hasWays);
}

function named(node: ASTNode, root: Root, field: string): FieldName {
  const name = fieldNames.find((f) => f === `${root}.${field}`);
  if (name === undefined)
    throw at(node, `there is no ${root}.${field}; there are ${ofRoot(root).join(', ')}`);
  return name;
}

const noFunction = (name: string): string =>
  `${name} is not taken here; there are ${[...allowed].sort().join(', ')}, in, and the operators`;

const at = (node: ASTNode, text: string): ExpressionError => new ExpressionError(text, node.start + 1);

/** The library's own word, and what to write where it is known. */
function refused(e: unknown): ExpressionError {
  const { code, summary, range } = e as Partial<EvaluationError>;
  const mixed = code === 'no_such_overload' && /\b(int\b.*\bdouble|double\b.*\bint)\b/.test(summary ?? '');
  const advice = mixed ? '; write 3.0 for an amount, or double(job.cpus)' : '';
  return new ExpressionError(
    `${summary ?? (e as Error).message}${advice}`,
    range === undefined ? undefined : range.start + 1,
  );
}
