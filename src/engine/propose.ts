import { savedOf } from '../burst/claim.ts';
import { inWords } from '../decide/decide.ts';
import { describe, fittingTypes } from '../decide/group.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import { type Burst, notBegun } from '../domain/burst.ts';
import type { BurstData } from '../domain/data.ts';
import type { Decision, Receipt, RuleVerdict } from '../domain/decision.ts';
import { disk } from '../domain/devices.ts';
import type { Told } from '../domain/gres.ts';
import {
  attemptKey,
  type BurstId,
  burstId,
  type Instant,
  type JobKey,
  jobKey,
  type Uuid,
} from '../domain/ids.ts';
import type { Job, JobDetail, Snapshot } from '../domain/job.ts';
import type { Tenant } from '../domain/kube.ts';
import type { ClusterSetup, Translation } from '../domain/policy.ts';
import { othersOf } from '../domain/ranks.ts';
import { plus } from '../domain/resources.ts';
import {
  type Asks,
  asksOf,
  failing,
  gib,
  type ImageChoice,
  isThere,
  keeperNeeds,
  type Marked,
  type MarkedLine,
  markInWords,
  marksOf,
  needsOf,
  placesOf,
  type Staging,
} from '../translate/index.ts';

/** What is known of a job that nobody has submitted; Slurm shows nothing of it. */
export interface Unsubmitted {
  readonly marks: readonly Marked[];
  readonly knowsWorkDir: boolean;
}

/** The decision on a line of the queue, looked at again with the job in full: identity and exact size. `unasked`: there is no Kubernetes to ask. */
export function examine(
  decision: Decision,
  job: JobDetail,
  tenant: Tenant | 'unasked' | undefined,
  offered: OfferedGroup | undefined,
  snapshot: Snapshot,
  mounts: readonly Mounted[],
  translation: Translation = 'emulated',
  image?: ImageSought,
  unsubmitted?: Unsubmitted,
): { readonly decision: Decision; readonly needs: Burst['needs'] | undefined } {
  const because: RuleVerdict[] = [];
  if (tenant !== 'unasked') because.push(tenantOf(job, tenant, mounts));
  if (unsubmitted?.knowsWorkDir !== false) because.push(directory(job.workDir, mounts));
  const marks = unsubmitted === undefined ? marksIn(job, image) : unsubmitted.marks;
  because.push(translated(marks, translation));
  if (image !== undefined)
    because.push({
      rule: 'image',
      pass: image.kind === 'image',
      measured: image.kind === 'image' ? `${image.image}, by ${image.from}` : image.why,
      limit: 'an image that its account may use (images)',
    });
  if (image?.kind === 'image' && image.data !== undefined) because.push(dataThere(image.data));
  const shape = shapeOf(job, snapshot);
  const whole = job.exclusive || job.memory.mib === 0;
  because.push({
    rule: 'shape',
    pass: !whole || shape !== undefined,
    measured:
      shape === undefined
        ? 'no node of its partition was seen'
        : `nodes of ${shape.cpus} CPUs, ${shape.memoryMib} MiB`,
    limit: 'known, for a job that asks for a whole node',
  });
  const pages = image?.kind === 'image' ? image.hugepages : undefined;
  const nodes = Math.max(1, job.minNodes);
  because.push(asked(offered === undefined ? undefined : asksOf(job, nodes, offered.group, pages)));
  const needs = offered === undefined ? undefined : needsFor(job, offered, snapshot, image);
  const fit =
    offered === undefined || needs === undefined ? [] : fittingTypes(offered, plus(needs, keeperNeeds));
  because.push({
    rule: 'memory',
    pass: fit.length > 0,
    measured:
      needs === undefined
        ? 'no group'
        : `${describe(needs)}${nodes > 1 ? ` for each of ${nodes} nodes` : ''}`,
    limit: `fits a type of node group ${offered?.group.name ?? '(none)'}${
      needs?.extended[disk] !== undefined && offered?.group.diskBytes === undefined
        ? ', which has no nodeGroups[].disk for --tmp'
        : ''
    }`,
  });
  const all = [...decision.because, ...because];
  if (because.every((r) => r.pass)) return { decision: { ...decision, because: all }, needs };
  // What could not be seen may be seen at the next look.
  const unseen = because.some(
    (r) =>
      !r.pass &&
      (r.rule === 'shape' ||
        (r.rule === 'translation' && !marks) ||
        (r.rule === 'image' && image?.kind === 'unknown')),
  );
  const verdict = unseen && decision.verdict !== 'never' ? 'wait' : 'never';
  return { decision: { verdict, because: all, group: undefined }, needs: undefined };
}

function tenantOf(job: JobDetail, tenant: Tenant | undefined, mounts: readonly Mounted[]): RuleVerdict {
  const missing =
    tenant === undefined ? [] : mounts.map((m) => m.claim).filter((c) => !tenant.claims.includes(c));
  return {
    rule: 'tenant',
    pass:
      tenant !== undefined && missing.length === 0 && tenant.uid === job.uid && tenant.gids.includes(job.gid),
    measured:
      tenant === undefined
        ? `no namespace for uid ${job.uid}`
        : missing.length > 0
          ? `namespace ${tenant.namespace} has no claim ${missing.join(', ')}`
          : `namespace ${tenant.namespace}, gid ${job.gid}`,
    limit: "the user's namespace, set up by an admin, with the user's groups and claims",
  };
}

function directory(workDir: string, mounts: readonly Mounted[]): RuleVerdict {
  return {
    rule: 'directory',
    pass: isThere(workDir, mounts),
    measured: workDir,
    limit: `under ${placesOf(mounts).join(', ')}: it must be the same place in the pod`,
  };
}

/** What Slurm's record shows, and what it does not show and the script says. Undefined: the record could not be read in full. */
function marksIn(
  job: JobDetail,
  image: ImageSought | undefined,
): readonly (Marked | MarkedLine)[] | undefined {
  const shown = marksOf(job);
  if (shown === undefined || image === undefined || image.kind === 'unknown') return shown;
  return [...shown, ...(image.unseen ?? [])];
}

interface Mounted {
  readonly path: string;
  readonly claim: string;
}

/** Of one of its nodes there, without the keeper. Undefined: the group has not all that it asks for. */
export function needsFor(
  job: JobDetail,
  { group }: OfferedGroup,
  snapshot: Snapshot,
  image?: ImageSought,
): Burst['needs'] | undefined {
  const nodes = Math.max(1, job.minNodes);
  const asks = asksOf(job, nodes, group, image?.kind === 'image' ? image.hugepages : undefined);
  if (asks.kind !== 'told') return undefined;
  const node = shapeOf(job, snapshot) ?? { cpus: 1, memoryMib: 1024 };
  return needsOf({ job, nodes, node, vcpuPerCpu: group.vcpuPerCpu, ...asks.value });
}

/** Of what Slurm's record says nothing. */
interface Unseen {
  readonly unseen?: readonly MarkedLine[];
}

/** `unknown`: the job's script, which may name one, could not be read. `data` and `hugepages`: what it says of these, if it says anything. */
export type ImageSought =
  | (Extract<ImageChoice, { kind: 'none' }> & Unseen)
  | (Unseen &
      Extract<ImageChoice, { kind: 'image' }> & {
        readonly data?: Staging | undefined;
        readonly hugepages?: Readonly<Record<string, number>>;
        /** What it wants to be told its end by. */
        readonly signal?: number | undefined;
      })
  | { readonly kind: 'unknown'; readonly why: string };

function asked(asks: Told<Asks> | undefined): RuleVerdict {
  const rule = 'devices';
  const limit = 'what its node group has (nodeGroups[].devices)';
  if (asks === undefined) return { rule, pass: false, measured: 'no group', limit };
  if (asks.kind === 'untold') return { rule, pass: false, measured: asks.why, limit };
  const told = Object.entries(asks.value.extended).map(([name, n]) => `${n} ${name}`);
  return { rule, pass: true, measured: told.length === 0 ? 'none' : told.join(', '), limit };
}

function dataThere({ seen, carried, against }: Staging): RuleVerdict {
  const there = seen.map(({ path }) => path).join(', ');
  const told = [
    ...(seen.length === 0 ? [] : [`${there}: under mounts, nothing is carried`]),
    ...carried.map(
      ({ way, path, bytes, reckonedBytes }) =>
        `stage-${way} ${path}: carried, ${gib(reckonedBytes)} ${bytes === undefined ? 'assumed' : 'as written'}`,
    ),
  ];
  return {
    rule: 'staging',
    pass: against === undefined,
    measured: against ?? told.join('; '),
    limit:
      'all that #SPILLWAY stage-in and stage-out name is under a mount of the pod, or may be carried (staging)',
  };
}

/** As many as a receipt tells of; one is enough to keep the job. */
const mostTold = 10;

/** Nothing that a job asks for is dropped: what is below the site's threshold keeps it at home. */
function translated(
  marks: readonly (Marked | MarkedLine)[] | undefined,
  translation: Translation,
): RuleVerdict {
  const rule = 'translation';
  const limit =
    translation === 'exact'
      ? 'every option is exact'
      : 'every option is exact or emulated (docs/directives.md)';
  if (marks === undefined)
    return { rule, pass: false, measured: 'its record could not be read in full', limit };
  const below = failing(marks, translation);
  const say = (m: Marked | MarkedLine): string => {
    const where = 'line' in m && m.line > 0 ? ` (line ${m.line} of its script)` : '';
    const instead = m.instead === undefined ? '' : `; ${m.instead}`;
    return `${markInWords(m)}${where} is ${m.mark}: ${m.why}${instead}`;
  };
  const list = (all: readonly string[], by: string): string =>
    [...all.slice(0, mostTold), ...(all.length > mostTold ? [`and ${all.length - mostTold} more`] : [])].join(
      by,
    );
  const told = marks.filter((m) => m.mark !== 'exact').map((m) => `${markInWords(m)} ${m.mark}`);
  const measured =
    below.length > 0 ? list(below.map(say), '; ') : told.length > 0 ? list(told, ', ') : 'exact';
  return { rule, pass: below.length === 0, measured, limit };
}

/** The on-prem node that the job would have had: an exclusive job and `--mem=0` mean all of one. */
export function shapeOf(
  job: Pick<Job, 'partition'>,
  snapshot: Snapshot,
): { cpus: number; memoryMib: number } | undefined {
  const names = job.partition.split(',');
  const nodes = snapshot.nodes.filter((n) => n.partitions.some((p) => names.includes(p)));
  if (nodes.length === 0) return undefined;
  return {
    cpus: Math.min(...nodes.map((n) => n.cpus)),
    memoryMib: Math.min(...nodes.map((n) => n.memoryMib)),
  };
}

export function receiptOf(
  id: Uuid,
  setup: ClusterSetup,
  job: Job,
  key: JobKey,
  decision: Decision,
  snapshotAt: Instant | undefined,
  at: Instant,
  burst: BurstId | undefined,
): Receipt {
  return {
    id,
    cluster: setup.name,
    job: key,
    attempt: attemptKey(key, job.restarts),
    ref: job.ref,
    user: job.user,
    account: job.account,
    burst,
    at,
    snapshotAt,
    kind: 'decision',
    decision,
    text: inWords(decision),
  };
}

export interface NewBurst {
  readonly id: Uuid;
  readonly setup: ClusterSetup;
  readonly job: JobDetail;
  readonly origin: Burst['origin'];
  readonly group: string;
  readonly needs: Burst['needs'];
  readonly receipt: Uuid | undefined;
  readonly at: Instant;
  /** The burst before this one of the same job: for a requeued attempt, or an adopted one. */
  readonly before: Burst | undefined;
  readonly image?: Burst['image'];
  /** What is to be carried for it. */
  readonly data?: BurstData | undefined;
  readonly capacityType?: Burst['capacityType'];
  readonly reclaims?: number;
  readonly signal?: number | undefined;
  /** Mode approve. */
  readonly quote?: Burst['quote'];
}

export function burstOf(n: NewBurst): Burst {
  const first = n.before?.firstSubmitAt ?? n.job.submitAt;
  // The next run has the same; which digest a tag stands for by then, its own pod tells.
  const { name, from } = n.image ?? n.before?.image ?? {};
  const image = name === undefined || from === undefined ? undefined : { name, from };
  const signal = n.signal ?? n.before?.signal;
  const key = n.before?.job ?? jobKey(n.setup.name, n.job.ref, first);
  const before = n.before?.data;
  const data = n.data ?? (before && { paths: before.paths, egress: before.egress });
  // What the claim pins it to, and has pinned the run before to.
  const others = othersOf(n.job.minNodes);
  return {
    id: burstId(n.id),
    cluster: n.setup.name,
    job: key,
    attempt: attemptKey(key, n.job.restarts),
    ref: n.job.ref,
    jobId: n.job.id,
    restarts: n.job.restarts,
    submitAt: n.job.submitAt,
    firstSubmitAt: first,
    name: n.job.name,
    user: n.job.user,
    uid: n.job.uid,
    gid: n.job.gid,
    account: n.job.account,
    origin: n.origin,
    receipt: n.receipt,
    state: 'proposed',
    createdAt: n.at,
    enteredAt: n.at,
    group: n.group,
    needs: n.needs,
    saved: n.before?.saved ?? savedOf(n.job),
    ...notBegun,
    ...(others === undefined ? {} : { others }),
    predecessor: n.before?.id,
    ...(image === undefined ? {} : { image }),
    ...(data === undefined ? {} : { data }),
    ...(n.quote === undefined ? {} : { quote: n.quote }),
    ...(n.capacityType === 'spot' ? { capacityType: 'spot' as const } : {}),
    ...((n.reclaims ?? 0) > 0 ? { reclaims: n.reclaims } : {}),
    ...(signal === undefined ? {} : { signal }),
  };
}
