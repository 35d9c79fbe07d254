import { priceOf } from '../decide/price.ts';
import type { Burst } from '../domain/burst.ts';
import type { Instant } from '../domain/ids.ts';
import type { Job, JobDetail } from '../domain/job.ts';
import { inWords, priceInWords, type Quote } from '../domain/quote.ts';
import { nodesOf } from '../domain/ranks.ts';
import { plus } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import { ownersWord } from './claim.ts';
import { absentMs, after, type BurstContext, change, type Next, now, troubled, withdraw } from './context.ts';
import { isHeld, look } from './look.ts';

const usualQuoteMs = 60 * 60_000;
/** A quote's end is not missed by more, and the queue is looked at oftener. */
const againMs = 60_000;

export const quoteUntil = (at: Instant, quoteMs = usualQuoteMs): Instant => (at + quoteMs) as Instant;

/** Mode approve: waits for a person's word, for a while. Meanwhile the job is its owner's and Slurm's, as ever. */
export async function quoted(ctx: BurstContext, burst: Burst): Promise<Next> {
  const { quote, answer } = burst;
  if (quote === undefined) return offer(ctx, burst);
  const line = ctx.line?.(burst);
  const moved = line === undefined ? ctx.hint(burst) === 'ABSENT' : line.state !== 'PENDING';
  const word = line === undefined ? undefined : changed(quote, line);
  if (word !== undefined) return withdraw(ctx, burst, { kind: 'owner_changed', text: word });
  // A yes is acted on only for the job as it is in this moment.
  if (answer !== undefined || moved) {
    const gone = await unlessPending(ctx, burst, quote);
    if (gone !== undefined) return gone;
  }
  if (answer !== undefined) {
    await change(ctx, burst, { state: 'approved', trouble: undefined }, inWords(answer));
    return now;
  }
  const left = quote.until - ctx.clock.now();
  if (left > 0) return after(Math.min(left, againMs));
  return withdraw(ctx, burst, {
    kind: 'expired',
    text: `nobody approved it ${priceInWords(quote)} until ${new Date(quote.until).toISOString()}`,
  });
}

/** It was proposed under another mode: it is offered now. */
async function offer(ctx: BurstContext, burst: Burst): Promise<Next> {
  const { job, next } = await pending(ctx, burst);
  if (job === undefined) return next;
  const offered = ctx.offered(burst.group);
  if (offered === undefined) return after(5_000);
  const needs = plus(burst.needs, keeperNeeds);
  const cost = priceOf(
    needs,
    burst.saved.timeLimitMs,
    offered,
    ctx.limitMarginMs,
    nodesOf(burst),
    burst.data?.egress?.held,
  );
  const quote = quoteOf(
    job,
    'decided before mode was approve',
    cost.kind === 'known' ? cost.price.held : undefined,
    quoteUntil(ctx.clock.now(), ctx.quoteMs),
  );
  await change(ctx, burst, { quote }, `offered ${priceInWords(quote)}: mode is approve now`);
  return now;
}

export function quoteOf(job: JobDetail, why: string, microUsd: number | undefined, until: Instant): Quote {
  return { until, microUsd, why, cpus: job.cpus, timeLimitMs: limitOf(job) };
}

async function unlessPending(ctx: BurstContext, burst: Burst, quote: Quote): Promise<Next | undefined> {
  const { job, next } = await pending(ctx, burst);
  if (job === undefined) return next;
  const text = changed(quote, job) ?? ownersWord(ctx, burst, job);
  return text === undefined ? undefined : withdraw(ctx, burst, { kind: 'owner_changed', text });
}

/** The job, while it is still this run's and pending; else what follows from where it is. */
async function pending(
  ctx: BurstContext,
  burst: Burst,
): Promise<
  { readonly job: JobDetail; readonly next?: never } | { readonly job?: never; readonly next: Next }
> {
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'pending':
      return { job: sight.job };
    case 'running':
    case 'ending': {
      const text = `started in ${sight.job.partition} on ${sight.job.nodeList} before it was approved`;
      return { next: await withdraw(ctx, burst, { kind: 'started_onprem', text }) };
    }
    case 'ended':
      return { next: await withdraw(ctx, burst, { kind: 'job_ended', text: `the job is ${sight.state}` }) };
    case 'requeued':
      return { next: await withdraw(ctx, burst, { kind: 'requeued', text: 'the job was requeued' }) };
    case 'absent': {
      const text = 'neither slurmctld nor slurmdbd know the job; looking again';
      const since = burst.trouble?.text === text ? burst.trouble.since : ctx.clock.now();
      if (ctx.clock.now() - since >= absentMs)
        return { next: await withdraw(ctx, burst, { kind: 'job_ended', text: 'Slurm knows it no more' }) };
      await troubled(ctx, burst, text);
      return { next: after(10_000) };
    }
  }
}

/** What changed since the quote that its price or its wish to burst depends on. */
function changed(quote: Quote, job: Job): string | undefined {
  if (job.state !== 'PENDING') return undefined;
  const limit = limitOf(job);
  if (job.cpus !== quote.cpus) return `it asks for ${job.cpus} CPUs now; the quote was for ${quote.cpus}`;
  if (limit !== quote.timeLimitMs)
    return `its time limit is ${minutes(limit)} now; the quote was for ${minutes(quote.timeLimitMs)}`;
  if (isHeld(job)) return `the job is held (${job.reason})`;
  return undefined;
}

const limitOf = ({ timeLimitMs }: Pick<Job, 'timeLimitMs'>): number | 'unlimited' =>
  timeLimitMs === 'partition' ? 'unlimited' : timeLimitMs;

const minutes = (ms: number | 'unlimited'): string =>
  ms === 'unlimited' ? 'the partition’s' : `${Math.round(ms / 60_000)} min`;
