/** What an admin set up for each user. Read only: the annotations say who a pod may be. */
import type { Tenant } from '../../src/domain/kube.ts';
import type { Clock } from '../../src/ports.ts';
import type { Http } from './http.ts';
import { at, list, text } from './json.ts';
import type { Log } from './log.ts';
import { label } from './names.ts';
import { tenantView } from './views.ts';

export interface TenantReader {
  /** As they are now. */
  namespaces(): Promise<readonly string[]>;
  /** As they were some seconds ago. */
  tenant(uid: number): Promise<Tenant | undefined>;
}

/** One that is being deleted takes no new pod, and our rights there may be gone already; pods of ours that are left in it are watched on. */
const stays = (namespace: unknown): boolean => at(namespace, 'metadata', 'deletionTimestamp') === undefined;

/** Forty jobs at once ask once. */
const keepMs = 5_000;

export function tenantReader(http: Http, clock: Clock, log: Log): TenantReader {
  let kept: { readonly until: number; readonly value: Promise<readonly unknown[]> } | undefined;

  function recent(): Promise<readonly unknown[]> {
    return kept !== undefined && clock.now() < kept.until ? kept.value : read();
  }

  function read(): Promise<readonly unknown[]> {
    const value = listAll(http, 'kubernetes.tenant', '/api/v1/namespaces', `${label.tenant}=true`);
    kept = { until: clock.now() + keepMs, value };
    value.catch(() => {
      if (kept?.value === value) kept = undefined;
    });
    return value;
  }

  return {
    async namespaces() {
      return (await read()).filter(stays).map((namespace) => text(at(namespace, 'metadata', 'name')));
    },
    async tenant(uid) {
      const tenants = (await recent())
        .filter(stays)
        .flatMap((namespace) => tenantView(namespace) ?? [])
        .filter((tenant) => tenant.uid === uid);
      if (tenants.length > 1)
        log.warn(
          { uid, namespaces: tenants.map(({ namespace }) => namespace) },
          'one uid, several namespaces',
        );
      // Always the same one, whatever the order of the list.
      return tenants.sort((a, b) => (a.namespace < b.namespace ? -1 : 1))[0];
    },
  };
}

/** All pages of a list. */
export async function listAll(
  http: Http,
  where: string,
  path: string,
  selector?: string,
  more: Readonly<Record<string, string>> = {},
): Promise<readonly unknown[]> {
  const items: unknown[] = [];
  let next = '';
  do {
    const page = await http.json({
      at: where,
      method: 'GET',
      path,
      timeoutMs: 30_000,
      query: {
        limit: '500',
        ...more,
        ...(selector === undefined ? {} : { labelSelector: selector }),
        ...(next === '' ? {} : { continue: next }),
      },
    });
    items.push(...list(at(page, 'items')));
    next = text(at(page, 'metadata', 'continue'));
  } while (next !== '');
  return items;
}
