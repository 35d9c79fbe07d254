import type { Burst } from '../domain/burst.ts';
import { PortError } from '../domain/fault.ts';
import type { RegistryPort, SignatureDemand, Signed } from '../ports.ts';
import { imageName } from '../translate/index.ts';
import { after, type BurstContext, change, leave, type Next, now } from './context.ts';
import { demandsOf, registryMs, silent } from './registry.ts';

const againMs = 10_000;

/**
 * The signatures that its job must have, held against the digest that all its pods run, before anything is made. Undefined: there is nothing to
 * ask any more. A registry that does not answer says nothing of the image: the job goes home for a while, and that does not count against it.
 */
export async function checkSignature(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  const { image } = burst;
  const demands = demandsOf(ctx, burst);
  const { signatures } = ctx.pods;
  if (demands.length === 0 || signatures === undefined || image?.signedBy !== undefined) return undefined;
  const answer = await ask(signatures.registry, image?.pinned, demands);
  const words = `image ${image?.pinned ?? image?.name ?? '(none)'}`;
  switch (answer.kind) {
    case 'signed':
      if (image === undefined) return undefined;
      await change(
        ctx,
        burst,
        { image: { ...image, signedBy: answer.by } },
        `${words} is signed by ${answer.by}`,
      );
      return now;
    case 'unsigned':
      return leave(ctx, burst, {
        kind: 'image_unsigned',
        text: `${words} is not signed as this job's must be (images.signatures): ${answer.why}`,
      });
    case 'silent': {
      if (ctx.clock.now() - burst.enteredAt < registryMs) return after(againMs);
      const text = `whether ${words} is signed could not be asked: ${answer.why}`;
      return leave(ctx, burst, { kind: 'registry_silent', text });
    }
  }
}

type Answer = Signed | { readonly kind: 'silent'; readonly why: string };

async function ask(
  registry: RegistryPort,
  pinned: string | undefined,
  demands: readonly SignatureDemand[],
): Promise<Answer> {
  const name = pinned === undefined ? undefined : imageName(pinned);
  if (name === undefined) return { kind: 'unsigned', why: 'it has no digest to be signed' };
  const by = new Set<string>();
  try {
    for (const demand of demands) {
      const one = await registry.signed(name, name.reference, demand);
      if (one.kind === 'unsigned') return one;
      by.add(one.by);
    }
    return { kind: 'signed', by: [...by].join(', ') };
  } catch (e) {
    if (!(e instanceof PortError)) throw e;
    return { kind: silent(e) ? 'silent' : 'unsigned', why: e.message };
  }
}
