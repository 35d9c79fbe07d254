/** `spillway status`: what waits, what burst, what it costs, and what needs somebody. */
import { z } from 'zod';
import { type ActivePolicyView, activeView } from '../api/policy-schemas.ts';
import { forecastView as forecastShape, groupView } from '../api/portal-schemas.ts';
import { type BudgetView, burstView, stopView } from '../api/schemas.ts';
import { ask, type Gateway, pagesAt, readAt, toldIn } from './ask.ts';
import { budgetLines, budgetsRead } from './budget.ts';
import type { Loose } from './loose.ts';
import { decidesInWords } from './policies.ts';
import { ageOf } from './words.ts';

/** Without what gateways of older versions do not tell, and is not read here. */
const lookShape = forecastShape.omit({ staleAfterMs: true });
const forecasts = z.object({ clusters: z.array(lookShape) });
const stops = z.object({ clusters: z.array(stopView) });
const bursts = z.object({ bursts: z.array(burstView), next: z.string().optional() });
const quotes = z.object({ quotes: z.array(burstView) });
const groups = z.object({ groups: z.array(groupView) });

type Look = Loose<z.output<typeof lookShape>>;
type Burst = Loose<z.output<typeof burstView>>;

export interface Status {
  readonly clusters: readonly Look[];
  readonly stops: z.output<typeof stops>['clusters'];
  readonly bursts: readonly Burst[];
  readonly quotes: readonly Burst[];
  readonly budgets: readonly Loose<BudgetView>[];
  /** Which policy decides; absent, as `groups`: who asks may not see them. */
  readonly policies?: readonly Loose<ActivePolicyView>[] | undefined;
  /** Absent: who asks may not see them. */
  readonly groups?: readonly Loose<z.output<typeof groupView>>[] | undefined;
}

export async function statusOf(gateway: Gateway): Promise<Status> {
  const [clusters, stop, alive, offered, money] = await Promise.all([
    readAt(gateway, 'forecast', forecasts),
    readAt(gateway, 'stop', stops),
    burstsOf(gateway),
    readAt(gateway, 'quotes', quotes),
    readAt(gateway, 'budgets', budgetsRead),
  ]);
  const seen = await readIfMay(gateway, 'groups', groups);
  const decides = await readIfMay(gateway, 'policies/active', activeView);
  return {
    ...{ clusters: clusters.clusters, stops: stop.clusters, bursts: alive, quotes: offered.quotes },
    ...{ budgets: money.budgets, groups: seen?.groups, policies: decides?.clusters },
  };
}

/** All that are under way. */
async function burstsOf(gateway: Gateway): Promise<readonly Burst[]> {
  const found: Burst[] = [];
  const query = new URLSearchParams({ live: 'true', limit: '1000' });
  for await (const page of pagesAt(gateway, 'bursts', query, bursts))
    for (const burst of page.bursts) found.push(burst);
  return found;
}

/** Whose role does not let him is told the rest. */
async function readIfMay<T extends z.ZodType>(
  gateway: Gateway,
  path: string,
  shape: T,
): Promise<Loose<z.output<T>> | undefined> {
  const said = await ask(gateway, path);
  return said.status === 403 ? undefined : toldIn(said, shape);
}

/** `now`: milliseconds of this host's clock, for ages. */
export async function status(gateway: Gateway, json: boolean, now: number): Promise<readonly string[]> {
  const told = await statusOf(gateway);
  return json ? [JSON.stringify(told, undefined, 2)] : inWords(told, now);
}

export function inWords(told: Status, now: number): readonly string[] {
  return told.clusters.flatMap((c, i) => [...(i === 0 ? [] : ['']), ...clusterInWords(c, told, now)]);
}

function clusterInWords(
  { cluster, at, partial, backlog }: Status['clusters'][number],
  told: Status,
  now: number,
): readonly string[] {
  const here = <T extends { readonly cluster: string }>(all: readonly T[]): readonly T[] =>
    all.filter((one) => one.cluster === cluster);
  const [stop] = here(told.stops);
  const alive = here(told.bursts);
  const offered = here(told.quotes);
  const seen =
    at === undefined
      ? 'its queue was not looked at by this gateway'
      : `its queue was looked at ${ageOf(at, now)} ago`;
  return [
    `${cluster}: ${seen}${partial.length === 0 ? '' : `, ${partial.length} lines or answers could not be read`}`,
    stop?.stopped === true
      ? `  STOPPED by ${stop.by ?? 'somebody'} since ${stop.since ?? 'some time'}${stop.reason === undefined ? '' : `: ${stop.reason}`}; spillway resume`
      : '  bursting is on',
    ...here(told.policies ?? []).flatMap((p) =>
      decidesInWords(p).map((line) => `  ${line.replace(`${cluster}: `, '')}`),
    ),
    ...backlog.map(
      (b) =>
        `  ${b.partition}: ${b.pending} pending (${b.pendingCpus} CPUs), ${b.running} running${b.oldest === undefined ? '' : `, the oldest for ${ageOf(b.oldest, now)}`}`,
    ),
    `  bursts: ${alive.length === 0 ? 'none' : countsOf(alive.map((b) => b.state))}`,
    ...alive.flatMap((b) =>
      b.trouble === undefined ? [] : [`    job ${b.job} since ${b.trouble.since}: ${b.trouble.text}`],
    ),
    ...(offered.length === 0 ? [] : [`  ${offered.length} wait for a yes or no: spillway quotes`]),
    ...here(told.groups ?? []).map(
      (g) =>
        `  group ${g.name}: ${Object.keys(g.instances).length === 0 ? 'no instance' : countsOfRecord(g.instances)}, at most ${g.maxInstances}`,
    ),
    ...budgetLines(here(told.budgets)).map((line) => `  ${line}`),
  ];
}

const countsOf = (words: readonly string[]): string => {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return countsOfRecord(counts);
};

const countsOfRecord = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ');
