/** Whether the site's own images are signed as `images.signatures` asks; what users name besides is looked at when their jobs burst. */
import type { PodSettings, SignatureSettings } from '../burst/context.ts';
import { demandOf } from '../burst/registry.ts';
import type { RegistryPort } from '../ports.ts';
import { type Images, imageName, type SignaturePolicy, signaturesFor } from '../translate/index.ts';
import { type Finding, probe } from './doctor.ts';

export async function* examineImages({
  images,
  signatures,
}: Pick<PodSettings, 'images' | 'signatures'>): AsyncGenerator<Finding> {
  if (signatures === undefined) return;
  for (const [image, policies] of ownImages(images))
    yield await probe(
      `image ${image}: signature`,
      async () => {
        const { registry } = signatures;
        const by = new Set<string>();
        for (const policy of policies) by.add(await signer(image, policy, signatures, registry));
        return `signed by ${[...by].join(', ')}`;
      },
      'sign it (cosign sign --key), or mend images.signatures; where its registry was not reached, images.registries',
    );
}

async function signer(
  image: string,
  policy: SignaturePolicy,
  settings: SignatureSettings,
  registry: RegistryPort,
): Promise<string> {
  const name = imageName(image);
  if (name === undefined) throw new Error('it is not the name of an image in a registry');
  const answer = await registry.signed(name, await registry.digest(name), demandOf(policy, settings));
  if (answer.kind === 'unsigned') throw new Error(answer.why);
  return answer.by;
}

/** Each with what some job that gets it would ask for. */
function ownImages(images: Images): ReadonlyMap<string, ReadonlySet<SignaturePolicy>> {
  const found = new Map<string, Set<SignaturePolicy>>();
  const add = (image: string, of: { readonly account?: string; readonly partition?: string }): void => {
    for (const policy of images.signatures ?? []) {
      const { account = policy.account ?? '', partition = policy.partition ?? '' } = of;
      if (!signaturesFor({ signatures: [policy] }, { account, partition, image }).includes(policy)) continue;
      found.set(image, (found.get(image) ?? new Set()).add(policy));
    }
  };
  if (images.default !== undefined) add(images.default, {});
  for (const { image } of images.modules) add(image, {});
  for (const [account, image] of Object.entries(images.accounts)) add(image, { account });
  for (const [partition, image] of Object.entries(images.partitions)) add(image, { partition });
  return found;
}
