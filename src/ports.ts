/**
 * Every outside system, in domain words. The contract stands in the comments; `test/contract` holds model and real system to it.
 * Faults are those of `domain/fault.ts`; a method may always throw `unreachable` (nothing was asked) and, where it changes
 * something, `unknown` (asked, no answer).
 */
import type { Duplex } from 'node:stream';
import type { Anchor } from './domain/anchor.ts';
import type { Breaker } from './domain/boot.ts';
import type { Burst, Grant } from './domain/burst.ts';
import type { Caller } from './domain/caller.ts';
import type { Bill, CostFacts } from './domain/cost.ts';
import type { Receipt } from './domain/decision.ts';
import type { Drain } from './domain/drain.ts';
import type { PortError } from './domain/fault.ts';
import type { ForecastError } from './domain/forecast.ts';
import type {
  BurstId,
  CloudId,
  ClusterName,
  InstanceId,
  Instant,
  JobRef,
  LaunchToken,
  Uuid,
} from './domain/ids.ts';
import type {
  CloudInstance,
  CloudNotice,
  Instance,
  InstanceType,
  LaunchSpec,
  LaunchTemplate,
  SpotPrice,
  Subnet,
} from './domain/instance.ts';
import type { AccountedJob, ClusterFacts, History, JobDetail, MinutesLimit, Snapshot } from './domain/job.ts';
import type { BoundPod, DaemonSetView, NodeView, PodRef, PodView, Tenant } from './domain/kube.ts';
import type { Hold, Money, MoneyOf } from './domain/ledger.ts';
import type { Listing } from './domain/listing.ts';
import type { Budget, MicroUsd } from './domain/money.ts';
import type { Order, OrderAsked, Outcome } from './domain/order.ts';
import type { OverheadId } from './domain/overhead.ts';
import type {
  AuditFilter,
  BurstFilter,
  InstanceFilter,
  LedgerFilter,
  Mark,
  Page,
  Paged,
  ReceiptCounts,
  ReceiptFilter,
} from './domain/page.ts';
import type { Activation, ActivationOrder, DamagedVersion, PolicyVersion } from './domain/policy-version.ts';
import type { Lift } from './domain/ramp.ts';
import type { Stop } from './domain/stop.ts';
import type { JobRecord, OrderedOfJob, SubmitOrder, UserInfo } from './domain/submit.ts';
import type { KubeObject, KubeRef, Roster } from './domain/tenants.ts';
import type { ApiToken } from './domain/token.ts';
import type { DeadDelivery, Delivery } from './domain/webhook.ts';

/** Milliseconds since the epoch. */
export interface Clock {
  now(): Instant;
}

export interface Entropy {
  uuid(): Uuid;
  bytes(n: number): Uint8Array;
  /** In [0, 1). */
  random(): number;
}

/** Timers; in the simulator they run on virtual time. A callback never throws into the scheduler. */
export interface Scheduler {
  after(ms: number, work: () => void): { cancel(): void };
}

export interface MoveSpec {
  readonly partition: string;
  readonly timeLimitMs: number | 'unlimited';
  readonly minNodes: number;
  readonly maxNodes: number | undefined;
  readonly memory: { readonly per: 'node' | 'cpu'; readonly mib: number } | undefined;
}

/** Slurm, with an Operator's rights; watching needs none. */
export interface SlurmPort {
  /** One text `squeue` of all pending, running and completing jobs, with partitions and nodes. Changes nothing. */
  snapshot(): Promise<Snapshot>;
  /** From slurmctld. Undefined: slurmctld answered that it does not know the job (finished long ago, or never was). */
  job(ref: JobRef): Promise<JobDetail | undefined>;
  /**
   * The batch script as it was submitted, by the number that slurmctld uses now (of a task that waits, its array's). Undefined: there is none.
   * `refused`: not an Operator.
   */
  script(id: number): Promise<string | undefined>;
  /**
   * How sbatch was called for that number, by slurmdbd (from 21.08): words with spaces between them, quotes lost. Undefined: not known (no slurmdbd,
   * an older one, or it lags).
   */
  submitLine(id: number): Promise<string | undefined>;
  /** From slurmdbd, every run of the job, oldest first; lags behind slurmctld, so empty is not "never was". */
  accounting(ref: JobRef): Promise<readonly AccountedJob[]>;
  /**
   * From slurmdbd, all jobs of all users that ended at or after `from` and before `to`, runs that were requeued included, those that never
   * ran left out; in no order. slurmdbd lags, so the newest may be missing. A month of a large site is many: ask day by day.
   */
  history(from: Instant, to: Instant): Promise<History>;
  /**
   * Moves a pending job atomically (claim and give-back alike). Resolves: done, also when it already was so. Faults: `started`
   * (no longer pending, unchanged), `refused` (site policy or rights, unchanged; the message is the site's), `not_found`,
   * `transient` (unchanged), `unknown`. The far side drops the write after `deadline`.
   */
  move(ref: JobRef, to: MoveSpec, deadline: Instant): Promise<void>;
  /** Appends one line to the job's comment (the owner's own text stays in front). Only for bursts that failed. */
  appendComment(ref: JobRef, line: string, deadline: Instant): Promise<void>;
  /** AdminComment of a finished job in slurmdbd: `spillway:v1;k=v;…`. `not_found` while slurmdbd lags. */
  annotate(ref: JobRef, text: string): Promise<void>;
  /** `scancel` of one job as Operator. Used only for a stand-in that cannot end by itself. */
  cancel(ref: JobRef, deadline: Instant): Promise<void>;
  /**
   * `scontrol requeue` of a job that is running or completing as run `restarts` (its restart count). Resolves once asked: the count
   * has risen by one, SubmitTime changes when the run's processes are gone. Faults: `conflict` (it runs as another run, or not
   * at all: nothing was asked), `refused` (Slurm says no: it may not be requeued, or not by us), `not_found`, `transient`
   * (unchanged; also past `deadline`), `unknown`. After `unknown` never ask again: re-read the restart count, for a repeated
   * requeue kills the next run. Slurm has no word for "this run only", so look and write are two moments: a job that ends in
   * between is run again, and so is a completing one whose owner has just cancelled it.
   */
  requeue(ref: JobRef, restarts: number, deadline: Instant): Promise<void>;
  /**
   * `scontrol release` of a job that waits. Resolves once it is not held, also where it was not; it takes whoever's hold off, so it is asked only
   * of jobs that Slurm itself holds. Faults: `refused`, `not_found`, `transient` (unchanged; also past `deadline`), `unknown`.
   */
  release(ref: JobRef, deadline: Instant): Promise<void>;
  facts(): Promise<ClusterFacts>;
  /** From slurmdbd, those associations and QOS that have one; for `doctor`. */
  minutesLimits(): Promise<readonly MinutesLimit[]>;
  /** From slurmdbd, by sacctmgr's names (`GrpTRES`), those that are set; for `doctor`. `not_found`: there is no such QOS. */
  qosLimits(name: string): Promise<Readonly<Record<string, string>>>;
  /** Whether the account may watch, and whether it is an Operator; for `doctor`. */
  whoami(): Promise<{ readonly user: string; readonly adminLevel: string }>;
  close(): Promise<void>;
}

/**
 * What a user asks of Slurm through this gateway. Submitting and cancelling is done as that user, by a rule of sudo that the site wrote: it says
 * for whom, and never for root. A port of its own, since no step needs it.
 */
export interface UsersPort {
  /**
   * `sbatch`, once; answers the job's number. With the script's text, `key` stands in its last line [domain/submit.ts]. Faults: `refused` (sbatch's or
   * sudo's words; also a job that the script sent to another cluster, and that was cancelled there), `transient`, `unreachable` (nothing was
   * submitted), `unknown`: it may have been, so never ask again, but `submitted`.
   */
  submit(user: string, order: SubmitOrder, key: Uuid, deadline: Instant): Promise<number>;
  /** The user's job with this key, of those that slurmctld knows and that were submitted at or after `since`. Undefined: none has it so far. */
  submitted(user: string, key: Uuid, since: Instant): Promise<number | undefined>;
  /** Slurm's own name of the cluster (ClusterName), which need not be the one that it has here. */
  slurmName(): Promise<string>;
  /** `scancel`. Faults as of `SlurmPort.cancel`; `refused` where it is not his. */
  cancel(user: string, ref: JobRef, deadline: Instant): Promise<void>;
  /** `scontrol hold` or `release` of a job that waits. Faults as of `cancel`; `started`: it does not wait any more. */
  alter(user: string, what: OrderedOfJob, ref: JobRef, deadline: Instant): Promise<void>;
  /** From slurmdbd, of one user's jobs (undefined: of all): the last run of one, or of each that lived at or after `since`. */
  records(user: string | undefined, of: JobRef | { readonly since: Instant }): Promise<readonly JobRecord[]>;
  /** By the login node alone: slurmctld and slurmdbd may be away. Faults: `not_found`: it knows no such user. */
  uid(user: string): Promise<number>;
  /** With what slurmdbd says of him on this cluster. Faults as of `uid`. */
  info(user: string): Promise<UserInfo>;
  /**
   * By user, the accounts that he coordinates by this cluster's slurmdbd, those below them with them; who coordinates none is left out. One
   * question for all users.
   */
  coordinators(): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  close(): Promise<void>;
}

/** What the gateway asks for; the adapter turns it into API objects. `manifest` comes from `translate`. */
export interface PodManifest {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly finalizers: readonly string[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** The pods of one job as a gang, for schedulers that know such; `translate` makes it. */
export interface PodGroupManifest {
  readonly apiVersion: 'scheduling.x-k8s.io/v1alpha1' | 'scheduling.volcano.sh/v1beta1';
  readonly kind: 'PodGroup';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    /** The pod with whose record it goes. */
    readonly ownerReferences: readonly {
      readonly apiVersion: 'v1';
      readonly kind: 'Pod';
      readonly name: string;
      readonly uid: string;
    }[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

export type KubernetesEvent =
  | { readonly kind: 'pod'; readonly pod: PodView; readonly gone: boolean }
  | { readonly kind: 'node'; readonly node: NodeView; readonly gone: boolean };

export interface Watch {
  /** When each list-watch last heard from the API server, for /readyz. */
  sight(): readonly { readonly what: string; readonly at: Instant; readonly fault: string | undefined }[];
  /** From the watch's cache; undefined until the first list. */
  nodes(): readonly NodeView[] | undefined;
  pods(): readonly PodView[] | undefined;
  close(): Promise<void>;
}

/** By full name. */
type Marks = Readonly<Record<string, string | undefined>>;

export interface KubernetesPort {
  /** Own list-watches of our pods in all tenant namespaces and of nodes; survives broken streams, 410 and restarts. */
  watch(on: (event: KubernetesEvent) => void): Watch;
  /** A consistent read. Undefined: the API server says it is absent, which does not mean that its containers are over. */
  pod(ref: PodRef): Promise<PodView | undefined>;
  /** `already_exists` when the name is taken (read it back), `refused` with admission's words, `no_capacity` with the quota's. */
  createPod(manifest: PodManifest): Promise<PodView>;
  /**
   * Idempotent by name, which is used once. Only where a site configured them: `refused` (no right to make them, as installed), `not_found`
   * (the cluster has no such kind).
   */
  createPodGroup(manifest: PodGroupManifest): Promise<void>;
  /** Asked to end with this grace; `not_found` = already absent, `conflict` = another pod has that name now. */
  deletePod(ref: PodRef, uid: string, graceSeconds: number): Promise<void>;
  /** Takes our finalizer off, or another of ours: the pod's record may go. Only after settlement. */
  releasePod(ref: PodRef, uid: string, finalizer?: string): Promise<void>;
  /** Idempotent: `already_exists` is fine if the value is ours (names are used once). */
  createSecret(
    ref: PodRef,
    data: Readonly<Record<string, Uint8Array>>,
    labels: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** The value back, for a gateway that restarted. Undefined = absent. */
  secret(ref: PodRef): Promise<Readonly<Record<string, Uint8Array>> | undefined>;
  deleteSecret(ref: PodRef): Promise<void>;
  nodes(): Promise<readonly NodeView[]>;
  /** Sets labels on a node that was matched with an instance of ours. */
  labelNode(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
  cordonNode(name: string): Promise<void>;
  /**
   * Labels and annotations (undefined takes one away) of a fixed node, as one write and only where the node is still as it was seen:
   * of two who take it one gets `conflict`. `not_found`, `refused` (no fixed node).
   */
  markNode(seen: NodeView, marks: { readonly labels: Marks; readonly annotations: Marks }): Promise<void>;
  /** Every pod that is bound to it, whoever's; for fixed nodes. `refused`: the right to list pods is not there (deploy/kubernetes/static). */
  podsOn(node: string): Promise<readonly BoundPod[]>;
  /**
   * Every pod that holds a place, other gateways' among them; `record` is what was written at its making. For nodes that somebody else scales.
   * `refused`: the right is not there (deploy/kubernetes/external).
   */
  places(): Promise<readonly PodView[]>;
  /**
   * Says on a node of ours that a gateway stands for it at this moment (annotation `spillway.dev/lease`): its dead man's switch sees
   * that it changes [deploy/node/spillway-switch]. `not_found`, `refused` (no burst node).
   */
  renewLease(name: string, at: Instant): Promise<void>;
  /** Only after the cloud confirmed termination. `not_found` = already gone. */
  deleteNode(name: string): Promise<void>;
  /** What the admin set up for this user; undefined = nothing, so the user's jobs cannot burst. */
  tenant(uid: number): Promise<Tenant | undefined>;
  /** A byte stream to a port on the pod's loopback, with back-pressure both ways. Its end or error means nothing but "reconnect". */
  dial(ref: PodRef, port: number): Promise<Duplex>;
  /** What the cluster runs on every node. `refused`: no right to look, as in clusters that were set up earlier. */
  daemonSets(): Promise<readonly DaemonSetView[]>;
  /** For `doctor`: the rights it lacks, as `verb resource`. */
  missingRights(): Promise<readonly string[]>;
  version(): Promise<string>;
  close(): Promise<void>;
}

/** The cluster with the rights of whoever sets tenants up; the gateway has none of them. */
export interface TenantsPort {
  /** All namespaces, and all quotas, limit ranges, network policies, role bindings, claims and volumes that carry our mark. */
  seen(): Promise<readonly KubeObject[]>;
  /**
   * Makes it, or brings it to what is asked; what was asked before and is not any more is taken away. Idempotent. Faults: `refused`
   * (rights, admission, or a field that never changes; the message is the API server's), `unreachable`, `transient`, `unknown`.
   */
  put(object: KubeObject): Promise<void>;
  /** What the quota of ours in a namespace allows and counts, as the API server last reckoned it; undefined = there is none. */
  quota(namespace: string): Promise<{ readonly hard: Counts; readonly used: Counts } | undefined>;
  /** Resolves once asked; `not_found` = already gone. */
  remove(ref: KubeRef): Promise<void>;
  close(): Promise<void>;
}

type Counts = Readonly<Record<string, string>> | undefined;

/** Who the site's users are. */
export interface PeoplePort {
  /** Faults: `invalid` (the file is broken, with its line), `refused`, `unreachable`. Never a shorter list in place of a fault. */
  roster(): Promise<Roster>;
  close(): Promise<void>;
}

/** What one call for several made. */
export interface LaunchedLot {
  readonly made: readonly CloudInstance[];
  /** Why it made fewer than were asked for; undefined: it did not. */
  readonly short: PortError | undefined;
}

/** A budget of the cloud's own that attaches a policy once its threshold is passed. */
export interface BudgetAction {
  readonly budget: string;
  /** In words: of the budget, or in its currency, and of which cost. */
  readonly threshold: string;
  readonly policy: string;
  /** To whom it is attached, each with its kind. */
  readonly on: readonly string[];
  /** Whoever asks is among them. */
  readonly onCaller: boolean;
  /** Or else it waits for a person. */
  readonly automatic: boolean;
  /** As the cloud calls it: STANDBY, PENDING, EXECUTION_SUCCESS ... */
  readonly status: string;
}

export interface CloudPort {
  /**
   * One instance, or none. Idempotent on `token`: a repeat answers with the same instance. A spec that is `fixed` takes a machine that has room
   * for what it needs; nobody else has it until it is given back. One that is `external` only asks: the answer is `pending`, and no fault tells
   * that no machine comes.
   * Faults: `no_capacity` when no offer can serve, `throttled`, `refused` (rights, template), `transient`, `unknown`. Answer and fault tell
   * offer by offer what was not to be had (`missed`), as far as the cloud says it.
   */
  launch(spec: LaunchSpec, token: LaunchToken): Promise<CloudInstance>;
  /**
   * Up to `count` instances alike, one at least, by one call; left out where a cloud takes no such call. Idempotent on `token` with the same
   * `count`: a repeat answers with the same instances. Faults as of `launch`: nothing was made.
   */
  launchLot?(spec: LaunchSpec, token: LaunchToken, count: number): Promise<LaunchedLot>;
  /** Everything with this cluster's tag, terminated ones as long as the cloud shows them; eventually consistent. */
  list(): Promise<readonly CloudInstance[]>;
  /**
   * Resolves once asked; `not_found` = the cloud does not know it (which, right after a launch, it may not yet). Of a machine that stays
   * (`fixed`), or that somebody else ends (`external`), our use ends: `list` says terminated when nothing of ours can run there, by its
   * kubelet's word, a person's, or because its Node object went.
   */
  terminate(id: CloudId): Promise<void>;
  types(names: readonly string[]): Promise<readonly InstanceType[]>;
  /** For `doctor`: of the version that a launch would take. `name` as in a LaunchSpec; `refused` = there is none. */
  template(name: string): Promise<LaunchTemplate>;
  /** For `doctor`, where instances can be put into subnets: what these are, in no order. Faults: `refused` (one is not there, rights), `throttled`, `transient`. */
  subnets?(ids: readonly string[]): Promise<readonly Subnet[]>;
  /**
   * What spot cost from `from` on: every change, and the price that held at `from`; in no order. A type without any in a zone is not to be
   * had there. Faults: `refused` (rights), `throttled`, `transient`.
   */
  spotPrices(
    types: readonly string[],
    zones: readonly string[],
    from: Instant,
  ): Promise<readonly SpotPrice[]>;
  /** The spot instances that the cloud has said it takes back and that still run, those of others in the account included; told two minutes ahead, or not at all. */
  interruptions(): Promise<readonly CloudId[]>;
  /**
   * Where the cloud tells by a queue as well: waits, for half a minute at most, for what it tells next, of others in the account too, and of some
   * twice; empty when nothing came, or as soon as `stop` is. What it calls taken back `interruptions` tells, too. Left out: it has no queue. Faults:
   * `refused` (rights, no such queue), `unreachable`, `throttled`, `transient`; `interruptions` goes on without it.
   */
  notices?(stop: AbortSignal): Promise<readonly CloudNotice[]>;
  /**
   * What it wrote on its console, as far as the cloud has it: for people, about a machine that does not boot. Undefined: nothing yet. Faults:
   * `not_found`, `refused` (rights), `throttled`.
   */
  console(id: CloudId): Promise<string | undefined>;
  /** For `doctor`: that template and rights hold. Faults name what is missing. */
  check(spec: LaunchSpec): Promise<void>;
  /**
   * For `doctor`, where a cloud can tell without launching: whether its own rights would let this gateway launch under the tag of another cluster.
   * Undefined, or left out: of this node group it cannot be asked.
   */
  launchesFor?(other: ClusterName, spec: LaunchSpec): Promise<boolean | undefined>;
  /**
   * For `doctor`, where a cloud can take a right away by itself once a cost is reached: what is set up so in the account, by whomever. Answers, or
   * fails, within seconds. Faults: `refused` (rights), `throttled`, `transient`, `unreachable`: nothing is known of it.
   */
  budgetActions?(): Promise<readonly BudgetAction[]>;
  close(): Promise<void>;
}

/** A URL that lets whoever has it make one request, and nothing else of the store's. */
export interface SignedRequest {
  readonly method: 'GET' | 'PUT';
  readonly url: string;
  /** Signed as well: they are sent as they stand here. */
  readonly headers: Readonly<Record<string, string>>;
  /** From then on the store refuses it; a request that began before goes on. */
  readonly until: Instant;
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  /** Written then, by the store's clock. */
  readonly at: Instant;
}

export interface StoredPart {
  /** From 1. */
  readonly number: number;
  readonly size: number;
  /** As the store calls its content. */
  readonly tag: string;
  /** 64 hex digits, by the store's own word; undefined: it keeps none. */
  readonly sha256: string | undefined;
}

/** An upload in parts that was begun and neither completed nor given up. */
export interface Unfinished {
  readonly key: string;
  readonly upload: string;
  readonly at: Instant;
}

/**
 * An object store (S3's protocol): one bucket, in it one prefix, which no key here repeats. The gateway signs and looks; the bytes go
 * between the far ends and the store. A key is never written anew with other bytes: it is named by what is in it. Faults: `refused`
 * (rights, bucket, credentials; also a key that is none), `throttled`.
 */
export interface ObjectsPort {
  /** Undefined: there is none. */
  head(key: string): Promise<StoredObject | undefined>;
  /** Signs nothing but the key: whoever has it may ask for ranges. Nothing is asked of the store, so the object may not be there. */
  signGet(key: string, forMs: number): Promise<SignedRequest>;
  /** Of exactly `size` bytes (5 GiB at most) whose SHA-256 is `sha256` (64 hex): the store refuses any others. */
  signPut(
    key: string,
    of: { readonly size: number; readonly sha256: string },
    forMs: number,
  ): Promise<SignedRequest>;
  /** Begins an upload in parts. Not idempotent: after `unknown` one may be left over, which `unfinished` tells of. */
  beginParts(key: string): Promise<string>;
  /**
   * One part, 5 MiB at least but for the last, 10,000 at most, of exactly these bytes: the store refuses any others. Sent again it replaces
   * the one before.
   */
  signPart(
    key: string,
    upload: string,
    of: { readonly number: number; readonly size: number; readonly sha256: string },
    forMs: number,
  ): Promise<SignedRequest>;
  /** What has arrived whole, in order of number. `not_found`: the upload was completed, given up, or never was. */
  parts(key: string, upload: string): Promise<readonly StoredPart[]>;
  /**
   * The parts become one object, which nobody saw before. Idempotent: also resolves where it was done already. `not_found` as with
   * `parts`, and there is no such object; `conflict`: a part is missing, too small or another one by now.
   */
  completeParts(key: string, upload: string, parts: readonly StoredPart[]): Promise<void>;
  /** Given up, its parts gone. `not_found` = already so. */
  abortParts(key: string, upload: string): Promise<void>;
  /** A page of those whose key begins so, in order of key; `from`: the `next` of the page before. */
  list(prefix: string, from?: string): Promise<Listing<StoredObject>>;
  /** The same of uploads. Where one key has more of them than a page holds, the rest is listed once those before are gone. */
  unfinished(prefix: string, from?: string): Promise<Listing<Unfinished>>;
  /** Resolves once it is gone, also where it never was. */
  remove(key: string): Promise<void>;
  /** For `doctor`: writes an object, reads it by a signed URL, takes it away. Faults name what is missing. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** As a container runtime completes it: `ubuntu` is docker.io, library/ubuntu, latest. */
export interface ImageName {
  readonly host: string;
  readonly path: string;
  /** A tag, or a digest. */
  readonly reference: string;
}

/** Registries of images. */
export interface RegistryPort {
  /**
   * `sha256:…` of what the name stands for now: an index where the image has several platforms. Faults: `not_found` (no such image, or
   * none that we may know of), `refused` (rights; also a registry that this site does not ask), `throttled`, `transient`,
   * `unreachable`, `invalid` (it answers nonsense).
   */
  digest(image: ImageName): Promise<string>;
  /**
   * Whether what has this digest carries a cosign signature in its repository that meets the demand. `unsigned` is the registry's word that
   * there is none such; a registry that could not be asked throws, with the faults of `digest`.
   */
  signed(image: Pick<ImageName, 'host' | 'path'>, digest: string, demand: SignatureDemand): Promise<Signed>;
}

/** By one of these keys. */
export interface SignatureDemand {
  /** In PEM; by `name` answers call them. */
  readonly keys: readonly { readonly name: string; readonly pem: string }[];
  /** `same`: where the signature names a repository, it is the one that the image is pulled from. */
  readonly repository: 'same' | 'any';
}

export type Signed =
  | { readonly kind: 'signed'; readonly by: string }
  | { readonly kind: 'unsigned'; readonly why: string };

/** Budgets that stand elsewhere than in the configuration: a file, or an accounting system. */
export interface BudgetsPort {
  /**
   * All of them as they stand now, each with its `source`. Faults: `invalid` (what is written there is broken; the message says
   * where), `refused` (it does not let us read), `unreachable`, `transient` (just being written, or it failed).
   */
  read(): Promise<BudgetsRead>;
}

export interface BudgetsRead {
  readonly budgets: readonly Budget[];
  /** What is wrong with single ones; those hold nothing, so that nothing more is spent on them. */
  readonly troubles: readonly string[];
}

/** A record of an outside effect, written before it: who asked what, until when the far side may obey. */
export interface Intent {
  readonly id: Uuid;
  readonly subject: BurstId | InstanceId;
  readonly effect: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly epoch: number;
  readonly at: Instant;
  readonly deadline: Instant | undefined;
}

export type Write =
  /** `rev` is what was read; the row is stored with rev + 1. A new row has `rev: 0`. Another rev in the store is a conflict. */
  | {
      readonly kind: 'burst';
      readonly burst: Burst;
      readonly why: string;
      /** In `recover` only: the state is what the world showed, which no older state need lead to. */
      readonly adopted?: true;
    }
  | { readonly kind: 'instance'; readonly instance: Instance; readonly why: string }
  | { readonly kind: 'receipt'; readonly receipt: Receipt }
  /** Money for a burst or an instance, held in the same transaction as its state. A second hold of the same name is a bug. */
  | { readonly kind: 'hold'; readonly hold: Hold }
  /** What it cost in the end; the rest of the hold is free again. Without a hold, or again: nothing. */
  | {
      readonly kind: 'settle';
      readonly settles: BurstId | OverheadId;
      readonly microUsd: MicroUsd;
      readonly at: Instant;
    }
  | { readonly kind: 'intent'; readonly intent: Intent }
  | { readonly kind: 'answered'; readonly intent: Uuid; readonly answer: string; readonly at: Instant };

export interface AuditRow {
  readonly subject: string;
  readonly seq: number;
  readonly at: Instant;
  readonly from: string | undefined;
  readonly to: string;
  readonly why: string;
  readonly prev: string;
  readonly hash: string;
}

export interface Lease {
  readonly cluster: ClusterName;
  readonly holder: string;
  readonly epoch: number;
  readonly until: Instant;
}

/** The store was found to be older than what was done with it: since when that is known (its clock), and by what. */
export interface Recovery {
  readonly since: Instant;
  readonly why: string;
}

/** An unchanged verdict, seen again beside its receipt. */
export interface SeenAgain {
  readonly times: number;
  readonly last: Instant;
}

/** Postgres (or MemStore). Reads are of what is committed. */
export interface StorePort {
  /**
   * All or nothing, under `id`: state, audit row (made by the store from each burst and instance write, hash-chained per subject),
   * intents. `over_budget`: a hold would pass one of its limits, also together with holds that others make at this moment; nothing was
   * written. `conflict`: a rev moved, or a live burst of that attempt exists already; nothing was written. Refuses (`stale`) when
   * `epoch` is older than the cluster's lease. A lost COMMIT answer is looked up by `id` inside; `unknown` only if that fails too.
   */
  commit(
    id: Uuid,
    cluster: ClusterName,
    epoch: number,
    writes: readonly Write[],
  ): Promise<'ok' | 'conflict' | 'over_budget'>;
  /** What counts against a limit now. */
  money(cluster: ClusterName, of: MoneyOf): Promise<Money>;
  burst(id: BurstId): Promise<Burst | undefined>;
  /** Not in a terminal state. */
  liveBursts(cluster: ClusterName): Promise<readonly Burst[]>;
  /** All bursts of a bare job id or ref, newest first, terminal ones too. */
  burstsOfJob(cluster: ClusterName, ref: JobRef | number): Promise<readonly Burst[]>;
  /** Newest first. */
  bursts(filter: {
    readonly cluster?: ClusterName;
    readonly live?: boolean;
    /** Made then or later. */
    readonly since?: Instant;
    readonly limit: number;
  }): Promise<readonly Burst[]>;
  instance(id: InstanceId): Promise<Instance | undefined>;
  liveInstances(cluster: ClusterName): Promise<readonly Instance[]>;
  instances(limit: number): Promise<readonly Instance[]>;
  /** Newest first; of all jobs where none is named. */
  receipts(cluster: ClusterName, ref: JobRef | undefined, limit: number): Promise<readonly Receipt[]>;
  /** Every decision to burst that was written at or after `from` and before `to`, oldest first. A month of a large site is many: ask day by day. */
  burstDecisions(cluster: ClusterName, from: Instant, to: Instant): Promise<readonly Receipt[]>;
  /** The newest decision of each given attempt, for not writing an unchanged one again. */
  lastDecisions(cluster: ClusterName, refs: readonly JobRef[]): Promise<readonly Receipt[]>;
  /** The unchanged verdicts were seen again, so often and then last: added up beside the chain. */
  seenAgain(seen: ReadonlyMap<Uuid, SeenAgain>): Promise<void>;
  /** How often the verdicts of these receipts were seen again, and when last; one that never was is left out. */
  seen(receipts: readonly Uuid[]): Promise<ReadonlyMap<Uuid, SeenAgain>>;
  /** What came of earlier forecasts of a cluster's starts, oldest first: the newest `keptErrors` [domain/forecast.ts]. */
  forecastErrors(cluster: ClusterName): Promise<readonly ForecastError[]>;
  /** Beside the chains, and under no epoch: a forecast is corrected by them, nothing is decided on one. */
  addForecastErrors(cluster: ClusterName, errors: readonly ForecastError[]): Promise<void>;
  /** Set while no burst may be begun or claimed in this cluster, by whichever gateway. */
  stopped(cluster: ClusterName): Promise<Stop | undefined>;
  /** Whoever stopped it first stays. No epoch: anybody may, who may reach the store. Leaves an audit row of subject `stop/CLUSTER`. */
  stop(cluster: ClusterName, by: string, why: string): Promise<void>;
  /** Leaves an audit row likewise; nothing where nothing was stopped. */
  resume(cluster: ClusterName, by: string, why: string): Promise<void>;
  /** The node groups of this cluster that somebody drained, and has not resumed. */
  drains(cluster: ClusterName): Promise<readonly Drain[]>;
  /** As with `stop`; the audit row's subject is `drain/CLUSTER/GROUP`. Whether there is such a group is not looked at. */
  drainGroup(cluster: ClusterName, group: string, by: string, why: string): Promise<void>;
  openGroup(cluster: ClusterName, group: string, by: string, why: string): Promise<void>;
  /** The node groups of this cluster whose last machines all failed to boot [domain/boot.ts], until somebody or their time closes the breaker. */
  breakers(cluster: ClusterName): Promise<readonly Breaker[]>;
  /** As with `stop`; the audit row's subject is `breaker/CLUSTER/GROUP`. */
  tripBreaker(cluster: ClusterName, group: string, by: string, why: string): Promise<void>;
  closeBreaker(cluster: ClusterName, group: string, by: string, why: string): Promise<void>;
  /** Set once somebody has lifted this cluster's ramp, and until it is put back. */
  rampLifted(cluster: ClusterName): Promise<Lift | undefined>;
  /** As with `stop`; the audit row's subject is `ramp/CLUSTER`. */
  liftRamp(cluster: ClusterName, by: string, why: string): Promise<void>;
  limitRamp(cluster: ClusterName, by: string, why: string): Promise<void>;
  /**
   * Keeps a policy as it is written, for ever; the same text again is the version that there is, with who kept it first. Leaves an audit row of
   * subject `policy-version/N`. Whether it is any good is not looked at.
   */
  keepPolicy(text: string, by: string, why: string): Promise<PolicyVersion>;
  /** Undefined: there is none. `invalid`: its row was damaged. */
  policyVersion(version: number): Promise<PolicyVersion | undefined>;
  /** Newest first; below that one where one is named. One whose row was damaged stands in its place and hides no other. */
  policyVersions(limit: number, below?: number): Promise<readonly (PolicyVersion | DamagedVersion)[]>;
  /** Who said last what decides in this cluster; undefined: nobody yet, so the configuration file does. `invalid` as above. */
  activePolicy(cluster: ClusterName): Promise<Activation | undefined>;
  /**
   * Says what decides from now on in all these clusters, or in none: `conflict` where one of them has another `rev` than was seen (0: nobody had
   * said anything). No epoch, as with `stop`; leaves audit rows of subject `policy/CLUSTER`. Whether there is such a version is not looked at.
   */
  activatePolicy(seen: ReadonlyMap<ClusterName, number>, order: ActivationOrder): Promise<'ok' | 'conflict'>;
  /** Unanswered intents of a subject, oldest first. */
  openIntents(subject: BurstId | InstanceId): Promise<readonly Intent[]>;
  audit(subject: string): Promise<readonly AuditRow[]>;
  /**
   * Takes or renews the lease if free, expired or ours; a new holder gets a higher epoch, and so does its old one once the store was
   * found to be older. Undefined: another holds it.
   */
  lease(cluster: ClusterName, holder: string, forMs: number): Promise<Lease | undefined>;
  releaseLease(cluster: ClusterName, holder: string): Promise<void>;
  /**
   * The newest epoch: for a commit of what a person said, through whichever gateway. A newer one may be given at any moment, and then that
   * commit is `stale` and asked anew.
   */
  newestEpoch(cluster: ClusterName): Promise<number>;
  /**
   * Part of launch tokens, pod names and start grants. Made with the database, and made anew when the store turns out to be older
   * than what was done with it (restored, failed over), so that no name ever comes twice. At that moment every lease ends, and no
   * epoch that was ever given comes again. So whoever is given an epoch it did not have reads `generation` and `recovering` anew.
   */
  generation(): Promise<Uuid>;
  /** Set while the store is older than the world and this cluster's part of the world has not been listed and adopted since. */
  recovering(cluster: ClusterName): Promise<Recovery | undefined>;
  /** It has been. Ends the recovery that `recovering` last told this process of; one that began since goes on. */
  recovered(cluster: ClusterName): Promise<void>;
  /** The database's clock, which timers between processes use. */
  now(): Promise<Instant>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** An audit row with whom it concerns, where that is a burst: what an event stream tells. */
export interface AuditEvent extends AuditRow {
  readonly cluster: ClusterName | undefined;
  readonly user: string | undefined;
  /** Of a burst; an order to Slurm is between its user and who gave it. */
  readonly account: string | undefined;
  readonly job: JobRef | undefined;
  readonly mark: Mark;
}

/** What was held for a burst, or an instance, and what it cost in the end. */
export interface LedgerRow {
  readonly burst: BurstId | OverheadId;
  readonly cluster: ClusterName;
  readonly account: string;
  readonly user: string | undefined;
  /** Of its burst or instance; undefined: that is kept no more. */
  readonly group: string | undefined;
  readonly microUsd: MicroUsd;
  readonly state: 'held' | 'settled';
  readonly at: Instant;
}

/** What became of a key that a caller gave an order, so that a repeat is not a second order. */
export type Once =
  /** Nobody used it: ours to `finish` or `forget`. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'running' }
  /** It was used for something else. */
  | { readonly kind: 'other' }
  | { readonly kind: 'done'; readonly answer: unknown };

/** What people and portals ask of the store beside `StorePort`, which is the engine's: tokens, keys, and lists by page. Newest first. */
export interface DeskPort {
  receipts(filter: ReceiptFilter, page: Page): Promise<Paged<Receipt>>;
  receipt(id: Uuid): Promise<Receipt | undefined>;
  receiptCounts(filter: ReceiptFilter): Promise<ReceiptCounts>;
  bursts(filter: BurstFilter, page: Page): Promise<Paged<Burst>>;
  instances(filter: InstanceFilter, page: Page): Promise<Paged<Instance>>;
  ledger(filter: LedgerFilter, page: Page): Promise<Paged<LedgerRow>>;
  auditRows(filter: AuditFilter, page: Page): Promise<Paged<AuditEvent>>;
  /**
   * Audit rows behind `after`, oldest first, in an order that no later commit can get in front of: whoever goes on from the last mark
   * misses none, also through another gateway. Without `after` none, and `next` is where the newest is.
   */
  events(
    after: Mark | undefined,
    limit: number,
  ): Promise<{ readonly rows: readonly AuditEvent[]; readonly next: Mark }>;
  /** Leaves an audit row, as `revokeToken` does. `already_exists`: that id is taken. */
  makeToken(token: Omit<ApiToken, 'at' | 'state' | 'rev'>): Promise<ApiToken>;
  /** Undefined: there is none. One that is over already stays as it is. */
  revokeToken(id: string, by: string, why: string): Promise<ApiToken | undefined>;
  /** Without those that login hosts lent and that are over. */
  tokens(): Promise<readonly (ApiToken & { readonly usedAt: Instant | undefined })[]>;
  token(id: string): Promise<(ApiToken & { readonly usedAt: Instant | undefined }) | undefined>;
  /** To the hour, and outside of the audit. */
  tokenUsed(id: string): Promise<void>;
  /**
   * Before an effect outside of the store; leaves an audit row of subject `order/UUID`, as `endOrder` does. Undefined: it is begun now, as also
   * where it failed before. Else it was begun before and may have been done: it is not done again.
   */
  askOrder(asked: OrderAsked): Promise<Order | undefined>;
  /** What became of it. Nothing where that is known already. */
  endOrder(id: string, outcome: Outcome): Promise<void>;
  /** `what` is a hash of the order. One that is running for longer than `forMs` was left by a process that ended, and begins anew. */
  once(caller: string, key: string, what: string, forMs: number): Promise<Once>;
  finish(caller: string, key: string, answer: unknown, forMs: number): Promise<void>;
  /** Nothing was done. */
  forget(caller: string, key: string): Promise<void>;
  /** Of the store, as `StorePort.generation`: marks of events mean something within one. */
  generation(): Promise<Uuid>;
  now(): Promise<Instant>;
  close(): Promise<void>;
}

/** The site's identity provider, or Slurm. */
export interface IdentityPort {
  /**
   * Whom a bearer token names. Faults: `refused` (it is not good; the message says why and repeats nothing of it), `unreachable` (the
   * provider's keys could not be had, so nothing is known of the token).
   */
  who(token: string): Promise<Caller>;
}

/** How old, by the store's clock, what is over must be to be taken away. */
export interface Retention {
  /** Ended bursts, gone instances and API tokens that are over, with their audit rows and intents. */
  readonly auditMs: number;
  readonly receiptsMs: number;
}

/** The anchors over all hash chains of the store [domain/anchor.ts]; a port of its own, since no step needs them. */
export interface AnchorPort {
  /** Takes in the heads that moved since the last anchor. Undefined: none did, or another process is at it. `more`: ask again at once. */
  anchor(): Promise<{ readonly anchor: Anchor; readonly more: boolean } | undefined>;
  /** Those after `seq`, oldest first. */
  after(seq: number, limit: number): Promise<readonly Anchor[]>;
  /** Whether the store made this anchor, or has already recovered from not knowing it. */
  knows(anchor: Anchor): Promise<boolean>;
  /**
   * The store is older than `witness`, an anchor of its own that it does not know: it begins to recover, and goes on with an anchor
   * above that one. Several that find the same are one.
   */
  olderThan(witness: Anchor): Promise<void>;
  /** Takes away some of what is old and over, behind anchors. True: there is more, ask again. */
  prune(retention: Retention): Promise<boolean>;
  close(): Promise<void>;
}

/** What was bought and who was on it; a port of its own, since no step needs it. */
export interface CostsPort {
  /** Of every instance that was launched and had not ended before `since`, as of one moment. */
  facts(cluster: ClusterName, since: Instant): Promise<CostFacts>;
}

/** What the cloud charged. */
export interface BillPort {
  /** Several files are one bill. Fault `invalid`: a file is none, or broken; the message says where and what to do. */
  read(files: readonly string[]): Promise<Bill>;
}

/** What waits to be told to the site's own addresses; a port of its own, since no step needs it. Times are the store's. */
export interface OutboxPort {
  /** Up to where the events of this hook were put into the outbox. One that is new begins at `begin`, in this generation. */
  place(hook: string, begin: Mark): Promise<HookPlace>;
  /**
   * On to `to`, with what is to be sent, in one transaction. False: the place is not `from` any more, another gateway was first. An event
   * that is there already is not put in again.
   */
  advance(
    hook: string,
    from: HookPlace,
    to: HookPlace,
    news: readonly { readonly event: string; readonly body: string }[],
  ): Promise<boolean>;
  /** How many wait, counted no further than `most`. */
  waiting(hook: string, most: number): Promise<number>;
  /** The oldest that are due, nobody else's for `forMs`: whoever dies with them leaves them to be claimed again. */
  claim(hook: string, limit: number, forMs: number): Promise<readonly Delivery[]>;
  delivered(id: Uuid): Promise<void>;
  /** Tried again after `againMs`; undefined: given up. */
  failed(id: Uuid, why: string, againMs: number | undefined): Promise<void>;
  /** Of each hook that has any. */
  counts(): Promise<readonly HookCounts[]>;
  dead(hook: string | undefined, page: Page): Promise<Paged<DeadDelivery>>;
  /**
   * Sent anew from its first try on, in one transaction with the order's audit row; what becomes of it ends the order. False: there is no such dead
   * delivery, and nothing was asked.
   */
  again(id: Uuid, asked: OrderAsked): Promise<boolean>;
  close(): Promise<void>;
}

export interface HookPlace {
  /** Of the store: marks mean something within one. */
  readonly generation: Uuid;
  readonly mark: Mark;
}

export interface HookCounts {
  readonly hook: string;
  readonly waiting: number;
  readonly dead: number;
  /** When the oldest that waits was put in. */
  readonly oldestAt: Instant | undefined;
  /** Why the last try failed, of those that wait. */
  readonly why: string | undefined;
}

/** One of the site's own addresses. */
export interface HookPort {
  /**
   * `event` tells a repeat. Answers what the receiver said: taken (2xx), or not, with how long it asks to be left alone. Faults: `refused` (its
   * address is not one that may be called), `unreachable`, `unknown` (no answer came in time: it may have it).
   */
  send(event: string, body: string, at: Instant): Promise<HookAnswer>;
}

export type HookAnswer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly why: string; readonly retryAfterMs: number | undefined };

/** Where anchors are kept outside of the store, one after another. */
export interface WitnessPort {
  /** Undefined: none was kept yet. */
  last(): Promise<Anchor | undefined>;
  /** Resolves once they are on the disk. Those that are kept already may come again. */
  append(anchors: readonly Anchor[]): Promise<void>;
}

export type WakeId = BurstId | InstanceId;

/** Carries only "look at this". Losing it costs delay, never a job: a sweep wakes every unfinished one. */
export interface WakePort {
  /** At least once, soon or after `afterMs`; wakes of one id that wait already may be merged. */
  wake(id: WakeId, afterMs?: number): Promise<void>;
  /** Runs the handler, never twice at once for the same id in this process; a throw is logged and leads to a later wake. */
  start(handler: (id: WakeId) => Promise<void>): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export type { Grant };
