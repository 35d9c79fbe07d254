import { z } from 'zod';
import type { Instance } from '../../domain/instance.ts';
import { type Operation, operation } from '../operation.ts';
import { instancesQuery } from '../portal-schemas.ts';
import { type InstanceView, instanceView, iso } from '../schemas.ts';

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
    capacity: i.spec.capacityType,
    ...(i.reclaimedAt === undefined ? {} : { reclaimed: iso(i.reclaimedAt) }),
    ...(i.node === undefined ? {} : { node: i.node }),
    ...(i.why === undefined ? {} : { why: i.why }),
    ...(i.trouble === undefined ? {} : { trouble: { since: iso(i.trouble.since), text: i.trouble.text } }),
  };
}

export interface InstancesFacade {
  instances(limit: number): Promise<readonly Instance[]>;
}

/** Newest first, those that are gone included. */
export function instances(gateway: InstancesFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listInstances', method: 'get', path: '/instances', role: 'operator', query: instancesQuery },
      says: 'Instances, newest first, those that are gone included.',
      answer: z.strictObject({ instances: z.array(instanceView) }),
      act: async ({ query }) => ({ instances: (await gateway.instances(query.limit)).map(viewOf) }),
    }),
  ];
}
