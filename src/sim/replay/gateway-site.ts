/** A site as a gateway there would meet it: it looks on a grid, learns from what slurmdbd tells it, and has one node group. */
import type { Forecaster } from '../../decide/forecast.ts';
import type { OfferedGroup } from '../../decide/rule.ts';
import { clusterName, instant } from '../../domain/ids.ts';
import type { SpotPrice } from '../../domain/instance.ts';
import type { ClusterSetup, Policy as GatewayPolicy, NodeGroup } from '../../domain/policy.ts';
import { GiB } from '../../domain/resources.ts';
import { historyEveryMs, historyLagMs } from '../../engine/history.ts';
import type { Bill } from './figures.ts';
import { asGateway } from './gateway.ts';
import type { Site } from './play.ts';
import type { Columns, Policy } from './policy.ts';
import type { SpotTerms } from './spot.ts';

export interface GatewaySettings {
  readonly policy: GatewayPolicy;
  readonly forecaster: Forecaster;
  readonly pollMs: number;
  /** The most that is paid for spot, in percent of the price on demand; undefined: none is bought. */
  readonly spotPercent?: number | undefined;
}

export function atGateway(
  { policy, forecaster, pollMs, spotPercent }: GatewaySettings,
  trace: Columns,
  site: Site,
  bill: Bill,
): { readonly policy: Policy; readonly site: Site } {
  const fromMs = trace.submitMs[0] ?? 0;
  const spot = spotPercent === undefined ? undefined : site.cloud.spot;
  const offered = asLargeAs(site.processors, bill);
  return {
    policy: asGateway(trace, {
      ...{ setup: { ...setup, pollMs }, policy, forecaster, bootMs: site.cloud.bootMs },
      nodes: site.nodes,
      groups: [
        spot === undefined || spotPercent === undefined
          ? offered
          : { ...offered, group: { ...offered.group, spot: { capPercent: spotPercent } } },
      ],
      beside: nothing,
      ...(spot === undefined ? {} : { spotPrices: pricesOf(spot, site.processors) }),
    }),
    site: {
      ...site,
      cloud: { ...site.cloud, spot },
      looks: { fromMs, everyMs: pollMs },
      learns: { fromMs, everyMs: historyEveryMs, lagMs: historyLagMs },
    },
  };
}

const setup: Omit<ClusterSetup, 'pollMs'> = {
  ...{ name: clusterName('replay'), watch: [], explicit: undefined, mode: 'auto', onLost: 'fail' },
  ...{ waitPartition: 'burst_wait', burstPartition: 'burst' },
};

const nothing = { cpuMillis: 0, memoryBytes: 0, extended: {} };

const group: NodeGroup = {
  ...{
    name: 'cloud',
    launchTemplate: '',
    types: ['any'],
    zones: ['any'],
    vcpuPerCpu: 1,
    max: 1,
    overhead: nothing,
  },
  ...{ capacityType: 'on-demand', idleMs: 0, joinTimeoutMs: 0, lostAfterMs: 0 },
  taint: { key: '', value: '', effect: 'NoSchedule' },
};

/** Of the whole machine, as EC2 tells them; before the first its price holds. */
const pricesOf = ({ history }: SpotTerms, processors: number): readonly SpotPrice[] =>
  history.map(({ fromMs, microUsdPerCoreHour }, i) => ({
    ...{ type: 'any', zone: 'any', microUsd: microUsdPerCoreHour * processors },
    from: instant(i === 0 ? 0 : fromMs),
  }));

/** A log knows processors, not instance types: every job fits, and a core-hour costs what the bill says. */
function asLargeAs(processors: number, bill: Bill): OfferedGroup {
  const prices = { any: bill.microUsdPerCoreHour * processors };
  const type = { name: 'any', vcpus: processors, memoryBytes: processors * GiB, gpus: 0 };
  return { group: { ...group, prices }, types: [type] };
}
