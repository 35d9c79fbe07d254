import { spentBy } from '../decide/price.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import type { StagingRates } from '../decide/staging.ts';
import { type Burst, type BurstState, type Cause, mayGo, terminalStates } from '../domain/burst.ts';
import type { Receipt, RuleVerdict, Verdict } from '../domain/decision.ts';
import { PortError } from '../domain/fault.ts';
import { type Instant, instant, type Uuid } from '../domain/ids.ts';
import type { SpotPool, SpotPrice } from '../domain/instance.ts';
import type { ClusterFacts, Job } from '../domain/job.ts';
import type { NodeView } from '../domain/kube.ts';
import { type Budget, dollars } from '../domain/money.ts';
import { after, type Next, never, now } from '../domain/next.ts';
import type { ClusterSetup, NodeGroup, Translation } from '../domain/policy.ts';
import { ranksOf } from '../domain/ranks.ts';
import type {
  Clock,
  Entropy,
  Intent,
  KubernetesPort,
  ObjectsPort,
  RegistryPort,
  SignatureDemand,
  SlurmPort,
  StorePort,
  WakeId,
  Write,
} from '../ports.ts';
import type { Streams } from '../stream/streams.ts';
import type { Images, Scheduling, StagingLimits } from '../translate/index.ts';

export { after, type Next, never, now } from '../domain/next.ts';

/** How every pod of this site is made. */
export interface PodSettings {
  readonly images: Images;
  readonly agentImage: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Undefined: no registry is asked what a tag stands for. `required`: what cannot be pinned goes home. */
  readonly pin?: { readonly registry: RegistryPort; readonly required: boolean } | undefined;
  /** Undefined: nothing is asked for signatures. */
  readonly signatures?: SignatureSettings | undefined;
  readonly mounts: readonly { readonly path: string; readonly claim: string }[];
  /** Undefined: no data are carried through a store. */
  readonly staging?: StagingLimits | undefined;
  /** What carrying is reckoned with until the site has transfers of its own; undefined: the usual. */
  readonly stagingRates?: StagingRates | undefined;
  readonly keeperPort: number;
  /** Undefined: the cluster's default scheduler, and nothing to tell it. */
  readonly scheduling?: Scheduling | undefined;
}

export interface SignatureSettings {
  readonly registry: RegistryPort;
  /** By the path that `images.signatures` names each by. */
  readonly keys: ReadonlyMap<string, SignatureDemand['keys'][number]>;
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  readonly [field: string]: unknown;
}

/** Another node group for a burst whose own has nothing left. */
export interface Elsewhere {
  readonly group: string;
  /** What is held stays held; what a machine costs is that group's. */
  readonly price: Burst['price'];
  readonly why: string;
}

export interface BurstContext {
  readonly setup: ClusterSetup;
  readonly slurm: SlurmPort;
  readonly kubernetes: KubernetesPort;
  readonly store: StorePort;
  readonly streams: Streams;
  /** Through which data are carried; undefined: the site has none. */
  readonly objects?: ObjectsPort | undefined;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly pods: PodSettings;
  readonly generation: Uuid;
  /** Of this cluster's lease when the step began; the store refuses what is older than the newest. */
  epoch(): number;
  facts(): Promise<ClusterFacts>;
  group(name: string): NodeGroup | undefined;
  /** With its types, once the cloud has told them. */
  offered(name: string): OfferedGroup | undefined;
  readonly budgets: readonly Budget[];
  /** Why no money may be spent for this burst's owner, if so [decide/funding.ts]. */
  unfunded?(burst: Burst): string | undefined;
  readonly limitMarginMs?: number | undefined;
  /** The hard budget that does not hold this burst any more, as the last turn found. */
  notHeldBy?(burst: Burst): Budget | undefined;
  /** How long a quote may be approved (mode approve); an hour if undefined. */
  readonly quoteMs?: number | undefined;
  /** The site's threshold; emulated if undefined. */
  readonly translation?: Translation | undefined;
  /** As the watch has them, or asked for where it has none yet. */
  nodes(): Promise<readonly NodeView[]>;
  /** The job's state in the newest look at the queue since the burst came to its state, or, while it waits for its machine, before that; RUNNING while nothing else was seen. */
  hint(burst: Burst): string;
  /** Its job's line in that look. */
  line?(burst: Burst): Job | undefined;
  /** What spot cost in a pool from then on; undefined: nothing is bought so. Throws what the port throws. */
  spotHistory?(pool: SpotPool, from: Instant): Promise<readonly SpotPrice[]>;
  /** What a burst on spot came to by then [spot.ts]. */
  spentOnSpot?(burst: Burst, at: Instant): Promise<Burst['spent']>;
  /** Where a burst that waits for an instance goes whose group is sold out; undefined: it stays [engine/elsewhere.ts]. */
  elsewhere?(burst: Burst): Elsewhere | undefined;
  /** Asks for a plan soon: a burst waits for an instance. */
  replan(): void;
  wake(id: WakeId): void;
  /** What a change of this burst left behind, so that the next step in a row need not ask for it; undefined: somebody else was first. */
  wrote?(burst: Burst | undefined): void;
  log(line: LogLine): void;
}

/** How long Slurm may still obey a write that was sent now. A contrary write waits for this and `settleMs` more. */
export const writeMs = 15_000;
export const settleMs = 15_000;
/** slurmctld and slurmdbd both answered, and knew no such job, for this long: before the grant it counts as ended. */
export const absentMs = 120_000;
/** A job moved to the burst partition must bring its stand-in within this time. */
export const standinMs = 120_000;

export type Patch = Partial<Omit<Burst, 'id' | 'cluster' | 'rev' | 'attempt' | 'job'>>;

/**
 * One transition or note on a burst, with whatever must be written with it. Undefined: somebody else changed it first, so
 * the step reloads. A move that the state table does not know is a bug and throws.
 */
export async function change(
  ctx: BurstContext,
  burst: Burst,
  patch: Patch,
  why: string,
  extra: readonly Write[] = [],
): Promise<Burst | undefined> {
  const to: BurstState = patch.state ?? burst.state;
  if (to !== burst.state && !mayGo(burst.state, to))
    throw new PortError('invalid', 'burst.change', `no way from ${burst.state} to ${to} (burst ${burst.id})`);
  const at = ctx.clock.now();
  const plain: Burst = { ...burst, ...patch, enteredAt: to === burst.state ? burst.enteredAt : at };
  const over = terminalStates.has(to) && burst.price !== undefined;
  const spent = over ? await ctx.spentOnSpot?.(plain, at) : undefined;
  const next = spent === undefined ? plain : { ...plain, spent };
  const told = spent === undefined ? why : `${why}; ${spentInWords(spent)}`;
  const answer = await ctx.store.commit(ctx.entropy.uuid(), burst.cluster, ctx.epoch(), [
    { kind: 'burst', burst: next, why: told },
    // Whatever way it ends, what it did not spend is free again.
    ...(over ? [{ kind: 'settle', settles: burst.id, microUsd: spentBy(next, at), at } as const] : []),
    ...extra,
  ]);
  const written = answer === 'ok' ? { ...next, rev: burst.rev + 1 } : undefined;
  ctx.wrote?.(written);
  if (written !== undefined && to !== burst.state)
    ctx.log({ level: 'info', text: told, burst: burst.id, job: burst.ref, from: burst.state, to });
  return written;
}

const spentInWords = ({ microUsd, by }: NonNullable<Burst['spent']>): string =>
  by === 'history'
    ? `as spot it came to ${dollars(microUsd)} by the price history`
    : `as spot it came to ${dollars(microUsd)} by the price that it was bought at: the history is not to be had`;

/** The intent of an outside effect, to be committed before it. */
export function intend(
  ctx: BurstContext,
  burst: Burst,
  effect: string,
  spec: Readonly<Record<string, unknown>>,
  deadline?: Instant,
): Intent {
  return {
    id: ctx.entropy.uuid(),
    subject: burst.id,
    effect,
    spec,
    epoch: ctx.epoch(),
    at: ctx.clock.now(),
    deadline,
  };
}

export function answered(ctx: BurstContext, intent: Intent, answer: string): Write {
  return { kind: 'answered', intent: intent.id, answer, at: ctx.clock.now() };
}

/** Leaves the straight way before anything of the user's ran. */
export async function leave(
  ctx: BurstContext,
  burst: Burst,
  cause: Cause,
  noted: Pick<Burst, 'reclaimedAt' | 'futile'> = {},
): Promise<Next> {
  await change(ctx, burst, { ...noted, state: 'returning', cause }, cause.text);
  return now;
}

/** What was only proposed is over: nothing was held or done for it. */
export async function withdraw(ctx: BurstContext, burst: Burst, cause: Cause): Promise<Next> {
  const receipt = outcome(ctx, { ...burst, cause }, 'wait', cause.text);
  const patch = { state: 'withdrawn', cause, trouble: undefined } as const;
  const written = await change(ctx, burst, patch, cause.text, [{ kind: 'receipt', receipt }]);
  return written === undefined ? now : never;
}

/** The burst is over: its instances may serve others, or begin to be idle. */
export function freed(ctx: BurstContext, burst: Burst): void {
  for (const { instance } of ranksOf(burst)) if (instance !== undefined) ctx.wake(instance);
  ctx.replan();
}

/** Neither daemon knows a job of which nothing has run: looked at again for a while, since slurmdbd lags. */
export async function leaveAbsent(ctx: BurstContext, burst: Burst): Promise<Next> {
  const text = 'neither slurmctld nor slurmdbd know the job';
  await troubled(ctx, burst, `${text}; looking again`);
  const since = burst.trouble?.text.startsWith(text) === true ? burst.trouble.since : ctx.clock.now();
  if (ctx.clock.now() - since < absentMs) return after(10_000);
  const cause: Cause = { kind: 'job_ended', text: `${text} any more` };
  await change(ctx, burst, { state: 'returning', cause }, cause.text);
  return now;
}

/** Says what the gateway is waiting for; cleared by the next step that sees well again. */
export async function troubled(ctx: BurstContext, burst: Burst, text: string): Promise<void> {
  if (burst.trouble?.text === text) return;
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  await change(ctx, burst, { trouble: { since: burst.trouble?.since ?? ctx.clock.now(), text } }, text);
}

/** The receipt that says what became of a burst. */
export function outcome(ctx: BurstContext, burst: Burst, verdict: Verdict, text: string): Receipt {
  const rule = burst.cause?.kind ?? 'settled';
  return {
    id: ctx.entropy.uuid(),
    cluster: burst.cluster,
    job: burst.job,
    attempt: burst.attempt,
    ref: burst.ref,
    user: burst.user,
    account: burst.account,
    burst: burst.id,
    at: ctx.clock.now(),
    snapshotAt: undefined,
    kind: 'outcome',
    decision: {
      verdict,
      because: [
        { rule, pass: verdict === 'burst', measured: burst.cause?.text ?? text, limit: '' },
        ...imageRule(burst.image),
      ],
      group: burst.group,
    },
    text,
  };
}

function imageRule(image: Burst['image']): RuleVerdict[] {
  if (image === undefined) return [];
  const { name, from, id, pinned, unpinned, signedBy } = image;
  const measured = id ?? pinned;
  if (measured === undefined) return [];
  const pin =
    pinned !== undefined
      ? `, pinned to ${pinned}`
      : unpinned !== undefined
        ? `, not pinned: ${unpinned}`
        : '';
  const signed = signedBy === undefined ? '' : `, signed by ${signedBy}`;
  return [{ rule: 'image', pass: true, measured, limit: `${name}, by ${from}${pin}${signed}` }];
}

export const later = (at: Instant, ms: number): Instant => instant(at + ms);
