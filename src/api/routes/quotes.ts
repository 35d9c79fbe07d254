import type { Router } from 'express';
import type { Burst } from '../../domain/burst.ts';
import { type BurstId, burstId } from '../../domain/ids.ts';
import type { Answered } from '../../engine/desk.ts';
import { orderBody, orderOf } from '../order.ts';
import { problem } from '../problem.ts';
import { queryOf } from '../query.ts';
import { approvalOrder, nothingAsked } from '../schemas.ts';
import { viewOf } from './bursts.ts';

export interface QuotesFacade {
  quotes(): Promise<readonly Burst[]>;
  /** Undefined: there is no such burst. */
  answer(id: BurstId, yes: boolean, by: string, why: string): Promise<Answered | undefined>;
}

/** GET /api/v1/quotes: what waits for a person's word; PUT /api/v1/bursts/ID/approval: that word. The first one stays. */
export function quotes(router: Router, gateway: QuotesFacade): void {
  router.get('/quotes', async (req, res) => {
    if (queryOf(nothingAsked, req, res) === undefined) return;
    res.json({ quotes: (await gateway.quotes()).map(viewOf) });
  });
  router.put('/bursts/:id/approval', orderBody, async (req, res) => {
    const order = orderOf(approvalOrder, req, res);
    if (order === undefined) return;
    const { id } = req.params as { id: string };
    if (!/^[\w-]{1,64}$/.test(id)) return problem(res, 400, 'Bad burst id', `${id}: see /api/v1/quotes`);
    const answer = await gateway.answer(burstId(id), order.approved, order.by, order.reason);
    if (answer === undefined) return problem(res, 404, 'Not found', `there is no burst ${id}`);
    if (answer.refused !== undefined)
      return problem(res, 409, 'Too late, or not to be approved', answer.refused);
    res.json({ burst: viewOf(answer.burst) });
  });
}
