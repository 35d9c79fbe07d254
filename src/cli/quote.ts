/** `spillway quote job.sh`: what the running gateway says of a job that nobody has submitted. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { type QuoteView, quoteView } from '../api/quote-schemas.ts';
import { dollars } from '../domain/money.ts';
import { inWords } from '../translate/marks.ts';
import { CommandError, type Gateway, question, toldIn } from './ask.ts';
import type { Loose } from './loose.ts';
import { tableOf } from './table.ts';
import { carried, offered, verdictOf } from './why.ts';

export interface QuoteOrder {
  readonly user?: string | undefined;
  readonly account?: string | undefined;
  readonly partition?: string | undefined;
  readonly cluster?: string | undefined;
  readonly json?: boolean | undefined;
}

export interface QuoteAsked extends QuoteOrder {
  /** Words of sbatch's command line. */
  readonly options: readonly string[];
  /** Where it would be submitted. */
  readonly workDir: string;
}

const answered = z.object({ quote: quoteView });
type Told = Loose<QuoteView>;

export async function quote(gateway: Gateway, file: string, asked: QuoteAsked): Promise<readonly string[]> {
  const script = await readFile(file, 'utf8').catch((e: NodeJS.ErrnoException) => {
    throw new CommandError(`${file}: ${e.code === 'ENOENT' ? 'there is no such file' : e.message}`);
  });
  const { user, cluster, account, partition, options, workDir } = asked;
  const words = [
    ...options,
    ...(account === undefined ? [] : [`--account=${account}`]),
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
  ];
  const order = { user, cluster, script, options: words, workDir };
  const told = toldIn(await question(gateway, 'quotes', order), answered);
  if (asked.json === true) return [JSON.stringify(told.quote, undefined, 2)];
  return linesOf(file, told.quote);
}

export function linesOf(file: string, q: Told): readonly string[] {
  const of = `${q.user}${q.account === undefined ? '' : ` (${q.account})`}`;
  const to = q.verdict === 'burst' && q.offer !== undefined ? `, to node group ${q.offer.group}` : '';
  return [
    `${file} of ${of} in ${q.partition} on ${q.cluster} ${verdictOf(q.verdict)}${to}.`,
    ...(q.mode === 'observe' ? ['The gateway observes: nothing bursts, whatever the rules say.'] : []),
    ...(q.mode === 'approve' && q.verdict === 'burst' ? ['A person must approve it first.'] : []),
    ...(q.tasks === 1
      ? []
      : [`It is an array of ${q.tasks} tasks: this is of the first, each has its own cost.`]),
    '',
    ...tableOf(
      ['where', 'starts in about', '8 times in 10', 'expected', 'at most'],
      [hereRow(q), ...cloudRow(q)],
    ),
    ...(q.offer === undefined ? [] : ['', ...offered(q.offer)]),
    ...(q.data === undefined ? [] : carried(q.data)),
    ...(q.passedOver ?? []).map(
      ({ group, capacity, type, why }) =>
        `  not taken: ${group} ${capacity}${type === undefined ? '' : ` (${type})`}: ${why}`,
    ),
    ...keptBy(q),
    ...marked(q),
    '',
    ...q.notes.map((note) => `Note: ${note}`),
  ];
}

function hereRow({ forecast }: Told): readonly string[] {
  if (forecast === undefined) return ['here', 'not known', '', '', ''];
  if (forecast.startsIn === 'never') return ['here', 'never: it asks for more than there is', '', '', ''];
  if (typeof forecast.startsIn === 'string') return ['here', forecast.startsIn, '', '', ''];
  const { p10Ms, p50Ms, p90Ms } = forecast.startsIn;
  return ['here', span(p50Ms), `${span(p10Ms)} to ${span(p90Ms)}`, '', ''];
}

function cloudRow({ ready, offer }: Told): readonly (readonly string[])[] {
  if (ready === undefined) return [];
  const { group, p10Ms, p50Ms, p90Ms } = ready;
  const money = (micro: number | undefined): string => (micro === undefined ? 'not known' : dollars(micro));
  const range = p10Ms === undefined ? `up to ${span(p90Ms)}` : `${span(p10Ms)} to ${span(p90Ms)}`;
  return [[group, span(p50Ms), range, money(offer?.expectedMicroUsd), money(offer?.worstMicroUsd)]];
}

function keptBy({ against }: Told): readonly string[] {
  if (against.length === 0) return [];
  return [
    '',
    'What keeps it at home:',
    ...against.flatMap((r) => [`  ✗ ${r.rule}: ${r.measured}`, `      needed: ${r.limit}`]),
    `  It would burst if ${against.length === 1 ? 'that' : 'all of them'} held.`,
  ];
}

function marked({ marks, image, signatures }: Told): readonly string[] {
  const told = marks.filter(({ mark }) => mark !== 'exact');
  return [
    '',
    told.length === 0 ? 'Translation: all is exact' : 'Translation:',
    ...told.flatMap((m) => [
      `  ${m.mark.padEnd(11)} ${inWords(m)}: ${m.why}`,
      ...(m.instead === undefined ? [] : [`              → ${m.instead}`]),
    ]),
    ...(image === undefined ? [] : [`Image: ${image.name}, by ${image.from}`]),
    ...signatures.map(
      (keys) => `  it must be signed by ${keys.join(' or ')}: its registry is asked when it bursts`,
    ),
  ];
}

/** `now`, `12 min`, `3 h 20 min`, `2 d 5 h`. */
export function span(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return ms < 1_000 ? 'now' : `${Math.round(ms / 1_000)} s`;
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
