/** The namespace controller: a namespace that is deleted goes once all that was in it has gone. */
import type { Kind } from './kubernetes-objects.ts';
import type { ApiServer } from './kubernetes-server.ts';
import type { KubernetesConfig, Pace } from './kubernetes-types.ts';

const contents = ['pods', 'secrets', 'persistentvolumeclaims'] as const satisfies readonly Kind[];

export function emptyNamespaces(server: ApiServer, pace: Pace, config: KubernetesConfig): void {
  const { store } = server;
  const isEnding = (name: string): boolean =>
    store.get('namespaces', undefined, name)?.metadata.deletionTimestamp !== undefined;
  const inside = (kind: (typeof contents)[number], name: string) =>
    [...store.all(kind)].filter(({ metadata }) => metadata.namespace === name);

  const empty = (name: string): void => {
    for (const kind of contents)
      for (const { metadata } of inside(kind, name))
        server.end(kind, name, metadata.name, metadata.uid, undefined);
    close(name);
  };
  const close = (name: string): void => {
    const namespace = store.get('namespaces', undefined, name);
    if (namespace === undefined || !isEnding(name)) return;
    if (contents.every((kind) => inside(kind, name).length === 0)) store.remove('namespaces', namespace);
  };

  store.listen(({ kind, type, object }) => {
    const { name, namespace } = object.metadata;
    if (kind === 'namespaces' && type === 'MODIFIED' && isEnding(name))
      pace.after(config.controllerMs, () => empty(name));
    else if (namespace !== undefined && type === 'DELETED' && kind !== 'events' && isEnding(namespace))
      pace.after(config.controllerMs, () => close(namespace));
  });
}
