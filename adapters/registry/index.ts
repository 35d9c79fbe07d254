import { createHash } from 'node:crypto';
import { PortError } from '../../src/domain/fault.ts';
import type { ImageName, RegistryPort } from '../../src/ports.ts';
import type { RegistryConfig } from './config.ts';
import { Repository } from './repository.ts';
import { lookForSignature } from './signed.ts';

const digestForm = /^sha256:[a-f0-9]{64}$/;
/** For all that is asked for one image's signatures: it holds one of the few workers. */
const signedMs = 30_000;

/**
 * Registries that speak the distribution API, with its token authentication. Only those of the configuration are asked: users name images,
 * and a gateway that asked any host of theirs would be theirs to send about.
 */
export function distributionRegistry(registries: readonly RegistryConfig[]): RegistryPort {
  const open = ({ host, path }: Pick<ImageName, 'host' | 'path'>, question: string, ms?: number) => {
    const registry = registries.find((r) => r.host === host);
    if (registry === undefined) {
      const text = `registry ${host} is not one of images.registries, so it is not asked`;
      throw new PortError('refused', question, text);
    }
    return new Repository(registry, path, question, ms === undefined ? undefined : AbortSignal.timeout(ms));
  };
  return {
    async digest(image) {
      const { reference } = image;
      if (digestForm.test(reference)) return reference;
      return digestOf(open(image, 'registry.digest'), reference);
    },
    async signed(image, digest, demand) {
      if (!digestForm.test(digest))
        throw new PortError('invalid', 'registry.signed', `${digest} is no digest of SHA-256`);
      return lookForSignature(open(image, 'registry.signed', signedMs), image, digest, demand);
    },
  };
}

async function digestOf(repository: Repository, reference: string): Promise<string> {
  const told = (await repository.manifest('HEAD', reference)).headers.get('docker-content-digest');
  if (told !== null && digestForm.test(told)) return told;
  // Not every registry tells it, and a digest is of the bytes themselves.
  return sha256(await repository.bytes(await repository.manifest('GET', reference)));
}

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
