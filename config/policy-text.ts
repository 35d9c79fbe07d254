/** A policy by itself, as it is written in a file of its own, or in a version that the store keeps. */
import { stringify } from 'yaml';
import { z } from 'zod';
import { budget } from './budgets.ts';
import { policy } from './policy.ts';
import type { Problem } from './problems.ts';
import { list } from './units.ts';
import { documentOf, type ReadYaml, readYaml } from './yaml.ts';
import { unreadable } from './yaml-limits.ts';

const form = z.strictObject({
  policy: policy.describe('As in a configuration.'),
  budgets: list(
    'In the place of those of the configuration file, which stay if this is left out.',
    budget,
    0,
    '[{ account: physics, usd: 5000, per: month }]',
  ).optional(),
});
export type PolicyText = z.output<typeof form>;

const allowed = z.toJSONSchema(form, { io: 'input' });

/** What a text says, or all that is wrong with it, by field, line and column. */
export function readPolicyText(text: string): ReadYaml<PolicyText> {
  const odd = text.search(unkeepable);
  if (odd >= 0) return { ok: false, problems: [keptByNoStore(text, odd)] };
  const read = readYaml(text, form, allowed);
  if (!read.ok || !('forecast' in partOf(read.given, 'policy'))) return read;
  return { ok: false, problems: [atStart] };
}

/** NUL, and half a character. */
const unkeepable = /\0|\p{Cs}/u;

function keptByNoStore(text: string, at: number): Problem {
  const lines = text.slice(0, at).split('\n');
  const [what, column] = [text[at] === '\0' ? 'a NUL character' : 'half a character', lines.at(-1) ?? ''];
  return {
    ...{ field: '', line: lines.length, column: column.length + 1 },
    text: `here is ${what}, which no store can keep; take it out`,
  };
}

const atStart: Problem = {
  field: 'policy.forecast',
  text: 'is read at the start of a gateway alone; leave it in the configuration file',
  line: undefined,
  column: undefined,
};

/** A whole configuration, of which a policy is a part. */
export function isConfiguration(text: string): boolean {
  const given = writtenIn(text);
  return typeof given === 'object' && given !== null && 'clusters' in given && 'nodeGroups' in given;
}

/** What of a configuration, as it was written, belongs to its policy; comments and the order of other keys are nothing of it. */
export function policyTextIn(given: unknown): string {
  const { forecast: _, ...own } = partOf(given, 'policy');
  const { budgets } = { budgets: undefined, ...recordOf(given) };
  return stringify(
    { policy: own, ...(budgets === undefined ? {} : { budgets }) },
    { aliasDuplicateObjects: false },
  );
}

/** Its values, for telling two of them apart; a text that is no YAML is a value by itself. */
export function writtenIn(text: string): unknown {
  if (unreadable(text) !== undefined) return text;
  const { document, odd } = documentOf(text);
  if (odd.length > 0) return text;
  try {
    return document.toJS();
  } catch {
    // Aliases of aliases without end.
    return text;
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const partOf = (value: unknown, key: string): Readonly<Record<string, unknown>> =>
  recordOf(recordOf(value)[key]);
