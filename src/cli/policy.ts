/** A policy as it is written after --policy: by its name and parameters, or in a file. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { YAMLParseError, parse as yaml } from 'yaml';
import { z } from 'zod';
import { compile, ExpressionError } from '../../config/expression.ts';
import type { Expression } from '../domain/expression.ts';
import { replayedFacts } from '../sim/replay/expression.ts';
import {
  isPolicyName,
  type Named,
  type Parameter,
  policies,
  usualParameters,
  type Written,
} from '../sim/replay/policies.ts';
import { CommandError } from './ask.ts';
import { type GatewaysPolicy, gatewaysIn } from './gateways.ts';

/** One of replay's own, one that the site wrote itself, or the gateway's. */
export type Asked = Named | Written | GatewaysPolicy;

const form = z.strictObject({
  name: z
    .string()
    .min(1)
    .regex(/^\P{Cc}*$/u, { error: 'holds a control character; write it in one line of plain text' })
    .optional(),
  policy: z.string(),
  expr: z.string().optional(),
  leastWorth: z.number().nonnegative().optional(),
  exact: z.int().positive().optional(),
  waited: z.string().optional(),
  request: z.string().optional(),
  run: z.string().optional(),
});

/** How a person writes each. */
const written = {
  leastWorth: 'leastWorth',
  exact: 'exact',
  waitedMs: 'waited',
  requestMs: 'request',
  runMs: 'run',
} as const satisfies Record<Parameter, keyof z.infer<typeof form>>;

/** `NAME`, `NAME:PARAMETER…`, or a file with a policy in it. */
export async function policyOf(text: string): Promise<Asked> {
  const [name = '', ...given] = text.split(':');
  if (name === 'expr') {
    if (/\p{Cc}/u.test(text))
      throw new CommandError('--policy expr: holds a control character; write it in one line, or in a file');
    return { label: text, expression: expressionOf('--policy expr', given.join(':')) };
  }
  if (isPolicyName(name)) return { label: text, policy: name, parameters: parametersOf(text, name, given) };
  const source = await readFile(text, 'utf8').catch(() => undefined);
  if (source === undefined)
    throw new CommandError(
      `--policy ${text}: neither a file nor a policy. There are\n${Object.entries(policies)
        .map(([n, { what, takes }]) => `  ${[n, ...takes.map(usually)].join(':')}  ${what}`)
        .join('\n')}
  expr:EXPRESSION  who an expression in CEL is true of, over ${replayedFacts.join(', ')}`,
    );
  return policyInFile(text, source);
}

/** A log does not tell everything that a gateway sees. */
function expressionOf(where: string, text: string): Expression {
  try {
    const expression = compile(text);
    const unseen = expression.names.filter((name) => !replayedFacts.includes(name));
    if (unseen.length === 0) return expression;
    throw new ExpressionError(
      `a replay does not know ${unseen.join(', ')}; it knows ${replayedFacts.join(', ')}`,
      undefined,
    );
  } catch (e) {
    if (e instanceof ExpressionError) throw new CommandError(`${where}: expr: ${e.message}`);
    throw e;
  }
}

function parametersOf(text: string, name: keyof typeof policies, given: readonly string[]) {
  const takes: readonly Parameter[] = policies[name].takes;
  if (given.length > takes.length)
    throw new CommandError(
      `--policy ${text}: ${name} takes ${takes.length === 0 ? 'no parameter' : takes.map((t) => written[t]).join(':')}`,
    );
  return Object.fromEntries(
    given.map((value, i) => [takes[i], readValue(`--policy ${text}`, takes[i] as Parameter, value)]),
  );
}

function readValue(where: string, parameter: Parameter, text: string): number {
  if (parameter.endsWith('Ms')) return durationOf(where, written[parameter], text);
  const value = Number(text);
  const least = parameter === 'exact' ? 1 : 0;
  if (text === '' || !(value >= least) || (parameter === 'exact' && !Number.isInteger(value)))
    throw new CommandError(
      `${where}: ${written[parameter]} ${text} is no number; write one such as ${usualParameters[parameter]}`,
    );
  return value;
}

const usually = (parameter: Parameter): string => {
  const value = usualParameters[parameter];
  return parameter.endsWith('Ms') ? `${value / 3_600_000}h` : String(value);
};

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function durationOf(where: string, name: string, text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(text) ?? [];
  if (count === undefined)
    throw new CommandError(`${where}: ${name} ${text} is no duration; write one such as 90s, 30m, 4h or 1d`);
  return Number(count) * unitMs[unit as keyof typeof unitMs];
}

function policyInFile(path: string, source: string): Asked {
  let raw: unknown;
  try {
    raw = yaml(source);
  } catch (e) {
    const line = e instanceof YAMLParseError ? e.linePos?.[0].line : undefined;
    throw new CommandError(
      `${path}${line === undefined ? '' : `:${line}`}: neither YAML nor JSON: ${(e as Error).message.split('\n')[0]}`,
    );
  }
  const inside = (raw ?? {}) as { readonly policy?: unknown };
  if (typeof inside.policy === 'object' && inside.policy !== null) return gatewaysIn(path, raw);
  const parsed = form.safeParse(raw);
  if (!parsed.success)
    throw new CommandError(
      parsed.error.issues
        .map((i) => `${path}: ${i.path.join('.') || 'the file'}: ${i.message}`)
        .concat(`A policy is such as\n  name: ours\n  policy: compound\n  run: 1h\n  waited: 4h`)
        .join('\n'),
    );
  const { name, policy, expr, ...values } = parsed.data;
  if (policy === 'expr') {
    const [other] = Object.keys(values);
    if (other !== undefined) throw new CommandError(`${path}: ${other}: policy expr takes expr`);
    if (expr === undefined)
      throw new CommandError(`${path}: expr: missing; write such as expr: job.waitedMinutes > 240`);
    return { label: name ?? basename(path), expression: expressionOf(path, expr) };
  }
  if (expr !== undefined)
    throw new CommandError(`${path}: expr: policy ${policy} takes none; write policy: expr`);
  if (!isPolicyName(policy))
    throw new CommandError(`${path}: policy ${policy}: there are ${Object.keys(policies).join(', ')}, expr`);
  const takes: readonly Parameter[] = policies[policy].takes;
  for (const key of Object.keys(values))
    if (!takes.some((t) => written[t] === key))
      throw new CommandError(
        `${path}: ${key}: ${policy} takes ${takes.map((t) => written[t]).join(', ') || 'no parameter'}`,
      );
  const parameters: Partial<Record<Parameter, number>> = {};
  for (const parameter of takes) {
    const value = values[written[parameter]];
    if (value !== undefined) parameters[parameter] = readValue(path, parameter, String(value));
  }
  return { label: name ?? basename(path), policy, parameters };
}
