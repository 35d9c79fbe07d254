/** A site's own expression as a policy: who of those that wait it is true of goes. */
import { expectedStarts, usualExact } from '../../decide/worth.ts';
import type { Expression, Fact, FactName } from '../../domain/expression.ts';
import type { Bill } from './figures.ts';
import type { Site } from './play.ts';
import type { Known, Policy, Sight } from './policy.ts';
import { backlogOf, learnedOf } from './worth.ts';

/** Beyond the time limit money is held for so long, as the gateway does. */
const marginMs = 10 * 60_000;

interface Scene {
  readonly known: Known;
  readonly site: Site;
  readonly bill: Bill;
  readonly nowMs: number;
  /** Undefined where nobody asks. */
  readonly startsInMs: number | undefined;
}

const dollarsAnHour = ({ known, bill }: Scene, job: number): number =>
  ((known.processors[job] as number) * bill.microUsdPerCoreHour) / 1_000_000;
const jobOf = ({ known }: Scene, job: number) => known.jobs[job] as Known['jobs'][number];

/** What a log tells; a forecast is one time here, and so is the cloud's boot. */
const facts: { readonly [name in FactName]?: (scene: Scene, job: number) => Fact } = {
  'job.user': (scene, job) => jobOf(scene, job).user,
  'job.account': (scene, job) => jobOf(scene, job).account,
  'job.partition': (scene, job) => jobOf(scene, job).partition,
  'job.partitions': (scene, job) => jobOf(scene, job).partition.split(','),
  'job.cpus': ({ known }, job) => known.processors[job],
  'job.timeLimitMinutes': ({ known }, job) => (known.limitMs[job] as number) / 60_000,
  'job.waitedMinutes': ({ known, nowMs }, job) => (nowMs - (known.submitMs[job] as number)) / 60_000,
  'forecast.known': ({ startsInMs }) => startsInMs !== undefined,
  'forecast.p50Minutes': ({ startsInMs }) => startsInMs && startsInMs / 60_000,
  'offer.worstUsd': (scene, job) =>
    (dollarsAnHour(scene, job) * ((scene.known.limitMs[job] as number) + marginMs)) / 3_600_000,
  'offer.perHourUsd': dollarsAnHour,
  'offer.readyP50Minutes': ({ site }) => site.cloud.bootMs / 60_000,
  'offer.readyP90Minutes': ({ site }) => site.cloud.bootMs / 60_000,
};

export const replayedFacts = Object.keys(facts) as readonly FactName[];

/** Every name of the expression is one of `replayedFacts`. */
export function byExpression(known: Known, expression: Expression, site: Site, bill: Bill): Policy {
  const { names } = expression;
  const forecasts = names.some((name) => name.startsWith('forecast.'));
  const expected = learnedOf(known);
  const startsOf = (sight: Sight): ((at: number) => number) => {
    const backlog = backlogOf(known, sight, expected);
    const starts = expectedStarts(sight.processors, backlog, usualExact);
    return (at) => starts[backlog.running + at] as number;
  };
  return {
    byTime: names.includes('job.waitedMinutes'),
    chosen(sight) {
      const { machine, nowMs } = sight;
      const startsInMs = forecasts ? startsOf(sight) : () => undefined;
      const gone: number[] = [];
      for (let at = 0; at < machine.length; at++) {
        const job = machine.at(at);
        const scene: Scene = { known, site, bill, nowMs, startsInMs: startsInMs(at) };
        if (expression.tell(names.map((name) => facts[name]?.(scene, job))) === true) gone.push(job);
      }
      return gone;
    },
  };
}
