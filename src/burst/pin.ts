import type { Burst } from '../domain/burst.ts';
import { PortError } from '../domain/fault.ts';
import type { RegistryPort } from '../ports.ts';
import { imageName } from '../translate/index.ts';
import { after, type BurstContext, change, leave, type Next, now } from './context.ts';

/** A registry that does not answer is asked again for so long; then the image is not pinned. */
const pinMs = 2 * 60_000;
const againMs = 10_000;

/**
 * What the image's tag stands for, asked of its registry before anything of the job's is made, so that the receipt says what was meant to
 * run, all its pods run the same, and a tag that is moved meanwhile moves nothing. Undefined: there is nothing to ask any more.
 */
export async function pin(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  const { image } = burst;
  if (ctx.pods.pin === undefined || image === undefined) return undefined;
  if (image.pinned !== undefined || image.unpinned !== undefined) return undefined;
  const { registry, required } = ctx.pods.pin;
  const told = await ask(registry, image.name);
  if (told.kind === 'silent' && ctx.clock.now() - burst.enteredAt < pinMs) return after(againMs);
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
  if (required) return leave(ctx, burst, { kind: 'pod_failed', text: `${words}; images.pin is required` });
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
    const silent = e.fault === 'unreachable' || e.fault === 'throttled' || e.fault === 'transient';
    return { kind: silent ? 'silent' : 'none', why: e.message };
  }
}
