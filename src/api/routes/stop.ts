import express, { type Router } from 'express';
import type { ClusterStop } from '../../engine/desk.ts';
import { problem } from '../problem.ts';
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

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

/** GET and PUT /api/v1/stop: whether bursting is stopped, cluster by cluster, and the switch of all of them. */
export function stop(router: Router, gateway: StopFacade): void {
  const tell = async () => ({ clusters: (await gateway.stops()).map(viewOf) });
  router.get('/stop', async (req, res) => {
    if (queryOf(nothingAsked, req, res) === undefined) return;
    res.json(await tell());
  });
  router.put('/stop', express.json({ limit: '10kb' }), async (req, res) => {
    // A web page that a browser on this host shows could otherwise reach it under a name of its own.
    if (!loopback.test(req.headers.host ?? ''))
      return problem(res, 403, 'Forbidden', 'ask by a loopback address');
    const order = stopOrder.safeParse(req.body);
    if (!order.success) {
      const issue = order.error.issues[0];
      return problem(res, 400, 'Bad order', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
    }
    const { stopped, by, reason } = order.data;
    await (stopped ? gateway.stop(by, reason) : gateway.resume(by, reason));
    res.json(await tell());
  });
}
