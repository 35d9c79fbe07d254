import type { BurstData } from './data.ts';
import type { AttemptKey, BurstId, ClusterName, InstanceId, Instant, JobKey, JobRef, Uuid } from './ids.ts';
import type { CapacityType } from './instance.ts';
import type { MicroUsd } from './money.ts';
import type { Answer, Delegation, Quote } from './quote.ts';
import type { PodOnRecord, Rank } from './ranks.ts';
import type { Resources } from './resources.ts';
import type { Turn } from './switch.ts';

/** design.md, section 3. A burst is one attempt of one job in the cloud. */
export const burstStates = [
  'proposed',
  'approved',
  'reserved',
  'provisioning',
  'ready',
  'moving',
  'placed',
  'attached',
  'granted',
  'running',
  'draining',
  'reported',
  'final',
  'settled',
  'returning',
  'returned',
  'started_onprem',
  'withdrawn',
  'cancelling',
  'lost',
  'fencing',
  'requeueing',
  'requeued',
  'failed',
  'vanished',
  'needs_person',
] as const;
export type BurstState = (typeof burstStates)[number];

/**
 * Every legal transition; all else is a bug. Before `granted` nothing of the user's ran, so every way out leads
 * through `returning`, which undoes what was done. From `granted` on, a burst leaves only after its pod is known to be over.
 */
export const transitions: Readonly<Record<BurstState, readonly BurstState[]>> = {
  proposed: ['approved', 'withdrawn'],
  approved: ['reserved', 'returning'],
  reserved: ['provisioning', 'returning'],
  // Back to reserved while nothing was made for it: its instance could not even be asked for.
  provisioning: ['ready', 'reserved', 'returning'],
  // An attempt that was requeued may find its job already started in burst, its stand-in waiting.
  ready: ['moving', 'placed', 'provisioning', 'returning'],
  moving: ['placed', 'ready', 'returning'],
  placed: ['attached', 'returning'],
  attached: ['granted', 'placed', 'returning'],
  granted: ['running', 'draining', 'cancelling', 'lost', 'vanished', 'needs_person'],
  running: ['draining', 'cancelling', 'lost', 'vanished', 'needs_person'],
  draining: ['reported', 'cancelling', 'lost', 'vanished', 'needs_person'],
  reported: ['final', 'requeueing', 'vanished', 'needs_person'],
  final: ['settled', 'needs_person'],
  settled: [],
  // Back to placed where Slurm started it before it could go back, and its pod still waits.
  returning: ['placed', 'returned', 'started_onprem', 'withdrawn', 'requeued'],
  returned: [],
  started_onprem: [],
  withdrawn: [],
  // Slurm has ended or requeued the attempt: the pod is stopped and awaited.
  cancelling: ['draining', 'final', 'requeueing', 'lost', 'needs_person'],
  // Nothing is known of its pod, or it is over without a word: fencing sees to it that it is over.
  lost: ['fencing', 'final', 'requeueing', 'failed', 'needs_person'],
  fencing: ['lost', 'final', 'requeueing', 'failed', 'needs_person'],
  requeueing: ['requeued', 'needs_person'],
  requeued: [],
  failed: [],
  vanished: ['fencing', 'running', 'cancelling', 'final', 'needs_person'],
  needs_person: ['fencing', 'cancelling', 'failed'],
};

export const terminalStates: ReadonlySet<BurstState> = new Set(
  burstStates.filter((s) => transitions[s].length === 0),
);

/** From here on the one start grant may have been given: the pod may have run the script. */
export const grantedStates: ReadonlySet<BurstState> = new Set<BurstState>([
  'granted',
  'running',
  'draining',
  'reported',
  'final',
  'cancelling',
  'lost',
  'fencing',
  'requeueing',
]);

/** Of a burst under way: nothing of the user's ran, so its job may wait still. */
export const ungrantedStates: ReadonlySet<BurstState> = new Set<BurstState>([
  ...(['proposed', 'approved', 'reserved', 'provisioning', 'ready', 'moving'] as const),
  ...(['placed', 'attached', 'returning'] as const),
]);

export function mayGo(from: BurstState, to: BurstState): boolean {
  return transitions[from].includes(to);
}

/** Why a burst left the straight way; stands in its audit row, its receipt and, where it failed, on the job. */
export type Cause =
  | { readonly kind: 'no_capacity'; readonly text: string }
  /** The user's namespace admits no more at a time. */
  | { readonly kind: 'quota'; readonly text: string }
  | { readonly kind: 'started_onprem'; readonly text: string }
  | { readonly kind: 'job_ended'; readonly text: string }
  | { readonly kind: 'owner_changed'; readonly text: string }
  | { readonly kind: 'move_refused'; readonly text: string }
  | { readonly kind: 'no_budget'; readonly text: string }
  | { readonly kind: 'no_standin'; readonly text: string }
  | { readonly kind: 'pod_failed'; readonly text: string }
  | { readonly kind: 'image_failed'; readonly text: string }
  /** A run of it was killed for its memory, and the site has such jobs run at home. */
  | { readonly kind: 'out_of_memory'; readonly text: string }
  /** It must be signed, and is not by a key that counts. */
  | { readonly kind: 'image_unsigned'; readonly text: string }
  /** Its image's registry did not answer: nothing is known against the image. */
  | { readonly kind: 'registry_silent'; readonly text: string }
  /** What its script needs could not be brought to its pod. */
  | { readonly kind: 'data_failed'; readonly text: string }
  | { readonly kind: 'requeued'; readonly text: string }
  | { readonly kind: 'stopped'; readonly text: string }
  /** A person said no to its quote, or nobody said anything in time. */
  | { readonly kind: 'declined'; readonly text: string }
  | { readonly kind: 'expired'; readonly text: string };

/** What the claim overwrites, as it was before; a give-back restores exactly this. */
export interface SavedJob {
  readonly partition: string;
  /** Milliseconds; undefined = the job had none of its own and used the partition's. */
  readonly timeLimitMs: number | 'unlimited';
  readonly memory: { readonly per: 'node' | 'cpu'; readonly mib: number };
  readonly minNodes: number;
  readonly maxNodes: number | undefined;
  readonly comment: string;
  readonly priority: number;
  readonly nice: number;
}

export interface Exit {
  readonly code?: number | undefined;
  readonly signal?: number | undefined;
  readonly lost?: boolean | undefined;
  readonly reason?: string | undefined;
}

export interface Usage {
  readonly userMs: number;
  readonly systemMs: number;
  readonly maxRssBytes: number;
}

/** How a pod was lost: with its node, by an eviction, or by somebody who deleted or killed it there. */
export type LostBy = 'nodeLost' | 'podEvicted' | 'podLost';

export interface ChosenImage {
  /** As it was named. */
  readonly name: string;
  /** By which line, module, account, partition or default. */
  readonly from: string;
  /** With the digest that its registry told before there was a pod: what the pods run. */
  readonly pinned?: string | undefined;
  /** Why its registry told none; its pods run what the tag stands for when they pull it. */
  readonly unpinned?: string | undefined;
  /** The names of the site's keys that have signed that digest, where its job must have a signed image. */
  readonly signedBy?: string | undefined;
  /** With its digest, as the kubelet says that it runs; undefined until it does. */
  readonly id?: string | undefined;
}

/** The one start grant: committed before it is sent, kept by the keeper, never a second for the same attempt. */
export interface Grant {
  readonly burst: BurstId;
  readonly attempt: AttemptKey;
  readonly podUid: string;
  readonly epoch: number;
  readonly generation: Uuid;
}

export interface Burst {
  readonly id: BurstId;
  readonly cluster: ClusterName;
  readonly job: JobKey;
  readonly attempt: AttemptKey;
  /** What scontrol takes now. A claimed array task keeps `J_T`. */
  readonly ref: JobRef;
  /** The bare number Slurm uses now, as the stand-in's slurmstepd names it. */
  readonly jobId: number;
  readonly restarts: number;
  readonly submitAt: Instant;
  readonly firstSubmitAt: Instant;
  readonly name: string;
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly account: string;
  readonly origin: 'decision' | 'requeue' | 'adopted';
  readonly receipt: Uuid | undefined;
  readonly state: BurstState;
  readonly rev: number;
  readonly createdAt: Instant;
  readonly enteredAt: Instant;
  readonly group: string;
  /** What is bought for it; on demand if undefined. */
  readonly capacityType?: CapacityType | undefined;
  /** It was to go on spot, and there was none: it went on demand. */
  readonly spotRefused?: boolean | undefined;
  /** Since when the cloud takes an instance of it back, or had taken it. */
  readonly reclaimedAt?: Instant | undefined;
  /** Its script asks to be told of its end by this signal (`--signal=B:`). */
  readonly signal?: number | undefined;
  /** So many runs of its job before this one were taken back. */
  readonly reclaims?: number | undefined;
  /** Since when the cloud has had nothing for it, whatever was asked for; it is planned again with what is left. */
  readonly seeking?: { readonly since: Instant; readonly why: string } | undefined;
  /** It came back after a machine was launched for it, and its pod never ran. */
  readonly futile?: boolean | undefined;
  /** What the pod of each of its nodes requests, in the cloud's vCPU. */
  readonly needs: Resources;
  readonly saved: SavedJob;
  readonly instance: InstanceId | undefined;
  readonly pod: PodOnRecord | undefined;
  /** Of a job of several nodes: ranks 1 to n-1. Absent: one node [ranks.ts]. */
  readonly others?: readonly Rank[] | undefined;
  /** The move: set before it is sent. `deadline` is when the far side stops obeying it. */
  readonly claim:
    | {
        readonly deadline: Instant;
        readonly answered: boolean;
        /** Moves to us that were sent; a move home is none. */
        readonly times: number;
        /** Slurm said that it was done. */
        readonly moved?: boolean | undefined;
      }
    | undefined;
  readonly grant: Grant | undefined;
  readonly startedAt: Instant | undefined;
  readonly endedAt: Instant | undefined;
  readonly exit: Exit | undefined;
  /** A rank above 0 ended by itself while the script ran: how, as its kubelet says. The script was told to end, and the job ends so. */
  readonly broken?: { readonly at: Instant; readonly exit: Exit } | undefined;
  /** Why the run after this one is not to burst. */
  readonly stays?: string | undefined;
  /** Of an attempt that was lost. */
  readonly lostBy?: LostBy | undefined;
  readonly usage: Usage | undefined;
  /** Bytes that no stand-in was there to take. */
  readonly dropped: number;
  readonly cause: Cause | undefined;
  /** Something is not as it should be and the gateway waits for better sight: shown on the burst and in /readyz. */
  readonly trouble: { readonly since: Instant; readonly text: string } | undefined;
  /** The attempt before this one; nothing of this one starts until that one's pods are confirmed gone. */
  readonly predecessor: BurstId | undefined;
  /** The most that it can cost, held before anything is bought, and what an hour of each type costs it. */
  readonly price?:
    | { readonly held: MicroUsd; readonly rates: Readonly<Record<string, MicroUsd>> }
    | undefined;
  /** On spot: what it came to, by the price history, or (that was not to be had) by the price that its instances were bought at. */
  readonly spent?: { readonly microUsd: MicroUsd; readonly by: 'history' | 'held' } | undefined;
  /** Mode approve: what was offered, and what a person said to it. */
  readonly quote?: Quote | undefined;
  readonly answer?: Answer | undefined;
  readonly delegated?: Delegation | undefined;
  /** It came back, and a person said that its job may burst again all the same: what came back until then counts no more. */
  readonly again?: Turn | undefined;
  /** What its script runs in and who named it; bursts of before there was a choice have none. */
  readonly image?: ChosenImage | undefined;
  /** What its script needs and makes that lies under no mount; absent where there is nothing of the kind. */
  readonly data?: BurstData | undefined;
  /** The type of the instance that its pod (rank 0's) waits or ran on. */
  readonly machine?: string | undefined;
  /** Since when nothing can be known of its pod; after the group's `lostAfter` it counts as lost. */
  readonly unknownSince?: Instant | undefined;
  /** Both daemons answered and neither knew the job, so often and since then. */
  readonly absent?: { readonly since: Instant; readonly looks: number } | undefined;
  /** The one requeue of this run that Slurm was asked for; `times` where nothing came of the first and it was asked for again. */
  readonly requeue?:
    | { readonly deadline: Instant; readonly answered: boolean; readonly times?: number | undefined }
    | undefined;
  /** The last time that Slurm was asked to cancel the job: its hard budget is spent. */
  readonly cancel?: { readonly deadline: Instant; readonly answered: boolean } | undefined;
  /** When a signal that ends the job reached the stand-in: the pod must be gone KillWait later. */
  readonly killBy: Instant | undefined;
}

/** Past its end and without a pod a burst only waits for Slurm's books: its instance is free. */
export function holdsInstance(burst: Pick<Burst, 'state' | 'pod'>): boolean {
  const past = burst.state === 'final' || burst.state === 'lost' || burst.state === 'requeueing';
  return !(past && burst.pod === undefined);
}

/** Of one that is reserved: since when it waits for a place. */
export const waitsSince = ({ seeking, enteredAt }: Pick<Burst, 'seeking' | 'enteredAt'>): Instant =>
  seeking?.since ?? enteredAt;

/** Of a burst that has not begun. */
export const notBegun = {
  rev: 0,
  instance: undefined,
  pod: undefined,
  claim: undefined,
  grant: undefined,
  startedAt: undefined,
  endedAt: undefined,
  exit: undefined,
  usage: undefined,
  dropped: 0,
  cause: undefined,
  trouble: undefined,
  killBy: undefined,
} as const satisfies Partial<Burst>;
