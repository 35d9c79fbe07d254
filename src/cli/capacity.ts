import { z } from 'zod';
import { type CapacityView, capacityView } from '../api/schemas.ts';
import { ask, type Gateway, toldIn } from './ask.ts';

const answer = z.object({ groups: z.array(capacityView) });

export interface CapacityOrder {
  readonly drained: boolean;
  readonly group?: string | undefined;
  readonly by: string;
  readonly reason: string;
}

/** `spillway capacity list`. */
export const showCapacity = (gateway: Gateway): Promise<readonly CapacityView[]> => told(gateway);

/** `spillway capacity drain` and `spillway capacity resume`, by the running gateway. */
export const turnCapacity = (gateway: Gateway, order: CapacityOrder): Promise<readonly CapacityView[]> =>
  told(gateway, order);

const told = async (gateway: Gateway, order?: CapacityOrder): Promise<readonly CapacityView[]> =>
  toldIn(await ask(gateway, 'capacity', order), answer).groups;

/** How a node group stands, in words. */
export function capacityStands(of: CapacityView): string {
  const { cluster, group, max, instances, old, halted, drained, by, since, reason } = of;
  const some = Object.entries(instances).map(([state, n]) => `${n} ${state}`);
  const aged = old === 0 ? '' : `, ${old} of them past their maximum age`;
  const has = `${cluster} ${group}: ${some.length === 0 ? 'no instance' : some.join(', ')}${aged}, of at most ${max}${halted === undefined ? '' : `; launches nothing since ${halted.since}: ${halted.reason} (spillway capacity resume ${group} tries again)`}`;
  if (!drained) return has;
  return `${has}; drained by ${by} since ${since}${reason === undefined ? '' : `: ${reason}`}; nothing new goes there, what runs goes on`;
}
