/** Names that the tenants' identity writes; deploy/kubernetes/tenants.yaml lets it write no others. */
import type { Person } from '../domain/tenants.ts';

export const prefix = 'spillway-';
/** Where the gateway itself lives: no user's. */
export const gatewayNamespace = 'spillway-gateway';
export const tenantLabel = 'spillway.dev/tenant';
export const managedBy = { 'app.kubernetes.io/managed-by': 'spillway-tenants' } as const;
export const annotation = {
  uid: 'spillway.dev/uid',
  gids: 'spillway.dev/gids',
  claims: 'spillway.dev/claims',
  user: 'spillway.dev/user',
  /** SHA-256 of an object as it was asked for: tells of what is not asked for any more. */
  applied: 'spillway.dev/applied',
} as const;
/** One quota a namespace, by this name: it also tells whether the namespace is empty. */
export const quotaName = 'spillway';
export const podsCounted = 'count/pods';

/** A name that Kubernetes does not take gets the uid, so that two users never share one. */
export function namespaceFor({ user, uid }: Pick<Person, 'user' | 'uid'>): string {
  const plain = user
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .replace(/^-+|-+$/g, '');
  const asIs = plain === user && prefix.length + user.length <= 63 && `${prefix}${user}` !== gatewayNamespace;
  return asIs ? `${prefix}${user}` : `${prefix}${plain.slice(0, 40)}-u${uid}`;
}
