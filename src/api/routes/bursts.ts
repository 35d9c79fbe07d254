import { z } from 'zod';
import type { Burst } from '../../domain/burst.ts';
import { reads } from '../../domain/caller.ts';
import { type BurstId, burstId } from '../../domain/ids.ts';
import type { BurstFilter, Page, Paged } from '../../domain/page.ts';
import type { Answer, Delegation, Quote } from '../../domain/quote.ts';
import type { Rank } from '../../domain/ranks.ts';
import { type AuditRow, type BurstTotals, endOf } from '../../engine/portal.ts';
import { listOf, nextOf } from '../list.ts';
import { type Operation, operation } from '../operation.ts';
import {
  type BurstCountsView,
  type BurstFactsView,
  burstCountsView,
  burstFactsView,
  burstPath,
  burstsQuery,
  paged,
} from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { type BurstView, burstView, iso } from '../schemas.ts';

export function viewOf(b: Burst): BurstView {
  return {
    id: b.id,
    cluster: b.cluster,
    job: b.ref,
    jobId: b.jobId,
    restarts: b.restarts,
    user: b.user,
    account: b.account,
    name: b.name,
    state: b.state,
    since: iso(b.enteredAt),
    created: iso(b.createdAt),
    ...(b.startedAt === undefined ? {} : { started: iso(b.startedAt) }),
    ...(b.endedAt === undefined ? {} : { ended: iso(b.endedAt) }),
    group: b.group,
    ...(b.instance === undefined ? {} : { instance: b.instance }),
    ...(b.pod === undefined ? {} : { pod: `${b.pod.ref.namespace}/${b.pod.ref.name}` }),
    ...(b.others === undefined ? {} : { others: b.others.map(otherView) }),
    ...(b.exit === undefined ? {} : { exit: { ...b.exit } }),
    ...(b.usage === undefined ? {} : { maxRssBytes: b.usage.maxRssBytes }),
    ...(b.dropped === 0 ? {} : { droppedBytes: b.dropped }),
    ...(b.cause === undefined ? {} : { cause: { ...b.cause } }),
    ...(b.trouble === undefined ? {} : { trouble: { since: iso(b.trouble.since), text: b.trouble.text } }),
    ...(b.quote === undefined ? {} : { quote: quoteView(b.quote) }),
    ...(b.answer === undefined ? {} : { answer: answerView(b.answer) }),
    ...(b.delegated === undefined ? {} : { delegated: delegationView(b.delegated) }),
  };
}

function otherView({ rank, instance, pod }: Rank): NonNullable<BurstView['others']>[number] {
  return {
    rank,
    ...(instance === undefined ? {} : { instance }),
    ...(pod === undefined ? {} : { pod: `${pod.ref.namespace}/${pod.ref.name}` }),
  };
}

function quoteView({ until, microUsd, why }: Quote): BurstView['quote'] {
  return { until: iso(until), ...(microUsd === undefined ? {} : { maxMicroUsd: microUsd }), why };
}

function answerView({ yes, by, at, why }: Answer): BurstView['answer'] {
  return { approved: yes, by, at: iso(at), ...(why === '' ? {} : { reason: why }) };
}

function delegationView({ to, until, by }: Delegation): BurstView['delegated'] {
  return { to, until: iso(until), by };
}

export function factsOf(burst: Burst, steps: readonly AuditRow[]): BurstFactsView {
  const end = endOf(steps);
  return {
    ...viewOf(burst),
    submitted: iso(burst.submitAt),
    ...(burst.price === undefined ? {} : { heldMicroUsd: burst.price.held }),
    ...(burst.image === undefined ? {} : { image: { ...burst.image } }),
    ...(burst.machine === undefined ? {} : { machine: burst.machine }),
    ...(end === undefined ? {} : { end }),
    timeline: steps.map(({ at, from, to, why }, i) => {
      const next = steps[i + 1];
      return {
        ...{ at: iso(at), to, why },
        ...(from === undefined ? {} : { from }),
        ...(next === undefined ? {} : { forMs: next.at - at }),
      };
    }),
  };
}

function totalsView({ counts, longest, costliest }: BurstTotals): BurstCountsView {
  const of = ({ cluster, ref, user, account }: Burst) => ({ cluster, job: ref, user, account });
  return {
    counts: [...counts],
    ...(longest === undefined ? {} : { longest: { ...of(longest), started: iso(longest.startedAt) } }),
    ...(costliest === undefined
      ? {}
      : { costliest: { ...of(costliest.burst), heldMicroUsd: costliest.held } }),
  };
}

export interface BurstsFacade {
  bursts(filter: BurstFilter, page: Page): Promise<Paged<Burst>>;
  burstCounts(may: (burst: Burst) => boolean): Promise<BurstTotals>;
  burst(id: BurstId): Promise<{ readonly burst: Burst; readonly steps: readonly AuditRow[] } | undefined>;
}

/** A user sees those of his own jobs, and of accounts that he coordinates. */
export function bursts(portal: BurstsFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listBursts', method: 'get', path: '/bursts', role: 'user', query: burstsQuery },
      says: 'Bursts, newest first.',
      answer: paged('bursts', burstView),
      act: async ({ query: { live, ...query }, caller }) => {
        const { filter, page, question } = listOf('bursts', query, caller);
        const more = live === undefined ? {} : { live: live === 'true' };
        const { rows, next } = await portal.bursts({ ...filter, ...more }, page(more));
        return { bursts: rows.map(viewOf), ...nextOf(question(more), next) };
      },
    }),
    operation({
      ...{ id: 'countBursts', method: 'get', path: '/bursts/counts', role: 'user' },
      says: 'All bursts under way, counted by cluster and state, with the one that has run longest and the one that may cost most; of a user, his own and of accounts that he coordinates.',
      answer: burstCountsView,
      // As the list has them, which has none that he was only let answer.
      act: async ({ caller }) =>
        totalsView(await portal.burstCounts((b) => reads(caller, { ...b, delegated: undefined }))),
    }),
    operation({
      ...{ id: 'getBurst', method: 'get', path: '/bursts/{id}', role: 'user', params: burstPath },
      says: 'One burst with its timeline, and how Slurm says that its run ended.',
      answer: z.strictObject({ burst: burstFactsView }),
      refuses: [404],
      act: async ({ path: { id }, caller }) => {
        const found = await portal.burst(burstId(id));
        // Another's is told from none by nobody.
        if (found === undefined || !reads(caller, found.burst))
          throw new Refusal('not_found', 'Not found', { detail: `there is no burst ${id}` });
        return { burst: factsOf(found.burst, found.steps) };
      },
    }),
  ];
}
