import { z } from 'zod';
import { duration, isLoopback, oneOf, text } from './units.ts';

/** What may be spent, and where else that is written. */

const per = oneOf('Begins anew at midnight, on Monday, on the first (UTC), or never.', [
  'day',
  'week',
  'month',
  'total',
]).default('month');

const hard = z
  .boolean({ error: 'write true (never passed) or false (told when passed)' })
  .default(true)
  .describe('A hard budget is never passed: what a job can cost at most is held before anything is bought.');

const onExhausted = oneOf(
  'A hard budget that is spent (it was lowered, or a job ran for longer than was held for) begins nothing more; what runs on it finishes, goes home by a requeue, or is cancelled.',
  ['finish', 'requeue', 'cancel'],
).optional();

interface Exhaustible {
  readonly hard: boolean;
  readonly onExhausted?: 'finish' | 'requeue' | 'cancel' | undefined;
}

/** Only a hard budget stops anything. */
function endOf({ hard, onExhausted }: Exhaustible, ctx: z.RefinementCtx): 'finish' | 'requeue' | 'cancel' {
  if (!hard && onExhausted !== undefined)
    ctx.addIssue({
      code: 'custom',
      path: ['onExhausted'],
      message: 'a budget that is not hard stops nothing; leave it out, or write hard: true',
    });
  return onExhausted ?? 'finish';
}

export const budget = z
  .strictObject({
    account: text(
      'The Slurm account; without one the budget is of all together.',
      'write an account',
    ).optional(),
    user: text('Of this user alone, in that account or, without one, in all.', 'write a user').optional(),
    usd: z
      .number({ error: 'missing or not a number; write US dollars, such as 5000' })
      .min(0.01, { error: 'below one cent, of which nothing is bought; write US dollars, such as 5000' })
      .max(1_000_000_000, { error: 'above a thousand million dollars; write US dollars' }),
    per,
    hard,
    onExhausted,
  })
  .transform(({ usd, account, ...b }, ctx) => ({
    ...b,
    account: account?.toLowerCase(),
    microUsd: Math.round(usd * 1_000_000),
    onExhausted: endOf(b, ctx),
  }));

export const overhead = z
  .strictObject({
    usd: z
      .number({ error: 'missing or not a number; write US dollars, such as 500' })
      .min(0.01, { error: 'below one cent, of which nothing is bought; write US dollars, such as 500' })
      .max(1_000_000_000, { error: 'above a thousand million dollars; write US dollars' }),
    per,
    besides: z
      .number({ error: 'not a number; write US dollars an hour, such as 0.015' })
      .min(0, { error: 'below 0; write US dollars an hour, such as 0.015' })
      .max(1_000, { error: 'above a thousand dollars an hour for disk and address of one machine' })
      .default(0)
      .describe('What disk and address of one instance cost, in US dollars an hour.'),
  })
  .transform(({ usd, besides, ...o }) => ({
    ...o,
    microUsd: Math.round(usd * 1_000_000),
    besidesMicroUsd: Math.round(besides * 1_000_000),
  }));

const source = {
  every: duration('How often it is looked at.').refine((ms) => ms >= 1_000, {
    error: 'less than a second; write 30s',
  }),
  staleAfter: duration('What was read last counts for so long; then nothing is bought until it can be read.')
    .refine((ms) => ms >= 60_000, { error: 'shorter than a minute; write 1h' })
    .prefault('1h'),
  unlisted: oneOf(
    'Whoever is named there by no account and no user: stays at home, or bursts unbounded by it.',
    ['stays', 'bursts'],
  ).default('stays'),
};

/** Empty where it is none, which is said already. */
const hostOf = (url: string): string =>
  URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';

const csv = z
  .strictObject({
    file: text('Columns account, user, usd, per, hard, on_exhausted, with a header.', 'write a path'),
    ...source,
    every: source.every.prefault('30s'),
  })
  .transform(({ every, staleAfter, ...c }) => ({ ...c, everyMs: every, staleAfterMs: staleAfter }));

const coldfront = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'no address; write https://coldfront.example.org' })
      .refine((url) => url.startsWith('https:') || isLoopback(hostOf(url)), {
        error: 'would send the token in the clear; write https://…',
      })
      .describe('Where ColdFront is; its API is below it, at api/ (PLUGIN_API).'),
    tokenFile: text('Holds the token of a user who may see all allocations.', 'write the path of a file'),
    attribute: text(
      'The allocation attribute that holds US dollars, of allocations that have a slurm_account_name.',
      'write its name, such as Cloud budget (USD)',
    ),
    per,
    hard,
    onExhausted,
    timeout: duration('For one answer.').prefault('20s'),
    ...source,
    every: source.every.prefault('5m'),
  })
  .transform(({ every, staleAfter, timeout, ...c }, ctx) => ({
    ...c,
    onExhausted: endOf(c, ctx),
    ...{ everyMs: every, staleAfterMs: staleAfter, timeoutMs: timeout },
  }));

export const budgetsFrom = z
  .strictObject({ csv: csv.optional(), coldfront: coldfront.optional() })
  .superRefine(({ csv, coldfront }, ctx) => {
    for (const [name, s] of [
      ['csv', csv],
      ['coldfront', coldfront],
    ] as const)
      if (s !== undefined && s.staleAfterMs < 2 * s.everyMs)
        ctx.addIssue({
          code: 'custom',
          path: [name, 'staleAfter'],
          message:
            'shorter than two looks (every), so that one that fails would stop all; write a longer one',
        });
  })
  .describe('Budgets that stand elsewhere, beside those of `budgets`; the tightest that counts rules.');

export const pricesFrom = z
  .strictObject({
    csv: text(
      'Columns type, zone, capacity, usd_per_hour, from (a day, UTC), with a header: of each, the newest line that has begun counts. What nodeGroups[].prices says comes first.',
      'write a path',
    ),
    warnAfter: duration('A price that is older is told by doctor.').prefault('180d'),
  })
  .transform(({ csv, warnAfter }) => ({ csv, warnAfterMs: warnAfter }));
