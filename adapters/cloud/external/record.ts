/** What is written on a pod that holds a place: which launch it is. It stays with it for as long as the instance lives. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonical } from '../../../src/domain/chain.ts';
import {
  type CloudId,
  type ClusterName,
  cloudId,
  type Instant,
  instant,
  type LaunchToken,
  launchToken,
} from '../../../src/domain/ids.ts';
import type { LaunchSpec } from '../../../src/domain/instance.ts';
import type { PodView } from '../../../src/domain/kube.ts';

export interface Place {
  readonly id: CloudId;
  readonly cluster: string;
  readonly group: string;
  readonly token: LaunchToken;
  /** Of what was asked for under that token. */
  readonly spec: string;
  /** The type that it was planned for, until its node says what it is. */
  readonly type: string;
  readonly at: Instant;
  readonly tags: Readonly<Record<string, string>>;
}

const place = z
  .object({
    id: z.string().transform(cloudId),
    cluster: z.string(),
    group: z.string(),
    token: z.string().transform(launchToken),
    spec: z.string(),
    type: z.string(),
    at: z.number().transform(instant),
    tags: z.record(z.string(), z.string()),
  })
  .transform((p): Place => p);

const prefix = 'external-';
const podPrefix = 'spill-place-';

/** Of two gateways that use the same token neither finds the other's. */
const idOf = (cluster: ClusterName, token: LaunchToken): CloudId =>
  cloudId(`${prefix}${sha256(`${cluster} ${token}`).slice(0, 24)}`);
export const isExternalId = (id: string): boolean => id.startsWith(prefix);
/** Of the pod that holds it. */
export const nameOf = (id: CloudId): string => `${podPrefix}${id.slice(prefix.length)}`;

export const placeOf = (cluster: ClusterName, spec: LaunchSpec, token: LaunchToken, at: Instant): Place => ({
  ...{ id: idOf(cluster, token), cluster, group: spec.group, token, spec: specHash(spec), at },
  type: spec.types[0] ?? '',
  tags: {
    ...spec.tags,
    ...{ 'spillway.dev/cluster': cluster, 'spillway.dev/group': spec.group, 'spillway.dev/token': token },
  },
});

export const specHash = (spec: LaunchSpec): string => sha256(canonical(spec)).slice(0, 16);

/** Undefined: no record of ours, or one under another pod's name. */
export function placeIn({ record, ref }: Pick<PodView, 'record' | 'ref'>): Place | undefined {
  const read = place.safeParse(parsed(record)).data;
  return read !== undefined && nameOf(read.id) === ref.name ? read : undefined;
}

/** The place that the pod of a job was made for; undefined: it does not say. */
export const madeFor = (record: string | undefined): string | undefined => job.safeParse(parsed(record)).data;
const job = z.object({ on: z.object({ cloudId: z.string() }) }).transform(({ on }) => on.cloudId);

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
