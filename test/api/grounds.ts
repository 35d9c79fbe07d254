import { randomUUID } from 'node:crypto';
import type { Facade, Grounds, OwnFacade, PortalFacade } from '../../src/api/app.ts';
import type { PoliciesFacade } from '../../src/api/routes/policies.ts';
import type { WebhooksFacade } from '../../src/api/routes/webhooks.ts';
import type { WhatIfsFacade } from '../../src/api/routes/what-if.ts';
import { instant, uuid } from '../../src/domain/ids.ts';
import { Feed } from '../../src/engine/feed.ts';
import { Front } from '../../src/engine/front.ts';
import type { DeskPort, Scheduler } from '../../src/ports.ts';

export const timers: Scheduler = {
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** An open API on these façades; what a test does not ask for is not there. */
export function grounds(desk: Facade, over: Partial<Grounds> = {}): Grounds {
  return {
    desk,
    portal: {} as PortalFacade,
    feed: new Feed({} as DeskPort, timers, () => undefined),
    hooks: {} as WebhooksFacade,
    own: {} as OwnFacade,
    policies: {} as PoliciesFacade,
    whatIfs: {} as WhatIfsFacade,
    front: new Front({
      clusters: [],
      clock: { now: () => instant(Date.now()) },
      entropy: { uuid: () => uuid(randomUUID()) },
      orders: { askOrder: async () => undefined, endOrder: async () => undefined },
      pause: async () => undefined,
      log: () => undefined,
    }),
    doorman: undefined,
    proxies: undefined,
    rate: { perSecond: 1_000, atOnce: 10_000 },
    streams: 4,
    login: undefined,
    page: undefined,
    clock: { now: () => Date.now() },
    scheduler: timers,
    newId: () => randomUUID(),
    log: () => undefined,
    ...over,
  };
}
