/** The model behind the port, with the gateway's rights. What the real adapter makes of the API server's answers is said here in one table. */
import type { Duplex } from 'node:stream';
import { type Fault, faultOf, ignoring, PortError } from '../../domain/fault.ts';
import { type PodRef, placesNamespace, type Tenant } from '../../domain/kube.ts';
import type { KubernetesPort, Watch } from '../../ports.ts';
import type { Does, KubernetesModel } from './kubernetes.ts';
import type { Kind } from './kubernetes-objects.ts';
import { needs } from './kubernetes-rights.ts';
import { ApiError, NoAnswer, notFound } from './kubernetes-types.ts';
import { boundPod, leaseAnnotation, nodeView, podView, tenantView } from './kubernetes-views.ts';
import { watchAll } from './kubernetes-watch.ts';
import { Pipe } from './pipe.ts';

const settled = 'spillway.dev/settled';
const releaseTries = 5;

export function kubernetesPort(model: KubernetesModel, complain: (error: unknown) => void): KubernetesPort {
  const { server } = model;
  const { store } = server;
  const watches = new Set<Watch>();
  const streams = new Set<Duplex>();

  const ask = async <T>(method: string, does: Does, work: () => T): Promise<T> => {
    const at = `kubernetes.${method}`;
    try {
      return await model.request(does, work);
    } catch (error) {
      throw faulty(error, at, does !== 'read');
    }
  };
  /** Undefined where the API server says that it is not there. */
  const get = <K extends Kind>(method: string, kind: K, { namespace, name }: PodRef) =>
    ignoring(
      'not_found',
      ask(method, 'read', () => server.get('gateway', kind, namespace, name)),
    );
  const place = (kind: Kind, { namespace, name }: PodRef) => ({ kind, namespace, name });
  const nodeAt = (name: string) => ({ kind: 'nodes', namespace: undefined, name }) as const;
  const tenants = (): Tenant[] => {
    server.rights.check('gateway', 'list', 'namespaces', undefined);
    return [...store.all('namespaces')]
      .filter(({ metadata }) => metadata.labels?.['spillway.dev/tenant'] === 'true')
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .flatMap((namespace) => tenantView(namespace) ?? [])
      .sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
  };
  const readSecret = async (method: string, ref: PodRef) => {
    const secret = await get(method, 'secrets', ref);
    return secret === undefined ? undefined : mapValues(secret.data, decoded);
  };

  return {
    watch(on) {
      const watch = watchAll(model, on, complain);
      watches.add(watch);
      return {
        ...watch,
        async close() {
          watches.delete(watch);
          await watch.close();
        },
      };
    },

    async pod(ref) {
      const pod = await get('pod', 'pods', ref);
      return pod === undefined ? undefined : podView(pod);
    },

    createPod: (manifest) =>
      ask('createPod', 'create', () =>
        podView(server.create('gateway', 'pods', manifest.metadata.namespace, manifest)),
      ),

    createPodGroup: ({ metadata }) =>
      ask('createPodGroup', 'create', () => {
        // No site has given the right, and there is no such kind here.
        server.rights.check('gateway', 'create', 'podgroups', metadata.namespace);
        throw notFound('podgroups', metadata.name);
      }),

    async deletePod(ref, uid, graceSeconds) {
      await ask('deletePod', 'change', () =>
        server.remove('gateway', place('pods', ref), { uid, graceSeconds }),
      );
    },

    async releasePod(ref, uid, finalizer = settled) {
      for (let tries = 1; ; tries += 1) {
        const pod = await get('releasePod', 'pods', ref);
        const at = pod?.metadata.finalizers?.indexOf(finalizer) ?? -1;
        if (pod?.metadata.uid !== uid || at < 0) return;
        const patch = [
          { op: 'test', path: '/metadata/uid', value: uid },
          { op: 'test', path: `/metadata/finalizers/${at}`, value: finalizer },
          { op: 'remove', path: `/metadata/finalizers/${at}` },
        ];
        try {
          await ask('releasePod', 'change', () => server.patch('gateway', place('pods', ref), 'json', patch));
          return;
        } catch (error) {
          const code = codeOf(error);
          if (code === 404) return;
          if ((code !== 409 && code !== 422) || tries === releaseTries) throw error;
        }
      }
    },

    async createSecret(ref, data, labels) {
      const body = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: ref.name, namespace: ref.namespace, labels },
        type: 'Opaque',
        immutable: true,
        data: mapValues(data, (bytes) => Buffer.from(bytes).toString('base64')),
      };
      try {
        await ask('createSecret', 'create', () => server.create('gateway', 'secrets', ref.namespace, body));
      } catch (error) {
        if (faultOf(error) !== 'already_exists') throw error;
        const there = await readSecret('createSecret', ref);
        if (there === undefined || !sameBytes(there, data)) throw error;
      }
    },

    secret: (ref) => readSecret('secret', ref),

    async deleteSecret(ref) {
      const work = ask('deleteSecret', 'change', () => server.remove('gateway', place('secrets', ref)));
      await ignoring('not_found', work);
    },

    nodes: () =>
      ask('nodes', 'read', () => {
        server.rights.check('gateway', 'list', 'nodes', undefined);
        return [...store.all('nodes')].map(nodeView).sort((a, b) => (a.name < b.name ? -1 : 1));
      }),

    daemonSets: () =>
      ask('daemonSets', 'read', () => {
        server.rights.check('gateway', 'list', 'daemonsets', undefined);
        return [];
      }),

    async labelNode(name, labels) {
      const patch = { metadata: { labels } };
      await ask('labelNode', 'change', () => server.patch('gateway', nodeAt(name), 'merge', patch));
    },

    async markNode({ name, version }, marks) {
      const nulled = (of: Readonly<Record<string, string | undefined>>) => mapValues(of, (v) => v ?? null);
      const [labels, annotations] = [nulled(marks.labels), nulled(marks.annotations)];
      const patch = { metadata: { labels, annotations, resourceVersion: version } };
      await ask('markNode', 'change', () => server.patch('gateway', nodeAt(name), 'merge', patch));
    },

    podsOn: (node) =>
      ask('podsOn', 'read', () => {
        server.rights.check('gateway', 'list', 'pods', undefined);
        return [...store.all('pods')].filter(({ spec }) => spec.nodeName === node).map(boundPod);
      }),

    places: () =>
      ask('places', 'read', () => {
        server.rights.check('gateway', 'list', 'pods', placesNamespace);
        return [...store.all('pods')]
          .filter(({ metadata }) => metadata.namespace === placesNamespace)
          .map(podView);
      }),

    async cordonNode(name) {
      const patch = { spec: { unschedulable: true } };
      await ask('cordonNode', 'change', () => server.patch('gateway', nodeAt(name), 'merge', patch));
    },

    async renewLease(name, at) {
      const patch = { metadata: { annotations: { [leaseAnnotation]: new Date(at).toISOString() } } };
      await ask('renewLease', 'change', () => server.patch('gateway', nodeAt(name), 'merge', patch));
    },

    async deleteNode(name) {
      await ask('deleteNode', 'change', () => server.remove('gateway', nodeAt(name)));
    },

    tenant: (uid) => ask('tenant', 'read', () => tenants().find((tenant) => tenant.uid === uid)),

    async dial(ref, port) {
      const stream = await ask('dial', 'read', () => model.connect('gateway', ref, port) ?? refused()).catch(
        (error: unknown) => {
          // 400: the pod has no host yet; the request itself is well-formed.
          if (faultOf(error) !== 'invalid') throw error;
          throw new PortError('transient', 'kubernetes.dial', (error as Error).message, { cause: error });
        },
      );
      streams.add(stream);
      stream.once('close', () => streams.delete(stream));
      // Whoever dialled may not listen yet when it breaks.
      return stream.on('error', () => undefined);
    },

    missingRights: () =>
      ask('missingRights', 'read', () => {
        const lacking = (rules: typeof needs.cluster, namespace?: string): string[] =>
          rules.flatMap(({ resource, verbs }) =>
            verbs
              .filter((verb) => !server.rights.may('gateway', verb, resource, namespace))
              .map(
                (verb) => `${verb} ${resource}${namespace === undefined ? '' : ` in namespace ${namespace}`}`,
              ),
          );
        const inTenants = tenants().flatMap(({ namespace }) => lacking(needs.tenant, namespace));
        return [...lacking(needs.cluster), ...inTenants];
      }),

    version: () => ask('version', 'read', () => model.config.version),

    async close() {
      await Promise.all([...watches].map((watch) => watch.close()));
      watches.clear();
      for (const stream of [...streams]) stream.destroy();
    },
  };
}

/** The connection is made, to the kubelet; only then does it find that nobody listens. */
function refused(): Duplex {
  const { near, far } = new Pipe();
  far.destroy();
  return near;
}

export function faulty(error: unknown, at: string, changes: boolean): unknown {
  if (error instanceof NoAnswer)
    return new PortError(error.asked && changes ? 'unknown' : 'unreachable', at, error.message, {
      cause: error,
    });
  if (error instanceof ApiError)
    return new PortError(meaning(error, changes), at, error.message, { cause: error });
  return error;
}

function meaning({ code, reason, message }: ApiError, changes: boolean): Fault {
  switch (code) {
    case 403:
      return /exceeded quota: /.test(message) ? 'no_capacity' : 'refused';
    case 400:
      return 'invalid';
    case 404:
      return 'not_found';
    case 409:
      return reason === 'AlreadyExists' ? 'already_exists' : 'conflict';
    case 410:
      return 'conflict';
    case 429:
      return 'throttled';
    case 503:
      return 'transient';
    default:
      if (code >= 500) return changes ? 'unknown' : 'transient';
      // 422: its policies.
      return 'refused';
  }
}

function codeOf(error: unknown): number | undefined {
  return error instanceof PortError && error.cause instanceof ApiError ? error.cause.code : undefined;
}

const decoded = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'base64'));

function mapValues<A, B>(of: Readonly<Record<string, A>>, to: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, to(value)]));
}

function sameBytes(
  a: Readonly<Record<string, Uint8Array>>,
  b: Readonly<Record<string, Uint8Array>>,
): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Buffer.compare(a[name] ?? Buffer.of(), b[name] ?? Buffer.of()) === 0 && name in b)
  );
}
