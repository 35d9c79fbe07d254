/** Devices, huge pages and disk of a job as its pod asks for them. */
import { claimOf, disk, isHugepages } from '../domain/devices.ts';
import type { Resources } from '../domain/resources.ts';

type Json = Readonly<Record<string, unknown>>;
type Extended = Resources['extended'];

/**
 * Extended resources and huge pages must have request and limit alike. Disk has a request alone: a pod that passes a limit of it is
 * evicted, where on-prem nothing stops a job that writes more to /tmp than it said.
 */
export function deviceAmounts(extended: Extended): {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
} {
  const amounts = Object.entries(extended).filter(([name]) => claimOf(name) === undefined);
  const written = (of: readonly (readonly [string, number])[]) =>
    Object.fromEntries(of.map(([name, n]) => [name, `${n}`]));
  return { requests: written(amounts), limits: written(amounts.filter(([name]) => name !== disk)) };
}

/** One claim a device, each from its template: all of them are the container's, and their nodes are found together. */
function claims(extended: Extended): readonly { readonly name: string; readonly template: string }[] {
  return Object.entries(extended).flatMap(([key, count]) => {
    const template = claimOf(key);
    if (template === undefined) return [];
    return Array.from({ length: count }, (_, at) => ({
      name: `${template.replaceAll('.', '-').slice(0, 50)}-${at}`,
      template,
    }));
  });
}

/** Of the pod's spec. */
export function podClaims(extended: Extended): Json {
  const all = claims(extended);
  if (all.length === 0) return {};
  return {
    resourceClaims: all.map(({ name, template }) => ({ name, resourceClaimTemplateName: template })),
  };
}

/** Of a container's resources. */
export function containerClaims(extended: Extended): Json {
  const all = claims(extended);
  return all.length === 0 ? {} : { claims: all.map(({ name }) => ({ name })) };
}

/** Where programs that map huge pages as files look for them. */
export function hugepageVolumes(extended: Extended): {
  readonly volumes: readonly Json[];
  readonly mounts: readonly Json[];
} {
  const pages = Object.keys(extended).filter(isHugepages);
  const nameOf = (key: string): string => `spill-${key.toLowerCase()}`;
  return {
    volumes: pages.map((key) => ({
      name: nameOf(key),
      emptyDir: { medium: key.replace('hugepages-', 'HugePages-') },
    })),
    mounts: pages.map((key, at) => ({
      name: nameOf(key),
      // One size is where it is on any node; more of them are told apart by their size.
      mountPath: at === 0 ? '/dev/hugepages' : `/dev/${key}`,
    })),
  };
}

/** Of the pod's annotations: the networks that Multus attaches it to. [k8snetworkplumbingwg, Multi-Network Spec, 4.1] */
export const networkAnnotations = (networks: readonly string[]): Readonly<Record<string, string>> =>
  networks.length === 0 ? {} : { 'k8s.v1.cni.cncf.io/networks': networks.join(',') };
