/** For `doctor`: what the gateway needs and does not have. */
import { placesNamespace } from '../../src/domain/kube.ts';
import type { Http } from './http.ts';
import { at, list, record, text, texts } from './json.ts';

export interface Need {
  /** The core group's if undefined. */
  readonly group?: string;
  readonly resource: string;
  /** One object's; all of them if undefined. */
  readonly name?: string;
  readonly verbs: readonly string[];
}

/** What of a cluster's scheduling the gateway is configured to use, and has no right to as installed (deploy/kubernetes/scheduling/rights.yaml). */
export interface Uses {
  readonly scheduler?: string | undefined;
  readonly priorityClass?: string | undefined;
  readonly podGroups?: 'scheduler-plugins' | 'volcano' | undefined;
  readonly volcanoQueue?: string | undefined;
  /** Node groups of provider external (deploy/kubernetes/external/rights.yaml). */
  readonly places?: boolean | undefined;
}

const groups = {
  'scheduler-plugins': 'scheduling.x-k8s.io',
  volcano: 'scheduling.volcano.sh',
} as const;

const inClusterBy = ({ scheduler, priorityClass, volcanoQueue }: Uses): readonly Need[] => [
  ...(scheduler === undefined
    ? []
    : [{ group: 'spillway.dev', resource: 'schedulers', name: scheduler, verbs: ['use'] }]),
  ...(priorityClass === undefined
    ? []
    : [{ group: 'scheduling.k8s.io', resource: 'priorityclasses', name: priorityClass, verbs: ['use'] }]),
  ...(volcanoQueue === undefined
    ? []
    : [{ group: 'spillway.dev', resource: 'queues', name: volcanoQueue, verbs: ['use'] }]),
];

const inTenantBy = ({ podGroups }: Uses): readonly Need[] =>
  podGroups === undefined ? [] : [{ group: groups[podGroups], resource: 'podgroups', verbs: ['create'] }];

/** For the pods that hold places, and for whatever else runs on a node that is given up. */
const toHold: readonly Need[] = [{ resource: 'pods', verbs: ['create', 'get', 'list', 'delete', 'patch'] }];
const toSeeAll: readonly Need[] = [{ resource: 'pods', verbs: ['list'] }];

const inCluster: readonly Need[] = [
  { resource: 'nodes', verbs: ['get', 'list', 'watch', 'patch', 'delete'] },
  { resource: 'namespaces', verbs: ['get', 'list'] },
];

const inTenant: readonly Need[] = [
  { resource: 'pods', verbs: ['create', 'get', 'list', 'watch', 'delete', 'patch'] },
  // A WebSocket is a GET, and from 1.35 on needs create too.
  { resource: 'pods/portforward', verbs: ['get', 'create'] },
  // get: a gateway that starts anew reads back the key of a pod that runs.
  { resource: 'secrets', verbs: ['create', 'get', 'delete'] },
];

const where = 'kubernetes.missingRights';

/** As `verb resource`, with the namespace where it is one's. */
export async function missingRights(
  http: Http,
  tenants: readonly string[],
  uses: Uses = {},
): Promise<readonly string[]> {
  const missing = await lacking(http, undefined, [...inCluster, ...inClusterBy(uses)]);
  if (uses.places === true) {
    missing.push(...(await lacking(http, undefined, toSeeAll)));
    missing.push(...(await lacking(http, placesNamespace, toHold)));
  }
  for (const namespace of tenants)
    missing.push(...(await lacking(http, namespace, [...inTenant, ...inTenantBy(uses)])));
  return missing;
}

async function lacking(http: Http, namespace: string | undefined, needs: readonly Need[]): Promise<string[]> {
  const rules = await rulesIn(http, namespace ?? 'default');
  const missing: string[] = [];
  for (const need of needs)
    for (const verb of need.verbs) {
      // The rules may be incomplete (webhook authorizers): what they lack is asked for by name.
      if (rules.some((rule) => covers(rule, verb, need))) continue;
      if (await allowed(http, namespace, verb, need)) continue;
      missing.push(`${verb} ${inWords(need)}${namespace === undefined ? '' : ` in namespace ${namespace}`}`);
    }
  return missing;
}

const inWords = ({ group, resource, name }: Need): string =>
  `${resource}${group === undefined ? '' : `.${group}`}${name === undefined ? '' : `/${name}`}`;

async function rulesIn(http: Http, namespace: string): Promise<readonly unknown[]> {
  const review = await http.json({
    at: where,
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
    asksOnly: true,
  });
  return list(at(review, 'status', 'resourceRules'));
}

function covers(rule: unknown, verb: string, { group = '', resource, name }: Need): boolean {
  const has = (field: string, value: string): boolean => {
    const values = texts(record(rule)[field]);
    return values.includes('*') || values.includes(value);
  };
  const names = texts(record(rule).resourceNames);
  if (names.length > 0 && (name === undefined || !names.includes(name))) return false;
  return has('apiGroups', group) && has('verbs', verb) && has('resources', resource);
}

async function allowed(
  http: Http,
  namespace: string | undefined,
  verb: string,
  { group, resource: full, name }: Need,
): Promise<boolean> {
  const [resource, subresource] = full.split('/');
  const review = await http.json({
    at: where,
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          verb,
          resource,
          ...(group && { group }),
          ...(name && { name }),
          ...(namespace && { namespace }),
          ...(subresource && { subresource }),
        },
      },
    },
    asksOnly: true,
  });
  return at(review, 'status', 'allowed') === true && text(at(review, 'status', 'evaluationError')) === '';
}
