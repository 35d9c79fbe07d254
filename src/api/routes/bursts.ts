import type { Router } from 'express';
import type { Burst } from '../../domain/burst.ts';
import type { Answer, Quote } from '../../domain/quote.ts';
import type { Rank } from '../../domain/ranks.ts';
import { queryOf } from '../query.ts';
import { type BurstView, burstsQuery, iso } from '../schemas.ts';

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

export interface BurstsFacade {
  bursts(limit: number, live?: boolean): Promise<readonly Burst[]>;
}

/** GET /api/v1/bursts, newest first. */
export function bursts(router: Router, gateway: BurstsFacade): void {
  router.get('/bursts', async (req, res) => {
    const query = queryOf(burstsQuery, req, res);
    if (query === undefined) return;
    const { limit, live } = query;
    const found = await gateway.bursts(limit, live === undefined ? undefined : live === 'true');
    res.json({ bursts: found.map(viewOf) });
  });
}
