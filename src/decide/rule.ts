import type { RuleVerdict, Verdict } from '../domain/decision.ts';
import type { Instant } from '../domain/ids.ts';
import type { InstanceType } from '../domain/instance.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import type { Owner } from '../domain/money.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../domain/policy.ts';
import type { RampDay } from '../domain/ramp.ts';
import type { Stop } from '../domain/stop.ts';
import type { StartForecast } from './foresight.ts';
import type { Priced } from './priced.ts';
import type { BudgetLeft } from './purse.ts';
import type { Ready } from './ready.ts';
import type { Returned } from './returned.ts';
import type { Asking } from './suits.ts';

/** What a rule may look at. Rules are pure: the same context gives the same verdict. */
export interface RuleContext {
  readonly job: Job;
  readonly now: Instant;
  readonly snapshot: Snapshot;
  readonly setup: ClusterSetup;
  readonly policy: Policy;
  /** That by which it is judged, where several hold it. */
  readonly groups: readonly OfferedGroup[];
  /** Set while somebody has halted bursting. */
  readonly stop: Stop | undefined;
  /** The node groups that somebody drained, in words; they come last in `groups`. */
  readonly drained?: ReadonlyMap<string, string> | undefined;
  /** Bursts alive in this cluster, one of several nodes as so many, those proposed earlier in the same cycle included. */
  readonly liveBursts: number;
  /** Whether this job was given back, its claim refused or its quote not approved, and how often; undefined = never. */
  readonly returned: Returned | undefined;
  /** For each watched partition, how long each job that might burst has been pending, in milliseconds, ascending. */
  readonly pendingFor: ReadonlyMap<string, ArrayLike<number>>;
  /** What is left of the tightest hard budget that counts for a job, less what this cycle approved; undefined = none does. */
  readonly budgetLeft: (owner: Owner) => BudgetLeft | undefined;
  /** The most that this job could cost; asked where a budget counts, or an expression names it. */
  readonly worstCase: (job: Asking & Pick<Job, 'timeLimitMs'>) => WorstCase;
  /** When it would start here; undefined where nothing is known of that. */
  readonly forecast: StartForecast | undefined;
  /** What bursting it is worth; undefined where nothing is known of its start here, or nobody asks. */
  readonly worth: JobWorth | undefined;
  /** When a node group would have it running. */
  readonly readyIn: (group: string) => Ready;
  /** What today's bursts count against the ramp, those that this cycle approved included; undefined = this cluster is on none. */
  readonly ramp?: RampDay | undefined;
  /** How many more tasks of this array may run now; undefined = no throttle. */
  readonly arrayRoom: number | undefined;
}

export interface JobWorth {
  /** [worth.ts, worthOf] */
  readonly worth: number;
  /** With those ahead of it gone that burst in the same turn. */
  readonly startsInMs: number;
  /** Expected run time times processors. */
  readonly workMs: number;
}

/** `nothing`: no node group holds it, which another rule says; `group`: where, if there are several. */
export type WorstCase = (Priced & { readonly group?: string | undefined }) | { readonly kind: 'nothing' };

export interface OfferedGroup {
  readonly group: NodeGroup;
  readonly types: readonly InstanceType[];
}

/** What a rule of kind `shape` may look at: of a hundred thousand jobs in a queue few differ in it. */
export type Shape = Pick<
  Job,
  | 'partition'
  | 'reason'
  | 'account'
  | 'timeLimitMs'
  | 'minNodes'
  | 'maxNodes'
  | 'cpus'
  | 'batch'
  | 'hetJob'
  | 'features'
  | 'licenses'
  | 'reservation'
  | 'requiredNodes'
  | 'gres'
  | 'name'
  | 'user'
  | 'qos'
  | 'priority'
  | 'restarts'
  | 'arrayJobId'
  | 'submitAt'
  | 'eligibleAt'
  | 'deadlineAt'
>;

/** What is the same for all jobs of one turn. */
export type TurnContext = Pick<
  RuleContext,
  'now' | 'snapshot' | 'setup' | 'policy' | 'groups' | 'stop' | 'drained'
>;
export type ShapeContext = TurnContext & { readonly job: Shape };

interface Named {
  readonly name: string;
  /** What a rule says when it fails: `never` cannot change while the job stays as it is, `wait` can. */
  readonly otherwise: Exclude<Verdict, 'burst'>;
}
/** Asked once a turn for jobs that are alike in what it looks at. */
export interface ShapeRule extends Named {
  readonly of: 'shape';
  /** The same for two jobs: it says the same of both in one turn. */
  key(job: Shape, turn: TurnContext): string | number;
  judge(context: ShapeContext): Judged;
}
/** Asked once a turn. */
export interface TurnRule extends Named {
  readonly of: 'turn';
  judge(context: TurnContext): Judged;
}
/** Asked for each job. */
export interface JobRule extends Named {
  readonly of: 'job';
  judge(context: RuleContext): Judged;
}
export type Rule = ShapeRule | TurnRule | JobRule;

export interface Judged extends Omit<RuleVerdict, 'rule'> {
  /** A no that time may change, or that stands because nothing could be told: the job waits, also where the rule says `never`. */
  readonly forNow?: true | undefined;
}
