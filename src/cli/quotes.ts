import { z } from 'zod';
import { type BurstView, burstView, storyView } from '../api/schemas.ts';
import { dollars } from '../domain/money.ts';
import { ask, CommandError, type Gateway, problemOf, request } from './ask.ts';

const list = z.object({ quotes: z.array(burstView) });
const stories = z.object({ jobs: z.array(storyView) });
const answer = z.object({ burst: burstView });

export interface Word {
  readonly approved: boolean;
  readonly by: string;
  readonly reason: string;
}

/** `spillway quotes`: what waits for a person's word. */
export async function openQuotes(gateway: Gateway, json: boolean): Promise<readonly string[]> {
  const { status, body } = await ask(gateway, 'quotes');
  const told = list.safeParse(body);
  if (status !== 200 || !told.success) throw problemOf(status, body);
  if (json) return [JSON.stringify(told.data, undefined, 2)];
  if (told.data.quotes.length === 0) return ['nothing waits to be approved'];
  return told.data.quotes.flatMap((q) => [
    `${q.job} of ${q.user} (${q.account}) on ${q.cluster}: ${costOf(q.quote)}, until ${q.quote?.until ?? 'now'}`,
    `    ${q.quote?.why ?? ''}`,
    `    burst ${q.id}`,
  ]);
}

/** `spillway approve` and `spillway decline`: by a burst's id, a job's, or an array's, which names its first 20 tasks. */
export async function answerQuotes(gateway: Gateway, which: string, word: Word): Promise<readonly string[]> {
  const ids = /^\d{1,10}(_\d{1,10})?$/.test(which) ? await burstsOf(gateway, which) : [which];
  const lines: string[] = [];
  const refused: string[] = [];
  for (const id of ids) {
    const { status, body } = await ask(gateway, `bursts/${encodeURIComponent(id)}/approval`, word);
    const told = answer.safeParse(body);
    if (status === 200 && told.success) lines.push(stands(told.data.burst));
    else if (ids.length === 1) throw problemOf(status, body);
    else refused.push(`burst ${id}: ${problemOf(status, body).message}`);
  }
  if (refused.length > 0) {
    const done = lines.length === 0 ? [] : ['these were answered:', ...lines];
    throw new CommandError([...done, 'these were not:', ...refused].join('\n'));
  }
  return lines;
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

export async function orderQuote(
  gateway: Gateway,
  which: string,
  { what, key, ...body }: QuoteOrder,
): Promise<readonly string[]> {
  const [id = which, ...more] = /^\d{1,10}(_\d{1,10})?$/.test(which) ? await burstsOf(gateway, which) : [];
  if (more.length > 0)
    throw new CommandError(
      `several tasks of ${which} are offered; name one by its burst: ${[id, ...more].join(', ')}`,
    );
  const { status, body: said } = await request(gateway, `bursts/${encodeURIComponent(id)}/${what}`, {
    ...{ method: 'POST', body, headers: { 'idempotency-key': key } },
  });
  const told = answer.safeParse(said);
  if (status !== 200 || !told.success) throw problemOf(status, said);
  const { burst } = told.data;
  const { delegated } = burst;
  const job = `${burst.job} of ${burst.user} on ${burst.cluster}`;
  return what === 'expire' || delegated === undefined
    ? [`${job}: its quote ended at ${burst.quote?.until ?? 'once'}`]
    : [`${job}: ${delegated.to} may answer it until ${delegated.until}, by ${delegated.by}`];
}

/** The newest burst of each job of that id; of several only those that are offered. */
async function burstsOf(gateway: Gateway, job: string): Promise<readonly string[]> {
  const { status, body } = await ask(gateway, `why/${job}`);
  const told = stories.safeParse(body);
  if (status !== 404 && (status !== 200 || !told.success)) throw problemOf(status, body);
  const newest = (told.data?.jobs ?? []).flatMap((j) => j.bursts.slice(0, 1));
  const open = newest.filter((b) => b.state === 'proposed' && b.answer === undefined);
  const found = newest.length > 1 ? open : newest;
  if (found.length === 0)
    throw new CommandError(`no burst of job ${job} is offered; \`spillway quotes\` lists those that are`);
  return found.map((b) => b.id);
}

export function stands(b: BurstView): string {
  const what = b.answer === undefined ? 'is not answered' : answerOf(b.answer);
  return `${b.job} of ${b.user} on ${b.cluster}, ${costOf(b.quote)}: ${what}`;
}

export const offerOf = (quote: NonNullable<BurstView['quote']>): string =>
  `offered until ${quote.until}: ${costOf(quote)}`;

export function answerOf({ approved, by, at, reason }: NonNullable<BurstView['answer']>): string {
  return `${approved ? 'approved' : 'declined'} by ${by} at ${at}${reason === undefined ? '' : `: ${reason}`}`;
}

function costOf(quote: BurstView['quote']): string {
  return quote?.maxMicroUsd === undefined
    ? 'its price is not known'
    : `${dollars(quote.maxMicroUsd)} at most`;
}
