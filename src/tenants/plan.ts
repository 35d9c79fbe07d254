/** What the site's users are to have, against what is in the cluster. Pure. */
import { canonical, type Sha256 } from '../domain/chain.ts';
import type {
  KubeObject,
  KubeRef,
  Leftover,
  Person,
  Roster,
  TenantChange,
  TenantPlan,
  TenantSettings,
  TenantTrouble,
} from '../domain/tenants.ts';
import { differences } from './differences.ts';
import { annotation, managedBy, namespaceFor, podsCounted, quotaName, tenantLabel } from './names.ts';
import { objectsFor } from './objects.ts';

/** Of the agent's own image: no user's. */
const agentUid = 65532;

/** `seen`: all namespaces, and whatever else carries our mark. */
export function planTenants(
  roster: Roster,
  settings: TenantSettings,
  seen: readonly KubeObject[],
  sha256: Sha256,
): TenantPlan {
  const there = new Map(seen.map((object) => [keyOf(object), object]));
  const troubles: TenantTrouble[] = [...roster.troubles];
  const changes: TenantChange[] = [];
  for (const person of roster.people) {
    const why = troubleOf(person, roster.people, seen);
    if (why !== undefined) troubles.push({ user: person.user, text: why });
    else
      for (const object of objectsFor(person, settings))
        changes.push(changeOf(person.user, marked(object, sha256), there.get(keyOf(object))));
  }
  const known = new Set([...roster.people, ...roster.troubles].map(({ user }) => user));
  const leftovers = seen
    .filter((object) => object.kind === 'Namespace' && isOurs(object) && !known.has(userOf(object)))
    .map((namespace) => leftoverOf(namespace, seen));
  return { changes, leftovers, troubles };
}

/** As the objects are asked for, with nothing of the cluster known. */
export function askedFor(roster: Roster, settings: TenantSettings, sha256: Sha256): readonly KubeObject[] {
  return roster.people
    .filter((person) => troubleOf(person, roster.people, []) === undefined)
    .flatMap((person) => objectsFor(person, settings).map((object) => marked(object, sha256)));
}

export const keyOf = ({ kind, metadata }: KubeObject): string =>
  `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;

function marked(object: KubeObject, sha256: Sha256): KubeObject {
  const annotations = { ...object.metadata.annotations, [annotation.applied]: sha256(canonical(object)) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function changeOf(user: string, object: KubeObject, there: KubeObject | undefined): TenantChange {
  if (there === undefined) return { what: 'create', user, object, fields: [] };
  const fields = differences(object, there);
  return { what: fields.length === 0 ? 'same' : 'update', user, object, fields };
}

/** Why nothing can be set up for somebody. */
function troubleOf(
  person: Person,
  people: readonly Person[],
  seen: readonly KubeObject[],
): string | undefined {
  const { user, uid, gid, groups } = person;
  if (uid === 0 || uid === agentUid)
    return `uid ${uid} is ${uid === 0 ? 'root' : "Spillway's own"}: no pod runs as it`;
  if ([gid, ...groups].includes(0)) return 'is in group 0 (root), which no pod has; take the user out of it';
  const twin = people.find((other) => other !== person && (other.uid === uid || other.user === user));
  if (twin !== undefined)
    return twin.user === user ? 'stands twice among the users' : `has uid ${uid}, and so has ${twin.user}`;
  const name = namespaceFor(person);
  for (const object of seen) {
    if (object.kind !== 'Namespace') continue;
    const owner = object.metadata.annotations?.[annotation.uid];
    if (object.metadata.name !== name) {
      if (isTenant(object) && owner === `${uid}`)
        return `uid ${uid} has another namespace already: ${object.metadata.name}; remove one of them`;
      continue;
    }
    if (!isTenant(object))
      return `namespace ${name} is there and is no tenant's; rename or remove it (it lacks the label ${tenantLabel}=true)`;
    if (object.metadata.deletionTimestamp !== undefined)
      return `namespace ${name} is being deleted; run this again`;
    if (owner !== undefined && owner !== `${uid}`)
      return `namespace ${name} is of uid ${owner}, and ${user} is ${uid} now: remove the namespace once it is empty, then run this again`;
  }
  return undefined;
}

function leftoverOf(namespace: KubeObject, seen: readonly KubeObject[]): Leftover {
  const name = namespace.metadata.name;
  const inside = seen.filter(({ metadata }) => metadata.namespace === name);
  const quota = inside.find(
    (object) => object.kind === 'ResourceQuota' && object.metadata.name === quotaName,
  );
  const dynamic = inside.find(
    (object) => object.kind === 'PersistentVolumeClaim' && storageClassOf(object) !== '',
  );
  const volumes = seen.filter(
    (object) => object.kind === 'PersistentVolume' && claimedBy(object) === name && isMarked(object),
  );
  const refs: readonly KubeRef[] = [
    { kind: 'Namespace', name },
    ...volumes.map(({ metadata }) => ({ kind: 'PersistentVolume', name: metadata.name })),
  ];
  return {
    user: userOf(namespace),
    namespace: name,
    closed: quota === undefined ? undefined : closed(quota),
    objects: refs,
    stays:
      dynamic !== undefined
        ? `its claim ${dynamic.metadata.name} is of storage class ${storageClassOf(dynamic)}: what is in it would go too; remove the namespace by hand`
        : quota === undefined
          ? `it has no quota ${quotaName} that would tell whether it is empty`
          : undefined,
  };
}

function closed({
  apiVersion,
  kind,
  metadata: { name, namespace, labels = {}, annotations = {} },
  spec,
}: KubeObject): KubeObject {
  const { hard } = spec as { readonly hard: Readonly<Record<string, string>> };
  const applied = annotations[annotation.applied];
  return {
    apiVersion,
    kind,
    metadata: {
      ...{ name, namespace, labels: { ...labels, ...managedBy } },
      ...(applied === undefined ? {} : { annotations: { [annotation.applied]: applied } }),
    },
    spec: { hard: { ...hard, [podsCounted]: '0' } },
  };
}

const isTenant = ({ metadata }: KubeObject): boolean => metadata.labels?.[tenantLabel] === 'true';
const isMarked = ({ metadata }: KubeObject): boolean =>
  Object.entries(managedBy).every(([key, value]) => metadata.labels?.[key] === value);
const isOurs = (object: KubeObject): boolean => isTenant(object) && isMarked(object);
const userOf = ({ metadata }: KubeObject): string => metadata.annotations?.[annotation.user] ?? metadata.name;

interface VolumeSpec {
  readonly storageClassName?: string;
  readonly claimRef?: { readonly namespace?: string };
}
const storageClassOf = ({ spec }: KubeObject): string =>
  (spec as VolumeSpec | undefined)?.storageClassName ?? '';
const claimedBy = ({ spec }: KubeObject): string | undefined =>
  (spec as VolumeSpec | undefined)?.claimRef?.namespace;
