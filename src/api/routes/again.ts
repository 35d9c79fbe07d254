import { z } from 'zod';
import type { Burst } from '../../domain/burst.ts';
import { type Operation, operation } from '../operation.ts';
import { jobPath } from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { type AgainView, againView, iso, plainOrder } from '../schemas.ts';
import { signed } from '../signed.ts';

export interface AgainFacade {
  again(id: string, by: string, why: string): Promise<readonly Burst[]>;
}

function viewOf({ cluster, ref, again }: Burst): readonly AgainView[] {
  if (again === undefined) return [];
  const reason = again.why === '' ? {} : { reason: again.why };
  return [{ cluster, job: ref, by: again.by, since: iso(again.at), ...reason }];
}

/** A person's word that a job which came back too often may burst again. */
export function again(gateway: AgainFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'letAgain', method: 'put', path: '/jobs/{id}/again', role: 'operator' },
      says: 'Lets a job that came back burst again at once: what came back until now counts no more. Of an array by its bare id, all its tasks. Who said it first stays.',
      params: jobPath,
      order: plainOrder,
      answer: z.strictObject({ jobs: z.array(againView) }),
      refuses: [404],
      act: async ({ path: { id }, order, caller }) => {
        const said = await gateway.again(id, signed(caller, order.by), order.reason);
        if (said.length === 0)
          throw new Refusal('not_found', 'Not found', { detail: `no burst of job ${id} came back` });
        return { jobs: said.flatMap(viewOf) };
      },
    }),
  ];
}
