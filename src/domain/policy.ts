import type { LostBy } from './burst.ts';
import type { GroupOffers } from './devices.ts';
import type { Expressions } from './expression.ts';
import type { ClusterName, Instant } from './ids.ts';
import type { CapacityType, Measured } from './instance.ts';
import type { Budget, MicroUsd } from './money.ts';
import type { Overhead } from './overhead.ts';
import type { Ramp } from './ramp.ts';
import type { Resources } from './resources.ts';
import type { Taint } from './taint.ts';

/** When a job of a watched partition may burst. */
export type Condition =
  /** LSF's backlog rule: so many jobs have been pending for so long, this one among them. */
  | { readonly kind: 'backlog'; readonly pendingJobs: number; readonly forMs: number }
  /** The start race: it would not start here for so long, nor (`laterThan`) before the cloud is ready, with this confidence, 0 to 1. */
  | {
      readonly kind: 'race';
      readonly startsAtLeastMs: number;
      readonly laterThan: 'cloud' | undefined;
      readonly confidence: number;
    }
  /** It has waited for so long. */
  | { readonly kind: 'waited'; readonly forMs: number }
  /** Short jobs first: it asks for no more time than this. */
  | { readonly kind: 'short'; readonly timeLimitMs: number }
  /** Its waiting is worth the cloud: what it would still wait here for each core-hour that it needs [decide/worth.ts]. */
  | { readonly kind: 'worth'; readonly atLeast: number }
  /** It would miss its deadline here, with this confidence, 0 to 1; that it makes it in the cloud is a rule's to say. */
  | { readonly kind: 'deadline'; readonly confidence: number }
  /** The site's own, told by `Policy.expressions`. */
  | { readonly kind: 'cel'; readonly expr: string };

/** What never bursts; each entry is one condition. */
export type NeverRule =
  | { readonly kind: 'nodesAbove'; readonly nodes: number }
  | { readonly kind: 'account'; readonly account: string }
  | { readonly kind: 'partition'; readonly partition: string }
  | { readonly kind: 'cel'; readonly expr: string };

export interface Policy {
  /** Any one is enough; with none, only who asked for the cloud by partition bursts. */
  readonly burstWhen: readonly Condition[];
  readonly never: readonly NeverRule[];
  /** Bursts alive at once in this cluster. */
  readonly maxBursts: number;
  readonly maxTimeMs: number | undefined;
  /** For so long beyond its time limit a burst holds money; ten minutes if undefined. */
  readonly limitMarginMs?: number | undefined;
  /** A look at the queue is stale after so many polls; five if undefined. */
  readonly staleAfterPolls?: number | undefined;
  /** How long a job that was given back, declined or not approved in time is left alone. */
  readonly backOffMs: number;
  /** A job that was given back so often stays. */
  readonly returns: number;
  /** How long a quote may be approved; an hour if undefined. */
  readonly quoteMs?: number | undefined;
  /** That of `overhead` among them, where there is one. */
  readonly budgets: readonly Budget[];
  /** What the site pays of its machines itself is held, of the budget of `overheadAccount`; undefined: it is not. */
  readonly overhead?: Overhead | undefined;
  /** What of a job must mean in the cloud what it means on-prem [translate/directives]; emulated if undefined. */
  readonly translation?: Translation | undefined;
  /** What its expressions mean; without it none can be told. */
  readonly expressions?: Expressions | undefined;
  /** Which jobs may go on spot; those that Slurm may run again if undefined. */
  readonly spot?: 'requeueable' | 'any' | undefined;
  /** Why budgets that stand elsewhere, or the policy itself, cannot be told now: nothing is bought until they can. */
  readonly budgetsUnknown?: string | undefined;
  /** Whoever is named by no budget does not burst: where they are looked for. Undefined: without a budget nothing bounds them. */
  readonly listedIn?: string | undefined;
}

/** `emulated`: whatever has the same results. `exact`: only what is the same in every respect. */
export type Translation = 'exact' | 'emulated';

export type { Taint } from './taint.ts';

/** Instances that are launched alike. */
export interface NodeGroup extends GroupOffers {
  readonly name: string;
  readonly launchTemplate: string;
  readonly types: readonly string[];
  readonly zones: readonly string[];
  /** By zone, where its instances are put; undefined: the launch template says, or they go to the default VPC. */
  readonly subnets?: Readonly<Record<string, string>> | undefined;
  /** vCPU per Slurm CPU: 2 where a Slurm CPU is a core; a small fraction in the lab. */
  readonly vcpuPerCpu: number;
  /** What a node keeps for itself (kubelet, system, DaemonSets). */
  readonly overhead: Resources;
  /** By type, what the last one of it was found to leave to pods; what is planned of it is never more. */
  readonly measured?: Readonly<Record<string, Measured>> | undefined;
  readonly capacityType: CapacityType;
  /** It may also be bought as spot; at most at so many percent of what each type costs on demand. */
  readonly spot?: { readonly capPercent: number } | undefined;
  /** Its machines were there before and stay: none is launched or terminated, they are taken and given back. */
  readonly fixed?: true | undefined;
  /** Somebody else scales it: a machine is asked for by a pod that holds its place, and taken away by him once it is empty. */
  readonly external?: true | undefined;
  /** Several instances alike may be asked for by one call. */
  readonly byLot?: true | undefined;
  /** The cluster placement group of all its instances, which are in one zone. */
  readonly placementGroup?: string | undefined;
  /** Capacity that the site has reserved, and pays for whether it is used or not, is used before anything cheaper. */
  readonly reservedFirst?: true | undefined;
  readonly max: number;
  readonly idleMs: number;
  /** Its instances power themselves off when no gateway renewed their lease for this long and no burst runs there; 30 min if undefined. */
  readonly leaseMs?: number | undefined;
  /** Past it an instance gets no new burst, and is given up once it is empty; undefined: none does for its age. */
  readonly maxAgeMs?: number | undefined;
  /** At most so many are kept warm by forecast; none if undefined. */
  readonly spares?: number | undefined;
  /** Micro-dollars an hour by instance type; a type without one is bought only where no budget counts. */
  readonly prices?: Readonly<Record<string, MicroUsd>> | undefined;
  /** Since when those prices hold that come from a list with dates, by type. */
  readonly pricedFrom?: Readonly<Record<string, Instant>> | undefined;
  readonly joinTimeoutMs: number;
  /** After so many machines in a row that did not boot, nothing more is launched; ten if undefined. */
  readonly bootFailures?: number | undefined;
  /** For so long, or until a person says so; half an hour if undefined. */
  readonly bootRetryMs?: number | undefined;
  /** What the cloud had none of is left alone for so long; three minutes if undefined. */
  readonly soldOutMs?: number | undefined;
  /** A job waits for so long for an instance of it; ten minutes if undefined. */
  readonly roomMs?: number | undefined;
  /** A pod whose end cannot be known for so long counts as lost: its instance is terminated, and only then goes on what follows. */
  readonly lostAfterMs: number;
  readonly taint: Taint;
  /** Features that a constraint may ask for, each with the node label (`key=value`) that proves it, or none. */
  readonly features?: Readonly<Record<string, string | undefined>> | undefined;
  /** Licences whose server a job of this group reaches; Slurm counts them there as here. */
  readonly licenses?: readonly string[] | undefined;
  /** NetworkAttachmentDefinitions that each pod is attached to, `name` or `namespace/name`. */
  readonly networks?: readonly string[] | undefined;
}

/** One Slurm cluster as the engine works on it. */
export interface ClusterSetup {
  readonly name: ClusterName;
  readonly watch: readonly string[];
  readonly explicit: string | undefined;
  readonly waitPartition: string;
  readonly burstPartition: string;
  /** observe: decide and record. approve: offer what was decided, do what a person said yes to. auto: do it. */
  readonly mode: 'observe' | 'approve' | 'auto';
  /** Mode auto: what it may do in a day until somebody lifts it; undefined: it is on none. */
  readonly ramp?: Ramp | undefined;
  /** What a burst is charged to, as the site means it: doctor holds Slurm against it; cloud if undefined. */
  readonly charge?: 'cloud' | 'allocation' | 'both' | undefined;
  /** What becomes of a job whose pod was lost, once its instance is known to be terminated. */
  readonly onLost: 'fail' | 'requeue';
  /** The same, by how it was lost; onLost where it says nothing. */
  readonly onFailure?: OnFailure | undefined;
  readonly pollMs: number;
}

type OnFailure = { readonly [by in LostBy]?: 'fail' | 'requeue' | undefined } & {
  /** return: a job that was killed for its memory is requeued and runs at home. */
  readonly outOfMemory?: 'fail' | 'return' | undefined;
  /** stay: a job whose image cannot be pulled, or is not signed as it must be, goes back and does not burst again. */
  readonly image?: 'again' | 'stay' | undefined;
};

/** A line of a list of prices with dates: what an hour of a type costs from that day on. */
export interface ListedPrice {
  readonly type: string;
  /** Undefined: in every zone that has no line of its own. */
  readonly zone: string | undefined;
  readonly capacityType: NodeGroup['capacityType'];
  readonly microUsd: MicroUsd;
  readonly from: Instant;
}
