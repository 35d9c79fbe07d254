/** Brings the cluster to a plan, object by object; one that is refused holds up only what stands in its namespace. */
import { faultOf, ignoring, PortError } from '../domain/fault.ts';
import type { KubeObject, KubeRef, Leftover, TenantPlan } from '../domain/tenants.ts';
import type { TenantsPort } from '../ports.ts';
import { podsCounted } from './names.ts';

export interface TenantDone {
  readonly what: 'created' | 'updated' | 'removed' | 'stays' | 'failed' | 'left out';
  readonly user: string;
  readonly ref: KubeRef;
  /** The fields of an update, the reason of a failure. */
  readonly text: string;
}

interface How {
  /** Namespaces whose users are gone are removed, where they are empty. */
  readonly prune: boolean;
  /** Resolves some time later. */
  wait(): Promise<void>;
}

/** Safe to repeat: what was done before a failure is found done. */
export async function* applyTenants(
  port: TenantsPort,
  plan: TenantPlan,
  how: How,
): AsyncGenerator<TenantDone> {
  const broken = new Set<string>();
  for (const { what, user, object, fields } of plan.changes) {
    if (what === 'same') continue;
    const ref = refOf(object);
    if (broken.has(user)) {
      yield { what: 'left out', user, ref, text: 'because of the failure before' };
      continue;
    }
    try {
      await port.put(object);
      yield { what: what === 'create' ? 'created' : 'updated', user, ref, text: fields.join(', ') };
    } catch (e) {
      if (!(e instanceof PortError)) throw e;
      // Without its limits a namespace gets no right to make pods.
      broken.add(user);
      yield { what: 'failed', user, ref, text: `${e.fault}: ${e.message}` };
    }
  }
  if (how.prune) for (const leftover of plan.leftovers) yield* prune(port, leftover, how);
}

async function* prune(port: TenantsPort, leftover: Leftover, how: How): AsyncGenerator<TenantDone> {
  const { user, namespace, objects } = leftover;
  const home = { kind: 'Namespace', name: namespace };
  try {
    const why = await notEmpty(port, leftover, how);
    if (why !== undefined) {
      yield { what: 'stays', user, ref: home, text: why };
      return;
    }
    for (const ref of objects) {
      await ignoring('not_found', port.remove(ref));
      yield { what: 'removed', user, ref, text: '' };
    }
  } catch (e) {
    if (faultOf(e) === undefined) throw e;
    yield { what: 'failed', user, ref: home, text: `${faultOf(e)}: ${(e as Error).message}` };
  }
}

const looks = 60;

/**
 * Why a namespace stays. The quota counts its pods, and is closed first: between the look and the removal the gateway could make one
 * more, and the namespace would take a running job with it.
 */
async function notEmpty(
  port: TenantsPort,
  { namespace, closed, stays }: Leftover,
  how: How,
): Promise<string | undefined> {
  if (stays !== undefined || closed === undefined) return stays;
  const before = await quotaIn(port, namespace);
  if (before !== undefined && before.used > 0)
    return `${before.used} pods are there; run this again when they are settled`;
  await port.put(closed);
  for (let look = 0; look < looks; look += 1) {
    const now = await quotaIn(port, namespace);
    if (now?.hard === 0)
      return now.used === 0 ? undefined : `${now.used} pods came meanwhile; run this again`;
    await how.wait();
  }
  return 'its quota does not say yet that no pod is admitted; run this again';
}

interface Counted {
  readonly hard: number | undefined;
  readonly used: number;
}

async function quotaIn(port: TenantsPort, namespace: string): Promise<Counted | undefined> {
  const quota = await port.quota(namespace);
  if (quota === undefined) return undefined;
  const count = (of: Readonly<Record<string, string>> | undefined): number | undefined =>
    of?.[podsCounted] === undefined ? undefined : Number(of[podsCounted]);
  // Not counted yet is not none.
  return { hard: count(quota.hard), used: count(quota.used) ?? Number.POSITIVE_INFINITY };
}

const refOf = ({ kind, metadata: { name, namespace } }: KubeObject): KubeRef => ({ kind, name, namespace });
