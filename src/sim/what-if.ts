/** Some days of a site, played three times: nobody bursts, the policy that decides, and another. Pure. */
import type { Expressions } from '../domain/expression.ts';
import type { PastJob } from '../domain/past.ts';
import type { Policy as GatewayPolicy } from '../domain/policy.ts';
import type {
  Course,
  Days,
  Fared,
  PlainPolicy,
  PlayedNodes,
  Replayed,
  ReplayOrder,
} from '../engine/replayed.ts';
import { replayedFacts } from './replay/expression.ts';
import { type Bill, courseOf, type Figures, figuresOf, lastEndOf, spreadOf } from './replay/figures.ts';
import { atGateway } from './replay/gateway-site.ts';
import { type NodeSets, siteOf } from './replay/node-sets.ts';
import { type Played, play, type Site } from './replay/play.ts';
import { type Columns, columnsOf, type Policy } from './replay/policy.ts';
import { type Cleaned, clean, type TraceJob } from './trace/job.ts';

/** Of an expression's names those that a log tells as a gateway would; the rest would be made up. */
export const toldOfPast: ReadonlySet<string> = new Set([
  ...replayedFacts,
  'forecast.p10Minutes',
  'forecast.p90Minutes',
]);

export function unseenIn({ burstWhen, never }: PlainPolicy, expressions: Expressions): readonly string[] {
  const texts = [...burstWhen, ...never].flatMap((one) => (one.kind === 'cel' ? [one.expr] : []));
  return [...new Set(texts.flatMap((text) => expressions(text).names.filter((n) => !toldOfPast.has(n))))];
}

const spans = 240;

/** `told`: how much of it is played, from 0 to 1. */
export function whatIf(
  order: ReplayOrder,
  expressions: Expressions,
  told: (share: number) => void,
): Replayed {
  const { trace, counted, sets, told: nodes, ...left } = traceOf(order);
  const site: Site = {
    processors: sets.sets.reduce((sum, set) => sum + set.processors, 0),
    nodes: sets,
    cloud: { bootMs: order.cloud.bootMs, processors: order.cloud.cpus },
    tickMs: order.lookMs,
  };
  const bill: Bill = {
    microUsdPerCoreHour: order.cloud.microUsdPerCpuHour,
    instanceCores: order.cloud.instanceCpus,
  };
  const under = (policy: PlainPolicy, half: 0 | 1): Played => {
    const settings = {
      policy: { ...policy, expressions } satisfies GatewayPolicy,
      ...{ forecaster: order.forecaster, pollMs: order.lookMs },
    };
    const made = atGateway(settings, trace, site, bill);
    return play(
      trace,
      made.site,
      watched(made.policy, order, (share) => told((half + share) / 2)),
    );
  };
  const plays = {
    nobody: play(trace, site),
    running: under(order.running, 0),
    proposed: under(order.proposed, 1),
  };
  const own = subsetOf(trace, counted);
  const of = (played: Played): Played => playedBy(played, counted);
  const ends = Object.values(plays).map((played) => lastEndOf(own, of(played)));
  const until = counted.length === 0 ? order.untilMs : Math.max(...ends);
  const fared = (played: Played): Fared => faredBy(figuresOf(own, of(played), site, bill));
  const course = (played: Played): Course => {
    const { waiting, cloudCores, spanMs } = courseOf(own, of(played), spans, until);
    let spent = 0;
    return {
      waiting: Array.from(waiting),
      spentMicroUsd: Array.from(cloudCores, (cores) => {
        spent += (cores * spanMs * bill.microUsdPerCoreHour) / 3_600_000;
        return Math.round(spent);
      }),
    };
  };
  const fromMs = own.submitMs[0] ?? order.fromMs;
  const { really, inCloud, ...counts } = left;
  const waited = Float64Array.from(counted, (i) => really.get(trace.jobs[i]?.id ?? '') ?? 0);
  const nearest = inCloud ? 'running' : 'nobody';
  const off = of(plays[nearest]).waitMs.map((ms, i) => Math.abs(ms - (waited[i] as number)));
  return {
    jobs: counted.length,
    ranBefore: trace.jobs.length - counted.length,
    ...counts,
    really: spreadOf(waited),
    error: { of: nearest, ...spreadOf(off) },
    ...{ nodes, order: trace.rank === undefined ? 'submission' : 'priority' },
    ...{ nobody: fared(plays.nobody), running: fared(plays.running), proposed: fared(plays.proposed) },
    course: {
      ...{ fromMs, spanMs: (until - fromMs) / spans },
      ...{ nobody: course(plays.nobody), running: course(plays.running), proposed: course(plays.proposed) },
    },
  };
}

interface Traced extends Pick<Cleaned, 'zeroRun' | 'oversized' | 'capped'> {
  readonly trace: Columns;
  /** By their place in the trace: who did not run yet at the beginning. */
  readonly counted: readonly number[];
  /** What each really waited for, by its id. */
  readonly really: ReadonlyMap<string, number>;
  /** Some of those that count really ran in the cloud. */
  readonly inCloud: boolean;
  readonly sets: NodeSets;
  readonly told: readonly PlayedNodes[];
}

/** Who ran already at the beginning comes first, with what was left of him; who waited then waits from then on. */
export function traceOf({ jobs, fromMs, nodes }: Days): Traced {
  const site = siteOf(nodes, jobs);
  const fit = jobs.filter((j) => site.setOf(j) !== undefined);
  const before = fit.filter((j) => j.startMs < fromMs).sort((a, b) => a.startMs - b.startMs);
  const after = fit.filter((j) => j.startMs >= fromMs).sort((a, b) => a.submitMs - b.submitMs);
  const priorityOf = prioritiesOf(after);
  const { jobs: kept, ...left } = clean(
    [
      ...before.map((j) => traced(j, fromMs, priorityOf && runsAlready)),
      ...after.map((j) => traced(j, fromMs, priorityOf?.(j))),
    ],
    Number.POSITIVE_INFINITY,
  );
  const ran = new Set(before.map((j) => j.id));
  const really = new Map(after.map((j) => [j.id, j.startMs - Math.max(fromMs, j.submitMs)]));
  const counted = kept.flatMap((j, i) => (ran.has(j.id) ? [] : [i]));
  const past = new Map(fit.map((j) => [j.id, j]));
  return {
    ...{ trace: columnsOf(kept), counted, really, ...left, told: site.told },
    oversized: left.oversized + jobs.length - fit.length,
    inCloud: after.some((j) => j.inCloud),
    sets: site.setsFor(kept.map((j) => past.get(j.id) as PastJob)),
  };
}

/** Before everybody who waits. */
const runsAlready = Number.MAX_SAFE_INTEGER;

/** Whose is not noted has the middle one; undefined: nobody's is. */
function prioritiesOf(jobs: readonly PastJob[]): ((job: PastJob) => number) | undefined {
  const known = jobs.flatMap(({ priority }) => priority ?? []).sort((a, b) => a - b);
  const middle = known[known.length >> 1];
  return middle === undefined ? undefined : ({ priority = middle }) => priority;
}

function traced(
  { id, user, account, partition, cpus, ...at }: PastJob,
  fromMs: number,
  priority: number | undefined,
): TraceJob {
  const startMs = Math.max(fromMs, at.startMs);
  const runMs = at.endMs - startMs;
  const left = at.limitMs === undefined ? runMs : at.limitMs - (startMs - at.startMs);
  // Past its limit already, and not ended by it (OverTimeLimit): nothing of it is left to go by.
  const limitMs = left > 0 ? left : runMs;
  return {
    ...{ id, user, account, partition, processors: cpus, runMs, priority },
    ...{ submitMs: Math.max(fromMs, at.submitMs), requestMs: limitMs },
  };
}

/** Tells at each look how far the days have come. */
function watched(policy: Policy, { fromMs, untilMs }: Days, told: (share: number) => void): Policy {
  return {
    claims: policy.claims,
    chosen(sight) {
      told(Math.min(1, (sight.nowMs - fromMs) / (untilMs - fromMs)));
      return policy.chosen?.(sight) ?? [];
    },
    onSpot: (job) => policy.onSpot?.(job) ?? true,
  };
}

const subsetOf = (trace: Columns, of: readonly number[]): Columns =>
  columnsOf(of.map((i) => trace.jobs[i] as TraceJob));

/** On demand alone: spot is not played. */
const playedBy = (played: Played, of: readonly number[]): Played => ({
  ...{ waitMs: picked(played.waitMs, of), burstMs: picked(played.burstMs, of) },
  ...{ spotRuns: new Map(), ticks: played.ticks },
});

const picked = (values: Float64Array, of: readonly number[]): Float64Array =>
  Float64Array.from(of, (i) => values[i] as number);

const faredBy = (f: Figures): Fared => ({
  ...{ bursts: f.bursts, waitMs: f.waitMs, slowdown: f.slowdown, cloudShare: f.cloudShare },
  ...{ microUsd: f.microUsd, peakCpus: f.peakCloudCores, peakInstances: f.peakInstances },
  fairness: f.fairness,
});
