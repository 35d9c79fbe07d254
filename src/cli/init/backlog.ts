/** The backlog on the first day: what waits now, what waited lately, and what a policy would have done with it. */
import { helpFor } from '../../decide/rules/reason.ts';
import type { EndedRun, Job } from '../../domain/job.ts';
import { partitionsOf } from '../../domain/job.ts';
import type { Survey } from '../../domain/survey.ts';
import { usualBill } from '../../sim/replay/figures.ts';
import { type Site, usualCloud, usualTickMs } from '../../sim/replay/play.ts';
import { columnsOf } from '../../sim/replay/policy.ts';
import { reportOf } from '../../sim/report.ts';
import { clean, type TraceJob } from '../../sim/trace/job.ts';
import { madeFor } from '../gateways.ts';
import { policyOf } from '../policy.ts';
import { inWords } from '../report.ts';
import { tableOf } from '../table.ts';
import { count } from '../words.ts';

export interface PartitionBacklog {
  readonly partition: string;
  readonly cpus: number;
  readonly busyCpus: number;
  readonly running: number;
  readonly pending: number;
  /** Of the pending those that more machines would help, by Slurm's word for why they pend. */
  readonly helped: number;
  readonly helpedCpus: number;
  /** Since it could run; undefined where none that is helped waits. */
  readonly longestMs: number | undefined;
}

/** Of each partition by name; a job that names several counts in each. */
export function backlogOf({ snapshot, partitions }: Survey): readonly PartitionBacklog[] {
  const inside = (name: string) => (job: Job) => partitionsOf(job).includes(name);
  return partitions.map(({ name, totalCpus }) => {
    const jobs = snapshot.jobs.filter(inside(name));
    const pending = jobs.filter((j) => j.state === 'PENDING');
    const helped = pending.filter((j) => helpFor(j.reason) === 'yes');
    const waits = helped.flatMap((j) => (j.eligibleAt === undefined ? [] : [snapshot.at - j.eligibleAt]));
    const busy = snapshot.nodes.filter((n) => n.partitions.includes(name));
    return {
      ...{ partition: name, cpus: totalCpus, pending: pending.length, helped: helped.length },
      busyCpus: busy.reduce((sum, n) => sum + n.allocatedCpus, 0),
      running: jobs.filter((j) => j.state === 'RUNNING').length,
      helpedCpus: helped.reduce((sum, j) => sum + j.cpus, 0),
      longestMs: waits.length === 0 ? undefined : Math.max(0, ...waits),
    };
  });
}

export function backlogLines(survey: Survey): readonly string[] {
  const rows = backlogOf(survey).map((b) => [
    b.partition,
    `${b.busyCpus} of ${b.cpus}`,
    String(b.running),
    String(b.pending),
    String(b.helped),
    String(b.helpedCpus),
    b.longestMs === undefined ? '' : span(b.longestMs),
  ]);
  const head = ['partition', 'CPUs busy', 'running', 'pending', 'for machines', 'their CPUs', 'longest wait'];
  return tableOf(head, rows);
}

/** `4 min`, `3.5 h`, `2.1 d`. */
export function span(ms: number): string {
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${(ms / 3_600_000).toFixed(1)} h` : `${(ms / 86_400_000).toFixed(1)} d`;
}

/** More of them would be waited for; `spillway report --sacct` takes any number. */
const mostPlayed = 200_000;

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;

/** What Slurm's own books say, of the watched partitions; then the same span played with a cloud beside it. */
export async function historyLines(
  survey: Survey,
  watch: readonly string[],
  policy = 'worth',
): Promise<readonly string[]> {
  const { history, historyMs } = survey;
  if (history === undefined) return ['No history was asked for (--history).'];
  if (!history.ok) return [`Slurm told no history: ${history.text}`];
  const runs = history.value.runs.filter((r) => r.partition.split(',').some((p) => watch.includes(p)));
  const lately = `In the last ${span(historyMs)}`;
  if (runs.length === 0) return [`${lately} no job of ${watch.join(', ')} ended.`];
  const waits = runs.map((r) => Math.max(0, r.startAt - r.submitAt)).sort((a, b) => a - b);
  const measured = `${lately} ${count(runs.length, 'run')} of ${watch.join(', ')} ended: half of them had waited ${span(quantile(waits, 0.5))} or less, one in twenty more than ${span(quantile(waits, 0.95))}.`;
  const processors = processorsOf(survey, watch);
  const played =
    runs.length > mostPlayed ? [...runs].sort((a, b) => a.submitAt - b.submitAt).slice(-mostPlayed) : runs;
  const { jobs } = clean(played.map(traced), processors);
  if (jobs.length === 0) return [measured];
  const asked = await policyOf(policy);
  const trace = columnsOf(jobs);
  const site: Site = { processors, cloud: usualCloud, tickMs: usualTickMs };
  const made = madeFor(asked, trace, site, usualBill);
  return [
    measured,
    '',
    `${played === runs ? 'The same jobs' : `The newest ${mostPlayed.toLocaleString('en-US')} of them`} played on ${processors} processors, with a cloud at ${usualBill.microUsdPerCoreHour / 1e6} USD a core-hour beside them:`,
    ...inWords(asked.label, reportOf(trace, made.site, made.policy, usualBill)),
  ];
}

/** A node that is in several partitions counts once. */
function processorsOf({ snapshot, partitions }: Survey, watch: readonly string[]): number {
  const own = snapshot.nodes.filter((n) => n.partitions.some((p) => watch.includes(p)));
  const cpus = own.reduce((sum, n) => sum + n.cpus, 0);
  if (cpus > 0) return cpus;
  const told = partitions.filter((p) => watch.includes(p.name)).map((p) => p.totalCpus);
  return Math.max(1, ...told);
}

function traced(run: EndedRun): TraceJob {
  const runMs = run.endAt - run.startAt;
  return {
    ...{ id: run.ref, submitMs: run.submitAt, runMs, processors: run.cpus },
    requestMs: typeof run.timeLimitMs === 'number' && run.timeLimitMs > 0 ? run.timeLimitMs : runMs,
    ...{ user: run.user, account: run.account, partition: run.partition },
  };
}
