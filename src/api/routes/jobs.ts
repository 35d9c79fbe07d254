import { z } from 'zod';
import { type Caller, reads } from '../../domain/caller.ts';
import { jobRef } from '../../domain/ids.ts';
import type { Page, Paged } from '../../domain/page.ts';
import { type BurstCost, endOf, type JobFacts, type JobNamed } from '../../engine/portal.ts';
import type { CountBy, JobCount, JobFilter, QueueJob, Sight } from '../../engine/queue-view.ts';
import { listOf, nextOf } from '../list.ts';
import { type Operation, operation } from '../operation.ts';
import {
  type BurstCostView,
  burstCostView,
  costsOrder,
  countsQuery,
  type JobCountView,
  type JobFactsView,
  jobCountView,
  jobFactsView,
  jobPath,
  jobsQuery,
  paged,
  type QueueJobView,
  queueJobView,
  sightView,
} from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { iso } from '../schemas.ts';
import { factsOf } from './bursts.ts';

export function lineView({ cluster, job, burst }: QueueJob): QueueJobView {
  return {
    cluster,
    job: job.ref,
    jobId: job.id,
    ...(job.arrayTask === undefined ? {} : { arrayTask: job.arrayTask }),
    ...{ user: job.user, account: job.account, name: job.name, partition: job.partition, qos: job.qos },
    ...{ state: job.state, reason: job.reason },
    submitted: iso(job.submitAt),
    ...(job.eligibleAt === undefined ? {} : { eligible: iso(job.eligibleAt) }),
    // Of a job that waits it is what Slurm's own scheduler expects.
    ...(job.startAt === undefined || job.state === 'PENDING' ? {} : { started: iso(job.startAt) }),
    ...{ cpus: job.cpus, nodes: job.minNodes },
    ...(typeof job.timeLimitMs === 'number' ? { timeLimitMs: job.timeLimitMs } : {}),
    ...{ restarts: job.restarts, nodeList: job.nodeList },
    ...(burst === undefined ? {} : { burst: { id: burst.id, state: burst.state } }),
  };
}

/** Of the queue while it is there; else of its newest run's end, as Slurm told it. */
export function jobView(id: string, { cluster, line, bursts }: JobFacts): JobFactsView {
  const [newest] = bursts;
  const end = newest === undefined ? undefined : endOf(newest.steps);
  const reason = line?.reason ?? newest?.burst.exit?.reason ?? newest?.burst.cause?.text;
  const live = newest !== undefined && newest.burst.state !== 'settled' ? newest.burst : undefined;
  return {
    cluster,
    job: id,
    state: line?.state ?? end?.state ?? 'UNKNOWN',
    ...(line !== undefined || end === undefined ? {} : { exit: { code: end.code, signal: end.signal } }),
    ...(reason === undefined || reason === '' ? {} : { reason }),
    ...(line === undefined ? {} : { queue: lineView({ cluster, job: line, burst: live }) }),
    bursts: bursts.map(({ burst, steps }) => factsOf(burst, steps)),
  };
}

export interface JobsFacade {
  jobs(filter: JobFilter, page: Page): Promise<Paged<QueueJob>>;
  job(id: string): Promise<readonly JobFacts[]>;
  counts(
    filter: JobFilter,
    by: CountBy,
  ): Promise<readonly { readonly cluster: string; readonly counts: readonly JobCount[] }[]>;
  costs(jobs: readonly JobNamed[]): Promise<readonly BurstCost[]>;
  sights(): readonly Sight[];
}

/** Of the last look at the queue, whose age is told; Slurm itself is never asked. A user sees his own, and those of accounts that he coordinates. */
export function jobs(portal: JobsFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listJobs', method: 'get', path: '/jobs', role: 'user', query: jobsQuery },
      says: 'Jobs of the last look at the queue, the newest first; `clusters` has its age.',
      answer: paged('jobs', queueJobView).extend({ clusters: z.array(sightView) }),
      act: async ({ query: { partition, state, rule, burst, q, ...query }, caller }) => {
        const { filter, page, question } = listOf('jobs', query, caller);
        const more = { partition, state, rule, burst, q };
        const { rows, next } = await portal.jobs({ ...filter, ...more }, page(more));
        return {
          jobs: rows.map(lineView),
          clusters: portal.sights().map(sightOf),
          ...nextOf(question(more), next),
        };
      },
    }),
    operation({
      ...{ id: 'countJobs', method: 'get', path: '/jobs/counts', role: 'user', query: countsQuery },
      says: 'Jobs of the last look at the queue, counted by account, partition, rule that kept them here, state or user: the most in front, a thousand at most of each cluster.',
      answer: z.strictObject({ counts: z.array(jobCountView), clusters: z.array(sightView) }),
      act: async ({ query: { by, partition, state, rule, burst, q, ...query }, caller }) => {
        const { filter } = listOf('counts', { ...query, limit: countsAtMost }, caller);
        const counted = await portal.counts({ ...filter, partition, state, rule, burst, q }, by);
        return {
          counts: counted.flatMap(({ cluster, counts }) =>
            counts.slice(0, countsAtMost).map((c) => countView(cluster, c)),
          ),
          clusters: portal.sights().map(sightOf),
        };
      },
    }),
    operation({
      ...{ id: 'jobCosts', method: 'post', path: '/jobs/costs', role: 'user', question: true },
      says: 'Of these jobs the bursts under way, with what each would cost; of a user, those that he sees. What has none is left out.',
      order: costsOrder,
      bodyAtMost: '256kb',
      answer: z.strictObject({ costs: z.array(burstCostView) }),
      act: async ({ order: { jobs: named }, caller }) => {
        const costs = await portal.costs(named.map(({ cluster, job }) => ({ cluster, ref: jobRef(job) })));
        return { costs: costs.filter(({ burst }) => reads(caller, burst)).map(costView) };
      },
    }),
    operation({
      ...{ id: 'getJob', method: 'get', path: '/jobs/{id}', role: 'user', params: jobPath },
      says: 'One job in every cluster that knows it: its line of the queue, its bursts, how it ended.',
      answer: z.strictObject({ jobs: z.array(jobFactsView) }),
      refuses: [404],
      act: async ({ path: { id }, caller }) => {
        const found = (await portal.job(id)).flatMap((facts) => own(facts, caller));
        if (found.length === 0)
          throw new Refusal('not_found', 'Not found', {
            detail: `there is no job ${id} in the last look at the queue, and it had no burst`,
          });
        return { jobs: found.map((facts) => jobView(id, facts)) };
      },
    }),
  ];
}

const countsAtMost = 1_000;

function countView(cluster: string, { oldest, ...count }: JobCount): JobCountView {
  const first = oldest && { job: oldest.job.ref, user: oldest.job.user, since: iso(oldest.since) };
  return { cluster, ...count, ...(first === undefined ? {} : { oldest: first }) };
}

function costView({ burst, open, expected, most }: BurstCost): BurstCostView {
  const { id, cluster, ref, user, account, name, state } = burst;
  return {
    ...{ burst: id, cluster, job: ref, user, account, name, state, open },
    ...(expected === undefined ? {} : { expectedMicroUsd: expected }),
    ...(most === undefined ? {} : { maxMicroUsd: most }),
  };
}

/** Ids come again: an old burst of this number may have been somebody else's. */
function own({ line, bursts, ...facts }: JobFacts, caller: Caller): readonly JobFacts[] {
  const mine = bursts.filter(({ burst }) => reads(caller, burst));
  const kept = line !== undefined && reads(caller, { ...line, cluster: facts.cluster }) ? line : undefined;
  return kept === undefined && mine.length === 0 ? [] : [{ ...facts, line: kept, bursts: mine }];
}

export function sightOf({ cluster, at, partial }: Sight): z.output<typeof sightView> {
  return { cluster, ...(at === undefined ? {} : { at: iso(at) }), partial: [...partial] };
}
