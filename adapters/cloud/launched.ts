/** What a provider that has no cloud to remember it writes down itself of a launch: with the node, or with the pod that holds the place. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonical } from '../../src/domain/chain.ts';
import {
  type CloudId,
  type ClusterName,
  cloudId,
  type Instant,
  instant,
  type LaunchToken,
  launchToken,
} from '../../src/domain/ids.ts';
import type { LaunchSpec } from '../../src/domain/instance.ts';

export interface Launched {
  readonly id: CloudId;
  readonly cluster: string;
  readonly group: string;
  readonly token: LaunchToken;
  /** Of what was asked for under that token. */
  readonly spec: string;
  readonly at: Instant;
  readonly tags: Readonly<Record<string, string>>;
}

export const launchedShape = {
  id: z.string().transform(cloudId),
  cluster: z.string(),
  group: z.string(),
  token: z.string().transform(launchToken),
  spec: z.string(),
  at: z.number().transform(instant),
  tags: z.record(z.string(), z.string()),
};

export const launchedAs = (
  id: CloudId,
  cluster: ClusterName,
  spec: LaunchSpec,
  token: LaunchToken,
  at: Instant,
): Launched => ({
  ...{ id, cluster, group: spec.group, token, spec: specHash(spec), at },
  tags: {
    ...spec.tags,
    ...{ 'spillway.dev/cluster': cluster, 'spillway.dev/group': spec.group, 'spillway.dev/token': token },
  },
});

export const specHash = (spec: LaunchSpec): string => sha256(canonical(spec)).slice(0, 16);

/** An annotation that somebody else wrote may be anything: undefined, if it is no JSON. */
export function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
