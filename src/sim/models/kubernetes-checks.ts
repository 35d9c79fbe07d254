/** What the API server makes of a posted body before any policy looks at it: validation and defaults. */
import {
  type Claim,
  type ContainerSpec,
  type Json,
  type Kind,
  kindNames,
  type Namespace,
  type Pod,
  type PodSpec,
  quantity,
  type Secret,
  type Toleration,
  type Words,
} from './kubernetes-objects.ts';
import { badRequest, invalid } from './kubernetes-types.ts';

/** An object as posted: named, and of the kind that was asked for. */
export interface Posted {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Words;
    readonly annotations?: Words;
    readonly finalizers?: readonly string[];
  };
  readonly [field: string]: unknown;
}

export function posted(kind: Kind, namespace: string | undefined, body: unknown): Posted {
  const object = record(body);
  if (object.kind !== kindNames[kind])
    throw badRequest(`the object provided is unrecognized: kind ${String(object.kind)}`);
  const meta = record(object.metadata);
  if (typeof meta.name !== 'string' || meta.name === '')
    throw invalid(kindNames[kind], '', ['metadata.name: Required value: name or generateName is required']);
  if (meta.namespace !== undefined && meta.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  const problems = [
    ...(isName(meta.name)
      ? []
      : [`metadata.name: Invalid value: "${meta.name}": a lowercase RFC 1123 subdomain`]),
    ...labelProblems(meta.labels),
    ...(isWords(meta.annotations) ? [] : ['metadata.annotations: Invalid value']),
    ...(isTexts(meta.finalizers) ? [] : ['metadata.finalizers: Invalid value']),
  ];
  if (problems.length > 0) throw invalid(kindNames[kind], meta.name, problems);
  return {
    ...object,
    apiVersion: 'v1',
    kind: kindNames[kind],
    metadata: {
      name: meta.name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(isWords(meta.labels) && meta.labels !== undefined ? { labels: meta.labels } : {}),
      ...(isWords(meta.annotations) && meta.annotations !== undefined
        ? { annotations: meta.annotations }
        : {}),
      ...(isTexts(meta.finalizers) && meta.finalizers !== undefined ? { finalizers: meta.finalizers } : {}),
    },
  };
}

type Made<O> = Omit<O, 'metadata'>;

export function podOf(body: Posted, tolerationSeconds: number): Made<Pod> {
  const given = record(body.spec);
  const containers = containersIn(body, 'containers', given.containers);
  if (containers.length === 0) throw invalid('Pod', body.metadata.name, ['spec.containers: Required value']);
  const init =
    given.initContainers === undefined ? [] : containersIn(body, 'initContainers', given.initContainers);
  const names = [...init, ...containers].map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw invalid('Pod', body.metadata.name, [`spec.containers.name: Duplicate value: "${twice}"`]);
  // What else is in a spec was checked where it is read, or is read by nobody here.
  const spec = given as unknown as PodSpec;
  const volumes = (spec.volumes ?? []).map(({ name }) => name);
  for (const { name, volumeMounts } of [...init, ...containers])
    for (const mount of volumeMounts ?? [])
      if (!volumes.includes(mount.name))
        throw invalid('Pod', body.metadata.name, [
          `spec.containers[${name}].volumeMounts.name: Not found: "${mount.name}"`,
        ]);
  return {
    apiVersion: body.apiVersion,
    kind: body.kind,
    spec: {
      ...spec,
      restartPolicy: spec.restartPolicy ?? 'Always',
      terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
      tolerations: tolerating(spec.tolerations ?? [], tolerationSeconds),
    },
    status: { phase: 'Pending', qosClass: qosOf(containers) },
  };
}

export function secretOf(body: Posted): Made<Secret> {
  const data = body.data ?? {};
  const bad = isWords(data)
    ? Object.keys(data).find((key) => !/^[-._a-zA-Z0-9]+$/.test(key))
    : 'data is not text by name';
  if (!isWords(data) || bad !== undefined)
    throw invalid('Secret', body.metadata.name, [`data: Invalid value: "${bad}"`]);
  if (Object.values(data).some((value) => !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0))
    throw badRequest('Secret in version "v1" cannot be handled as a Secret: illegal base64 data');
  return {
    apiVersion: body.apiVersion,
    kind: body.kind,
    type: typeof body.type === 'string' ? body.type : 'Opaque',
    data,
    ...(body.immutable === true ? { immutable: true } : {}),
  };
}

export const namespaceOf = (body: Posted): Made<Namespace> => ({
  apiVersion: body.apiVersion,
  kind: body.kind,
  status: { phase: 'Active' },
});

export const claimOf = (body: Posted): Made<Claim> => ({
  apiVersion: body.apiVersion,
  kind: body.kind,
  spec: record(body.spec),
  status: { phase: 'Bound' },
});

export function record(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function containersIn(body: Posted, field: string, given: unknown): readonly ContainerSpec[] {
  if (given !== undefined && !Array.isArray(given)) throw badRequest(`spec.${field} is not a list`);
  const list: readonly unknown[] = given ?? [];
  for (const [i, one] of list.entries()) {
    const { name, image, resources } = record(one);
    const problem = (what: string) => invalid('Pod', body.metadata.name, [`spec.${field}[${i}].${what}`]);
    if (typeof name !== 'string' || !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
      throw problem('name: Required value: a lowercase RFC 1123 label');
    if (typeof image !== 'string' || image === '') throw problem('image: Required value');
    for (const part of ['requests', 'limits'])
      for (const [resource, amount] of Object.entries(record(record(resources)[part])))
        if (typeof amount !== 'string' || quantity(amount) === undefined)
          throw problem(`resources.${part}[${resource}]: Invalid value: "${String(amount)}"`);
  }
  return list as readonly ContainerSpec[];
}

/** As admission adds them: without a word of its own a pod is taken off a lost node after this long. */
function tolerating(own: readonly Toleration[], seconds: number): readonly Toleration[] {
  const added = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].flatMap((key) => {
    const known = own.some(
      (one) =>
        (one.key === key || one.key === undefined) &&
        (one.effect === 'NoExecute' || one.effect === undefined || one.effect === ''),
    );
    return known ? [] : [{ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: seconds }];
  });
  return [...own, ...added];
}

function qosOf(containers: readonly ContainerSpec[]): string {
  const asked = containers.some(
    ({ resources }) => Object.keys({ ...resources?.requests, ...resources?.limits }).length > 0,
  );
  const full = containers.every(({ resources }) =>
    ['cpu', 'memory'].every((name) => {
      const limit = resources?.limits?.[name];
      return limit !== undefined && (resources?.requests?.[name] ?? limit) === limit;
    }),
  );
  return full ? 'Guaranteed' : asked ? 'Burstable' : 'BestEffort';
}

const isName = (name: string): boolean =>
  name.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name);

const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

export function labelProblems(labels: unknown): string[] {
  if (!isWords(labels)) return ['metadata.labels: Invalid value'];
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...(labelKey.test(key) ? [] : [`metadata.labels: Invalid value: "${key}"`]),
    ...(labelValue.test(value) ? [] : [`metadata.labels: Invalid value: "${value}"`]),
  ]);
}

function isWords(value: unknown): value is Words | undefined {
  return (
    value === undefined ||
    (typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every((one) => typeof one === 'string'))
  );
}

function isTexts(value: unknown): value is readonly string[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
}
