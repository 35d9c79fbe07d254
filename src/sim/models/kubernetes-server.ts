/** The API server: every verb on every kind, each atomic. Both faces and the cluster's own parts change things here only. */
import { enforce, type Request } from './kubernetes-admission.ts';
import {
  claimOf,
  labelProblems,
  namespaceOf,
  type Posted,
  podOf,
  posted,
  secretOf,
} from './kubernetes-checks.ts';
import { type Deletion, freed, plainDeletion, podDeletion } from './kubernetes-deletion.ts';
import {
  type ApiObject,
  alike,
  isNamespaced,
  type Kind,
  type Kinds,
  kindNames,
  type Meta,
  type Namespace,
  type Pod,
  type Secret,
  timestamp,
} from './kubernetes-objects.ts';
import { type PatchType, patched } from './kubernetes-patch.ts';
import { Rights, tenantLabel, type Who } from './kubernetes-rights.ts';
import { ObjectStore } from './kubernetes-store.ts';
import {
  ApiError,
  invalid,
  type KubernetesConfig,
  type KubernetesDeps,
  modified,
  notFound,
} from './kubernetes-types.ts';

export interface Place {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
}

export interface DeleteOptions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly graceSeconds?: number | undefined;
}

export class ApiServer {
  readonly store: ObjectStore;
  readonly rights: Rights;
  readonly #config: KubernetesConfig;
  readonly #deps: KubernetesDeps;
  /** Beside the policies: why this pod is refused, in the words the caller is to see. */
  admission: (pod: Posted) => string | undefined = () => undefined;

  constructor(config: KubernetesConfig, deps: KubernetesDeps) {
    this.#config = config;
    this.#deps = deps;
    this.store = new ObjectStore(config.history);
    this.rights = new Rights(
      (namespace) => this.#namespace(namespace)?.metadata.labels?.[tenantLabel] === 'true',
    );
  }

  get<K extends Kind>(who: Who, kind: K, namespace: string | undefined, name: string): Kinds[K] {
    this.rights.check(who, 'get', kind, namespace, name);
    return this.#there(kind, namespace, name);
  }

  create<K extends Kind>(who: Who, kind: K, namespace: string | undefined, body: unknown): Kinds[K] {
    this.rights.check(who, 'create', kind, namespace);
    const given = posted(kind, isNamespaced(kind) ? namespace : undefined, body);
    const { name } = given.metadata;
    const home = this.#namespace(namespace);
    if (isNamespaced(kind) && home === undefined) throw notFound('namespaces', namespace ?? '');
    if (home?.metadata.deletionTimestamp !== undefined)
      throw forbidden(
        kind,
        name,
        `unable to create new content in namespace ${namespace} because it is being terminated`,
      );
    const object = this.#made(kind, given);
    this.#enforce({ who, operation: 'CREATE', kind, object, old: undefined, namespace: home });
    const words = kind === 'pods' ? this.admission(given) : undefined;
    if (words !== undefined) throw forbidden(kind, name, words);
    if (this.store.get(kind, namespace, name) !== undefined)
      throw new ApiError(409, 'AlreadyExists', `${kind} "${name}" already exists`);
    return this.store.add(kind, object);
  }

  patch(who: Who, { kind, namespace, name }: Place, type: PatchType, body: unknown): ApiObject {
    this.rights.check(who, 'patch', kind, namespace, name);
    const before = this.#there(kind, namespace, name);
    const after = patched(type, before, body);
    return this.#changed(who, kind, before, after as typeof before);
  }

  replace(who: Who, { kind, namespace, name }: Place, body: unknown): ApiObject {
    this.rights.check(who, 'update', kind, namespace, name);
    const before = this.#there(kind, namespace, name);
    // What was posted is of this kind or no object at all, and is compared with what is there.
    const after = { ...before, ...(posted(kind, namespace, body) as unknown as typeof before) };
    const { metadata } = body as ApiObject;
    return this.#changed(who, kind, before, { ...after, metadata: { ...before.metadata, ...metadata } });
  }

  remove(who: Who, { kind, namespace, name }: Place, options: DeleteOptions = {}): ApiObject {
    this.rights.check(who, 'delete', kind, namespace, name);
    const before = this.#there(kind, namespace, name);
    this.#enforce({
      who,
      operation: 'DELETE',
      kind,
      object: undefined,
      old: before,
      namespace: this.#namespace(namespace),
    });
    const { uid, resourceVersion } = before.metadata;
    const meets = (field: string, asked: string | undefined, is: string): void => {
      if (asked === undefined || asked === is) return;
      const why = `the ${field} in the precondition (${asked}) does not match the ${field} in record (${is})`;
      throw new ApiError(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${kindNames[kind]} "${name}": ${why}. The object might have been deleted and then recreated`,
      );
    };
    meets('UID', options.uid, uid);
    meets('ResourceVersion', options.resourceVersion, resourceVersion);
    return this.#end(kind, before, options.graceSeconds);
  }

  /** For the cluster's own parts, which may do what they do: undefined where it is absent or the change is none. */
  update<K extends Kind>(
    kind: K,
    namespace: string | undefined,
    name: string,
    change: (before: Kinds[K]) => Kinds[K] | undefined,
  ): Kinds[K] | undefined {
    const before = this.store.get(kind, namespace, name);
    const after = before === undefined ? undefined : change(before);
    if (before === undefined || after === undefined || after === before) return undefined;
    return this.store.replace(kind, before, after);
  }

  /** The same for a deletion; nothing where the object is another or gone. */
  end(kind: Kind, namespace: string, name: string, uid: string, graceSeconds: number | undefined): void {
    const object = this.store.get(kind, namespace, name);
    if (object?.metadata.uid === uid) this.#end(kind, object, graceSeconds);
  }

  meta(given: Posted['metadata']): Meta {
    return {
      ...given,
      uid: this.#deps.entropy.uuid(),
      resourceVersion: '',
      creationTimestamp: timestamp(this.#deps.clock.now()),
    };
  }

  #there<K extends Kind>(kind: K, namespace: string | undefined, name: string): Kinds[K] {
    const object = this.store.get(kind, namespace, name);
    if (object === undefined) throw notFound(kind, name);
    return object;
  }

  #namespace(name: string | undefined): Namespace | undefined {
    return name === undefined ? undefined : this.store.get('namespaces', undefined, name);
  }

  #enforce(request: Request): void {
    if (this.#config.policies) enforce(request);
  }

  #made<K extends Kind>(kind: K, given: Posted): Kinds[K] {
    const metadata = this.meta(given.metadata);
    const makers: { readonly [One in Kind]: () => Omit<Kinds[One], 'metadata'> } = {
      pods: () => podOf(given, this.#config.tolerationSeconds),
      secrets: () => secretOf(given),
      namespaces: () => namespaceOf(given),
      persistentvolumeclaims: () => claimOf(given),
      nodes: () => {
        throw new ApiError(405, 'MethodNotAllowed', 'nodes join by themselves here');
      },
      events: () => {
        throw new ApiError(405, 'MethodNotAllowed', 'events are the cluster’s own here');
      },
    };
    const made = makers[kind]();
    const more = kind === 'pods' ? { generation: 1 } : {};
    const labels =
      kind === 'namespaces'
        ? { labels: { 'kubernetes.io/metadata.name': metadata.name, ...metadata.labels } }
        : {};
    return { ...made, metadata: { ...metadata, ...more, ...labels } } as Kinds[K];
  }

  #changed<K extends Kind>(who: Who, kind: K, before: Kinds[K], wanted: Kinds[K]): Kinds[K] {
    const { name, namespace, uid, resourceVersion } = before.metadata;
    if (wanted.metadata.resourceVersion !== resourceVersion) throw modified(kind, name);
    if (wanted.metadata.uid !== uid || wanted.metadata.name !== name)
      throw new ApiError(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${kind} "${name}": Precondition failed: UID in precondition: ${wanted.metadata.uid}, UID in object meta: ${uid}`,
      );
    const { labels, annotations, finalizers } = wanted.metadata;
    const added = (finalizers ?? []).filter((one) => !(before.metadata.finalizers ?? []).includes(one));
    const problems = [
      ...labelProblems(labels),
      ...(before.metadata.deletionTimestamp !== undefined && added.length > 0
        ? [
            `metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"${added[0]}"}`,
          ]
        : []),
      ...fixed(kind, before, wanted),
    ];
    if (problems.length > 0) throw invalid(kindNames[kind], name, problems);
    // Everything else of the metadata, and the status, is not the caller's to change here.
    const own = { labels, annotations, finalizers: finalizers?.length === 0 ? undefined : finalizers };
    const metadata = present({ ...before.metadata, ...own });
    const after: Kinds[K] = { ...wanted, metadata, ...('status' in before ? { status: before.status } : {}) };
    this.#enforce({
      who,
      operation: 'UPDATE',
      kind,
      object: after,
      old: before,
      namespace: this.#namespace(namespace),
    });
    if (freed(before, after)) {
      this.store.remove(kind, before);
      return after;
    }
    return alike(before, after) ? before : this.store.replace(kind, before, after);
  }

  #end<K extends Kind>(kind: K, before: Kinds[K], graceSeconds: number | undefined): ApiObject {
    const now = this.#deps.clock.now();
    const { metadata, gone }: Deletion =
      kind === 'pods' ? podDeletion(before as Pod, graceSeconds, now) : plainDeletion(before, now);
    const status = kind === 'namespaces' ? { status: { phase: 'Terminating' } } : {};
    const last =
      metadata === before.metadata
        ? before
        : this.store.replace(kind, before, { ...before, ...status, metadata });
    if (gone) this.store.remove(kind, last);
    return last;
  }
}

function fixed(kind: Kind, before: ApiObject, wanted: ApiObject): string[] {
  if (kind === 'pods' && !alike((before as Pod).spec, (wanted as Pod).spec))
    return ['spec: Forbidden: pod updates may not change fields other than tolerations and images'];
  const data = (one: ApiObject): unknown => (one as Secret).data;
  if (kind === 'secrets' && (before as Secret).immutable === true && !alike(data(before), data(wanted)))
    return ['data: Forbidden: field is immutable when `immutable` is set'];
  return [];
}

const forbidden = (kind: Kind, name: string, words: string): ApiError =>
  new ApiError(403, 'Forbidden', `${kind} "${name}" is forbidden: ${words}`);

const present = (metadata: { readonly [Field in keyof Meta]?: Meta[Field] | undefined }): Meta =>
  Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as unknown as Meta;
