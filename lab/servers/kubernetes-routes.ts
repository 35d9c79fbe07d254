/** Paths and verbs of the core API, as far as the gateway and kubectl use them. */
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import { isNamespaced, type Kind, kindNames } from '../../src/sim/models/kubernetes-objects.ts';
import type { PatchType } from '../../src/sim/models/kubernetes-patch.ts';
import type { Who } from '../../src/sim/models/kubernetes-rights.ts';
import type { DeleteOptions } from '../../src/sim/models/kubernetes-server.ts';
import { ApiError } from '../../src/sim/models/kubernetes-types.ts';
import { list } from './kubernetes-lists.ts';
import { review } from './kubernetes-reviews.ts';
import { type Wanted, wanted } from './kubernetes-selectors.ts';
import { type Answer, success } from './kubernetes-status.ts';

export interface Asked {
  readonly who: Who;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: unknown;
}

export interface Resource {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly sub: string | undefined;
}

/** Undefined: not a path of the core API. */
export function resourceOf(path: string): Resource | undefined {
  const [api, version, ...rest] = path.split('/').slice(1).map(decodeURIComponent);
  if (api !== 'api' || version !== 'v1') return undefined;
  const inside = rest[0] === 'namespaces' && rest[2] !== undefined && rest[2] !== 'status';
  const [kind, name, sub] = inside ? rest.slice(2) : rest;
  if (kind === undefined || !Object.hasOwn(kindNames, kind)) return undefined;
  return { kind: kind as Kind, namespace: inside ? rest[1] : undefined, name, sub };
}

/** What a list or a watch of this path asks for; the rights to it are checked. */
export function asking(model: KubernetesModel, asked: Asked, verb: 'list' | 'watch'): Wanted {
  const { kind, namespace } = resourceOf(asked.path) ?? unknown(asked.path);
  model.server.rights.check(asked.who, verb, kind, namespace);
  return wanted(kind, namespace, asked.query);
}

export const isWatch = ({ method, query, path }: Asked): boolean =>
  method === 'GET' && /^(true|1)$/.test(query.get('watch') ?? '') && resourceOf(path)?.name === undefined;

/** Whether an answer that is lost leaves a doubt, and whether somebody else's change can be in the way. */
export function doesOf({ method, path }: Asked): 'read' | 'create' | 'change' {
  if (method === 'GET' || path.startsWith('/apis/authorization.k8s.io/')) return 'read';
  return method === 'POST' ? 'create' : 'change';
}

export function answer(model: KubernetesModel, asked: Asked): Answer {
  const { server } = model;
  const { who, method, path, query, body } = asked;
  const special = method === 'GET' ? plain(model, path) : review(server.rights, asked);
  if (special !== undefined) return special;
  unheardOf(model, asked);
  const { kind, namespace, name, sub } = resourceOf(path) ?? unknown(path);
  if (name === undefined) {
    if (method === 'GET') return list(model, asking(model, asked, 'list'), query);
    if (method === 'POST') return { code: 201, body: server.create(who, kind, namespace, body) };
    throw notAllowed();
  }
  if (kind === 'pods' && sub === 'eviction' && method === 'POST') {
    server.remove(who, { kind, namespace, name });
    return { ...success('pods', name, ''), code: 201 };
  }
  // The status can be read on its own, and only the cluster's own parts write it.
  if (sub !== undefined && !(sub === 'status' && method === 'GET')) unknown(path);
  const place = { kind, namespace, name };
  switch (method) {
    case 'GET':
      return { code: 200, body: server.get(who, kind, namespace, name) };
    case 'PUT':
      return { code: 200, body: server.replace(who, place, body) };
    case 'PATCH':
      return { code: 200, body: server.patch(who, place, patchOf(asked.contentType), body) };
    case 'DELETE': {
      const gone = server.remove(who, place, deleteOptions(body, query));
      const whole = kind === 'pods' || kind === 'namespaces';
      return whole ? { code: 200, body: gone } : success(kind, name, gone.metadata.uid);
    }
    default:
      throw notAllowed();
  }
}

/** Rights are looked at before whether there is such a kind at all. */
function unheardOf({ server }: KubernetesModel, { who, method, path }: Asked): void {
  const [, namespace, kind] = /^\/apis\/[^/]+\/[^/]+\/namespaces\/([^/]+)\/([a-z]+)$/.exec(path) ?? [];
  if (kind !== undefined && method === 'POST') server.rights.check(who, 'create', kind, namespace);
}

function plain({ config }: KubernetesModel, path: string): Answer | undefined {
  switch (path) {
    case '/version': {
      const [, major, minor] = /^v(\d+)\.(\d+)/.exec(config.version) ?? [];
      return { code: 200, body: { major, minor, gitVersion: config.version, platform: 'linux/amd64' } };
    }
    case '/healthz':
    case '/livez':
    case '/readyz':
      return { code: 200, body: 'ok' };
    case '/api':
      return { code: 200, body: { kind: 'APIVersions', versions: ['v1'] } };
    case '/apis':
      return { code: 200, body: { kind: 'APIGroupList', apiVersion: 'v1', groups: [] } };
    case '/api/v1':
      return { code: 200, body: { kind: 'APIResourceList', groupVersion: 'v1', resources: discovered() } };
    // Nothing here needs any.
    case '/apis/apps/v1/daemonsets':
      return { code: 200, body: { kind: 'DaemonSetList', apiVersion: 'apps/v1', metadata: {}, items: [] } };
    default:
      return undefined;
  }
}

const short: Readonly<Partial<Record<Kind, string>>> = {
  pods: 'po',
  nodes: 'no',
  namespaces: 'ns',
  persistentvolumeclaims: 'pvc',
  events: 'ev',
};

const discovered = () =>
  (Object.keys(kindNames) as Kind[]).map((kind) => ({
    name: kind,
    singularName: kindNames[kind].toLowerCase(),
    namespaced: isNamespaced(kind),
    kind: kindNames[kind],
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    ...(short[kind] === undefined ? {} : { shortNames: [short[kind]] }),
  }));

function patchOf(contentType: string): PatchType {
  if (contentType.startsWith('application/json-patch+json')) return 'json';
  // For what kubectl labels and cordons with it, a strategic patch says the same as a merge patch.
  if (/^application\/(strategic-)?merge-patch\+json/.test(contentType)) return 'merge';
  throw unsupported(contentType);
}

function deleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const given = (body ?? {}) as {
    readonly gracePeriodSeconds?: number | null;
    readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  };
  const asked = given.gracePeriodSeconds ?? query.get('gracePeriodSeconds') ?? undefined;
  return {
    uid: given.preconditions?.uid,
    resourceVersion: given.preconditions?.resourceVersion,
    graceSeconds: asked === undefined ? undefined : Number(asked),
  };
}

function unknown(path: string): never {
  throw new ApiError(404, 'NotFound', `the server could not find the requested resource: ${path}`);
}

const notAllowed = (): ApiError =>
  new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');

export const unsupported = (contentType: string): ApiError =>
  new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format: ${contentType}`,
  );
