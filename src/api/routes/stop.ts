import { z } from 'zod';
import type { ClusterStop } from '../../engine/desk.ts';
import { type Operation, operation } from '../operation.ts';
import { iso, plainOrder, type StopView, stopOrder, stopView } from '../schemas.ts';
import { signed } from '../signed.ts';

export function viewOf({ cluster, stop }: ClusterStop): StopView {
  if (stop === undefined) return { cluster, stopped: false };
  return {
    cluster,
    stopped: true,
    by: stop.by,
    since: iso(stop.at),
    ...(stop.why === '' ? {} : { reason: stop.why }),
  };
}

export interface StopFacade {
  stops(): Promise<readonly ClusterStop[]>;
  stop(by: string, why: string): Promise<void>;
  resume(by: string, why: string): Promise<void>;
}

/** Whether bursting is stopped, cluster by cluster, and the switch of all of them. */
export function stop(gateway: StopFacade): readonly Operation[] {
  const answer = z.strictObject({ clusters: z.array(stopView) });
  const current = async () => ({ clusters: (await gateway.stops()).map(viewOf) });
  const turn = async (stopped: boolean, by: string, why: string) => {
    await (stopped ? gateway.stop(by, why) : gateway.resume(by, why));
    return current();
  };
  return [
    operation({
      ...{ id: 'getStop', method: 'get', path: '/stop', role: 'user', edited: true, answer },
      says: 'Whether bursting is stopped, cluster by cluster.',
      act: current,
    }),
    operation({
      ...{ id: 'putStop', method: 'put', path: '/stop', role: 'operator', order: stopOrder, answer, current },
      says: 'Turns the stop switch of all clusters. Whoever stopped first stays.',
      act: ({ order, caller }) => turn(order.stopped, signed(caller, order.by), order.reason),
    }),
    operation({
      ...{ id: 'stop', method: 'post', path: '/stop', role: 'operator', order: plainOrder, answer },
      says: 'Stops bursting in all clusters.',
      act: ({ order, caller }) => turn(true, signed(caller, order.by), order.reason),
    }),
    operation({
      ...{ id: 'resume', method: 'post', path: '/resume', role: 'operator', order: plainOrder, answer },
      says: 'Takes a stop back.',
      act: ({ order, caller }) => turn(false, signed(caller, order.by), order.reason),
    }),
  ];
}
