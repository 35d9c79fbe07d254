import type { CloudId, ClusterName, InstanceId, Instant, LaunchToken } from './ids.ts';
import type { MicroUsd } from './money.ts';
import type { InstanceHold } from './overhead.ts';
import type { Resources } from './resources.ts';

export const instanceStates = [
  'intended',
  'launched',
  'joined',
  'ready',
  'draining',
  'terminating',
  'gone',
  'never_joined',
] as const;
export type InstanceState = (typeof instanceStates)[number];

/** Of an instance that may cost something: it was asked for, and is not gone. */
export const upStates: ReadonlySet<InstanceState> = new Set<InstanceState>([
  ...(['launched', 'joined', 'ready', 'draining', 'terminating', 'never_joined'] as const),
]);

/** One-way doors: `draining` is never left for `ready`, so a late plan cannot bind to what is on its way out. */
export const instanceTransitions: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  intended: ['launched', 'gone'],
  launched: ['joined', 'never_joined', 'draining', 'gone'],
  joined: ['ready', 'never_joined', 'draining', 'gone'],
  ready: ['draining', 'gone'],
  draining: ['terminating', 'gone'],
  terminating: ['gone'],
  gone: [],
  never_joined: ['terminating', 'gone'],
};

export function instanceMayGo(from: InstanceState, to: InstanceState): boolean {
  return instanceTransitions[from].includes(to);
}

/** What is asked of the cloud; kept in the row before the call, so that a repeat asks exactly the same. */
export interface LaunchSpec {
  readonly group: string;
  readonly launchTemplate: string;
  readonly types: readonly string[];
  readonly zones: readonly string[];
  /** By zone, the subnet that an instance there is put into; undefined: the launch template's, or the zone's of the default VPC. */
  readonly subnets?: Readonly<Record<string, string>> | undefined;
  readonly capacityType: CapacityType;
  /** Of spot, by type: no instance whose price is above it; micro-dollars an hour. */
  readonly maxPrices?: Readonly<Record<string, MicroUsd>> | undefined;
  /** Pairs of those types and zones that are not asked for: they were taken back, or had nothing, a moment ago. */
  readonly without?: readonly SpotPool[] | undefined;
  /** The cluster placement group that it is put into: near the others, in one zone. */
  readonly placementGroup?: string | undefined;
  /** On demand: offers of which capacity is reserved come before cheaper ones. */
  readonly reservedFirst?: true | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Of a group whose machines stay: `needs` is what is planned on it at first, `most` what may be, where it has room for that. */
  readonly fixed?: { readonly needs: Resources; readonly most: Resources } | undefined;
  /** Of a group that somebody else scales: a pod that needs this is shown to him, and holds the place on the node that he brings. */
  readonly external?: { readonly needs: Resources } | undefined;
}

/** The machine is not ours to end: it was there before and stays, or somebody else brings it and takes it away. */
export const isForeign = (of: { readonly fixed?: unknown; readonly external?: unknown }): boolean =>
  of.fixed !== undefined || of.external !== undefined;

export type CapacityType = 'spot' | 'on-demand';

/** A type in a zone: what the cloud has some of or not, and keeps a spot price of. */
export interface SpotPool {
  readonly type: string;
  readonly zone: string;
}

/** What the cloud had none of, a moment ago. */
export interface Lack extends SpotPool {
  readonly capacityType: CapacityType;
}

/** A lack as people are told it. */
export interface ToldLack extends Lack {
  /** Then it is asked for again. */
  readonly until: Instant;
  /** As in `Missed`; `reclaimed`: one of these was taken back. */
  readonly why: 'none' | 'full' | 'quota' | 'reclaimed';
}

/** What a cloud tells of an instance unasked. */
export interface CloudNotice {
  readonly id: CloudId;
  /** `taken-back`: it ends in two minutes or so. `at-risk`: more likely than others to be taken back some time, and it may as well stay. */
  readonly what: 'taken-back' | 'at-risk';
}

/** An offer that a launch asked for and did not get. */
export interface Missed extends SpotPool {
  /** `full`: its zone's subnet has no address left, for any type. `quota`: the account may not have so many, or the call was for too many: fewer may come. `throttled` says nothing about capacity. */
  readonly why: 'none' | 'full' | 'quota' | 'throttled' | 'refused';
}

/** What an hour of a pool's whole machine cost as spot from a moment on, until the next one of that pool. */
export interface SpotPrice extends SpotPool {
  readonly microUsd: MicroUsd;
  readonly from: Instant;
}

/** What an hour of a whole machine was taken to cost when it was launched. */
export interface MachinePrice {
  /** Micro-dollars an hour. */
  readonly microUsd: MicroUsd;
  /** Since when it holds, where it stands in a list with dates (`pricesFrom`); undefined: in the node group's own `prices`. */
  readonly from?: Instant | undefined;
  /** Of spot: what it was bought at, by the price history as it stood then, or (the history was not to be had) the most that it could cost. */
  readonly spot?: 'history' | 'cap' | undefined;
  /** Of spot: above it the cloud takes it back; micro-dollars an hour. */
  readonly capMicroUsd?: MicroUsd | undefined;
}

export interface Instance {
  readonly id: InstanceId;
  readonly cluster: ClusterName;
  readonly group: string;
  readonly state: InstanceState;
  readonly rev: number;
  /** Of a lot, that of all its rows. */
  readonly token: LaunchToken;
  readonly spec: LaunchSpec;
  /** It is asked for by one call with others that are alike; undefined: by itself. */
  readonly lot?: Lot | undefined;
  readonly cloudId: CloudId | undefined;
  readonly type: string | undefined;
  readonly zone: string | undefined;
  readonly node: string | undefined;
  /** What its pods may request: planned from the type until the node says itself. */
  readonly capacity: Resources;
  /** What its node left to pods of jobs when it was Ready, less what DaemonSets ask for there; undefined: it was not, or it is somebody's own. */
  readonly measured?: Measured | undefined;
  readonly createdAt: Instant;
  readonly enteredAt: Instant;
  /** When the cloud was first asked for it: from then on it may be there. */
  readonly askedAt?: Instant | undefined;
  /** The cloud did not answer: it is asked again, for the same by the same token, no sooner. */
  readonly askAgainAt?: Instant | undefined;
  readonly launchedAt: Instant | undefined;
  /** As it was at the launch; undefined: none was known, or the row is older than there were any. */
  readonly price?: MachinePrice | undefined;
  readonly readyAt: Instant | undefined;
  readonly idleSince: Instant | undefined;
  /** When the cloud had taken the order to terminate it: no more of it is billed. `endedAt` is when it said that it is terminated. */
  readonly releasedAt?: Instant | undefined;
  readonly endedAt: Instant | undefined;
  /** It is terminated whatever still runs on it, because nothing can be known of that. */
  readonly fenced?: string | undefined;
  /** When the cloud was first heard to say that it takes it back. */
  readonly reclaimedAt?: Instant | undefined;
  readonly why: string | undefined;
  /** It was launched and did not become a node: why, and what its console says of it. */
  readonly bootFailed?:
    | {
        readonly at: Instant;
        readonly why: string;
        readonly cause?: string | undefined;
        readonly line?: string | undefined;
      }
    | undefined;
  /** It was not asked for, and no want of capacity is why: somebody drained its group, or no money was to be had for it. */
  readonly withheld?: 'drain' | 'budget' | undefined;
  /** Of the overhead budget; undefined: there was none at its launch. */
  readonly hold?: InstanceHold | undefined;
  readonly trouble: { readonly since: Instant; readonly text: string } | undefined;
}

/** What a node of a type was found to leave to pods of jobs. */
export interface Measured {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly pods: number;
}

/** A row's part in a launch of several: they are `size`, and who sits at 0, or is the first that is left, asks for all. */
export interface Lot {
  readonly size: number;
  readonly seat: number;
  /** It is not asked for before that lot is settled: a call for both met a quota. */
  readonly behind?: LaunchToken | undefined;
}

/** What a launch template says of the end of what is launched from it. */
export interface LaunchTemplate {
  /** What becomes of an instance that powers itself off: stopped, it is billed on and there for ever. */
  readonly shutdown: 'stop' | 'terminate';
  /** What its instances run at their first boot, as text; '' for none. */
  readonly userData: string;
}

/** Past its group's maximum age: nothing new is bound to it. */
export function isOld(
  { launchedAt }: Pick<Instance, 'launchedAt'>,
  group: { readonly maxAgeMs?: number | undefined } | undefined,
  at: Instant,
): boolean {
  return launchedAt !== undefined && group?.maxAgeMs !== undefined && at - launchedAt >= group.maxAgeMs;
}

/** One machine as the cloud lists it. */
export interface CloudInstance {
  readonly id: CloudId;
  readonly type: string;
  readonly zone: string;
  readonly state: 'pending' | 'running' | 'shutting-down' | 'stopping' | 'stopped' | 'terminated';
  readonly capacityType: CapacityType;
  /** It ends, or has ended, because the cloud took it back. */
  readonly reclaimed?: boolean | undefined;
  readonly privateDnsName: string;
  readonly launchedAt: Instant;
  /** In a launch's answer: what was not to be had before it. */
  readonly missed?: readonly Missed[] | undefined;
  readonly token: LaunchToken | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Why it cannot be told just now whether it is anybody's work: it is there, and nobody ends it for being unexplained. */
  readonly unsure?: string | undefined;
  /** The machine was there before and stays; `room` is what our pods may request there, as told when it is taken. */
  readonly fixed?: { readonly room?: Resources | undefined } | undefined;
  /** Somebody else makes and ends the machine; while there is none: why, in kube-scheduler's words. */
  readonly external?: { readonly waits?: string | undefined } | undefined;
}

/** Where instances are put, as the cloud tells it. */
export interface Subnet {
  readonly id: string;
  readonly zone: string;
  readonly vpc: string;
  /** Addresses that are left, one for each instance at least. */
  readonly free: number;
}

export interface InstanceType {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly gpus: number;
}
