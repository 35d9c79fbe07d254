/** What is written on a pod that holds a place: which launch it is. It stays with it for as long as the instance lives. */
import { z } from 'zod';
import {
  type CloudId,
  type ClusterName,
  cloudId,
  type Instant,
  type LaunchToken,
} from '../../../src/domain/ids.ts';
import type { LaunchSpec } from '../../../src/domain/instance.ts';
import type { PodView } from '../../../src/domain/kube.ts';
import { type Launched, launchedAs, launchedShape, parsed, sha256 } from '../launched.ts';

export interface Place extends Launched {
  /** The type that it was planned for, until its node says what it is. */
  readonly type: string;
}

const place = z.object({ ...launchedShape, type: z.string() }).transform((p): Place => p);

const prefix = 'external-';
const podPrefix = 'spill-place-';

/** Of two gateways that use the same token neither finds the other's. */
const idOf = (cluster: ClusterName, token: LaunchToken): CloudId =>
  cloudId(`${prefix}${sha256(`${cluster} ${token}`).slice(0, 24)}`);
export const isExternalId = (id: string): boolean => id.startsWith(prefix);
/** Of the pod that holds it. */
export const nameOf = (id: CloudId): string => `${podPrefix}${id.slice(prefix.length)}`;

export const placeOf = (cluster: ClusterName, spec: LaunchSpec, token: LaunchToken, at: Instant): Place => ({
  ...launchedAs(idOf(cluster, token), cluster, spec, token, at),
  type: spec.types[0] ?? '',
});

/** Undefined: no record of ours, or one under another pod's name. */
export function placeIn({ record, ref }: Pick<PodView, 'record' | 'ref'>): Place | undefined {
  const read = place.safeParse(parsed(record)).data;
  return read !== undefined && nameOf(read.id) === ref.name ? read : undefined;
}

/** The place that the pod of a job was made for; undefined: it does not say. */
export const madeFor = (record: string | undefined): string | undefined => job.safeParse(parsed(record)).data;
const job = z.object({ on: z.object({ cloudId: z.string() }) }).transform(({ on }) => on.cloudId);
