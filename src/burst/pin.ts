import type { Burst } from '../domain/burst.ts';
import { PortError } from '../domain/fault.ts';
import type { RegistryPort } from '../ports.ts';
import { imageName } from '../translate/index.ts';
import { after, type BurstContext, change, leave, type Next, now } from './context.ts';
import { demandsOf, registryMs, silent } from './registry.ts';

const againMs = 10_000;

/**
 * What the image's tag stands for, asked of its registry before anything of the job's is made, so that the receipt says what was meant to
 * run, all its pods run the same, and a tag that is moved meanwhile moves nothing. Undefined: there is nothing to ask any more. What must be
 * signed is always pinned: a signature is of a digest.
 */
export async function pin(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  const { image } = burst;
  const demanded = demandsOf(ctx, burst).length > 0;
  const registry = ctx.pods.pin?.registry ?? (demanded ? ctx.pods.signatures?.registry : undefined);
  if (registry === undefined || image === undefined || image.pinned !== undefined) return undefined;
  if (image.unpinned !== undefined && !demanded) return undefined;
  const told = await ask(registry, image.name);
  if (told.kind === 'silent' && ctx.clock.now() - burst.enteredAt < registryMs) return after(againMs);
  if (told.kind === 'digest') {
    const pinned = `${image.name.replace(/@.*$/, '')}@${told.digest}`;
    await change(
      ctx,
      burst,
      { image: { ...image, pinned } },
      `image ${image.name} is pinned to ${told.digest}`,
    );
    return now;
  }
  const words = `image ${image.name} cannot be pinned: ${told.why}`;
  if (demanded || ctx.pods.pin?.required === true) {
    const why = demanded ? 'it must be signed (images.signatures)' : 'images.pin is required';
    const kind = told.kind === 'silent' ? 'registry_silent' : demanded ? 'image_unsigned' : 'pod_failed';
    return leave(ctx, burst, { kind, text: `${words}; ${why}` });
  }
  await change(ctx, burst, { image: { ...image, unpinned: told.why } }, words);
  return now;
}

type Told =
  | { readonly kind: 'digest'; readonly digest: string }
  | { readonly kind: 'none' | 'silent'; readonly why: string };

async function ask(registry: RegistryPort, image: string): Promise<Told> {
  const name = imageName(image);
  if (name === undefined) return { kind: 'none', why: 'it is not the name of an image in a registry' };
  try {
    return { kind: 'digest', digest: await registry.digest(name) };
  } catch (e) {
    if (!(e instanceof PortError)) throw e;
    return { kind: silent(e) ? 'silent' : 'none', why: e.message };
  }
}
