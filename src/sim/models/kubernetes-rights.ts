/** Who may do what: deploy/kubernetes/gateway.yaml, and an admin who may do everything. */
import { placesNamespace } from '../../domain/kube.ts';
import { ApiError } from './kubernetes-types.ts';

export type Who = 'gateway' | 'admin';

interface Rule {
  readonly resource: string;
  readonly verbs: readonly string[];
}

export const gatewayUser = 'system:serviceaccount:spillway-gateway:gw';
export const tenantLabel = 'spillway.dev/tenant';

/** In the whole cluster. */
const clusterRules: readonly Rule[] = [
  { resource: 'nodes', verbs: ['get', 'list', 'watch', 'patch', 'delete'] },
  { resource: 'namespaces', verbs: ['get', 'list'] },
  // For doctor alone: nothing else lacks it.
  { resource: 'daemonsets', verbs: ['list'] },
];

/** In each tenant namespace, by its RoleBinding. */
const tenantRules: readonly Rule[] = [
  { resource: 'pods', verbs: ['create', 'get', 'list', 'watch', 'delete', 'patch'] },
  { resource: 'pods/portforward', verbs: ['get', 'create'] },
  { resource: 'pods/exec', verbs: ['get', 'create'] },
  { resource: 'secrets', verbs: ['create', 'get', 'delete'] },
  { resource: 'events', verbs: ['list', 'watch'] },
];

/** Where the pods are that hold places. */
const placeRules: readonly Rule[] = [
  { resource: 'pods', verbs: ['create', 'get', 'list', 'delete', 'patch'] },
];

/** What the adapter's `missingRights` asks for. */
export const needs = {
  cluster: clusterRules.filter(({ resource }) => resource !== 'daemonsets'),
  tenant: tenantRules.filter(({ resource }) => resource !== 'events' && resource !== 'pods/exec'),
} as const;

export class Rights {
  /** As `verb resource`. */
  readonly #taken = new Set<string>();
  #all = clusterRules;
  #places: readonly Rule[] = [];
  readonly #isTenant: (namespace: string) => boolean;

  constructor(isTenant: (namespace: string) => boolean) {
    this.#isTenant = isTenant;
  }

  /** Takes a right from the gateway, such as `delete secrets`; or gives it back. */
  take(right: string, taken: boolean): void {
    if (taken) this.#taken.add(right);
    else this.#taken.delete(right);
  }

  /** What deploy/kubernetes/static gives besides: whoever has fixed nodes sees the pods of all namespaces. */
  seeAllPods(): void {
    this.#all = [...clusterRules, { resource: 'pods', verbs: ['list'] }];
  }

  /** What deploy/kubernetes/external gives besides; whoever gives nodes up sees the pods of all namespaces. */
  holdPlaces(): void {
    this.seeAllPods();
    this.#places = placeRules;
  }

  rulesIn(namespace: string | undefined): readonly Rule[] {
    const tenants = namespace !== undefined && this.#isTenant(namespace) ? tenantRules : [];
    const all = [...this.#all, ...tenants, ...(namespace === placesNamespace ? this.#places : [])];
    return all.map(({ resource, verbs }) => ({
      resource,
      verbs: verbs.filter((verb) => !this.#taken.has(`${verb} ${resource}`)),
    }));
  }

  may(who: Who, verb: string, resource: string, namespace: string | undefined): boolean {
    if (who === 'admin') return true;
    return this.rulesIn(namespace).some((rule) => rule.resource === resource && rule.verbs.includes(verb));
  }

  check(who: Who, verb: string, resource: string, namespace: string | undefined, name?: string): void {
    if (this.may(who, verb, resource, namespace)) return;
    const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
    throw new ApiError(
      403,
      'Forbidden',
      `${resource.split('/')[0]}${name === undefined ? '' : ` "${name}"`} is forbidden: User "${gatewayUser}" cannot ${verb} resource "${resource}" in API group "" ${where}`,
    );
  }
}
