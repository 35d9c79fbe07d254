/** Events, as `kubectl describe` shows them: for people. Nothing here or in the gateway acts on one. */
import { type ApiObject, type KubeEvent, timestamp } from './kubernetes-objects.ts';
import type { ApiServer } from './kubernetes-server.ts';
import type { Pace } from './kubernetes-types.ts';

/** As many as an hour of a busy cluster; the API server forgets them after that time. */
const most = 2_000;

export class Events {
  readonly #server: ApiServer;
  readonly #pace: Pace;
  #kept: KubeEvent[] = [];
  #serial = 0;

  constructor(server: ApiServer, pace: Pace) {
    this.#server = server;
    this.#pace = pace;
  }

  record(of: ApiObject, type: KubeEvent['type'], reason: string, message: string, component: string): void {
    const { name, namespace, uid } = of.metadata;
    const { store } = this.#server;
    const now = timestamp(this.#pace.now());
    const last = this.#kept.findLast(
      (one) => one.involvedObject.uid === uid && one.reason === reason && one.message === message,
    );
    if (last !== undefined) {
      const again = store.replace('events', last, { ...last, count: last.count + 1, lastTimestamp: now });
      this.#kept = this.#kept.map((one) => (one === last ? again : one));
      return;
    }
    this.#serial += 1;
    const metadata = this.#server.meta({
      name: `${name}.${this.#serial.toString(16).padStart(16, '0')}`,
      namespace: namespace ?? 'default',
    });
    const { apiVersion, kind } = of;
    const involvedObject = { apiVersion, kind, name, uid, ...(namespace === undefined ? {} : { namespace }) };
    const event: KubeEvent = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata,
      involvedObject,
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      reportingComponent: component,
    };
    this.#kept.push(store.add('events', event));
    const oldest = this.#kept.length > most ? this.#kept.shift() : undefined;
    if (oldest !== undefined) store.remove('events', oldest);
  }
}
