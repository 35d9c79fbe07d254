import { firstTaskOf, ofManyTasks } from '../decide/tasks.ts';
import { type Burst, type BurstState, ungrantedStates } from '../domain/burst.ts';
import type { Decision } from '../domain/decision.ts';
import type { ClusterName, Instant, JobRef } from '../domain/ids.ts';
import type { Job, Snapshot } from '../domain/job.ts';
import type { SeenBy } from '../domain/page.ts';
import type { Notebook, Told } from './notebook.ts';

/** What a list of jobs may be asked for. */
export interface JobFilter {
  readonly cluster?: ClusterName | undefined;
  readonly user?: string | undefined;
  readonly account?: string | undefined;
  readonly seenBy?: SeenBy | undefined;
  readonly partition?: string | undefined;
  readonly state?: string | undefined;
  /** A rule that kept it here, by what was decided of it last. */
  readonly rule?: string | undefined;
  /** Of its burst under way. */
  readonly burst?: BurstState | undefined;
  /** In its number, name, user or account, whatever the case. */
  readonly q?: string | undefined;
}

/** What is known of a queue's jobs beside their lines. */
export interface Beside {
  decided(ref: JobRef): Decision | undefined;
  /** Another number: what was decided may be something else. */
  readonly turn: number;
  /** Bursts under way; an array that waits has those of its tasks. */
  bursts(ref: JobRef): readonly Burst[];
}

/** One job as the last look at the queue saw it, and what of it is in the cloud. */
export interface QueueJob {
  readonly cluster: ClusterName;
  readonly job: Job;
  readonly burst: Burst | undefined;
}

/** How old what is told of a cluster is; `at` is undefined where this gateway has not looked, as one that does not lead. */
export interface Sight {
  readonly cluster: ClusterName;
  readonly at: Instant | undefined;
  readonly partial: readonly string[];
}

interface Sorted {
  readonly all: readonly Job[];
  readonly byUser: ReadonlyMap<string, readonly Job[]>;
  /** What is searched of each of `all`, in small letters; made once somebody searches. */
  texts: readonly string[] | undefined;
  /** What was counted of this look, by the question. */
  readonly counts: Map<string, readonly JobCount[]>;
  /** By rule: what is decided changes under the same look. */
  byRule: { readonly turn: number; readonly counts: Map<string, readonly JobCount[]> };
  backlog: readonly Backlog[] | undefined;
  /** Of the whole queue, for those who see all of it. */
  starts: { readonly turn: number; readonly of: ReadonlyMap<string, Start> } | undefined;
}

/** Beyond it what was counted is counted anew. */
const countsKept = 500;

/** A look at a hundred thousand jobs is put in order once, not for each question. */
const orders = new WeakMap<Snapshot, Sorted>();

/** The newest first; tasks that wait together stand under their array's number. */
export function sortedJobs(snapshot: Snapshot): Pick<Sorted, 'all' | 'byUser'> {
  return ordered(snapshot);
}

function ordered(snapshot: Snapshot): Sorted {
  const known = orders.get(snapshot);
  if (known !== undefined) return known;
  const all = snapshot.jobs.toSorted((a, b) => b.id - a.id || (a.ref < b.ref ? -1 : 1));
  const byUser = new Map<string, Job[]>();
  for (const job of all) {
    const own = byUser.get(job.user);
    if (own === undefined) byUser.set(job.user, [job]);
    else own.push(job);
  }
  const byRule = { turn: 0, counts: new Map() };
  const sorted: Sorted = {
    ...{ all, byUser, texts: undefined, counts: new Map(), byRule },
    ...{ backlog: undefined, starts: undefined },
  };
  orders.set(snapshot, sorted);
  return sorted;
}

/** Those of a cluster that are asked for, behind `after` [id, ref], `limit` of them at most. */
export function jobsOf(
  snapshot: Snapshot,
  beside: Beside,
  filter: JobFilter,
  after: readonly [number, string] | undefined,
  limit: number,
): readonly Job[] {
  const found: Job[] = [];
  for (const job of searched(snapshot, filter)) {
    if (after !== undefined && (job.id > after[0] || (job.id === after[0] && job.ref <= after[1]))) continue;
    if (!fits(job, filter, beside)) continue;
    found.push(job);
    if (found.length >= limit) break;
  }
  return found;
}

/** The newest first: those of the user, and in which the text stands, that are asked for and may be seen. */
function* searched(snapshot: Snapshot, { user, q, seenBy }: JobFilter): Generator<Job> {
  if (seenBy === undefined) return yield* found(snapshot, user, q);
  const accounts = seenBy.accounts.get(snapshot.cluster);
  for (const job of found(snapshot, user, q))
    if (job.user === seenBy.user || accounts?.has(job.account) === true) yield job;
}

function* found(snapshot: Snapshot, user: string | undefined, q: string | undefined): Generator<Job> {
  const look = ordered(snapshot);
  const jobs = user === undefined ? look.all : (look.byUser.get(user) ?? []);
  if (q === undefined) return yield* jobs;
  if (user === undefined) look.texts ??= look.all.map(textOf);
  const texts = user === undefined ? (look.texts ?? []) : jobs.map(textOf);
  const sought = q.toLowerCase();
  for (let i = 0; i < jobs.length; i++) {
    const job = jobs[i];
    if (job !== undefined && texts[i]?.includes(sought) === true) yield job;
  }
}

const textOf = (job: Job): string => `${job.ref} ${job.name} ${job.user} ${job.account}`.toLowerCase();

function fits(job: Job, { account, partition, state, rule, burst }: JobFilter, beside: Beside): boolean {
  if (account !== undefined && job.account !== account) return false;
  if (partition !== undefined && !job.partition.split(',').includes(partition)) return false;
  if (state !== undefined && job.state !== state) return false;
  if (rule !== undefined && !rulesOf(job, beside).includes(rule)) return false;
  return burst === undefined || burstsOf(job, beside).some((b) => b.state === burst);
}

/** Its bursts under way. Of an array's tasks that wait it is one line: those that have started have lines of their own. */
export function burstsOf(job: Job, beside: Beside): readonly Burst[] {
  const bursts = beside.bursts(job.ref);
  return ofManyTasks(job) ? bursts.filter((b) => ungrantedStates.has(b.state)) : bursts;
}

/** Decisions are alike by the thousand: each is read once. */
const failed = new WeakMap<Decision, readonly string[]>();
const none: readonly string[] = [];

/** The rules that keep it here, by what was decided of it last. */
function rulesOf(job: Job, beside: Beside): readonly string[] {
  const decision = job.state === 'PENDING' ? beside.decided(firstTaskOf(job)) : undefined;
  if (decision === undefined || decision.verdict === 'burst') return none;
  const known = failed.get(decision);
  if (known !== undefined) return known;
  const made = [...new Set(decision.because.filter((r) => !r.pass).map((r) => r.rule))];
  failed.set(decision, made);
  return made;
}

/** By the line that they are of: a task's own, and that of its array. */
export function byLine(bursts: readonly Burst[]): ReadonlyMap<string, readonly Burst[]> {
  const found = new Map<string, Burst[]>();
  for (const burst of bursts) {
    const [array = '', task] = burst.ref.split('_');
    for (const line of task === undefined ? [array] : [burst.ref, array]) {
      const own = found.get(line);
      if (own === undefined) found.set(line, [burst]);
      else own.push(burst);
    }
  }
  return found;
}

/** What waits in a partition. */
export interface Backlog {
  readonly partition: string;
  readonly pending: number;
  readonly cpus: number;
  /** Since when the job that has waited longest could have run. */
  readonly oldest: Instant | undefined;
  readonly running: number;
}

/** By partition, the longest in front; a job that would take one of several counts for each of them. */
export function backlogOf(snapshot: Snapshot): readonly Backlog[] {
  const look = ordered(snapshot);
  look.backlog ??= countedBacklog(snapshot);
  return look.backlog;
}

function countedBacklog(snapshot: Snapshot): readonly Backlog[] {
  const found = new Map<string, { -readonly [K in keyof Backlog]: Backlog[K] }>();
  for (const job of snapshot.jobs)
    for (const partition of job.partition.split(',')) {
      const b = found.get(partition) ?? { partition, pending: 0, cpus: 0, oldest: undefined, running: 0 };
      found.set(partition, b);
      if (job.state === 'RUNNING') b.running += 1;
      if (job.state !== 'PENDING') continue;
      b.pending += 1;
      b.cpus += job.cpus;
      const since = job.eligibleAt;
      if (since !== undefined && since <= snapshot.at && (b.oldest === undefined || since < b.oldest))
        b.oldest = since;
    }
  return [...found.values()].sort((a, b) => b.pending - a.pending || (a.partition < b.partition ? -1 : 1));
}

/** Of which job it is told when it would start here. */
export interface Start extends Told {
  readonly job: JobRef;
}

/** By partition: of the newest job there that waits, may be seen and has a forecast, when it would start here. */
export function startsOf(
  snapshot: Snapshot,
  { forecast, turn }: Pick<Notebook, 'forecast' | 'turn'>,
  seen: Pick<JobFilter, 'user' | 'seenBy'>,
): ReadonlyMap<string, Start> {
  const look = ordered(snapshot);
  const whole = seen.user === undefined && seen.seenBy === undefined;
  if (whole && look.starts?.turn === turn) return look.starts.of;
  const found = new Map<string, Start>();
  const wanted = new Set(backlogOf(snapshot).flatMap((b) => (b.pending > 0 ? [b.partition] : [])));
  for (const job of searched(snapshot, seen)) {
    if (wanted.size === 0) break;
    if (job.state !== 'PENDING') continue;
    const told = forecast(firstTaskOf(job));
    if (told === undefined) continue;
    for (const partition of job.partition.split(','))
      if (wanted.delete(partition)) found.set(partition, { job: job.ref, ...told });
  }
  if (whole) look.starts = { turn, of: found };
  return found;
}

/** By what jobs are counted. */
export type CountBy = 'account' | 'partition' | 'rule' | 'state' | 'user';

/** Jobs that have something in common. */
export interface JobCount {
  readonly key: string;
  readonly jobs: number;
  readonly pending: number;
  readonly running: number;
  readonly cpus: number;
  /** The one that could have run for longest and waits still. */
  readonly oldest: { readonly job: Job; readonly since: Instant } | undefined;
}

/**
 * Those of a cluster that are asked for, counted. By partition a job that would take one of several counts for each of them; by rule for each that
 * keeps it here, and one that none keeps for none.
 */
export function countsOf(
  snapshot: Snapshot,
  beside: Beside,
  filter: JobFilter,
  by: CountBy,
): readonly JobCount[] {
  const { cluster, user, account, seenBy, partition, state, q, rule, burst } = filter;
  // Bursts go on under the same look at the queue.
  if (burst !== undefined) return counted(snapshot, beside, filter, by);
  const look = ordered(snapshot);
  const ofRules = by === 'rule' || rule !== undefined;
  if (ofRules && look.byRule.turn !== beside.turn) look.byRule = { turn: beside.turn, counts: new Map() };
  const { counts } = ofRules ? look.byRule : look;
  const his = seenBy && [seenBy.user, ...(seenBy.accounts.get(snapshot.cluster) ?? [])];
  const question = JSON.stringify([by, cluster, user, account, his, partition, state, q, rule]);
  const known = counts.get(question);
  if (known !== undefined) return known;
  if (counts.size >= countsKept) counts.clear();
  const made = counted(snapshot, beside, filter, by);
  counts.set(question, made);
  return made;
}

function counted(snapshot: Snapshot, beside: Beside, filter: JobFilter, by: CountBy): readonly JobCount[] {
  const found = new Map<string, { -readonly [K in keyof JobCount]: JobCount[K] }>();
  for (const job of searched(snapshot, filter)) {
    if (!fits(job, filter, beside)) continue;
    for (const key of keysOf(job, by, beside)) {
      const c = found.get(key) ?? { key, jobs: 0, pending: 0, running: 0, cpus: 0, oldest: undefined };
      found.set(key, c);
      c.jobs += 1;
      c.cpus += job.cpus;
      if (job.state === 'RUNNING') c.running += 1;
      if (job.state !== 'PENDING') continue;
      c.pending += 1;
      const since = job.eligibleAt;
      if (since !== undefined && since <= snapshot.at && (c.oldest === undefined || since < c.oldest.since))
        c.oldest = { job, since };
    }
  }
  return [...found.values()].sort((a, b) => b.jobs - a.jobs || (a.key < b.key ? -1 : 1));
}

function keysOf(job: Job, by: CountBy, beside: Beside): readonly string[] {
  if (by === 'rule') return rulesOf(job, beside);
  return by === 'partition' ? job.partition.split(',') : [job[by]];
}
