import type { Burst } from '../domain/burst.ts';
import { devicesFor, offeredOn } from '../domain/devices.ts';
import type { InstanceType } from '../domain/instance.ts';
import type { Job } from '../domain/job.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { plus, type Resources } from '../domain/resources.ts';
import { fittingTypes } from './group.ts';
import type { Priced } from './priced.ts';
import type { OfferedGroup, WorstCase } from './rule.ts';
import { cpusOfNode, groupFor } from './rules/size.ts';
import { type Asking, leastGres } from './suits.ts';

/** Beyond the time limit, unless the site says otherwise: Slurm looks at limits every 30 s, KillWait, and the pod's way out. */
export const usualMarginMs = 10 * 60_000;

/** Worst case: the dearest type that may come, for each of `nodes` and the whole time limit, and what leaves the cloud. `needs`: of one node. */
export function priceOf(
  needs: Resources,
  timeLimitMs: number | 'unlimited',
  offered: OfferedGroup,
  marginMs = usualMarginMs,
  nodes = 1,
  egressMicroUsd: MicroUsd = 0,
): Priced {
  const unknown = (why: string): Priced => ({ kind: 'unknown', why });
  const { name, prices } = offered.group;
  if (timeLimitMs === 'unlimited') return unknown('it has no time limit of its own');
  const rates: Record<string, MicroUsd> = {};
  const bare: string[] = [];
  for (const type of fittingTypes(offered, needs)) {
    const price = prices?.[type.name];
    if (price === undefined) bare.push(type.name);
    else rates[type.name] = rateOf(price, needs, type, offered.group);
  }
  if (bare.length > 0) return unknown(`no price is configured for ${bare.join(', ')} of node group ${name}`);
  const dearest = Math.max(...Object.values(rates));
  if (!Number.isFinite(dearest)) return unknown(`no type of node group ${name} holds it`);
  const held = nodes * costOf(dearest, timeLimitMs + marginMs) + egressMicroUsd;
  return { kind: 'known', price: { held, rates } };
}

/**
 * By the queue's line alone, in the group that the line's size leads to. The line does not tell memory, so this is the least that the
 * worst case can be. `beside`: what its pod needs besides.
 */
export function worstCaseOf(
  job: Asking & Pick<Job, 'timeLimitMs'>,
  groups: readonly OfferedGroup[],
  beside: Resources,
  marginMs: number | undefined,
): WorstCase {
  const offered = groupFor(job, groups);
  if (offered === undefined) return { kind: 'nothing' };
  const own = {
    cpuMillis: Math.ceil(cpusOfNode(job) * offered.group.vcpuPerCpu * 1000),
    memoryBytes: 0,
    extended: leastDevices(job, offered),
  };
  const limit = job.timeLimitMs === 'partition' ? 'unlimited' : job.timeLimitMs;
  return priceOf(plus(own, beside), limit, offered, marginMs, Math.max(1, job.minNodes ?? 1));
}

const leastDevices = (job: Asking, { group }: OfferedGroup): Resources['extended'] => {
  const asked = leastGres(job);
  const devices = asked.kind === 'told' ? devicesFor(asked.value, group) : asked;
  return devices.kind === 'told' ? devices.value : {};
};

/** What an hour of the job's share of a machine of this type in this group costs. */
export const rateOf = (price: MicroUsd, needs: Resources, type: InstanceType, group: NodeGroup): MicroUsd =>
  Math.ceil(price * shareOf(needs, { ...type, extended: offeredOn(type.gpus, group) }));

/** Of a machine, the largest of its shares of CPU, memory and each kind of device: what it takes from others. */
function shareOf(needs: Resources, whole: InstanceType & Pick<Resources, 'extended'>): number {
  const devices = Object.entries(needs.extended).map(([name, n]) => n / (whole.extended[name] ?? n));
  return Math.min(
    1,
    Math.max(needs.cpuMillis / (whole.vcpus * 1000), needs.memoryBytes / whole.memoryBytes, ...devices),
  );
}

export const costOf = (perHour: MicroUsd, ms: number): MicroUsd => Math.ceil((perHour * ms) / 3_600_000);

const egressOf = ({ data }: Pick<Burst, 'data'>): MicroUsd =>
  Math.ceil(((data?.resultBytes ?? 0) / 2 ** 30) * (data?.egress?.perGiB ?? 0));

/** What it did cost: what left the cloud for it, and its share of each machine that it ran on, for as long as it ran. */
export function spentBy(
  burst: Pick<Burst, 'price' | 'machine' | 'startedAt' | 'endedAt' | 'others' | 'data' | 'spent'>,
  now: number,
): MicroUsd {
  if (burst.spent !== undefined) return burst.spent.microUsd;
  if (burst.price === undefined || burst.startedAt === undefined) return 0;
  const { rates } = burst.price;
  const dearest = Math.max(0, ...Object.values(rates));
  // Carrying what it needs and what it made took its machine too.
  const until = burst.data?.homeAt ?? burst.endedAt ?? now;
  const ms = Math.max(0, until - (burst.data?.since ?? burst.startedAt));
  const machines = [burst.machine, ...(burst.others ?? []).map(({ machine }) => machine)];
  const rateFor = (machine: string | undefined): MicroUsd =>
    (machine === undefined ? undefined : rates[machine]) ?? dearest;
  return machines.reduce((sum, machine) => sum + costOf(rateFor(machine), ms), egressOf(burst));
}
