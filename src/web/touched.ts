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
