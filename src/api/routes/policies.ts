import { z } from 'zod';
import { faultOf } from '../../domain/fault.ts';
import { clusterName } from '../../domain/ids.ts';
import type { PolicyName, PolicyVersion } from '../../domain/policy-version.ts';
import type { PolicyProblem } from '../../engine/context.ts';
import type { DryRun, DrySide, DryVerdict } from '../../engine/dry-run.ts';
import type { Policies, PolicyShown } from '../../engine/policies.ts';
import { type PolicyState, problemsInWords } from '../../engine/policy-state.ts';
import { pageOf, questionOf } from '../cursor.ts';
import { nextOf } from '../list.ts';
import { type Operation, operation } from '../operation.ts';
import {
  type ActivePolicyView,
  activeView,
  type DryRunView,
  differencesQuery,
  differencesView,
  dryRunView,
  type KeptPolicyView,
  keepOrder,
  keptPoliciesView,
  keptPolicyView,
  type PolicyView,
  policyPath,
  policyText,
  policyView,
  validView,
} from '../policy-schemas.ts';
import { pageQuery } from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { iso, plainOrder } from '../schemas.ts';
import { signed } from '../signed.ts';

export type PoliciesFacade = Pick<
  Policies,
  | 'states'
  | 'read'
  | 'readBeside'
  | 'hashOf'
  | 'versions'
  | 'shown'
  | 'differences'
  | 'keep'
  | 'dryRun'
  | 'activate'
>;

/** Of so many jobs it is told what would become of each. */
const changesAtMost = 500;
/** Of so many it is told what is wrong. */
const problemsAtMost = 50;
const question = questionOf('policies', {});
/** A text of 200,000 characters, escaped. */
export const policyBodyAtMost = '2mb';
const bodyAtMost = policyBodyAtMost;

const nameOf = (text: string): PolicyName => (text === 'file' ? 'file' : Number(text));

export function activeViewOf({ cluster, decides, said, ...of }: PolicyState): ActivePolicyView {
  const { fileChanged, unreadable } = of;
  return {
    ...{ cluster, decides, revision: said?.rev ?? 0, file: fileChanged ? 'changed' : 'same' },
    ...(said === undefined
      ? {}
      : { by: said.by, since: iso(said.at), before: said.before, fileThen: said.file.version }),
    ...(said === undefined || said.why === '' ? {} : { reason: said.why }),
    ...(unreadable === undefined ? {} : { unreadable }),
  };
}

function keptViewOf(
  { version, hash, by, at, why }: PolicyVersion,
  states: readonly PolicyState[],
): KeptPolicyView {
  return {
    ...{ version, hash, by, since: iso(at), decidesIn: decidesIn(version, states) },
    ...(why === '' ? {} : { reason: why }),
  };
}

const decidesIn = (name: PolicyName, states: readonly PolicyState[]): string[] =>
  states.filter((s) => s.decides === name).map((s) => s.cluster);

export function bad(problems: readonly PolicyProblem[]): Refusal {
  const told = problems.slice(0, problemsAtMost).map(({ field, text, line, column }) => ({
    ...{ field, text },
    ...(line === undefined || column === undefined ? {} : { line, column }),
  }));
  const field = problems[0]?.field;
  const detail = problemsInWords(problems);
  return new Refusal('bad_policy', 'Bad policy', { detail, field: field || undefined, problems: told });
}

const mend =
  'spillway audit verify tells whether others were damaged too; the store as it was is in a backup (spillway restore); until then keep and activate another version';

/** What a row that was damaged comes to: nothing that will be there when asked again. */
async function orDamaged<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (e) {
    if (faultOf(e) !== 'invalid') throw e;
    throw new Refusal('conflict', 'Damaged', { detail: `${(e as Error).message}: ${mend}` });
  }
}

/** Long texts are read few at a time. */
async function orBusy<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (e) {
    if (faultOf(e) !== 'throttled') throw e;
    const { message: detail } = e as Error;
    throw new Refusal('too_many_requests', 'Too many requests', { detail }, { 'Retry-After': '5' });
  }
}

const none = (name: PolicyName): Refusal =>
  new Refusal('not_found', 'Not found', { detail: `there is no policy version ${name}` });

function dryView({
  cluster,
  at,
  running,
  proposed,
  changes,
  judgedInFull,
}: DryRun): DryRunView['clusters'][number] {
  return {
    ...{ cluster, at: iso(at), running: sideView(running), proposed: sideView(proposed), judgedInFull },
    changed: changes.length,
    changes: changes.slice(0, changesAtMost).map(({ job, user, account, from, to }) => ({
      ...{ job, user, account, from: verdictView(from), to: verdictView(to) },
    })),
  };
}

const sideView = ({ verdicts, heldMicroUsd, unpriced }: DrySide) => ({ ...verdicts, heldMicroUsd, unpriced });

const verdictView = ({ verdict, text, group, heldMicroUsd }: DryVerdict) => ({
  ...{ verdict, text },
  ...(group === undefined ? {} : { group }),
  ...(heldMicroUsd === undefined ? {} : { heldMicroUsd }),
});

/** Policies: kept, tried, told apart, and which of them decides. Who says that may raise limits, so he is an admin. */
export function policies(facade: PoliciesFacade): readonly Operation[] {
  const shown = async (name: PolicyName): Promise<PolicyView> => {
    const found = await orDamaged(facade.shown(name));
    if (found === undefined) throw none(name);
    return shownView(found, await facade.states(), facade);
  };
  const active = async () => ({ clusters: (await facade.states()).map(activeViewOf) });
  return [
    operation({
      ...{ id: 'listPolicies', method: 'get', path: '/policies', role: 'operator', query: pageQuery },
      says: 'Every policy that was kept, newest first; beside them those whose rows were damaged, with what to do.',
      answer: keptPoliciesView,
      act: async ({ query }) => {
        const { limit, after } = pageOf('policies', question, query);
        const rows = await facade.versions(limit + 1, after && Number(after[0]));
        const states = await facade.states();
        const last = rows.length > limit ? rows[limit - 1] : undefined;
        const page = rows.slice(0, limit);
        const damaged = page.flatMap((v) => ('damaged' in v ? [{ ...v, todo: mend }] : []));
        return {
          policies: page.flatMap((v) => ('damaged' in v ? [] : [keptViewOf(v, states)])),
          ...(damaged.length === 0 ? {} : { damaged }),
          ...nextOf(question, last && [last.version]),
        };
      },
    }),
    operation({
      ...{ id: 'getActivePolicy', method: 'get', path: '/policies/active', role: 'operator', edited: true },
      says: 'Which policy decides, cluster by cluster, who said so, and whether the configuration file has changed since.',
      answer: activeView,
      act: active,
    }),
    operation({
      ...{
        id: 'getPolicy',
        method: 'get',
        path: '/policies/{version}',
        role: 'operator',
        params: policyPath,
      },
      says: 'One policy as it was written; 409 where its row was damaged.',
      answer: z.strictObject({ policy: policyView }),
      refuses: [404, 409],
      act: async ({ path }) => ({ policy: await shown(nameOf(path.version)) }),
    }),
    operation({
      ...{ id: 'diffPolicy', method: 'get', path: '/policies/{version}/diff', role: 'operator' },
      ...{ params: policyPath, query: differencesQuery, answer: differencesView, refuses: [404, 409] },
      says: 'What is written otherwise in it than in another, field by field.',
      act: async ({ path, query }) => {
        const [from, to] = [nameOf(query.against), nameOf(path.version)];
        const differences = await orDamaged(facade.differences(from, to));
        if (differences === undefined) throw none((await facade.shown(from)) === undefined ? from : to);
        return { from, to, differences: [...differences] };
      },
    }),
    operation({
      ...{ id: 'validatePolicy', method: 'post', path: '/policies/validate', role: 'operator' },
      ...{ order: policyText, answer: validView, question: true, bodyAtMost },
      says: 'Whether a policy is one; else 400 with every field that is wrong, its line and what to write. Nothing is kept.',
      act: async ({ order: { text } }) => {
        const read = await orBusy(facade.readBeside(text));
        if (!read.ok) throw bad(read.problems);
        return { valid: true as const, hash: facade.hashOf(text), policy: read.policyHash };
      },
    }),
    operation({
      ...{ id: 'dryRunPolicy', method: 'post', path: '/policies/dry-run', role: 'operator' },
      ...{ order: policyText, answer: dryRunView, question: true, bodyAtMost },
      says: 'What a policy would decide on the queue as it was last looked at, beside the one that decides. Nothing is written or held. 503 by a gateway that has not looked at the queue.',
      act: async ({ order: { text } }) => {
        const ran = await orBusy(facade.dryRun(text));
        if (!('runs' in ran)) throw bad(ran);
        if (ran.unseen.length > 0)
          throw new Refusal(
            'not_available',
            'Not available',
            {
              detail: `this gateway has not looked at the queue of ${ran.unseen.join(', ')}: another leads, or this one has only begun; ask that one, or again`,
            },
            { 'Retry-After': '30' },
          );
        return { clusters: ran.runs.map(dryView) };
      },
    }),
    operation({
      ...{
        id: 'keepPolicy',
        method: 'post',
        path: '/policies',
        role: 'operator',
        order: keepOrder,
        bodyAtMost,
      },
      says: 'Keeps a policy as a version, which decides nothing before it is activated; the same text again is the version that there is.',
      answer: z.strictObject({ policy: keptPolicyView }),
      act: async ({ order: { text, by, reason }, caller }) => {
        const kept = await orBusy(orDamaged(facade.keep(text, signed(caller, by), reason)));
        if (!('version' in kept)) throw bad(kept);
        return { policy: keptViewOf(kept, await facade.states()) };
      },
    }),
    operation({
      ...{ id: 'activatePolicy', method: 'post', path: '/policies/{version}/activate', role: 'admin' },
      ...{ params: policyPath, order: plainOrder, answer: activeView, refuses: [404] },
      ...{ current: active, mustMatch: true },
      says: 'From now on it decides, in all clusters, through restarts, until another is activated; file: the configuration file again. If-Match with the ETag of /policies/active.',
      act: async ({ path, order: { by, reason }, caller, seen }) => {
        const { clusters } = activeView.parse(seen);
        const revs = new Map(clusters.map((c) => [clusterName(c.cluster), c.revision]));
        const name = nameOf(path.version);
        const done = await orBusy(orDamaged(facade.activate(name, revs, signed(caller, by), reason)));
        if (done === undefined) throw none(name);
        if (done.kind === 'unreadable') throw bad(done.problems);
        if (done.kind === 'changed')
          throw new Refusal('changed', 'Changed meanwhile', {
            detail: 'If-Match: somebody else has said what decides; read it again',
          });
        return { clusters: done.states.map(activeViewOf) };
      },
    }),
  ];
}

function shownView(
  { name, text, hash, kept }: PolicyShown,
  states: readonly PolicyState[],
  facade: PoliciesFacade,
): PolicyView {
  // What the file says was read at the start.
  const read = kept === undefined ? undefined : facade.read(text);
  const unreadable = read?.ok === false ? { unreadable: problemsInWords(read.problems) } : {};
  const of = kept === undefined ? { hash, decidesIn: decidesIn(name, states) } : keptViewOf(kept, states);
  return { ...of, text, ...unreadable };
}
