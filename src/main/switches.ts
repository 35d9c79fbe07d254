/** `spillway stop`, `resume`, `ramp` and `capacity`. */
import { requireCurrent } from '../../adapters/store/migrate.ts';
import { PostgresStore } from '../../adapters/store/postgres.ts';
import { loadConfig } from '../../config/load.ts';
import { viewOf as capacityView } from '../api/routes/capacity.ts';
import { viewOf as rampView } from '../api/routes/ramp.ts';
import { viewOf as stopView } from '../api/routes/stop.ts';
import { CommandError, type Gateway as GatewayAddress, NoGateway } from '../cli/ask.ts';
import { type CapacityOrder, capacityStands, turnCapacity } from '../cli/capacity.ts';
import { type RampOrder, rampStands, turnRamp } from '../cli/ramp.ts';
import { type Order, stands, turnStop } from '../cli/stop.ts';
import { type ClusterName, clusterName } from '../domain/ids.ts';
import { groupStates, openGroup } from '../engine/capacity.ts';
import type { StorePort } from '../ports.ts';
import { addressOf } from './asking.ts';
import { visiting } from './database.ts';
import { clock } from './ground.ts';
import { groupsOf } from './settings.ts';

/** By the running gateway; where none runs, in the store itself: the next gateway begins as it stands there. */
export async function turn(path: string, order: Order): Promise<void> {
  await byGatewayOr(
    path,
    (gateway) => turnStop(gateway, order),
    async (store, cluster) => {
      await (order.stopped ? store.stop : store.resume).call(store, cluster, order.by, order.reason);
      return stands(stopView({ cluster, stop: await store.stopped(cluster) }));
    },
  );
}

export async function turnTheRamp(path: string, order: RampOrder): Promise<void> {
  await byGatewayOr(
    path,
    (gateway) => turnRamp(gateway, order),
    async (store, cluster) => {
      await (order.lifted ? store.liftRamp : store.limitRamp).call(store, cluster, order.by, order.reason);
      const lift = await store.rampLifted(cluster);
      return rampStands(rampView({ cluster, mode: 'auto', day: undefined, lift }));
    },
  );
}

export async function turnTheCapacity(path: string, order: CapacityOrder): Promise<void> {
  const config = await loadConfig(path);
  const groups = config.nodeGroups.filter((g) => order.group === undefined || g.name === order.group);
  if (groups.length === 0) throw new CommandError(`there is no node group ${order.group}`);
  await byGatewayOr(
    path,
    (gateway) => turnCapacity(gateway, order),
    async (store, cluster) => {
      for (const { name } of groups)
        await (order.drained
          ? store.drainGroup(cluster, name, order.by, order.reason)
          : openGroup(store, cluster, name, order.by, order.reason));
      const states = await groupStates(
        { name: cluster, settings: { groups: groupsOf(config) } },
        { store, clock },
      );
      return states.map((s) => capacityStands(capacityView(s))).join('\n');
    },
  );
}

async function byGatewayOr(
  path: string,
  ask: (gateway: GatewayAddress) => Promise<readonly string[]>,
  inStore: (store: StorePort, cluster: ClusterName) => Promise<string>,
): Promise<void> {
  const config = await loadConfig(path);
  try {
    for (const line of await ask(addressOf(config))) console.log(line);
  } catch (e) {
    if (!(e instanceof NoGateway)) throw e;
    await visiting(config, async (url) => {
      await requireCurrent(url);
      const store = new PostgresStore({ url, onError: () => undefined });
      try {
        for (const { name } of config.clusters) console.log(await inStore(store, clusterName(name)));
        console.log('No gateway runs here: the next one finds it so.');
      } finally {
        await store.close();
      }
    });
  }
}
