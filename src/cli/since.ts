/** `spillway report --since 30d`: what the running gateway's own decisions came to, held against what sacct says became of the jobs. */
import { z } from 'zod';
import { type ReportView, reportView } from '../api/schemas.ts';
import { dollars } from '../domain/money.ts';
import { ask, CommandError, type Gateway, toldIn } from './ask.ts';
import type { Loose } from './loose.ts';
import { spanOf } from './span.ts';
import { byAccount, count, days, minutes, whole } from './words.ts';

const answer = z.object({ clusters: z.array(reportView) });
/** slurmdbd is asked for each day of the span. */
const waitMs = 10 * 60_000;

export async function reportSince(
  gateway: Gateway,
  since: string,
  json: boolean,
): Promise<readonly string[]> {
  spanOf(since);
  const said = await ask(gateway, `report?since=${since}`, undefined, waitMs);
  if (said.status === 503)
    throw new CommandError(
      'the gateway cannot read its store, or sacct through Slurm, just now; its log says which: ask again',
    );
  const told = toldIn(said, answer);
  if (json) return [JSON.stringify(told, undefined, 2)];
  return told.clusters.flatMap((c, i) => (i === 0 ? inWords(c) : ['', ...inWords(c)]));
}

export function inWords(report: Loose<ReportView>): readonly string[] {
  const { cluster, mode, since, until, would, done } = report;
  const span = days(Date.parse(until) - Date.parse(since));
  const lines = [`${cluster}: ${span} until ${until}, mode ${mode} now`, ''];
  if (done.begun > 0) lines.push(...doneInWords(done));
  if (would.decided > 0) lines.push(...(done.begun > 0 ? [''] : []), ...wouldInWords(would));
  if (done.begun === 0 && would.decided === 0)
    lines.push('Nothing was decided to burst: no job fitted the policy, or no receipt is as old as that.');
  if (report.unread > 0)
    lines.push(`Not known: ${count(report.unread, 'row')} of sacct could not be read and are left out.`);
  return lines;
}

function wouldInWords(would: ReportView['would']): readonly string[] {
  const { decided, bursts, savedMs, microUsd, tooSoon, unfinished, unknown, forecasts } = would;
  const lines = [
    `Would have burst ${count(bursts, 'job')}, saved ${whole(savedMs)} hours of waiting, and cost ${dollars(microUsd)} at most.`,
    `  decided to burst, and left here: ${count(decided, 'job')}`,
  ];
  if (tooSoon > 0)
    lines.push(`  started here before the cloud would have been ready, so nothing saved: ${tooSoon}`);
  if (unfinished > 0) lines.push(`  not over yet, or never ran: ${unfinished}`);
  if (forecasts.known > 0) {
    const share = Math.round((100 * forecasts.within) / forecasts.known);
    lines.push(
      `  forecasts: ${share} % of ${count(forecasts.known, 'start')} came within the span that was said to hold for 8 in 10; half were off by no more than ${minutes(forecasts.medianErrorMs ?? 0)}`,
    );
  }
  const not: readonly (readonly [number, string])[] = [
    [unknown.ready, 'whose receipts do not say how long the cloud would have taken: left out'],
    [unknown.price, 'without a price in nodeGroups.prices for what they need: not in the cost'],
    [unknown.forecast, 'decided without a forecast of their start here'],
    [unknown.policy, 'decided under another policy, budget, node group or price than today’s'],
  ];
  for (const [n, what] of not) if (n > 0) lines.push(`  not known: ${n} ${what}`);
  const shares = would.accounts.map(({ account, jobs, savedMs: saved, microUsd: cost }) => ({
    account,
    text: `${count(jobs, 'job')}, ${whole(saved)} hours saved, ${dollars(cost)}`,
  }));
  return [
    ...lines,
    ...(shares.length === 0 ? [] : ['', ...byAccount(shares)]),
    '',
    'Each job counts from its first decision: what it really waited here from then on, less the time the cloud takes; its real run time on the dearest type. That others would have moved up is not counted.',
  ];
}

function doneInWords(done: ReportView['done']): readonly string[] {
  const { begun, ran, running, back, waitedMs, savedMs, withoutForecast, microUsd, withoutPrice } = done;
  const lines = [
    `Burst ${count(ran, 'job')}, saved about ${whole(savedMs)} hours of waiting, and spent ${dollars(microUsd)}.`,
    `  begun: ${begun}, of which ${running} run now and ${back} came back, started here first or were turned down`,
  ];
  if (ran > 0)
    lines.push(`  from the decision to the first second in the cloud: ${minutes(waitedMs / ran)} on average`);
  lines.push('  saved is by the forecasts of the day: what a job would have waited here, nobody knows');
  if (withoutForecast > 0)
    lines.push(`  not known: ${withoutForecast} without a forecast: not in what was saved`);
  if (withoutPrice > 0) lines.push(`  not known: ${withoutPrice} without a price: not in what was spent`);
  if (done.more) lines.push('  not known: there were more bursts than are counted; ask for a shorter span');
  return lines;
}
