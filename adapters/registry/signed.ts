/** Where an image's signatures are: under a tag made of its digest, or among what names it as its subject. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ignoring } from '../../src/domain/fault.ts';
import type { ImageName, SignatureDemand, Signed } from '../../src/ports.ts';
import { bundle, type Judged, publicKey, type SignatureKey, simpleSigning } from './cosign.ts';
import type { Repository } from './repository.ts';

/** Whoever may write to a repository may hang any number there. */
const mostSignatures = 32;
const mostPayloadBytes = 1 << 20;

const simpleType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const bundleType = /^application\/vnd\.dev\.sigstore\.bundle\.v0\.3\+json$/;
const artifactTypes = /^application\/vnd\.dev\.(?:cosign\.artifact\.sig\.v1|sigstore\.bundle\.v0\.3)\+json$/;

const descriptor = z.object({
  mediaType: z.string().default(''),
  digest: z.string().regex(/^sha256:[a-f0-9]{64}$/),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).default({}),
});
const manifest = z.object({ layers: z.array(descriptor).default([]) });
const index = z.object({ manifests: z.array(descriptor).default([]) });

type Layer = z.output<typeof descriptor>;

/** Faults: as the port's; that nothing is there is an answer. */
export async function lookForSignature(
  repository: Repository,
  image: Pick<ImageName, 'host' | 'path'>,
  digest: string,
  demand: SignatureDemand,
): Promise<Signed> {
  const keys = demand.keys.map(({ name, pem }) => ({ name, key: publicKey(pem) }));
  const judged: Judged[] = [];
  const tag = digest.replace(':', '-');
  const judge = async (layers: readonly Layer[]): Promise<string | undefined> => {
    for (const layer of layers) {
      if (judged.length >= mostSignatures) return undefined;
      const one = await judgeLayer(repository, layer, keys, image, digest, demand.repository);
      if (one === undefined) continue;
      if ('by' in one) return one.by;
      judged.push(one);
    }
    return undefined;
  };
  const signed = (by: string): Signed => ({ kind: 'signed', by });

  const tagged = await absent(repository, repository.manifest('GET', `${tag}.sig`), manifest);
  // cosign hangs the newest behind the others.
  const first = await judge((tagged?.layers ?? []).toReversed());
  if (first !== undefined) return signed(first);
  const listed =
    (await absent(repository, repository.referrers(digest), index)) ??
    // What a registry without that question is told it under.
    (await absent(repository, repository.manifest('GET', tag), index));
  const artifacts = (listed?.manifests ?? []).filter((m) => artifactTypes.test(m.artifactType ?? ''));
  for (const { digest: of } of artifacts.slice(0, mostSignatures)) {
    const found = await absent(repository, repository.manifest('GET', of), manifest, of);
    const by = await judge(found?.layers ?? []);
    if (by !== undefined) return signed(by);
  }
  return { kind: 'unsigned', why: inWords(judged, demand) };
}

/** Undefined: no signature. */
async function judgeLayer(
  repository: Repository,
  layer: Layer,
  keys: readonly SignatureKey[],
  image: Pick<ImageName, 'host' | 'path'>,
  digest: string,
  which: SignatureDemand['repository'],
): Promise<Judged | undefined> {
  const signature = layer.annotations['dev.cosignproject.cosign/signature'];
  const simple = layer.mediaType === simpleType && signature !== undefined;
  if (!simple && !bundleType.test(layer.mediaType)) return undefined;
  const answer = await ignoring('not_found', repository.blob(layer.digest));
  if (answer === undefined) return { not: 'without what was signed' };
  const bytes = await repository.bytes(answer, mostPayloadBytes);
  if (sha256(bytes) !== layer.digest) return { not: 'of a payload that is not what its manifest says' };
  return simple ? simpleSigning(bytes, signature, keys, image, digest, which) : bundle(bytes, keys, digest);
}

/** What was asked for, in its form; undefined where the registry has none. With `digest`: it must be these bytes. */
async function absent<T>(
  repository: Repository,
  asked: Promise<Response>,
  form: z.ZodType<T>,
  digest?: string,
): Promise<T | undefined> {
  const answer = await ignoring('not_found', asked);
  if (answer === undefined) return undefined;
  const bytes = await repository.bytes(answer);
  if (digest !== undefined && sha256(bytes) !== digest)
    throw repository.fault('invalid', `${answer.url} is not what it is asked for`);
  try {
    return form.parse(JSON.parse(bytes.toString()));
  } catch (e) {
    throw repository.fault('invalid', `${answer.url} is no manifest`, e);
  }
}

function inWords(judged: readonly Judged[], { keys }: SignatureDemand): string {
  const names = keys.map(({ name }) => name).join(', ');
  if (judged.length === 0) return `it carries no signature (asked for: ${names})`;
  const counts = new Map<string, number>();
  for (const one of judged) if ('not' in one) counts.set(one.not, (counts.get(one.not) ?? 0) + 1);
  const told = [...counts].map(([why, n]) => `${n} ${why}`).join(', ');
  return `none of its signatures will do for ${names}: ${told}`;
}

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
