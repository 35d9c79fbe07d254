/** `spillway stop`, `resume`, `ramp` and `capacity`. */
import { requireCurrent } from '../../adapters/store/migrate.ts';
import { PostgresStore } from '../../adapters/store/postgres.ts';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { viewOf as capacityView } from '../api/routes/capacity.ts';
import { viewOf as rampView } from '../api/routes/ramp.ts';
import { viewOf as stopView } from '../api/routes/stop.ts';
import type { CapacityView, RampView, StopView } from '../api/schemas.ts';
import { CommandError, type Gateway as GatewayAddress, NoGateway, Refused } from '../cli/ask.ts';
import { type CapacityOrder, turnCapacity } from '../cli/capacity.ts';
import { type RampOrder, turnRamp } from '../cli/ramp.ts';
import { type Order, turnStop } from '../cli/stop.ts';
import type { Turned } from '../cli/turned.ts';
import { type ClusterName, clusterName } from '../domain/ids.ts';
import { groupStates, openGroup } from '../engine/capacity.ts';
import type { StorePort } from '../ports.ts';
import { gatewayOf, reachedElsewhere } from './asking.ts';
import { visiting } from './database.ts';
import { clock } from './ground.ts';
import { groupsOf } from './settings.ts';

/** A gateway that hangs must not keep a stop waiting: its store is there. */
const usualWaitMs = 10_000;

/** By the running gateway; where none answers, in the store itself, where every gateway looks it up. */
export const turn = (path: string, order: Order, waitMs = usualWaitMs): Promise<Turned<StopView>> =>
  byGatewayOr(
    { path, waitMs },
    (gateway) => turnStop(gateway, order),
    async (store, cluster) => {
      await (order.stopped ? store.stop : store.resume).call(store, cluster, order.by, order.reason);
      return [stopView({ cluster, stop: await store.stopped(cluster) })];
    },
  );

export const turnTheRamp = (
  path: string,
  order: RampOrder,
  waitMs = usualWaitMs,
): Promise<Turned<RampView>> =>
  byGatewayOr(
    { path, waitMs },
    (gateway) => turnRamp(gateway, order),
    async (store, cluster) => {
      await (order.lifted ? store.liftRamp : store.limitRamp).call(store, cluster, order.by, order.reason);
      const lift = await store.rampLifted(cluster);
      return [rampView({ cluster, mode: 'auto', day: undefined, lift })];
    },
  );

export const turnTheCapacity = (
  path: string,
  order: CapacityOrder,
  waitMs = usualWaitMs,
): Promise<Turned<CapacityView>> =>
  byGatewayOr(
    { path, waitMs },
    (gateway) => turnCapacity(gateway, order),
    async (store, cluster, config) => {
      const groups = config.nodeGroups.filter((g) => order.group === undefined || g.name === order.group);
      if (groups.length === 0) throw new CommandError(`there is no node group ${order.group}`);
      for (const { name } of groups)
        await (order.drained
          ? store.drainGroup(cluster, name, order.by, order.reason)
          : openGroup(store, cluster, name, order.by, order.reason));
      const states = await groupStates(
        { name: cluster, settings: { groups: groupsOf(config) } },
        { store, clock },
      );
      return states.map(capacityView);
    },
  );

/** Turned twice, a switch stands as turned once: who may have been heard may be asked in the store again. */
async function byGatewayOr<V extends StopView | RampView | CapacityView>(
  { path, waitMs }: { readonly path: string; readonly waitMs: number },
  ask: (gateway: GatewayAddress) => Promise<readonly V[]>,
  inStore: (store: StorePort, cluster: ClusterName, config: Config) => Promise<readonly V[]>,
): Promise<Turned<V>> {
  try {
    return { views: await ask(await gatewayOf(path, waitMs)), by: 'gateway' };
  } catch (e) {
    if (!(e instanceof CommandError) || isNo(e)) throw e;
    try {
      const config = await loadConfig(path);
      const views = await visiting(config, (url) => inTheStore(url, config, inStore));
      return { views, by: 'store', note: noteOf(e, path) };
    } catch (why) {
      const maybe = mayHaveHeard(e) ? ' It may have been done all the same: see spillway status.' : '';
      throw new CommandError(
        `${e.message}\nThe store could not be written from here either: ${why instanceof Error ? why.message : why}\nRun it on the gateway's host, as root or as the gateway's account.${maybe}`,
        { cause: why },
      );
    }
  }
}

async function inTheStore<V>(
  url: string,
  config: Config,
  inStore: (store: StorePort, cluster: ClusterName, config: Config) => Promise<readonly V[]>,
): Promise<readonly V[]> {
  await requireCurrent(url);
  const store = new PostgresStore({ url, onError: () => undefined });
  try {
    const views: V[] = [];
    for (const { name } of config.clusters) views.push(...(await inStore(store, clusterName(name), config)));
    return views;
  } finally {
    await store.close();
  }
}

/** The gateway has understood, and will not: the store is no way round it. Who only is not known to it may have the store, by this account. */
const isNo = (e: CommandError): boolean =>
  e instanceof Refused && e.status >= 300 && e.status < 500 && e.status !== 401 && e.status !== 429;

const mayHaveHeard = (e: CommandError): boolean =>
  e instanceof NoGateway ? e.heard : e instanceof Refused && (e.status < 300 || e.status >= 500);

function noteOf(e: CommandError, path: string): string {
  if (mayHaveHeard(e))
    return `${e.message}\nSo it is written in the store of ${path}, where every gateway looks it up. The gateway may have heard it as well: turned twice, it stands as turned once.`;
  if (e instanceof NoGateway && !reachedElsewhere()) return 'No gateway runs here: the next one finds it so.';
  return `${e.message}\nSo it is written in the store of ${path}: the gateway that runs on it, or the next one, finds it so.`;
}
