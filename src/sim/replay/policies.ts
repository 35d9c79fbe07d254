/** The policies that a replay knows by name. */
import { usualExact } from '../../decide/worth.ts';
import type { Expression } from '../../domain/expression.ts';
import { byExpression } from './expression.ts';
import { type Bill, usualBill } from './figures.ts';
import type { Site } from './play.ts';
import type { Columns, Known, Policy } from './policy.ts';
import { compound, longJobsWait, shortWaitsWait } from './waiting-game.ts';
import { worth, worthKnowing } from './worth.ts';

/** Every parameter of every policy; what a policy does not name it does not take. */
export interface Parameters {
  readonly leastWorth: number;
  readonly exact: number;
  readonly waitedMs: number;
  readonly requestMs: number;
  readonly runMs: number;
}

export type Parameter = keyof Parameters;

export const usualParameters: Parameters = {
  leastWorth: 50,
  exact: usualExact,
  waitedMs: 24 * 3_600_000,
  requestMs: 3_600_000,
  runMs: 3_600_000,
};

interface Kind {
  readonly what: string;
  /** In the order in which `NAME:A:B` gives them. */
  readonly takes: readonly Parameter[];
  /** Made for what is known when jobs come, but where a policy is told the future. */
  readonly make: (known: Known, p: Parameters, site: Site) => Policy;
}

/** Those that know every job's run time in advance: bounds, not rivals. */
interface Clairvoyant extends Omit<Kind, 'make'> {
  readonly makeKnowing: (all: Columns, p: Parameters, site: Site) => Policy;
}

export const policies = {
  none: { what: 'nobody bursts', takes: [], make: () => ({}) },
  'no-jobs-wait': {
    what: 'who cannot start at once bursts (SC20: no jobs wait)',
    takes: [],
    make: () => ({ patienceMs: () => 0 }),
  },
  waited: {
    what: 'who has waited for so long bursts (SC20: all jobs wait, up to a threshold)',
    takes: ['waitedMs'],
    make: (_known, { waitedMs }) => ({ patienceMs: () => waitedMs }),
  },
  'short-request': {
    what: 'who asks for no more time than so much bursts in place of queueing',
    takes: ['requestMs'],
    make: ({ limitMs }, { requestMs }) => ({
      patienceMs: (job) => ((limitMs[job] as number) <= requestMs ? 0 : Number.POSITIVE_INFINITY),
    }),
  },
  'long-jobs-wait': {
    what: 'who is expected to run for less than so long bursts in place of queueing (SC20)',
    takes: ['runMs'],
    make: (known, { runMs }) => longJobsWait(known, runMs),
  },
  'short-waits-wait': {
    what: 'who is expected to wait for more than so long bursts in place of queueing (SC20)',
    takes: ['waitedMs'],
    make: (known, { waitedMs, exact }) => shortWaitsWait(known, waitedMs, exact),
  },
  compound: {
    what: 'long jobs wait and short waits wait, all others burst in place of queueing (SC20)',
    takes: ['runMs', 'waitedMs'],
    make: (known, { runMs, waitedMs, exact }) => compound(known, runMs, waitedMs, exact),
  },
  worth: {
    what: 'the default: most waiting saved for each core-hour, down to the least worth',
    takes: ['leastWorth', 'exact'],
    make: (known, { leastWorth, exact }, site) =>
      worth(known, { leastWorth, exact, readyMs: site.cloud.bootMs }),
  },
  'worth-knowing': {
    what: 'the default with every run time known in advance: a bound',
    takes: ['leastWorth', 'exact'],
    makeKnowing: (all, { leastWorth, exact }, site) =>
      worthKnowing(all, { leastWorth, exact, readyMs: site.cloud.bootMs }),
  },
  'short-run-knowing': {
    what: 'who will run for no longer than so long bursts in place of queueing, others once they have waited: a bound',
    takes: ['runMs', 'waitedMs'],
    makeKnowing: (all, { runMs, waitedMs }) => ({
      patienceMs: (job) => ((all.runMs[job] as number) <= runMs ? 0 : waitedMs),
    }),
  },
} as const satisfies Record<string, Kind | Clairvoyant>;

export type PolicyName = keyof typeof policies;

export const isPolicyName = (name: string): name is PolicyName => Object.hasOwn(policies, name);

export interface Named {
  readonly label: string;
  readonly policy: PolicyName;
  readonly parameters: Partial<Parameters>;
}

/** One that the site wrote itself. */
export interface Written {
  readonly label: string;
  readonly expression: Expression;
}

/** `bill`: what an expression's offer costs. */
export function makePolicy(
  named: Named | Written,
  trace: Columns,
  site: Site,
  bill: Bill = usualBill,
): Policy {
  if ('expression' in named) return byExpression(trace, named.expression, site, bill);
  const { policy, parameters } = named;
  const kind: Kind | Clairvoyant = policies[policy];
  const all = { ...usualParameters, ...parameters };
  return 'make' in kind ? kind.make(trace, all, site) : kind.makeKnowing(trace, all, site);
}
