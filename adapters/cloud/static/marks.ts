/** What is written on a node that is taken, and what stays there of those that were given back. */
import { z } from 'zod';
import {
  type CloudId,
  type ClusterName,
  cloudId,
  type Instant,
  type LaunchToken,
} from '../../../src/domain/ids.ts';
import type { LaunchSpec } from '../../../src/domain/instance.ts';
import type { NodeView } from '../../../src/domain/kube.ts';
import { type Launched, launchedAs, launchedShape, parsed, sha256 } from '../launched.ts';

/** An administrator's word that the gateway may take the node; only then does admission let it. */
export const fixedLabel = 'node-restriction.kubernetes.io/spillway-static';
export const groupLabel = 'node-restriction.kubernetes.io/spillway-group';
export const takenNote = 'spillway.dev/taken';
export const releasedNote = 'spillway.dev/released';

export type Taken = Launched;

const taken = z.object(launchedShape).transform((t): Taken => t);
const released = z.array(z.object({ taken, until: z.number() }));

/** A node is another instance each time that it is taken. */
export const idOf = (token: LaunchToken, node: string): CloudId =>
  cloudId(`static-${sha256(`${token} ${node}`).slice(0, 20)}`);
export const isFixedId = (id: string): boolean => id.startsWith('static-');

export const takenBy = (
  cluster: ClusterName,
  spec: LaunchSpec,
  token: LaunchToken,
  node: string,
  at: Instant,
): Taken => launchedAs(idOf(token, node), cluster, spec, token, at);

/** Undefined: none, or none that can be read. */
export const takenOn = ({ notes = {} }: Pick<NodeView, 'notes'>): Taken | undefined =>
  taken.safeParse(parsed(notes.taken)).data;

/** Those that are shown as terminated, as EC2 shows them for a while; the newest last. */
export function releasedOn({ notes = {} }: Pick<NodeView, 'notes'>, at: Instant): readonly Taken[] {
  const all = released.safeParse(parsed(notes.released)).data ?? [];
  return all.filter(({ until }) => until > at).map((one) => one.taken);
}

const keepMs = 3_600_000;
/** An annotation is no log: of a node that is given back every few seconds the oldest are forgotten sooner. */
const keepAtMost = 40;

export function withReleased(node: Pick<NodeView, 'notes'>, one: Taken, at: Instant): string {
  const kept = (released.safeParse(parsed(node.notes?.released)).data ?? []).filter((r) => r.until > at);
  return JSON.stringify([...kept, { taken: one, until: at + keepMs }].slice(-keepAtMost));
}
