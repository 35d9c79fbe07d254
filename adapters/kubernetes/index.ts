/** The Kubernetes port over the API server's own words: one request a method, one fault for each way it can fail. */

import type { Duplex } from 'node:stream';
import { faultOf, ignoring, PortError } from '../../src/domain/fault.ts';
import { type NodeView, type PodRef, type PodView, placesNamespace } from '../../src/domain/kube.ts';
import type { Clock, KubernetesPort, Watch } from '../../src/ports.ts';
import { access } from './access.ts';
import { boundPod } from './bound.ts';
import { daemonSetView } from './daemonsets.ts';
import { statusOf } from './faults.ts';
import { type Call, type Http, http1 } from './http.ts';
import { at, text, textRecord, texts } from './json.ts';
import { defaultTuning, type Tools, type Tuning } from './listwatch.ts';
import type { Log } from './log.ts';
import { finalizer, leaseAnnotation } from './names.ts';
import { type DialTuning, defaultDial, dial } from './portforward.ts';
import { missingRights, type Uses } from './rights.ts';
import { listAll, tenantReader } from './tenants.ts';
import { nodeView, podView } from './views.ts';
import { watchAll } from './watch.ts';

export type { Log } from './log.ts';

export interface KubernetesOptions {
  /** Path of a kubeconfig. */
  readonly kubeconfig: string;
  readonly context?: string | undefined;
  readonly clock: Clock;
  /** In [0, 1): spreads restarts. */
  readonly random: () => number;
  readonly log: Log;
  readonly tuning?: Partial<Tuning & DialTuning>;
  /** Looked for by `missingRights` beside what every gateway needs. */
  readonly uses?: Uses | undefined;
}

export function kubernetes(options: KubernetesOptions): KubernetesPort {
  const { clock, random, log } = options;
  const server = access(options.kubeconfig, options.context, clock);
  const http = http1(server);
  const tenants = tenantReader(http, clock, log);
  const tuning = { ...defaultTuning, ...defaultDial, ...options.tuning };
  const tools: Tools = { http, clock, random, log, tuning };
  const watches = new Set<Watch>();
  const streams = new Set<Duplex>();

  return {
    watch(on) {
      const watch = watchAll(on, tenants, tools);
      watches.add(watch);
      return {
        ...watch,
        async close() {
          watches.delete(watch);
          await watch.close();
        },
      };
    },

    pod: (ref) => getPod(http, ref, 'kubernetes.pod'),

    async createPod(manifest) {
      const where = 'kubernetes.createPod';
      const path = `${pods(manifest.metadata.namespace)}`;
      return seen(
        podView(await http.json({ at: where, method: 'POST', path, body: manifest })),
        where,
        'unknown',
      );
    },

    async createPodGroup(manifest) {
      const { apiVersion, metadata } = manifest;
      const path = `/apis/${apiVersion}/namespaces/${encodeURIComponent(metadata.namespace)}/podgroups`;
      const call: Call = { at: 'kubernetes.createPodGroup', method: 'POST', path, body: manifest };
      await ignoring('already_exists', http.json(call));
    },

    async deletePod(ref, uid, gracePeriodSeconds) {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, gracePeriodSeconds };
      await http.json({ at: 'kubernetes.deletePod', method: 'DELETE', path: podPath(ref), body });
    },

    releasePod: (ref, uid, name = finalizer) => releasePod(http, ref, uid, name),

    async createSecret(ref, data, labels) {
      const where = 'kubernetes.createSecret';
      const body = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: ref.name, namespace: ref.namespace, labels },
        type: 'Opaque',
        immutable: true,
        data: mapValues(data, (bytes) => Buffer.from(bytes).toString('base64')),
      };
      try {
        await http.json({ at: where, method: 'POST', path: secrets(ref.namespace), body });
      } catch (error) {
        if (faultOf(error) !== 'already_exists') throw error;
        const there = await getSecret(http, ref, where);
        if (there === undefined || !sameBytes(there, data)) throw error;
      }
    },

    secret: (ref) => getSecret(http, ref, 'kubernetes.secret'),

    async deleteSecret(ref) {
      const call: Call = { at: 'kubernetes.deleteSecret', method: 'DELETE', path: secretPath(ref) };
      await ignoring('not_found', http.json(call));
    },

    async nodes() {
      const where = 'kubernetes.nodes';
      const items = await listAll(http, where, '/api/v1/nodes');
      return items.map((item): NodeView => seen(nodeView(item), where, 'transient'));
    },

    async daemonSets() {
      const where = 'kubernetes.daemonSets';
      const items = await listAll(http, where, '/apis/apps/v1/daemonsets');
      return items.map((item) => seen(daemonSetView(item), where, 'transient'));
    },

    labelNode: (name, labels) => patchNode(http, name, 'kubernetes.labelNode', { metadata: { labels } }),

    markNode: ({ name, version }, { labels, annotations }) =>
      patchNode(http, name, 'kubernetes.markNode', {
        metadata: { labels: nulled(labels), annotations: nulled(annotations), resourceVersion: version },
      }),

    async podsOn(node) {
      const where = 'kubernetes.podsOn';
      const fields = { fieldSelector: `spec.nodeName=${node}` };
      const items = await listAll(http, where, '/api/v1/pods', undefined, fields);
      return items.map((item) => seen(boundPod(item), where, 'transient'));
    },

    async places() {
      const where = 'kubernetes.places';
      const items = await listAll(http, where, pods(placesNamespace));
      return items.map((item) => seen(podView(item), where, 'transient'));
    },

    cordonNode: (name) => patchNode(http, name, 'kubernetes.cordonNode', { spec: { unschedulable: true } }),

    renewLease: (name, at) =>
      patchNode(http, name, 'kubernetes.renewLease', {
        metadata: { annotations: { [leaseAnnotation]: new Date(at).toISOString() } },
      }),

    async deleteNode(name) {
      await http.json({ at: 'kubernetes.deleteNode', method: 'DELETE', path: nodePath(name) });
    },

    tenant: (uid) => tenants.tenant(uid),

    async dial(ref, port) {
      const stream = await dial(server, ref, port, tuning);
      streams.add(stream);
      return stream.once('close', () => streams.delete(stream));
    },

    missingRights: async () => missingRights(http, await tenants.namespaces().catch(() => []), options.uses),

    async version() {
      return text(
        at(await http.json({ at: 'kubernetes.version', method: 'GET', path: '/version' }), 'gitVersion'),
      );
    },

    async close() {
      await Promise.all([...watches].map((watch) => watch.close()));
      watches.clear();
      for (const stream of streams) stream.destroy();
      http.close();
      server.close();
    },
  };
}

const pods = (namespace: string): string => `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
const secrets = (namespace: string): string => `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
const podPath = ({ namespace, name }: PodRef): string => `${pods(namespace)}/${encodeURIComponent(name)}`;
const secretPath = ({ namespace, name }: PodRef): string =>
  `${secrets(namespace)}/${encodeURIComponent(name)}`;
const nodePath = (name: string): string => `/api/v1/nodes/${encodeURIComponent(name)}`;

/** Undefined where the API server says that it is not there. */
async function get(http: Http, where: string, path: string): Promise<unknown> {
  try {
    return await http.json({ at: where, method: 'GET', path });
  } catch (error) {
    if (faultOf(error) === 'not_found') return undefined;
    throw error;
  }
}

async function getPod(http: Http, ref: PodRef, where: string): Promise<PodView | undefined> {
  const object = await get(http, where, podPath(ref));
  return object === undefined ? undefined : seen(podView(object), where, 'transient');
}

/** An answer of 2xx that is not what was asked for comes from something that is not an API server. */
function seen<T>(view: T | undefined, where: string, fault: 'transient' | 'unknown'): T {
  if (view !== undefined) return view;
  throw new PortError(fault, where, 'the answer is not an object with a name and a uid');
}

const releaseTries = 5;

/**
 * A JSON patch that tests uid and place, so that neither a later pod of that name nor another's finalizer loses
 * anything. Someone else may change the list in between: then the place is read again.
 */
async function releasePod(http: Http, ref: PodRef, uid: string, name: string): Promise<void> {
  const where = 'kubernetes.releasePod';
  for (let tries = 1; ; tries += 1) {
    const object = await get(http, where, podPath(ref));
    const finalizers = texts(at(object, 'metadata', 'finalizers'));
    const place = finalizers.indexOf(name);
    if (object === undefined || text(at(object, 'metadata', 'uid')) !== uid || place < 0) return;
    const patch: Call = {
      at: where,
      method: 'PATCH',
      path: podPath(ref),
      contentType: 'application/json-patch+json',
      body: [
        { op: 'test', path: '/metadata/uid', value: uid },
        { op: 'test', path: `/metadata/finalizers/${place}`, value: name },
        { op: 'remove', path: `/metadata/finalizers/${place}` },
      ],
    };
    try {
      await http.json(patch);
      return;
    } catch (error) {
      const code = statusOf(error)?.code;
      if (code === 404) return;
      // A failed test is answered 422, as a policy's refusal is: the next look tells them apart.
      if ((code !== 409 && code !== 422) || tries === releaseTries) throw error;
    }
  }
}

async function getSecret(
  http: Http,
  ref: PodRef,
  where: string,
): Promise<Readonly<Record<string, Uint8Array>> | undefined> {
  const object = await get(http, where, secretPath(ref));
  if (object === undefined) return undefined;
  return mapValues(textRecord(at(object, 'data')), (value) => new Uint8Array(Buffer.from(value, 'base64')));
}

async function patchNode(http: Http, name: string, where: string, body: unknown): Promise<void> {
  const contentType = 'application/merge-patch+json';
  await http.json({ at: where, method: 'PATCH', path: nodePath(name), contentType, body });
}

/** A merge patch takes away what is null. */
const nulled = (marks: Readonly<Record<string, string | undefined>>) => mapValues(marks, (v) => v ?? null);

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
