import { z } from 'zod';
import type { DrainOrder, GroupState } from '../../engine/capacity.ts';
import { type Operation, operation } from '../operation.ts';
import { Refusal } from '../problem.ts';
import { type CapacityView, capacityOrder, capacityView, iso } from '../schemas.ts';
import { signed } from '../signed.ts';

export function viewOf({ drain, breaker, instances, ...state }: GroupState): CapacityView {
  return {
    ...state,
    instances: { ...instances },
    drained: drain !== undefined,
    ...(breaker === undefined ? {} : { halted: { since: iso(breaker.at), reason: breaker.why } }),
    ...(drain === undefined
      ? {}
      : { by: drain.by, since: iso(drain.at), ...(drain.why === '' ? {} : { reason: drain.why }) }),
  };
}

export interface CapacityFacade {
  capacities(): Promise<readonly GroupState[]>;
  turnDrain(order: DrainOrder): Promise<void>;
}

/** Node groups with what they have, and the switch that drains them. */
export function capacity(gateway: CapacityFacade): readonly Operation[] {
  const answer = z.strictObject({ groups: z.array(capacityView) });
  const current = async () => ({ groups: (await gateway.capacities()).map(viewOf) });
  return [
    operation({
      ...{ id: 'getCapacity', method: 'get', path: '/capacity', role: 'operator', edited: true, answer },
      says: 'Node groups, cluster by cluster: their instances, and who drained them.',
      act: current,
    }),
    operation({
      ...{ id: 'putCapacity', method: 'put', path: '/capacity', role: 'operator' },
      ...{ order: capacityOrder, answer, current, refuses: [404] },
      says: 'Drains a node group (all, if none is named) in every cluster: nothing is launched, idle instances go, what runs ends as it would. Or takes that back, and has a group launch again whose machines did not boot. Whoever drained first stays.',
      act: async ({ order: { drained, group, by, reason }, caller }) => {
        const known = (await gateway.capacities()).some((g) => group === undefined || g.group === group);
        if (!known)
          throw new Refusal('not_found', 'Not found', { detail: `there is no node group ${group}` });
        await gateway.turnDrain({ drained, group, by: signed(caller, by), why: reason });
        return current();
      },
    }),
  ];
}
