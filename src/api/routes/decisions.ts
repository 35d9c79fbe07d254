import { z } from 'zod';
import { reads } from '../../domain/caller.ts';
import type { Receipt } from '../../domain/decision.ts';
import { type Uuid, uuid } from '../../domain/ids.ts';
import type { Page, Paged, ReceiptCounts, ReceiptFilter } from '../../domain/page.ts';
import { listOf, nextOf } from '../list.ts';
import { type Operation, operation } from '../operation.ts';
import {
  decisionCountsQuery,
  decisionCountsView,
  decisionPath,
  decisionsQuery,
  paged,
} from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { type DecisionView, decisionView, iso } from '../schemas.ts';

export function viewOf({
  id,
  cluster,
  ref,
  user,
  account,
  at,
  kind,
  decision,
  basis,
  text,
  burst,
}: Receipt): DecisionView {
  const { verdict, group, because } = decision;
  return {
    id,
    cluster,
    job: ref,
    user,
    ...(account === undefined ? {} : { account }),
    at: iso(at),
    kind,
    verdict,
    text,
    ...(burst === undefined ? {} : { burst }),
    ...(group === undefined ? {} : { group }),
    because: because.map(({ rule, pass, measured, limit }) => ({ rule, pass, measured, limit })),
    ...(basis === undefined ? {} : { basis }),
  };
}

export interface DecisionsFacade {
  decisions(filter: ReceiptFilter, page: Page): Promise<Paged<Receipt>>;
  decisionCounts(filter: ReceiptFilter): Promise<ReceiptCounts>;
  decision(id: Uuid): Promise<Receipt | undefined>;
}

/** A user sees those of his own jobs, and of accounts that he coordinates. */
export function decisions(portal: DecisionsFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listDecisions', method: 'get', path: '/decisions', role: 'user', query: decisionsQuery },
      says: 'Receipts, newest first: every decision, "no" included, and what became of bursts.',
      answer: paged('decisions', decisionView),
      act: async ({ query: { verdict, kind, rule, job, ...query }, caller }) => {
        const { filter, page, question } = listOf('decisions', query, caller);
        const more = { verdict, kind, rule, ref: job };
        const { rows, next } = await portal.decisions({ ...filter, ...more }, page(more));
        return { decisions: rows.map(viewOf), ...nextOf(question(more), next) };
      },
    }),
    operation({
      ...{ id: 'countDecisions', method: 'get', path: '/decisions/counts', role: 'user' },
      ...{ query: decisionCountsQuery, answer: decisionCountsView },
      says: 'All decisions that fit, counted by verdict and by each rule that did not hold: those of the store, not of a page. Of more than 200,000 the newest, and `since` says from when.',
      act: async ({ query: { verdict, kind, rule, job, ...query }, caller }) => {
        const { filter } = listOf('decisions', { ...query, limit: 1 }, caller);
        const asked = { ...filter, verdict, kind, rule, ref: job };
        const { since, receipts, verdicts, rules } = await portal.decisionCounts(asked);
        const some = since === undefined ? {} : { since: iso(since) };
        return { decisions: receipts, ...some, verdicts, rules: [...rules] };
      },
    }),
    operation({
      ...{ id: 'getDecision', method: 'get', path: '/decisions/{id}', role: 'user', params: decisionPath },
      says: 'One receipt.',
      answer: z.strictObject({ decision: decisionView }),
      refuses: [404],
      act: async ({ path: { id }, caller }) => {
        const found = await portal.decision(uuid(id));
        // Another's is told from none by nobody.
        if (found === undefined || !reads(caller, found))
          throw new Refusal('not_found', 'Not found', { detail: `there is no receipt ${id}` });
        return { decision: viewOf(found) };
      },
    }),
  ];
}
