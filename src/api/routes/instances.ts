import type { Instance } from '../../domain/instance.ts';
import type { InstanceFilter, Page, Paged } from '../../domain/page.ts';
import { listOf, nextOf } from '../list.ts';
import { type Operation, operation } from '../operation.ts';
import { instancesQuery, paged } from '../portal-schemas.ts';
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
  instances(filter: InstanceFilter, page: Page): Promise<Paged<Instance>>;
}

/** Newest first, those that are gone included. */
export function instances(portal: InstancesFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listInstances', method: 'get', path: '/instances', role: 'operator', query: instancesQuery },
      says: 'Instances, newest first, those that are gone included; with `live` those that are not gone yet, or those that are.',
      answer: paged('instances', instanceView),
      act: async ({ query: { live, ...query }, caller }) => {
        const { filter, page, question } = listOf('instances', query, caller);
        const more = live === undefined ? {} : { live: live === 'true' };
        const { rows, next } = await portal.instances({ ...filter, ...more }, page(more));
        return { instances: rows.map(viewOf), ...nextOf(question(more), next) };
      },
    }),
  ];
}
