/** `policy`: who bursts, who never does, and how much is done at a time. */
import { z } from 'zod';
import { compile, ExpressionError, longestExpression } from './expression.ts';
import { partition } from './partition.ts';
import { duration, list, oneOf, text, whole } from './units.ts';

export type Condition =
  | { readonly kind: 'backlog'; readonly pendingJobs: number; readonly forMs: number }
  | {
      readonly kind: 'race';
      readonly startsAtLeastMs: number;
      readonly laterThan: 'cloud' | undefined;
      readonly confidence: number;
    }
  | { readonly kind: 'waited'; readonly forMs: number }
  | { readonly kind: 'short'; readonly timeLimitMs: number }
  | { readonly kind: 'worth'; readonly atLeast: number }
  | { readonly kind: 'deadline'; readonly confidence: number }
  | { readonly kind: 'cel'; readonly expr: string };

/** What each kind of condition is told by, and what belongs to it. */
const conditionKeys = {
  backlog: ['pendingJobs', 'forMinutes'],
  race: ['startsAtLeast', 'laterThan', 'confidence'],
  waited: ['waitedAtLeast'],
  short: ['timeLimitAtMost'],
  worth: ['worthAtLeast'],
  deadline: ['missesDeadline'],
  cel: ['expr'],
} as const;

/** Checked here, so that what is loaded can be told. */
const expression = (doc: string) =>
  text(`${doc} CEL over job, forecast and offer.`, 'write such as job.cpus <= 4')
    .max(longestExpression, { error: `longer than ${longestExpression} characters; write several entries` })
    .superRefine((expr, ctx) => {
      try {
        compile(expr);
      } catch (e) {
        if (!(e instanceof ExpressionError)) throw e;
        ctx.addIssue({ code: 'custom', message: e.message });
      }
    });

const condition = z
  .strictObject({
    pendingJobs: whole('At least this many jobs pend for want of resources.', 1).optional(),
    forMinutes: whole('Of those only jobs count that have pended this long.', 0, 525_600).optional(),
    startsAtLeast: duration('The start race: it would not start here for so long.').optional(),
    laterThan: oneOf('And not before the cloud is ready either.', ['cloud']).optional(),
    confidence: z
      .number({ error: 'not a number; write how sure that must be, from 0.5 to 0.99, such as 0.8' })
      .min(0.5, { error: 'below 0.5 the cloud would lose the race more often than not; write 0.8' })
      .max(0.99, { error: 'above 0.99, of which no forecast is sure; write 0.8' })
      .optional()
      .describe('How sure the start race or a missed deadline must be; 0.8 if left out.'),
    waitedAtLeast: duration('It has waited for so long since it could run.').optional(),
    timeLimitAtMost: duration('Short jobs first: it asks for no more time.').optional(),
    worthAtLeast: z
      .number({ error: 'not a number; write how much it must be worth, such as 10' })
      .positive({ error: 'must be above 0; the less, the more cloud is used; write 10' })
      .optional()
      .describe(
        'What it would still wait here, for each core-hour that it needs, is at least so much; `spillway replay` tells what a number does.',
      ),
    missesDeadline: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe('It has a deadline (--deadline) that it would miss here and make in the cloud.'),
    expr: expression('What must be true.').optional(),
  })
  .transform((c, ctx): Condition => {
    const refuse = (message: string) => {
      ctx.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const given = Object.entries(conditionKeys).filter(([kind, keys]) =>
      // Two kinds take a confidence.
      keys.some(
        (k) => c[k] !== undefined && !(kind === 'race' && k === 'confidence' && c.missesDeadline === true),
      ),
    );
    if (given.length > 1)
      return refuse(
        `one condition an entry, and here are ${given.map(([, keys]) => keys[0]).join(' and ')}; put each into an entry of policy.or`,
      );
    if (c.pendingJobs !== undefined)
      return { kind: 'backlog', pendingJobs: c.pendingJobs, forMs: (c.forMinutes ?? 0) * 60_000 };
    if (c.startsAtLeast !== undefined)
      return {
        kind: 'race',
        startsAtLeastMs: c.startsAtLeast,
        laterThan: c.laterThan,
        confidence: c.confidence ?? 0.8,
      };
    if (c.waitedAtLeast !== undefined) return { kind: 'waited', forMs: c.waitedAtLeast };
    if (c.timeLimitAtMost !== undefined) return { kind: 'short', timeLimitMs: c.timeLimitAtMost };
    if (c.worthAtLeast !== undefined) return { kind: 'worth', atLeast: c.worthAtLeast };
    if (c.missesDeadline !== undefined) return { kind: 'deadline', confidence: c.confidence ?? 0.8 };
    if (c.expr !== undefined) return { kind: 'cel', expr: c.expr };
    const [kind] = given[0] ?? [];
    if (kind === 'backlog')
      return refuse('pendingJobs is missing; write how many jobs must pend, such as 10');
    if (kind === 'race')
      return refuse('startsAtLeast is missing; write how far off its start must be, such as 30m');
    return refuse(
      'empty; write pendingJobs: 10, startsAtLeast: 30m, waitedAtLeast: 24h, timeLimitAtMost: 1h, worthAtLeast: 10, missesDeadline: true or expr: job.cpus <= 4',
    );
  });

export type NeverRule =
  | { readonly kind: 'nodesAbove'; readonly nodes: number }
  | { readonly kind: 'account'; readonly account: string }
  | { readonly kind: 'partition'; readonly partition: string }
  | { readonly kind: 'cel'; readonly expr: string };

const never = z
  .strictObject({
    nodesAbove: whole('Jobs on more nodes.', 1).optional(),
    account: text('Jobs of this account.', 'write an account').optional(),
    partition: partition('Jobs of this partition.').optional(),
    expr: expression('Jobs of which it is true; where it cannot be told, they wait.').optional(),
  })
  .transform((n, ctx): NeverRule => {
    if (Object.keys(n).length === 1) {
      if (n.nodesAbove !== undefined) return { kind: 'nodesAbove', nodes: n.nodesAbove };
      if (n.account !== undefined) return { kind: 'account', account: n.account };
      if (n.partition !== undefined) return { kind: 'partition', partition: n.partition };
      if (n.expr !== undefined) return { kind: 'cel', expr: n.expr };
    }
    ctx.addIssue({
      code: 'custom',
      message:
        'one rule an entry; write - nodesAbove: 16, - account: restricted, - partition: debug or - expr: job.cpus > 64',
    });
    return z.NEVER;
  });

/** Measured: 4 to 10 s for a look at 10,000 jobs on two busy cores, ten times the default. */
const mostPlayed = 500_000;

export const policy = z
  .strictObject({
    burstWhen: condition.optional().describe('When a job of a watched partition may burst.'),
    or: list('More of them; any one is enough.', condition, 0, '[{ pendingJobs: 100 }]').default([]),
    never: list('Jobs that stay, whatever the backlog.', never, 0, '[{ nodesAbove: 16 }]').default([]),
    maxBursts: whole(
      'Most bursts of a cluster at a time; a job of several nodes counts for each.',
      1,
      100_000,
    ).default(100),
    maxTime: duration('Jobs with a longer time limit stay.').optional(),
    limitMargin: duration(
      'Money is held for so long beyond a time limit: Slurm looks at limits every 30 s, and KillWait comes after.',
    ).prefault('10m'),
    staleAfterPolls: whole(
      'Nothing is begun on a look at the queue that is older than so many times pollSeconds (10 s at least).',
      1,
      1000,
    ).default(5),
    translation: oneOf(
      'What may burst: emulated = jobs whose options mean the same in the cloud or have the same results there, exact = only the former (docs/directives.md).',
      ['exact', 'emulated'],
    ).default('emulated'),
    spot: oneOf(
      'Which jobs may go on spot (nodeGroups[].capacity.spot): requeueable = those that Slurm may run again, any = also those with --no-requeue, which fail where their instance is taken back.',
      ['requeueable', 'any'],
    ).default('requeueable'),
    backOff: duration(
      'A job that was given back, or whose quote was declined or ran out, is left alone this long; who comes back again twice as long each time, and must gain twice as much by a burst.',
    ).prefault('30m'),
    returns: whole('A job that was given back so often stays, unless it is submitted anew.', 1, 100).default(
      3,
    ),
    quote: duration('Mode approve: how long a burst may be approved after it was offered.')
      .refine((ms) => ms >= 60_000, { error: 'shorter than a minute, in which nobody answers; write 1h' })
      .prefault('1h'),
    forecast: z
      .strictObject({
        draws: whole('So many times the queue is played forward.', 1, 1_000).default(100),
        exact: whole('So many jobs of a queue with backfill; behind them work flows.', 1, 10_000).default(
          500,
        ),
        history: duration('How far back run times are learned from sacct.').prefault('30d'),
      })
      .superRefine(({ draws, exact }, ctx) => {
        if (draws * exact > mostPlayed)
          ctx.addIssue({
            code: 'custom',
            message: `draws × exact is ${draws * exact}, above ${mostPlayed}: each look at the queue would hold up everything else for many seconds; write such as draws: 100, exact: 500`,
          });
      })
      .transform(({ draws, exact, history }) => ({ forecaster: { draws, exact }, historyMs: history }))
      .prefault({})
      .describe('How it is forecast when a job would start.'),
  })
  .transform(({ burstWhen, or, maxTime, limitMargin, backOff, quote, ...p }) => ({
    ...p,
    burstWhen: burstWhen === undefined ? or : [burstWhen, ...or],
    maxTimeMs: maxTime,
    limitMarginMs: limitMargin,
    backOffMs: backOff,
    quoteMs: quote,
  }));
