/** What a node group gives for the GRES of a job, by the names that Kubernetes counts them under. */
import type { GresOfNode, Told } from './gres.ts';
import type { Resources } from './resources.ts';

export interface DeviceOffer {
  /** `resource`: an extended resource of a device plugin. `claim`: a ResourceClaimTemplate that asks for one device. */
  readonly kind: 'resource' | 'claim';
  readonly name: string;
  /** So many on each instance; undefined: `perGpu` for each GPU that the cloud says the type has. */
  readonly perNode: number | undefined;
  readonly perGpu: number;
  /** Every pod of the group has at least so many, asked for or not. */
  readonly always: number;
}

/** By GRES name, or name and type: `gpu`, `gpu:a100_1g.5gb`. */
export type Devices = Readonly<Record<string, DeviceOffer>>;

/** What of a node group its pods may ask for besides CPU and memory. */
export interface GroupOffers {
  readonly devices?: Devices | undefined;
  /** Bytes by page size as Kubernetes writes it, such as `2Mi`. */
  readonly hugepages?: Readonly<Record<string, number>> | undefined;
  /** What an instance's disk leaves to pods; undefined: nobody said, so nothing may be asked of it. */
  readonly diskBytes?: number | undefined;
}

/** A colon is in no name of Kubernetes, so a claim is never taken for a resource. */
const claimPrefix = 'claim:';
export const claimOf = (key: string): string | undefined =>
  key.startsWith(claimPrefix) ? key.slice(claimPrefix.length) : undefined;
export const disk = 'ephemeral-storage';
export const hugepages = (page: string): string => `hugepages-${page}`;
export const isHugepages = (key: string): boolean => key.startsWith('hugepages-');

/** By page size, of what was asked for before. */
export const hugepagesOf = ({ extended }: Pick<Resources, 'extended'>): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(extended).flatMap(([key, n]) =>
      isHugepages(key) ? [[key.slice(hugepages('').length), n] as const] : [],
    ),
  );

/** Under which `Resources.extended` counts it. */
export const keyOf = ({ kind, name }: Pick<DeviceOffer, 'kind' | 'name'>): string =>
  kind === 'claim' ? `${claimPrefix}${name}` : name;

/** What the pod of one node asks for; untold: the group has nothing for it. */
export function devicesFor(
  asked: GresOfNode,
  { devices = {} }: GroupOffers,
): Told<Readonly<Record<string, number>>> {
  const wanted: Record<string, number> = {};
  for (const [gres, count] of asked) {
    const offer = offerFor(gres, devices);
    if (offer === undefined) return { kind: 'untold', why: gres };
    wanted[keyOf(offer)] = (wanted[keyOf(offer)] ?? 0) + count;
  }
  for (const offer of Object.values(devices))
    if (offer.always > (wanted[keyOf(offer)] ?? 0)) wanted[keyOf(offer)] = offer.always;
  return { kind: 'told', value: wanted };
}

/** Whoever names a type gets that type; whoever names none, the first of the name. */
function offerFor(gres: string, devices: Devices): DeviceOffer | undefined {
  const own = Object.hasOwn(devices, gres) ? devices[gres] : undefined;
  if (own !== undefined || gres.includes(':')) return own;
  const typed = Object.keys(devices).find((key) => key.startsWith(`${gres}:`));
  return typed === undefined ? undefined : devices[typed];
}

/** What an instance with so many GPUs has of all that. */
export function offeredOn(
  gpus: number,
  { devices = {}, hugepages: pages = {}, diskBytes }: GroupOffers,
): Record<string, number> {
  const has: Record<string, number> = {};
  for (const offer of Object.values(devices)) has[keyOf(offer)] = offer.perNode ?? offer.perGpu * gpus;
  for (const [page, bytes] of Object.entries(pages)) has[hugepages(page)] = bytes;
  if (diskBytes !== undefined) has[disk] = diskBytes;
  return has;
}
