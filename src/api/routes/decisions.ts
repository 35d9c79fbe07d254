import type { Router } from 'express';
import type { Receipt } from '../../domain/decision.ts';
import { queryOf } from '../query.ts';
import { type DecisionView, iso, newestQuery } from '../schemas.ts';

export function viewOf({
  id,
  cluster,
  ref,
  user,
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
  decisions(limit: number): Promise<readonly Receipt[]>;
}

/** GET /api/v1/decisions, newest first. */
export function decisions(router: Router, gateway: DecisionsFacade): void {
  router.get('/decisions', async (req, res) => {
    const query = queryOf(newestQuery, req, res);
    if (query === undefined) return;
    res.json({ decisions: (await gateway.decisions(query.limit)).map(viewOf) });
  });
}
