import { faultOf, type PortError } from '../domain/fault.ts';
import type { Instance } from '../domain/instance.ts';
import { after, type Next, never, now } from '../domain/next.ts';
import { launched, notLaunched, restsMs, unanswered } from './answered.ts';
import { change, changeWithin, drainOf, type InstanceContext, intend, wakeBursts } from './context.ts';
import { launchLot } from './lot.ts';
import { forLaunch, notHeld } from './overhead.ts';

/** intended → launched. The token was committed with the row, so a repeat after a crash or a lost answer finds the same instance. */
export async function launch(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const rests = restsMs(ctx, instance);
  if (rests > 0) return after(rests);
  if (instance.lot !== undefined) return launchLot(ctx, instance);
  // One that was asked for before is asked for again: it may be there, and only its answer lost.
  const asked = instance.askedAt !== undefined || instance.trouble !== undefined;
  const why = asked ? undefined : await drainOf(ctx, instance);
  if (why !== undefined) return withhold(ctx, instance, 'drain', why);
  // What is held for it was held with the first asking.
  const money = asked ? ({ kind: 'free' } as const) : await forLaunch(ctx, instance);
  if (money.kind === 'none') return withhold(ctx, instance, 'budget', money.why);
  const intent = intend(ctx, instance, 'cloud.launch', { ...instance.spec, token: instance.token });
  const held = await changeWithin(
    ctx,
    instance,
    {
      askedAt: instance.askedAt ?? ctx.clock.now(),
      ...(money.kind === 'held' ? { hold: money.hold } : {}),
    },
    `asks the cloud for one of ${instance.spec.types.join(', ')}`,
    [{ kind: 'intent', intent }, ...(money.kind === 'held' ? [money.write] : [])],
  );
  if (held === 'over_budget' && money.kind === 'held')
    return withhold(ctx, instance, 'budget', notHeld(money.hold));
  if (typeof held === 'string') return now;
  const answered = (answer: string) => ({
    kind: 'answered' as const,
    intent: intent.id,
    answer,
    at: ctx.clock.now(),
  });
  try {
    const made = await ctx.cloud.launch(instance.spec, instance.token);
    ctx.missed?.(instance.group, instance.spec.capacityType, made.missed ?? []);
    const { patch, why } = launched(ctx, held, made);
    await change(ctx, held, patch, why, [answered(made.id)]);
    return after(1_000);
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined) throw e;
    const none = notLaunched(ctx, held, e as PortError);
    if (none === undefined) {
      const { patch, why } = unanswered(ctx, held, e as PortError);
      await change(ctx, held, patch, why, [answered(fault)]);
      return after(3_000);
    }
    await change(ctx, held, none.patch, none.why, [answered(fault)]);
    await wakeBursts(ctx, held);
    return never;
  }
}

/** It is not asked for; whoever waits for it hears why. */
async function withhold(
  ctx: InstanceContext,
  instance: Instance,
  withheld: NonNullable<Instance['withheld']>,
  why: string,
): Promise<Next> {
  await change(ctx, instance, { state: 'gone', endedAt: ctx.clock.now(), why, withheld }, why);
  await wakeBursts(ctx, instance);
  return never;
}
