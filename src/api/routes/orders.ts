import { z } from 'zod';
import { atLeast, type Caller, signature } from '../../domain/caller.ts';
import type { JobOrdered, JobOrderSaid, OrderedOfJob } from '../../engine/orders.ts';
import { type Operation, operation } from '../operation.ts';
import { jobPath } from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { iso, jobOrder, jobOrderView } from '../schemas.ts';
import { slurmsWord } from '../slurms-word.ts';

export interface OrdersFacade {
  /** Faults as of scancel and scontrol, told in Slurm's words. */
  order(asked: JobOrdered): Promise<JobOrderSaid>;
}

/** As who asks, by the site's rule of sudo: never as anybody else, nor by rights of the gateway's own. */
export function orders(own: OrdersFacade): readonly Operation[] {
  const order = (what: OrderedOfJob, says: string): Operation =>
    operation({
      ...{
        id: `${what}Job`,
        method: 'post',
        path: `/jobs/{id}/${what}`,
        role: 'user',
        order: jobOrder,
        says,
      },
      params: jobPath,
      answer: z.strictObject({ order: jobOrderView }),
      refuses: [404, 409, 504],
      act: async ({ path: { id }, order: { cluster, reason }, caller }) => {
        const user = himself(caller);
        const seesAll = atLeast(caller, 'operator');
        const by = signature(caller);
        const said = await slurmsWord(own.order({ what, ref: id, cluster, user, seesAll, by, why: reason }));
        if (said.kind !== 'done') throw refusalOf(said, id, cluster);
        return {
          order: { cluster: said.cluster, job: said.ref, ordered: what, user, at: iso(said.at) },
        };
      },
    });
  return [
    order(
      'hold',
      'Holds a job that waits, as its user would by scontrol hold; of an array by its bare id, its tasks that wait. A burst of it that has not begun to run is withdrawn.',
    ),
    order(
      'release',
      'Releases a job that its user holds, as he would by scontrol release. What an administrator holds stays held.',
    ),
  ];
}

function himself(caller: Caller): string {
  if (caller.by !== 'open') return caller.name;
  throw new Refusal('forbidden', 'Forbidden', {
    detail: 'who asks is not known here, and this is done as who asks; configure api',
  });
}

function refusalOf(
  said: Exclude<JobOrderSaid, { kind: 'done' }>,
  id: string,
  cluster: string | undefined,
): Refusal {
  switch (said.kind) {
    case 'elsewhere':
      return new Refusal('not_found', 'Not found', {
        detail: `cluster: there is no cluster ${cluster}; there are ${said.clusters.join(', ')}`,
        field: 'cluster',
      });
    case 'none':
      return new Refusal('not_found', 'Not found', { detail: `no job ${id} of yours is known` });
    case 'over':
      return new Refusal('conflict', 'Over', { detail: `job ${id} has ended` });
    case 'several':
      return new Refusal('conflict', 'Several', {
        detail: `cluster: job ${id} is in ${said.clusters.join(' and ')}; name one`,
        field: 'cluster',
      });
  }
}
