/** What registries are asked for: digests of tags, and signatures. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { publicKey } from '../../adapters/registry/cosign.ts';
import { distributionRegistry } from '../../adapters/registry/index.ts';
import { shared } from '../../adapters/registry/shared.ts';
import type { ImagesConfig } from '../../config/schema.ts';
import type { PodSettings } from '../burst/context.ts';
import { clock } from './ground.ts';

export type AskedOfRegistries = Pick<PodSettings, 'pin' | 'signatures'>;

/**
 * Asked for each burst once, so next to nothing of it is kept; that a registry is away is told by the bursts that wait for it. Throws an Error where a
 * key cannot be read: a gateway that went on would either run unsigned images or none.
 */
export async function askedOfRegistries(images: ImagesConfig | undefined): Promise<AskedOfRegistries> {
  if (images === undefined) return {};
  const { pin, signatures, registries } = images;
  if (pin === 'no' && signatures.length === 0) return {};
  const registry = shared(distributionRegistry(registries), clock);
  const keys = new Map<string, { readonly name: string; readonly pem: string }>();
  for (const [path, file] of keysOf(images)) {
    try {
      keys.set(file, { name: basename(file), pem: await keyIn(file) });
    } catch (e) {
      throw new Error(`${path}: ${(e as Error).message}`);
    }
  }
  return {
    pin: pin === 'no' ? undefined : { registry, required: pin === 'required' },
    signatures: signatures.length === 0 ? undefined : { registry, keys },
  };
}

/** With where each stands in the configuration. */
export const keysOf = (images: ImagesConfig | undefined): readonly (readonly [string, string])[] =>
  (images?.signatures ?? []).flatMap(({ keys }, i) =>
    keys.map((file, k) => [`images.signatures[${i}].keys[${k}]`, file] as const),
  );

/** Throws an Error that says what to write instead. */
export async function keyIn(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8');
  try {
    publicKey(pem);
  } catch (e) {
    throw new Error(`${file} ${(e as Error).message}`);
  }
  return pem;
}
