/** What is asked of a registry for a burst, and for how long. */
import type { Burst } from '../domain/burst.ts';
import type { PortError } from '../domain/fault.ts';
import type { SignatureDemand } from '../ports.ts';
import { type SignaturePolicy, signaturesFor } from '../translate/index.ts';
import type { BurstContext, SignatureSettings } from './context.ts';

/** A registry that does not answer is asked again for so long. */
export const registryMs = 2 * 60_000;

/** It may answer the next time. */
export const silent = ({ fault }: PortError): boolean =>
  fault === 'unreachable' || fault === 'throttled' || fault === 'transient';

/** What the image of this burst must be signed by; none: nothing is asked. */
export function demandsOf({ pods }: Pick<BurstContext, 'pods'>, burst: Burst): readonly SignatureDemand[] {
  const { signatures, images } = pods;
  const { image, account, saved } = burst;
  if (signatures === undefined) return [];
  const of = { account, partition: saved.partition, image: image?.name ?? images.default ?? '' };
  return signaturesFor(images, of).map((policy) => demandOf(policy, signatures));
}

/** Throws where a key that the configuration names was not read. */
export function demandOf(
  { keys, repository }: SignaturePolicy,
  read: Pick<SignatureSettings, 'keys'>,
): SignatureDemand {
  const found = keys.map((file) => {
    const key = read.keys.get(file);
    if (key === undefined) throw new Error(`images.signatures: ${file} was not read`);
    return key;
  });
  return { repository, keys: found };
}
