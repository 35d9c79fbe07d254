import type { Router } from 'express';
import type { Instance } from '../../domain/instance.ts';
import { queryOf } from '../query.ts';
import { type InstanceView, iso, newestQuery } from '../schemas.ts';

export function viewOf(i: Instance): InstanceView {
  return {
    id: i.id,
    cluster: i.cluster,
    group: i.group,
    state: i.state,
    since: iso(i.enteredAt),
    created: iso(i.createdAt),
    ...(i.readyAt === undefined ? {} : { ready: iso(i.readyAt) }),
    ...(i.endedAt === undefined ? {} : { ended: iso(i.endedAt) }),
    ...(i.cloudId === undefined ? {} : { cloudId: i.cloudId }),
    ...(i.type === undefined ? {} : { type: i.type }),
    ...(i.zone === undefined ? {} : { zone: i.zone }),
    ...(i.node === undefined ? {} : { node: i.node }),
    ...(i.why === undefined ? {} : { why: i.why }),
    ...(i.trouble === undefined ? {} : { trouble: { since: iso(i.trouble.since), text: i.trouble.text } }),
  };
}

export interface InstancesFacade {
  instances(limit: number): Promise<readonly Instance[]>;
}

/** GET /api/v1/instances, newest first, those that are gone included. */
export function instances(router: Router, gateway: InstancesFacade): void {
  router.get('/instances', async (req, res) => {
    const query = queryOf(newestQuery, req, res);
    if (query === undefined) return;
    res.json({ instances: (await gateway.instances(query.limit)).map(viewOf) });
  });
}
