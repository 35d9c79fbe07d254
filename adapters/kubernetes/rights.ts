/** For `doctor`: what the gateway needs and does not have. */
import type { Http } from './http.ts';
import { at, list, record, text, texts } from './json.ts';

interface Need {
  readonly resource: string;
  readonly verbs: readonly string[];
}

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
export async function missingRights(http: Http, tenants: readonly string[]): Promise<readonly string[]> {
  const missing = await lacking(http, undefined, inCluster);
  for (const namespace of tenants) missing.push(...(await lacking(http, namespace, inTenant)));
  return missing;
}

async function lacking(http: Http, namespace: string | undefined, needs: readonly Need[]): Promise<string[]> {
  const rules = await rulesIn(http, namespace ?? 'default');
  const missing: string[] = [];
  for (const { resource, verbs } of needs)
    for (const verb of verbs) {
      // The rules may be incomplete (webhook authorizers): what they lack is asked for by name.
      if (rules.some((rule) => covers(rule, verb, resource))) continue;
      if (await allowed(http, namespace, verb, resource)) continue;
      missing.push(`${verb} ${resource}${namespace === undefined ? '' : ` in namespace ${namespace}`}`);
    }
  return missing;
}

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

function covers(rule: unknown, verb: string, resource: string): boolean {
  const has = (field: string, value: string): boolean => {
    const values = texts(record(rule)[field]);
    return values.includes('*') || values.includes(value);
  };
  if (texts(record(rule).resourceNames).length > 0) return false;
  return has('apiGroups', '') && has('verbs', verb) && has('resources', resource);
}

async function allowed(
  http: Http,
  namespace: string | undefined,
  verb: string,
  full: string,
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
          ...(namespace && { namespace }),
          ...(subresource && { subresource }),
        },
      },
    },
    asksOnly: true,
  });
  return at(review, 'status', 'allowed') === true && text(at(review, 'status', 'evaluationError')) === '';
}
