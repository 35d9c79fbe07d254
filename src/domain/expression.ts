/** A site's own expressions: what they may look at, and what comes of them. The language and its library are the configuration's. */

/** By name; what each means and in which unit stands in the configuration [config/expression.ts]. */
export type FactName =
  | 'job.name'
  | 'job.user'
  | 'job.account'
  | 'job.qos'
  | 'job.partition'
  | 'job.partitions'
  | 'job.cpus'
  | 'job.nodes'
  | 'job.timeLimitMinutes'
  | 'job.waitedMinutes'
  | 'job.deadlineMinutes'
  | 'job.priority'
  | 'job.restarts'
  | 'job.array'
  | 'job.features'
  | 'job.gres'
  | 'job.licenses'
  | 'job.reservation'
  | 'forecast.known'
  | 'forecast.p10Minutes'
  | 'forecast.p50Minutes'
  | 'forecast.p90Minutes'
  | 'offer.group'
  | 'offer.capacityType'
  | 'offer.worstUsd'
  | 'offer.perHourUsd'
  | 'offer.readyP50Minutes'
  | 'offer.readyP90Minutes';

/** Undefined: not known. */
export type Fact = string | number | boolean | readonly string[] | undefined;

/** It needs what is not known, or what it reckons cannot be reckoned: neither true nor false. */
export interface Untold {
  readonly why: string;
}

/** Checked when the policy was loaded. */
export interface Expression {
  /** Every fact that it names, once each. */
  readonly names: readonly FactName[];
  /** Of those the ones without which it cannot be true. */
  readonly needs: readonly FactName[];
  /** `facts`: of each name, in order. */
  tell(facts: readonly Fact[]): boolean | Untold;
}

/** By their text. Throws for a text that was never checked. */
export type Expressions = (text: string) => Expression;
