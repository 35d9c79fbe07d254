import type { Router } from 'express';
import type { ClusterStop } from '../../engine/desk.ts';
import { orderBody, orderOf } from '../order.ts';
import { queryOf } from '../query.ts';
import { iso, nothingAsked, type StopView, stopOrder } from '../schemas.ts';

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

/** GET and PUT /api/v1/stop: whether bursting is stopped, cluster by cluster, and the switch of all of them. */
export function stop(router: Router, gateway: StopFacade): void {
  const tell = async () => ({ clusters: (await gateway.stops()).map(viewOf) });
  router.get('/stop', async (req, res) => {
    if (queryOf(nothingAsked, req, res) === undefined) return;
    res.json(await tell());
  });
  router.put('/stop', orderBody, async (req, res) => {
    const order = orderOf(stopOrder, req, res);
    if (order === undefined) return;
    const { stopped, by, reason } = order;
    await (stopped ? gateway.stop(by, reason) : gateway.resume(by, reason));
    res.json(await tell());
  });
}
