/** What etcd and the API server's watch cache hold: objects, one version over all of them, and the changes that led to now. */
import { type ApiObject, isNamespaced, type Kind, type Kinds } from './kubernetes-objects.ts';
import { expired } from './kubernetes-types.ts';

export interface ChangeOf<K extends Kind> {
  readonly version: number;
  readonly kind: K;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** For DELETED its last state, under the version of the deletion. */
  readonly object: Kinds[K];
  readonly before: Kinds[K] | undefined;
}

export type Change = { readonly [K in Kind]: ChangeOf<K> }[Kind];

export class ObjectStore {
  #version = 1_000;
  readonly #kinds: { readonly [K in Kind]: Map<string, Kinds[K]> } = {
    pods: new Map(),
    nodes: new Map(),
    namespaces: new Map(),
    secrets: new Map(),
    persistentvolumeclaims: new Map(),
    events: new Map(),
  };
  #log: Change[] = [];
  #oldest = this.#version;
  readonly #history: number;
  readonly #listeners = new Set<(change: Change) => void>();

  constructor(history: number) {
    this.#history = history;
  }

  get version(): number {
    return this.#version;
  }

  get<K extends Kind>(kind: K, namespace: string | undefined, name: string): Kinds[K] | undefined {
    return this.#kinds[kind].get(keyOf(kind, namespace, name));
  }

  /** In the order in which they were made. */
  all<K extends Kind>(kind: K): IterableIterator<Kinds[K]> {
    return this.#kinds[kind].values();
  }

  /** Whoever makes it has seen to it that the name is free. */
  add<K extends Kind>(kind: K, object: Kinds[K]): Kinds[K] {
    const added = this.#versioned(object);
    this.#kinds[kind].set(keyIn(kind, added), added);
    this.#tell({ version: this.#version, kind, type: 'ADDED', object: added, before: undefined });
    return added;
  }

  replace<K extends Kind>(kind: K, before: Kinds[K], object: Kinds[K]): Kinds[K] {
    const changed = this.#versioned(object);
    this.#kinds[kind].set(keyIn(kind, changed), changed);
    this.#tell({ version: this.#version, kind, type: 'MODIFIED', object: changed, before });
    return changed;
  }

  remove<K extends Kind>(kind: K, object: Kinds[K]): void {
    this.#kinds[kind].delete(keyIn(kind, object));
    const last = this.#versioned(object);
    this.#tell({ version: this.#version, kind, type: 'DELETED', object: last, before: object });
  }

  /** Oldest first. Throws 410 when not all of them are remembered. */
  since(version: number): readonly Change[] {
    if (version < this.#oldest) throw expired(version, this.#oldest);
    const from = this.#log.findIndex((change) => change.version > version);
    return from < 0 ? [] : this.#log.slice(from);
  }

  /** Whoever is behind now must list anew. */
  compact(): void {
    this.#log = [];
    this.#oldest = this.#version;
  }

  /** Told at once, in the middle of whatever makes the change: a listener only takes note. */
  listen(listener: (change: Change) => void): { cancel(): void } {
    this.#listeners.add(listener);
    return { cancel: () => void this.#listeners.delete(listener) };
  }

  #versioned<O extends ApiObject>(object: O): O {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: `${this.#version}` } };
  }

  #tell<K extends Kind>(told: ChangeOf<K>): void {
    // A ChangeOf<K> is one of the union for every K there is, which the compiler cannot see.
    const change = told as unknown as Change;
    this.#log.push(change);
    if (this.#log.length > 2 * this.#history) {
      this.#log = this.#log.slice(-this.#history);
      this.#oldest = (this.#log[0]?.version ?? this.#version) - 1;
    }
    for (const listener of [...this.#listeners]) listener(change);
  }
}

const keyIn = (kind: Kind, { metadata }: ApiObject): string => keyOf(kind, metadata.namespace, metadata.name);

export function keyOf(kind: Kind, namespace: string | undefined, name: string): string {
  return isNamespaced(kind) ? `${namespace ?? ''}/${name}` : name;
}
