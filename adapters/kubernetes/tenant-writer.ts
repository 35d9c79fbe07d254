/** Tenants as an administrator sets them up: by server-side apply, so that what is not asked for any more is taken away. */
import type { KubeObject, KubeRef } from '../../src/domain/tenants.ts';
import type { Clock, TenantsPort } from '../../src/ports.ts';
import { access } from './access.ts';
import { http1 } from './http.ts';
import { at, record, text, textRecord } from './json.ts';
import { listAll } from './tenants.ts';

const manager = 'spillway-tenants';
const ours = `app.kubernetes.io/managed-by=${manager}`;
/** As the plan names it (src/tenants/names.ts). */
const quotaName = 'spillway';

interface Kind {
  readonly group: string;
  readonly plural: string;
}

const kinds: Readonly<Record<string, Kind>> = {
  Namespace: { group: '/api/v1', plural: 'namespaces' },
  ResourceQuota: { group: '/api/v1', plural: 'resourcequotas' },
  LimitRange: { group: '/api/v1', plural: 'limitranges' },
  PersistentVolume: { group: '/api/v1', plural: 'persistentvolumes' },
  PersistentVolumeClaim: { group: '/api/v1', plural: 'persistentvolumeclaims' },
  NetworkPolicy: { group: '/apis/networking.k8s.io/v1', plural: 'networkpolicies' },
  RoleBinding: { group: '/apis/rbac.authorization.k8s.io/v1', plural: 'rolebindings' },
};

export interface TenantWriterOptions {
  /** Path of a kubeconfig with the tenants' identity, never the gateway's. */
  readonly kubeconfig: string;
  readonly context?: string | undefined;
  readonly clock: Clock;
}

export function tenantWriter({ kubeconfig, context, clock }: TenantWriterOptions): TenantsPort {
  const server = access(kubeconfig, context, clock);
  const http = http1(server);
  return {
    async seen() {
      const found: KubeObject[] = [];
      for (const [kind, { group, plural }] of Object.entries(kinds)) {
        const selector = kind === 'Namespace' ? undefined : ours;
        const items = await listAll(http, `tenants.seen ${plural}`, `${group}/${plural}`, selector);
        // Items of a list come without their kind.
        found.push(...items.flatMap((item) => objectOf(item, kind, group)));
      }
      return found;
    },

    async put(object) {
      await http.json({
        at: 'tenants.put',
        method: 'PATCH',
        path: pathOf(object.kind, object.metadata.namespace, object.metadata.name),
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: manager, force: 'true' },
        // JSON is YAML.
        body: object,
      });
    },

    async quota(namespace) {
      const path = `${pathOf('ResourceQuota', namespace)}`;
      const all = await listAll(http, 'tenants.quota', path, ours);
      const found = all.find((item) => text(at(item, 'metadata', 'name')) === quotaName);
      if (found === undefined) return undefined;
      const counts = (field: string) => {
        const value = at(found, 'status', field);
        return value === undefined ? undefined : textRecord(value);
      };
      return { hard: counts('hard'), used: counts('used') };
    },

    async remove({ kind, name, namespace }: KubeRef) {
      await http.json({ at: 'tenants.remove', method: 'DELETE', path: pathOf(kind, namespace, name) });
    },

    async close() {
      http.close();
      server.close();
    },
  };
}

function pathOf(kind: string, namespace: string | undefined, name?: string): string {
  const known = kinds[kind];
  if (known === undefined) throw new Error(`a tenant has no ${kind}`);
  const home = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${known.group}${home}/${known.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

function objectOf(item: unknown, kind: string, group: string): readonly KubeObject[] {
  const meta = record(at(item, 'metadata'));
  const name = text(meta.name);
  if (name === '') return [];
  const namespace = text(meta.namespace);
  const deleted = text(meta.deletionTimestamp);
  return [
    {
      ...record(item),
      apiVersion: group.replace(/^\/apis?\//, ''),
      kind,
      metadata: {
        name,
        ...(namespace === '' ? {} : { namespace }),
        labels: textRecord(meta.labels),
        annotations: textRecord(meta.annotations),
        ...(deleted === '' ? {} : { deletionTimestamp: deleted }),
      },
    },
  ];
}
