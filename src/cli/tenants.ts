/** What `spillway tenants` prints. */
import { stringify } from 'yaml';
import type { KubeObject, KubeRef, TenantPlan } from '../domain/tenants.ts';

export interface TenantsOrder {
  readonly verb: 'apply' | 'list' | 'check';
  /** With apply: say what would be done. */
  readonly dryRun: boolean;
  /** With apply: print the objects in place of asking the cluster for them. */
  readonly yaml: boolean;
  /** With apply: take away what is left of users who are gone. */
  readonly prune: boolean;
  readonly json: boolean;
}

export interface TenantDid {
  readonly what: string;
  readonly user: string;
  readonly ref: KubeRef;
  readonly text: string;
}

export const asYaml = (objects: readonly KubeObject[]): string =>
  objects.map((object) => stringify(object)).join('---\n');

export const nameOf = ({ kind, name, namespace }: KubeRef): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;

export const didLine = ({ what, user, ref, text }: TenantDid): string =>
  `${what === 'failed' ? 'FAILED' : what} ${nameOf(ref)}${nameOf(ref).includes(user) ? '' : ` (${user})`}${text === '' ? '' : `: ${text}`}`;

/** What `apply` would do, and what hinders it. */
export function planLines({ changes, leftovers, troubles }: TenantPlan, prune: boolean): readonly string[] {
  return [
    ...troubles.map(({ user, text }) => `TROUBLE ${user}: ${text}`),
    ...changes
      .filter(({ what }) => what !== 'same')
      .map(({ what, object: { kind, metadata }, fields }) => {
        const fieldsOf = fields.length === 0 ? '' : `: ${fields.join(', ')}`;
        return `would ${what} ${nameOf({ kind, ...metadata })}${fieldsOf}`;
      }),
    ...leftovers.map(({ namespace, user, stays }) => {
      const then =
        stays ?? (prune ? 'would be removed if it is empty' : 'apply --prune removes it once it is empty');
      return `left over ${namespace}: ${user} is not among the users any more; ${then}`;
    }),
  ];
}

/** One user a line: namespace, identity, and whether all is as it is asked for. */
export function listLines({ changes, leftovers, troubles }: TenantPlan): readonly string[] {
  const users = [...new Set(changes.map(({ user }) => user))];
  const rows = users.map((user) => {
    const own = changes.filter((change) => change.user === user);
    const metadata: KubeObject['metadata'] = own[0]?.object.metadata ?? { name: '' };
    const open = own.filter(({ what }) => what !== 'same').length;
    const { 'spillway.dev/uid': uid = '', 'spillway.dev/gids': gids = '' } = metadata.annotations ?? {};
    return [metadata.name, user, uid, gids, open === 0 ? 'as it should be' : `${open} objects differ`];
  });
  const gone = leftovers.map(({ namespace, user }) => [namespace, user, '', '', 'left over']);
  const odd = troubles.map(({ user, text }) => ['-', user, '', '', text]);
  const all = [['namespace', 'user', 'uid', 'groups', 'state'], ...rows, ...gone, ...odd];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** How all stands, by user: what differs of him, what is left over, and what hinders. `done`: what apply did to get there. */
export function tenantsJson(
  { changes, leftovers, troubles }: TenantPlan,
  done?: readonly TenantDid[],
): string {
  const users = [...new Set(changes.map(({ user }) => user))].map((user) => {
    const own = changes.filter((change) => change.user === user);
    const open = own.filter(({ what }) => what !== 'same');
    return {
      ...{ user, namespace: own[0]?.object.metadata.name ?? '', objects: own.length },
      differ: open.map(({ what, object: { kind, metadata }, fields }) => ({
        ...{ what, object: nameOf({ kind, ...metadata }), fields },
      })),
    };
  });
  const did = done?.map(({ what, user, ref, text }) => ({ what, user, object: nameOf(ref), text }));
  return JSON.stringify({ users, leftovers, troubles, ...(did && { done: did }) }, undefined, 2);
}

export function sumLine({ changes, leftovers, troubles }: TenantPlan): string {
  const count = (what: string): number => changes.filter((change) => change.what === what).length;
  const users = new Set(changes.map(({ user }) => user)).size;
  return `${users} users: ${count('same')} objects as they should be, ${count('create')} missing, ${count('update')} differ, ${leftovers.length} namespaces left over, ${troubles.length} troubles`;
}
