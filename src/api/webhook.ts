import type { Instant } from '../domain/ids.ts';
import type { HookEvent } from '../engine/outbox.ts';
import type { AuditEvent } from '../engine/portal.ts';
import { eventId, eventView } from './events.ts';
import { iso } from './schemas.ts';

/** An event as a webhook is sent it: its type, and what the event stream says of it. [Standard Webhooks, Payload structure] */
export function toldOf(event: AuditEvent, generation: string): HookEvent {
  const view = eventView(event);
  return {
    event: eventId(generation, event.mark),
    ...{ kind: view.kind, to: view.to },
    body: JSON.stringify({ type: `${view.kind}.${view.to}`, timestamp: view.at, data: view }),
  };
}

/** The store was restored: what a receiver has heard may not be so any more, and lists are to be read again. */
export const resetOf = (generation: string, at: Instant): HookEvent => ({
  event: `${generation.slice(0, 8)}.reset`,
  ...{ kind: 'reset', to: 'reset' },
  body: JSON.stringify({ type: 'reset', timestamp: iso(at), data: {} }),
});
