/** Where a burst goes that waits for a machine of a node group which the cloud has none of. */
import type { Elsewhere } from '../burst/context.ts';
import { fittingTypes } from '../decide/group.ts';
import { priceOf } from '../decide/price.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { soldOut } from '../decide/sold-out.ts';
import type { Burst } from '../domain/burst.ts';
import type { Job } from '../domain/job.ts';
import { dollars } from '../domain/money.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { nodesOf } from '../domain/ranks.ts';
import { plus } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import { chooseFor } from './choose.ts';
import type { Cluster } from './context.ts';

type Seeking = Pick<Cluster, 'settings' | 'offered' | 'foresight' | 'spot' | 'shortage' | 'ports' | 'sees'>;

/**
 * The next offer of the same decision, by what the last turn saw: another node group that measures what it asks for alike, of which something is left, and
 * where it costs at most what is held for it. `line`: its job in the queue, where it still is as its owner submitted it. Undefined: its own group has
 * something left, or no other will do.
 */
export function elsewhere(engine: Seeking, burst: Burst, line: Job): Elsewhere | undefined {
  const { sees, offered, settings, shortage, foresight, spot, ports } = engine;
  const here = offered.find((o) => o.group.name === burst.group);
  if (sees === undefined || here === undefined || burst.capacityType === 'spot') return undefined;
  const needs = plus(burst.needs, keeperNeeds);
  const bare = (of: OfferedGroup): boolean =>
    soldOut(of.group, fittingTypes(of, needs), of.group.capacityType, shortage.lacks([of.group]));
  if (!bare(here)) return undefined;
  const most = (of: OfferedGroup) => {
    const { saved, data } = burst;
    const marginMs = settings.policy.limitMarginMs;
    return priceOf(needs, saved.timeLimitMs, of, marginMs, nodesOf(burst), data?.egress?.held);
  };
  // What is on spot may be taken back, and its own rules were not asked of this job.
  const onDemand = offered.map((of) => ({ ...of, group: { ...of.group, spot: undefined } }));
  const choice = chooseFor(
    { ...{ settings, foresight, spot, shortage, ports }, offered: onDemand },
    line,
    {
      judged: burst.group,
      needs: (of) => (alike(of.group, here.group) && !bare(of) ? burst.needs : undefined),
      ...{ requeue: undefined, reclaims: burst.reclaims ?? 0 },
      unfunded: (of) => {
        const [cost, held] = [most(of), burst.price?.held];
        // Where no price is known nothing was held, and nobody asks for it.
        if (held === undefined) return undefined;
        if (cost.kind === 'unknown') return cost.why;
        return cost.price.held > held
          ? `${dollars(cost.price.held)} at most, and ${dollars(held)} is held`
          : undefined;
      },
    },
    sees,
  );
  if (choice === undefined) return undefined;
  const { name } = choice.taken.offered.group;
  const cost = most(choice.taken.offered);
  const price =
    burst.price === undefined || cost.kind === 'unknown'
      ? burst.price
      : { ...burst.price, rates: cost.price.rates };
  const at = cost.kind === 'known' ? ` at ${dollars(cost.price.held)} at most` : '';
  return { group: name, price, why: `the cloud has none in node group ${burst.group}: goes to ${name}${at}` };
}

/** A job asks for as much in both, by the same names. */
const alike = (a: NodeGroup, b: NodeGroup): boolean =>
  a.vcpuPerCpu === b.vcpuPerCpu &&
  JSON.stringify(a.devices ?? {}) === JSON.stringify(b.devices ?? {}) &&
  JSON.stringify(a.features ?? {}) === JSON.stringify(b.features ?? {});
