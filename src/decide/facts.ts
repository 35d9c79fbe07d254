/** What a site's expressions see of a job, its forecast and its offer; each only when it is named. */
import type { Expression, Fact, FactName } from '../domain/expression.ts';
import { waitedMs } from './conditions/condition.ts';
import type { RuleContext, ShapeContext } from './rule.ts';
import { groupFor } from './rules/size.ts';

const minutes = (ms: number): number => ms / 60_000;

/** Of the job alone, and of the time. */
const ofJob: { readonly [name in FactName]?: (context: Pick<ShapeContext, 'job' | 'now'>) => Fact } = {
  'job.name': ({ job }) => job.name,
  'job.user': ({ job }) => job.user,
  'job.account': ({ job }) => job.account,
  'job.qos': ({ job }) => job.qos,
  'job.partition': ({ job }) => job.partition,
  'job.partitions': ({ job }) => job.partition.split(','),
  'job.cpus': ({ job }) => job.cpus,
  'job.nodes': ({ job }) => job.minNodes,
  'job.timeLimitMinutes': ({ job: { timeLimitMs } }) =>
    timeLimitMs === 'partition'
      ? undefined
      : timeLimitMs === 'unlimited'
        ? Number.POSITIVE_INFINITY
        : minutes(timeLimitMs),
  'job.waitedMinutes': (context) => minutes(waitedMs(context)),
  'job.deadlineMinutes': ({ job: { deadlineAt }, now }) =>
    deadlineAt === undefined ? undefined : minutes(deadlineAt - now),
  'job.priority': ({ job }) => job.priority,
  'job.restarts': ({ job }) => job.restarts,
  'job.array': ({ job }) => job.arrayJobId !== undefined,
  'job.features': ({ job }) => job.features,
  'job.gres': ({ job }) => job.gres,
  'job.licenses': ({ job }) => job.licenses,
  'job.reservation': ({ job }) => job.reservation,
};

type Asked = Pick<RuleContext, 'job' | 'now' | 'groups' | 'forecast' | 'worstCase' | 'readyIn'>;

const startsIn =
  (quantile: 'p10' | 'p50' | 'p90') =>
  ({ forecast }: Asked): Fact =>
    forecast === undefined ? undefined : minutes(forecast.range[quantile]);
const groupOf = ({ job, groups }: Asked) => groupFor(job, groups)?.group;
const dollars = (micro: number): number => micro / 1_000_000;
const price = (context: Asked) => {
  const cost = context.worstCase(context.job);
  return cost.kind === 'known' ? cost.price : undefined;
};
const ready =
  (quantile: 'p50' | 'p90') =>
  (context: Asked): Fact => {
    const group = groupOf(context)?.name;
    return group === undefined ? undefined : minutes(context.readyIn(group)[quantile]);
  };

/** Of what changes while the job stays as it is. */
const ofPlace: { readonly [name in FactName]?: (context: Asked) => Fact } = {
  'forecast.known': ({ forecast }) => forecast !== undefined,
  'forecast.p10Minutes': startsIn('p10'),
  'forecast.p50Minutes': startsIn('p50'),
  'forecast.p90Minutes': startsIn('p90'),
  'offer.group': (context) => groupOf(context)?.name,
  'offer.capacityType': (context) => groupOf(context)?.capacityType,
  'offer.worstUsd': (context) => {
    const known = price(context);
    return known === undefined ? undefined : dollars(known.held);
  },
  'offer.perHourUsd': (context) => {
    const known = price(context);
    return known === undefined ? undefined : dollars(Math.max(...Object.values(known.rates)));
  },
  'offer.readyP50Minutes': ready('p50'),
  'offer.readyP90Minutes': ready('p90'),
};

/** Whether it looks at nothing but the job. */
export const isOfJob = ({ names }: Expression): boolean => names.every((name) => ofJob[name] !== undefined);

/** Whether it may change while the job stays as it is. */
export const movesOn = ({ names }: Expression): boolean =>
  names.some((name) => name === 'job.waitedMinutes' || name === 'job.deadlineMinutes');

export const jobFacts = ({ names }: Expression, context: Pick<ShapeContext, 'job' | 'now'>): Fact[] =>
  names.map((name) => ofJob[name]?.(context));

export const factsOf = ({ names }: Expression, context: Asked): Fact[] =>
  names.map((name) => ofJob[name]?.(context) ?? ofPlace[name]?.(context));

/** Such as `job.cpus = 4, forecast.p50Minutes = 130`; amounts rounded, as they are read and not reckoned with. */
export function inWords({ names }: Expression, facts: readonly Fact[]): string {
  if (names.length === 0) return 'it names nothing';
  return names.map((name, i) => `${name} = ${written(name, facts[i])}`).join(', ');
}

function written(name: FactName, fact: Fact): string {
  if (fact === undefined) return 'not known';
  if (typeof fact === 'number' && Number.isFinite(fact))
    return name.endsWith('Minutes') ? `${Math.round(fact)}` : fact.toFixed(name.endsWith('Usd') ? 2 : 0);
  if (typeof fact === 'number') return 'without end';
  if (typeof fact === 'boolean') return `${fact}`;
  return JSON.stringify(fact);
}
