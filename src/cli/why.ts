import { z } from 'zod';
import { type StoryView, storyView } from '../api/schemas.ts';
import { dollars } from '../domain/money.ts';
import { gib } from '../translate/staging.ts';
import { ask, CommandError, type Gateway, toldIn, UsageError } from './ask.ts';
import type { Loose } from './loose.ts';
import { answerOf, offerOf } from './quotes.ts';

const answered = z.object({ jobs: z.array(storyView) });

type Story = Loose<StoryView>;
type Basis = NonNullable<NonNullable<Story['decision']>['basis']>;

/** `spillway why JOBID`: what is printed. */
export async function why(gateway: Gateway, id: string, json: boolean): Promise<readonly string[]> {
  if (!/^\d{1,10}(_\d{1,10})?$/.test(id))
    throw new UsageError(`${id} is no job id: write 4711, or 4711_3 for an array task`);
  const said = await ask(gateway, `why/${id}`);
  if (said.status === 404)
    throw new CommandError(
      `nothing was ever decided on job ${id}: it never pended in a watched partition, or its receipts are older than \`retention.receipts\``,
    );
  const told = toldIn(said, answered);
  if (json) return [JSON.stringify(told, undefined, 2)];
  return told.jobs.flatMap((job, i) => (i === 0 ? inPlainWords(job) : ['', ...inPlainWords(job)]));
}

const verdicts: Readonly<Record<string, string>> = {
  burst: 'may burst',
  wait: 'waits at home',
  never: 'never bursts as it is',
};

/** One that is new here is told as it is. */
export const verdictOf = (verdict: string): string => verdicts[verdict] ?? `is decided ${verdict}`;

export function inPlainWords({ cluster, job, decision, bursts }: Story): readonly string[] {
  const lines: string[] = [];
  if (decision === undefined)
    lines.push(`Job ${job} on ${cluster}: no decision is on record, it was taken on as it was found.`);
  else {
    const { user, verdict, group, because, basis, at, seenAgain, lastSeen } = decision;
    const to = group === undefined ? '' : `, to node group ${group}`;
    lines.push(`Job ${job} of ${user} on ${cluster} ${verdictOf(verdict)}${to}.`);
    lines.push(
      seenAgain === 0
        ? `  decided ${at}`
        : `  decided ${at}, and the same ${seenAgain} more times, last ${lastSeen}`,
    );
    if (basis !== undefined) lines.push(...expected(basis));
    const failed = because.filter((r) => !r.pass);
    for (const r of failed) lines.push(`  ✗ ${r.rule}: ${r.measured}`, `      needed: ${r.limit}`);
    if (failed.length > 0)
      lines.push(`  It would burst if ${failed.length === 1 ? 'that' : 'all of them'} held.`);
    else
      for (const r of because)
        if (r.rule === 'burst-when' || r.rule === 'budget') lines.push(`  ✓ ${r.rule}: ${r.measured}`);
  }
  for (const b of bursts) {
    const { state, restarts, since, cause, exit, instance, heldMicroUsd, trouble, quote, answer } = b;
    lines.push(`  Burst ${b.id}${restarts === 0 ? '' : `, run ${restarts + 1}`}: ${state} since ${since}`);
    if (cause !== undefined) lines.push(`      because ${cause.text}`);
    if (trouble !== undefined) lines.push(`      since ${trouble.since} waits: ${trouble.text}`);
    if (instance !== undefined) lines.push(`      on instance ${instance}`);
    if (quote !== undefined && heldMicroUsd === undefined) lines.push(`      ${offerOf(quote)}`);
    if (answer !== undefined) lines.push(`      ${answerOf(answer)}`);
    if (heldMicroUsd !== undefined) lines.push(`      could cost ${dollars(heldMicroUsd)} at most`);
    if (exit !== undefined) lines.push(`      ended with ${endOf(exit)}`);
    for (const [i, s] of b.steps.entries())
      if (s.to !== b.steps[i - 1]?.to) lines.push(`      ${s.at}  ${s.to.padEnd(14)} ${s.why}`);
  }
  return lines;
}

function expected({ forecast, ready, data, offer, passedOver = [] }: Basis): readonly string[] {
  const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;
  const lines: string[] = [];
  if (forecast?.startsIn === 'never') lines.push('  here: can never start, it asks for more than there is');
  else if (typeof forecast?.startsIn === 'string')
    lines.push(`  here: ${forecast.startsIn} (${forecast.by})`);
  else if (forecast !== undefined) {
    const { p10Ms, p50Ms, p90Ms } = forecast.startsIn;
    lines.push(
      `  here: starts in about ${minutes(p50Ms)}, 8 times in 10 between ${minutes(p10Ms)} and ${minutes(p90Ms)} (${forecast.by})`,
    );
  }
  if (ready !== undefined)
    lines.push(
      `  in ${ready.group}: runs in about ${minutes(ready.p50Ms)}, 9 times in 10 within ${minutes(ready.p90Ms)} (${ready.measured === 0 ? 'assumed' : `${ready.measured} bursts measured`})`,
    );
  if (data !== undefined) lines.push(...carried(data));
  if (offer !== undefined) lines.push(...offered(offer));
  for (const { group, capacity, type, why } of passedOver)
    lines.push(`  not taken: ${group} ${capacity}${type === undefined ? '' : ` (${type})`}: ${why}`);
  return lines;
}

export function carried(data: NonNullable<Basis['data']>): readonly string[] {
  if (data === 'unknown')
    return [
      '  data: not known: its script is read once all else says burst, and no earlier job of its name carried any',
    ];
  if (typeof data === 'string') return [`  data: ${data}`];
  const leg = (way: string, { bytes, p50Ms, p90Ms, measured }: typeof data.in): string[] =>
    bytes === 0
      ? []
      : [
          `${gib(bytes)} ${way} in about ${Math.ceil(p50Ms / 60_000)} min, 9 times in 10 within ${Math.ceil(p90Ms / 60_000)} (${measured === 0 ? 'by the configured bandwidths' : `${measured} transfers measured`})`,
        ];
  const earlier = `as ${data.jobs === 1 ? 'an earlier job' : `${data.jobs} earlier jobs`} of that user and name had`;
  const known: Readonly<Record<string, string>> = { script: 'as its script says', earlier };
  const from = known[data.from] ?? `by ${data.from}`;
  return [`  data, ${from}: ${[...leg('to its pod', data.in), ...leg('home', data.out)].join('; ')}`];
}

export function offered(offer: NonNullable<Basis['offer']>): readonly string[] {
  const { type, zones, capacity, perHourMicroUsd, expectedMicroUsd, worstMicroUsd } = offer;
  const money = (micro: number): string => dollars(micro);
  const cost =
    perHourMicroUsd === undefined || expectedMicroUsd === undefined
      ? 'no price is known'
      : `${money(perHourMicroUsd)} an hour, ${money(expectedMicroUsd)} expected${worstMicroUsd === undefined ? '' : `, ${money(worstMicroUsd)} at most`}${offer.pricedFrom === undefined ? '' : `, by the price of ${new Date(offer.pricedFrom).toISOString().slice(0, 10)}`}`;
  const share = (p: number): string => (p < 0.01 ? 'under 1 %' : `${Math.round(p * 100)} %`);
  const from = offer.measured === 0 ? 'assumed' : `${offer.measured} bursts and what is assumed`;
  const lines = [
    `  offer: ${type} ${capacity} in ${zones.join(', ')}: ${cost}`,
    ...(offer.capMicroUsd === undefined
      ? []
      : [
          `      spot at ${money(offer.capMicroUsd)} an hour at most; the most of all is on demand, where there is no spot`,
        ]),
    `      no capacity ${share(offer.noCapacity)}, lost while it runs ${share(offer.interrupted)} (${from})`,
  ];
  const { savesMs } = offer;
  if (savesMs === 'never starts here') lines.push('      it never starts here');
  else if (typeof savesMs === 'string') lines.push(`      against a start here: ${savesMs}`);
  else if (savesMs !== undefined)
    lines.push(
      `      starts ${(Math.abs(savesMs) / 3_600_000).toFixed(1)} h ${savesMs < 0 ? 'later' : 'sooner'} than here`,
    );
  return lines;
}

function endOf(exit: NonNullable<Story['bursts'][number]['exit']>): string {
  const how = exit.signal === undefined ? `exit code ${exit.code ?? 'unknown'}` : `signal ${exit.signal}`;
  return exit.reason === undefined ? how : `${how} (${exit.reason})`;
}
