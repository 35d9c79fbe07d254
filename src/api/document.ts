import { type Facade, type OwnFacade, operationsOf, type PortalFacade } from './app.ts';
import { openapi } from './openapi.ts';
import type { PoliciesFacade } from './routes/policies.ts';
import type { WebhooksFacade } from './routes/webhooks.ts';
import type { WhatIfsFacade } from './routes/what-if.ts';

/** docs/openapi.json: what a gateway serves. Nothing is asked of a gateway to make it. */
export const document = (): string =>
  `${JSON.stringify(openapi(operationsOf({} as Facade, {} as PortalFacade, {} as WebhooksFacade, {} as OwnFacade, {} as PoliciesFacade, {} as WhatIfsFacade, undefined)), undefined, 2)}\n`;
