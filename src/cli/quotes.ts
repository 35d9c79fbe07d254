import { z } from 'zod';
import { type BurstView, burstView, storyView } from '../api/schemas.ts';
import { dollars } from '../domain/money.ts';
import { ask, CommandError, type Gateway, readAt, request, toldIn } from './ask.ts';
import type { Loose } from './loose.ts';

const list = z.object({ quotes: z.array(burstView) });
const stories = z.object({ jobs: z.array(storyView) });
const answer = z.object({ burst: burstView });

type Told = Loose<BurstView>;

export interface Word {
  readonly approved: boolean;
  readonly by: string;
  readonly reason: string;
}

/** `spillway quotes`: what waits for a person's word. */
export async function openQuotes(gateway: Gateway, json: boolean): Promise<readonly string[]> {
  const told = await readAt(gateway, 'quotes', list);
  if (json) return [JSON.stringify(told, undefined, 2)];
  if (told.quotes.length === 0) return ['nothing waits to be approved'];
  return told.quotes.flatMap((q) => [
    `${q.job} of ${q.user} (${q.account}) on ${q.cluster}: ${costOf(q.quote)}, until ${q.quote?.until ?? 'now'}`,
    `    ${q.quote?.why ?? ''}`,
    `    burst ${q.id}`,
  ]);
}

/** What was said yes or no to, and what could not be. */
export interface Answers {
  readonly bursts: readonly Told[];
  readonly refused: readonly { readonly burst: string; readonly text: string }[];
}

/** `spillway approve` and `spillway decline`, in words; one of several that was not answered fails it. */
export async function answerQuotes(gateway: Gateway, which: string, word: Word): Promise<readonly string[]> {
  const { bursts, refused } = await answersTo(gateway, which, word);
  const lines = bursts.map(stands);
  if (refused.length === 0) return lines;
  const done = lines.length === 0 ? [] : ['these were answered:', ...lines];
  const not = refused.map(({ burst, text }) => `burst ${burst}: ${text}`);
  throw new CommandError([...done, 'these were not:', ...not].join('\n'));
}

/** By a burst's id, a job's, or an array's, which names its first 20 tasks. */
export async function answersTo(gateway: Gateway, which: string, word: Word): Promise<Answers> {
  const ids = /^\d{1,10}(_\d{1,10})?$/.test(which) ? await burstsOf(gateway, which) : [which];
  const bursts: Told[] = [];
  const refused: { burst: string; text: string }[] = [];
  for (const id of ids) {
    const said = await ask(gateway, `bursts/${encodeURIComponent(id)}/approval`, word);
    try {
      bursts.push(toldIn(said, answer).burst);
    } catch (e) {
      if (ids.length === 1 || !(e instanceof CommandError)) throw e;
      refused.push({ burst: id, text: e.message });
    }
  }
  return { bursts, refused };
}

/** `spillway delegate` and `spillway expire`, of one burst by its id or its job's. */
export interface QuoteOrder {
  readonly what: 'delegate' | 'expire';
  readonly to?: string | undefined;
  readonly until?: string | undefined;
  readonly by: string;
  readonly reason: string;
  /** New for each order: one that is sent twice is done once. */
  readonly key: string;
}

/** `now`: milliseconds of this host's clock. */
export async function orderQuote(
  gateway: Gateway,
  which: string,
  { what, key, ...body }: QuoteOrder,
  now: number,
  json = false,
): Promise<readonly string[]> {
  const [id = which, ...more] = /^\d{1,10}(_\d{1,10})?$/.test(which) ? await burstsOf(gateway, which) : [];
  if (more.length > 0)
    throw new CommandError(
      `several tasks of ${which} are offered; name one by its burst: ${[id, ...more].join(', ')}`,
    );
  const said = await request(gateway, `bursts/${encodeURIComponent(id)}/${what}`, {
    ...{ method: 'POST', body, headers: { 'idempotency-key': key } },
  });
  const told = toldIn(said, answer);
  if (json) return [JSON.stringify(told, undefined, 2)];
  const { burst } = told;
  const { delegated } = burst;
  const job = `${burst.job} of ${burst.user} on ${burst.cluster}`;
  if (what === 'expire' || delegated === undefined)
    return [`${job}: its quote ended at ${burst.quote?.until ?? 'once'}`];
  const { to, until, by } = delegated;
  // A time that is over takes back what he was let.
  const may = Date.parse(until) <= now ? 'may not answer it any more' : `may answer it until ${until}`;
  return [`${job}: ${to} ${may}, by ${by}`];
}

/** The newest burst of each job of that id; of several only those that are offered. */
async function burstsOf(gateway: Gateway, job: string): Promise<readonly string[]> {
  const said = await ask(gateway, `why/${job}`);
  const jobs = said.status === 404 ? [] : toldIn(said, stories).jobs;
  const newest = jobs.flatMap((j) => j.bursts.slice(0, 1));
  const open = newest.filter((b) => b.state === 'proposed' && b.answer === undefined);
  const found = newest.length > 1 ? open : newest;
  if (found.length === 0)
    throw new CommandError(`no burst of job ${job} is offered; \`spillway quotes\` lists those that are`);
  return found.map((b) => b.id);
}

export function stands(b: Told): string {
  const what = b.answer === undefined ? 'is not answered' : answerOf(b.answer);
  return `${b.job} of ${b.user} on ${b.cluster}, ${costOf(b.quote)}: ${what}`;
}

export const offerOf = (quote: NonNullable<Told['quote']>): string =>
  `offered until ${quote.until}: ${costOf(quote)}`;

export function answerOf({ approved, by, at, reason }: NonNullable<Told['answer']>): string {
  return `${approved ? 'approved' : 'declined'} by ${by} at ${at}${reason === undefined ? '' : `: ${reason}`}`;
}

function costOf(quote: Told['quote']): string {
  return quote?.maxMicroUsd === undefined
    ? 'its price is not known'
    : `${dollars(quote.maxMicroUsd)} at most`;
}
