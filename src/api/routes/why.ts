import type { Router } from 'express';
import type { JobStory } from '../../engine/desk.ts';
import { problem } from '../problem.ts';
import { queryOf } from '../query.ts';
import { iso, nothingAsked, type StoryView } from '../schemas.ts';
import { viewOf as burstView } from './bursts.ts';
import { viewOf as decisionView } from './decisions.ts';

export function viewOf({ cluster, ref, decision, bursts }: JobStory): StoryView {
  const told = decision && {
    ...decisionView(decision.receipt),
    seenAgain: decision.again?.times ?? 0,
    lastSeen: iso(decision.again?.last ?? decision.receipt.at),
  };
  return {
    cluster,
    job: ref,
    ...(told === undefined ? {} : { decision: told }),
    bursts: bursts.map(({ burst, steps }) => ({
      ...burstView(burst),
      ...(burst.price === undefined ? {} : { heldMicroUsd: burst.price.held }),
      steps: steps.map((s) => ({ at: iso(s.at), to: s.to, why: s.why })),
    })),
  };
}

export interface WhyFacade {
  why(id: string): Promise<readonly JobStory[]>;
}

/** GET /api/v1/why/JOBID: the newest decision on a job and what became of its bursts. */
export function why(router: Router, gateway: WhyFacade): void {
  router.get('/why/:id', async (req, res) => {
    if (queryOf(nothingAsked, req, res) === undefined) return;
    const { id } = req.params;
    if (!/^\d{1,10}(_\d{1,10})?$/.test(id))
      return problem(res, 400, 'Bad job id', `${id}: write 4711 or 4711_3`);
    const jobs = (await gateway.why(id)).map(viewOf);
    if (jobs.length === 0) return problem(res, 404, 'Not found', `nothing was ever decided on job ${id}`);
    res.json({ jobs });
  });
}
