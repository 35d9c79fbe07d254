import { z } from 'zod';
import type { Caller } from '../../domain/caller.ts';
import { type Uuid, uuid } from '../../domain/ids.ts';
import type { Page, Paged } from '../../domain/page.ts';
import type { DeadDelivery } from '../../domain/webhook.ts';
import type { HookState } from '../../engine/outbox.ts';
import { cursorOf, pageOf, questionOf } from '../cursor.ts';
import { type Operation, operation } from '../operation.ts';
import { deadDeliveriesQuery, deadDeliveryView, deliveryPath, hookView, paged } from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { iso, plainOrder } from '../schemas.ts';
import { signed } from '../signed.ts';

export interface WebhooksFacade {
  states(): Promise<readonly HookState[]>;
  dead(hook: string | undefined, page: Page): Promise<Paged<DeadDelivery>>;
  again(id: Uuid, by: string, why: string): Promise<boolean>;
}

/** The site's own addresses that are told of events, and what they did not take. */
export function webhooks(hooks: WebhooksFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listWebhooks', method: 'get', path: '/webhooks', role: 'operator' },
      says: 'The webhooks that are configured: what waits for each, since when, and how many deliveries were given up.',
      answer: z.strictObject({ webhooks: z.array(hookView) }),
      act: async () => ({
        webhooks: (await hooks.states()).map(({ oldestAt, why, ...state }) => ({
          ...state,
          ...(oldestAt === undefined ? {} : { oldest: iso(oldestAt) }),
          ...(why === undefined ? {} : { why }),
        })),
      }),
    }),
    operation({
      ...{ id: 'listDeadDeliveries', method: 'get', path: '/webhooks/dead', role: 'operator' },
      says: 'Deliveries that were given up, the latest first, with the body that would have been sent.',
      query: deadDeliveriesQuery,
      answer: paged('dead', deadDeliveryView),
      act: async ({ query: { hook, limit, cursor } }) => {
        const question = questionOf('dead', { hook });
        const { rows, next } = await hooks.dead(hook, pageOf('dead', question, { limit, cursor }));
        return {
          dead: rows.map(viewOf),
          ...(next === undefined ? {} : { next: cursorOf(question, next) }),
        };
      },
    }),
    operation({
      ...{ id: 'deliverAgain', method: 'post', path: '/webhooks/dead/{id}/again', role: 'operator' },
      says: 'Sends a delivery that was given up anew, from its first try on.',
      params: deliveryPath,
      order: plainOrder,
      answer: z.strictObject({ again: z.literal(true) }),
      refuses: [404],
      act: async ({ path: { id }, order, caller }) => {
        if (await hooks.again(uuid(id), byOf(caller, order.by), order.reason))
          return { again: true as const };
        throw new Refusal('not_found', 'Not found', { detail: `no delivery ${id} was given up` });
      },
    }),
  ];
}

/** Where nobody is asked who he is, this order was always taken without a name. */
const byOf = (caller: Caller, by: string | undefined): string =>
  caller.by === 'open' && (by ?? '') === '' ? 'somebody on this host' : signed(caller, by);

const viewOf = ({ id, hook, event, body, tries, firstAt, deadAt, why }: DeadDelivery) => ({
  ...{ id, webhook: hook, event, body, tries },
  ...{ first: iso(firstAt), since: iso(deadAt) },
  ...(why === undefined ? {} : { why }),
});
