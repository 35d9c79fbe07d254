/** What the configuration means to the rooms that know nothing of it. */
import { join } from 'node:path';
import { csvPrices } from '../../adapters/prices/csv.ts';
import { type Compiled, compile } from '../../config/expression.ts';
import { isAws } from '../../config/providers.ts';
import type { ClusterConfig, Config } from '../../config/schema.ts';
import { listedGroup } from '../decide/price-list.ts';
import { canonical } from '../domain/chain.ts';
import type { Expressions } from '../domain/expression.ts';
import { clusterName } from '../domain/ids.ts';
import type { InstanceType } from '../domain/instance.ts';
import type { Budget } from '../domain/money.ts';
import { overheadAccount } from '../domain/overhead.ts';
import type { ClusterSetup, ListedPrice, NodeGroup, Policy } from '../domain/policy.ts';
import type { Images } from '../translate/index.ts';
import type { Database } from './database.ts';
import { clock, sha256 } from './ground.ts';

export function groupsOf(config: Config): readonly NodeGroup[] {
  const list = priceListOf(config);
  return bareGroupsOf(config).map((g) => (list.length === 0 ? g : listedGroup(g, list, clock.now)));
}

/** As it stands at the start. */
function priceListOf({ pricesFrom, nodeGroups }: Config): readonly ListedPrice[] {
  return pricesFrom === undefined ? [] : csvPrices(pricesFrom.csv, awsOf(nodeGroups)?.region ?? '');
}

/** One region serves all groups that are bought there. */
export const awsOf = (groups: Config['nodeGroups']) => groups.find(isAws);

function bareGroupsOf(config: Config): readonly NodeGroup[] {
  return config.nodeGroups.map((g) => ({
    name: g.name,
    // What is launched from: a launch template, or the auto scaling group that has one. Mode observe launches nothing.
    launchTemplate: g.launchTemplate ?? g.scalingGroup ?? '',
    types: g.types,
    zones: g.zones,
    subnets: g.subnets,
    vcpuPerCpu: g.vcpuPerCpu,
    // Until a node itself tells what it leaves to pods.
    overhead: { cpuMillis: g.cpuOverheadMillis, memoryBytes: g.memoryOverheadBytes, extended: {} },
    capacityType: 'on-demand',
    spot: g.capacity.spot,
    max: g.capacity.max,
    bootFailures: g.capacity.bootFailures,
    bootRetryMs: g.capacity.bootRetryMs,
    soldOutMs: g.capacity.soldOutMs,
    roomMs: g.capacity.roomMs,
    idleMs: g.capacity.idleMs,
    // A machine that stays neither ends by itself nor grows too old.
    ...(g.provider === 'static'
      ? { fixed: true as const }
      : { leaseMs: g.capacity.leaseMs, maxAgeMs: g.capacity.maxAgeMs }),
    ...(g.provider === 'external' ? { external: true as const } : {}),
    ...(g.provider === 'ec2' ? { byLot: true as const } : {}),
    placementGroup: g.placementGroup,
    reservedFirst: g.capacity.reservedFirst,
    spares: g.capacity.spares,
    prices: g.prices,
    joinTimeoutMs: g.joinTimeoutMs,
    lostAfterMs: g.lostAfterMs,
    taint: g.taint,
    ...{ devices: g.devices, features: g.features, licenses: g.licenses, networks: g.networks },
    ...{ hugepages: g.hugepages, diskBytes: g.diskBytes },
  }));
}

export function policyOf(config: Config): Policy {
  return {
    burstWhen: config.policy.burstWhen,
    never: config.policy.never,
    maxBursts: config.policy.maxBursts,
    maxTimeMs: config.policy.maxTimeMs,
    limitMarginMs: config.policy.limitMarginMs,
    staleAfterPolls: config.policy.staleAfterPolls,
    backOffMs: config.policy.backOffMs,
    returns: config.policy.returns,
    quoteMs: config.policy.quoteMs,
    ...fundsOf(config),
    translation: config.policy.translation,
    spot: config.policy.spot,
    expressions: expressionsOfOne(),
  };
}

/** Each is compiled once for as long as the policy lives: what all policies share forgets, and one of ten thousand would be compiled for each job anew. */
export function expressionsOfOne(): Expressions {
  const known = new Map<string, Compiled>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const made = compile(text);
    known.set(text, made);
    return made;
  };
}

/** The overhead budget is one of them: it is shown with the others, and counts for no job. */
function fundsOf({ budgets, overhead }: Config): Pick<Policy, 'budgets' | 'overhead'> {
  if (overhead === undefined) return { budgets };
  const { microUsd, per, besidesMicroUsd } = overhead;
  const own: Budget = { account: overheadAccount, microUsd, per, hard: true, source: 'overhead' };
  return { budgets: [...budgets, own], overhead: { besides: besidesMicroUsd } };
}

/** The same for the same rules, money and prices, whatever else is configured. */
export function policyHashOf(config: Config): string {
  const { policy, budgets, budgetsFrom, nodeGroups } = config;
  // Without a list as it was before there were any.
  const list = config.pricesFrom === undefined ? {} : { prices: priceListOf(config) };
  return sha256(canonical({ policy, budgets, budgetsFrom, nodeGroups, ...list }));
}

/** What its types are, where the cloud is not asked. */
export function shapesOf(config: Config): readonly InstanceType[] {
  return config.nodeGroups.flatMap(({ shapes = {} }) =>
    Object.entries(shapes).map(([name, shape]) => ({ name, ...shape })),
  );
}

/** Wakes go through Redis where there is one, else through the store's own database. */
export function queueOf(
  config: Config,
  database: Database,
): { readonly url: string; readonly prefix?: string } {
  return config.queue === undefined
    ? { url: database.url }
    : { url: config.queue.redis, prefix: config.queue.prefix };
}

export const exportOf = (config: Config): string => config.audit.exportDir ?? join(config.dataDir, 'audit');

export const noImages: Images = { partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] };

export function setupOf(c: ClusterConfig): ClusterSetup {
  return {
    name: clusterName(c.name),
    watch: c.watch,
    explicit: c.explicit,
    waitPartition: c.waitPartition,
    burstPartition: c.burstPartition,
    mode: c.mode,
    ramp: c.ramp,
    charge: c.charge,
    onLost: c.onLost,
    onFailure: c.onFailure,
    pollMs: c.pollMs,
  };
}
