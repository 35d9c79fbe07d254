import type { EventView } from '../api/portal-schemas.ts';

/** What counts all receipts is asked by time alone: no event tells of most of them. */
const touched: Readonly<Record<EventView['kind'], RegExp>> = {
  burst: /^(bursts|quotes|budgets|ledger|groups|jobs|why|decisions(?!\/counts)|audit|\/readyz)/,
  instance: /^(instances|groups|capacity|audit|\/readyz)/,
  stop: /^(stop|audit|\/readyz|quotes)/,
  ramp: /^(ramp|audit)/,
  drain: /^(capacity|groups|audit)/,
  breaker: /^(capacity|groups|audit|\/readyz)/,
  policy: /^(policies|audit|budgets|\/readyz)/,
  token: /^audit/,
  order: /^(jobs|webhooks|audit)/,
};

/** Whether an event of a kind may have changed what an address of the API answers. */
export const touches = (kind: EventView['kind'], path: string): boolean => touched[kind]?.test(path) ?? true;

/** News come in bursts, and a gateway reads them once a second: what came together is asked for together. */
export const gatherMs = 100;
/** Each address is asked so often at most. */
const leastMs = 500;
const longLeastMs = 5_000;
/** Rows from which on a list is long. */
const long = 500;

/** How soon after an answer an address is asked again at the soonest, in ms: lists of hundreds of rows are not read anew at each step of a burst. */
export function paceOf(path: string): number {
  const rows = /[?&]limit=(\d+)/.exec(path)?.[1];
  return Number(rows ?? 0) >= long ? longLeastMs : leastMs;
}
