/** `spillway policy`: policies as the running gateway keeps, tries and tells them apart, and which of them decides. */
import { readFile } from 'node:fs/promises';
import { parse as yaml } from 'yaml';
import { z } from 'zod';
import { isConfiguration, policyTextIn, readPolicyText, writtenIn } from '../../config/policy-text.ts';
import {
  type ActivePolicyView,
  activeView,
  keptPoliciesView,
  keptPolicyView,
  type PolicyView,
  policyView,
} from '../api/policy-schemas.ts';
import { differencesOf } from '../domain/differences.ts';
import { ask, CommandError, type Gateway, problemOf, readAt, request, toldIn } from './ask.ts';
import type { Loose } from './loose.ts';
import { tableOf } from './table.ts';

const one = z.object({ policy: policyView });
const kept = z.object({ policy: keptPolicyView });

/** How many `list` tells; `--json` too. */
const listed = 200;

export interface PolicyOrder {
  readonly by: string;
  readonly reason: string;
  /** New for each order: a repeat of it is no second one. */
  readonly key: string;
}

export const linesOf = (told: unknown): readonly string[] => [JSON.stringify(told, undefined, 2)];

/** What a file has of a policy: all of it, or of a whole configuration what belongs to its policy. */
export async function textIn(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((e: unknown) => {
    throw new CommandError(`${path}: ${(e as Error).message}`);
  });
  return isConfiguration(text) ? policyTextIn(yaml(text, { logLevel: 'error' })) : text;
}

/** `spillway policy validate FILE`: by this host alone, no gateway is asked. */
export async function validatePolicy(path: string, json: boolean): Promise<readonly string[]> {
  const text = await textIn(path);
  const read = readPolicyText(text);
  if (!read.ok) {
    if (json) throw new CommandError(JSON.stringify({ valid: false, problems: read.problems }, undefined, 2));
    const lines = read.problems.map(({ field, text: what, line, column }) => {
      const at = line === undefined ? path : `${path}:${line}:${column}`;
      return `${at}: ${field === '' ? '' : `${field}: `}${what}`;
    });
    throw new CommandError(lines.join('\n'));
  }
  if (json) return linesOf({ valid: true });
  const { budgets } = read.value;
  return [
    `${path}: a policy, ${budgets === undefined ? 'with the budgets of the configuration file' : `with ${budgets.length} budgets of its own`}`,
  ];
}

/** `spillway policy list`, newest first, under what decides. */
export async function listPolicies(gateway: Gateway, json: boolean): Promise<readonly string[]> {
  const { clusters } = await readAt(gateway, 'policies/active', activeView);
  const { policies, damaged } = await readAt(gateway, `policies?limit=${listed}`, keptPoliciesView);
  if (json) return linesOf({ clusters, policies, ...(damaged === undefined ? {} : { damaged }) });
  const rows = policies.map((p) => [
    `${p.version}`,
    p.since,
    p.by,
    p.decidesIn.length === 0 ? '' : `decides in ${p.decidesIn.join(', ')}`,
    p.reason ?? '',
  ]);
  return [
    ...clusters.flatMap(decidesInWords),
    ...(damaged ?? []).map(
      ({ version, damaged: what, todo }) => `version ${version} is damaged (${what}): ${todo}`,
    ),
    ...(rows.length === 0
      ? [damaged === undefined ? 'no version was kept yet' : 'no version can be read']
      : tableOf(['version', 'kept', 'by', '', 'reason'], rows)),
  ];
}

/** `spillway policy show NAME`: as it was written, below who kept it. */
export async function showPolicy(gateway: Gateway, name: string, json: boolean): Promise<readonly string[]> {
  const policy = await policyAt(gateway, await nameOf(gateway, name));
  if (json) return linesOf(policy);
  const head =
    policy.version === undefined
      ? '# what the configuration file says'
      : `# version ${policy.version}, kept by ${policy.by} at ${policy.since}${policy.reason === undefined ? '' : `: ${policy.reason}`}`;
  const broken = policy.unreadable === undefined ? [] : [`# cannot be read: ${policy.unreadable}`];
  return [head, ...broken, ...policy.text.trimEnd().split('\n')];
}

/** `spillway policy diff A B`: each the number of a version, file, active, or a file of this host. */
export async function diffPolicies(
  gateway: Gateway,
  names: { readonly from: string; readonly to: string },
  json: boolean,
): Promise<readonly string[]> {
  const text = async (name: string): Promise<string> =>
    isName(name) ? (await policyAt(gateway, await nameOf(gateway, name))).text : textIn(name);
  const [from, to] = [writtenIn(await text(names.from)), writtenIn(await text(names.to))];
  const differences = differencesOf(from, to);
  if (json) return linesOf({ ...names, differences });
  if (differences.length === 0) return ['the same is written in both'];
  return differences.map((d) => `${d.field || 'all of it'}: ${said(d.from)} → ${said(d.to)}`);
}

const said = (value: unknown): string => (value === undefined ? '(not there)' : JSON.stringify(value));

/** `spillway policy activate NAME|FILE`: a file of this host is kept as a version first. */
export async function activatePolicy(
  gateway: Gateway,
  name: string,
  order: PolicyOrder,
  json: boolean,
): Promise<readonly string[]> {
  const seen = await ask(gateway, 'policies/active');
  if (seen.status !== 200) throw problemOf(seen.status, seen.body);
  const which = isName(name)
    ? await nameOf(gateway, name)
    : `${(await keep(gateway, await textIn(name), order)).version}`;
  return activate(gateway, which, seen.tag, order, json);
}

/** `spillway policy rollback`: what decided before, decides again. */
export async function rollBack(
  gateway: Gateway,
  order: PolicyOrder,
  json: boolean,
): Promise<readonly string[]> {
  const said = await ask(gateway, 'policies/active');
  const { clusters } = toldIn(said, activeView);
  const before = [...new Set(clusters.map((c) => c.before))];
  const [only] = before;
  if (before.length > 1)
    throw new CommandError(
      `another policy decided before in each cluster (${clusters.map((c) => `${c.cluster}: ${c.before ?? 'none'}`).join(', ')}): spillway policy activate one of them`,
    );
  if (only === undefined) throw new CommandError('nothing decided before: nobody has activated a policy yet');
  const moved = clusters.find((c) => c.file === 'changed');
  if (only === 'file' && moved !== undefined)
    throw new CommandError(
      `the configuration file decided before, and says something else by now: spillway policy activate ${moved.fileThen} for what it said then, activate file for what it says now`,
    );
  return activate(gateway, `${only}`, said.tag, order, json);
}

async function activate(
  gateway: Gateway,
  which: string,
  tag: string | undefined,
  { by, reason, key }: PolicyOrder,
  json: boolean,
): Promise<readonly string[]> {
  const headers = { 'idempotency-key': `activate-${key}`, 'if-match': tag ?? '' };
  const said = await request(gateway, `policies/${which}/activate`, {
    ...{ method: 'POST', body: { by, reason }, headers },
  });
  if (said.status === 412)
    throw new CommandError(
      'somebody else has just said what decides: look at it (spillway policy list), and say it again',
    );
  const told = toldIn(said, activeView);
  return json ? linesOf(told) : told.clusters.flatMap(decidesInWords);
}

async function keep(gateway: Gateway, text: string, { by, reason, key }: PolicyOrder) {
  const headers = { 'idempotency-key': `keep-${key}` };
  const said = await request(gateway, 'policies', {
    ...{ method: 'POST', body: { text, by, reason }, headers },
  });
  return toldIn(said, kept).policy;
}

/** Not the name of a file of this host, which is written ./file where it is called so. */
const isName = (name: string): boolean => /^([1-9]\d{0,8}|file|active)$/.test(name);

/** As the API has it. */
async function nameOf(gateway: Gateway, name: string): Promise<string> {
  if (!isName(name)) throw new CommandError(`${name}: write the number of a version, file or active`);
  if (name !== 'active') return name;
  const { clusters } = await readAt(gateway, 'policies/active', activeView);
  const all = [...new Set(clusters.map((c) => `${c.decides}`))];
  const [only] = all;
  if (only === undefined || all.length > 1)
    throw new CommandError(`active: not the same in all clusters (${all.join(', ')}); name one`);
  return only;
}

const policyAt = async (gateway: Gateway, name: string): Promise<Loose<PolicyView>> =>
  (await readAt(gateway, `policies/${name}`, one)).policy;

/** What decides in a cluster, and below it what somebody has to know of that. */
export function decidesInWords(of: Loose<ActivePolicyView>): readonly string[] {
  const { cluster, decides, by, since, reason, file, fileThen, unreadable } = of;
  const what = decides === 'file' ? 'the configuration file decides' : `policy version ${decides} decides`;
  const who = by === undefined ? '' : ` by ${by} since ${since}${reason === undefined ? '' : `: ${reason}`}`;
  return [
    `${cluster}: ${what}${who}`,
    ...(unreadable === undefined
      ? []
      : [`  it cannot be read, and nothing is bought: ${unreadable}; activate another`]),
    ...(file === 'changed'
      ? [
          `  the configuration file says something else than then: spillway policy diff ${fileThen} file; activate file to let it decide, or activate ${decides} to keep what decides`,
        ]
      : []),
  ];
}
