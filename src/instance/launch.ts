import { priceAt } from '../decide/spot.ts';
import { type Fault, faultOf, type PortError } from '../domain/fault.ts';
import type {
  CloudInstance,
  Instance,
  LaunchSpec,
  MachinePrice,
  Missed,
  SpotPool,
} from '../domain/instance.ts';
import { after, type Next, never, now } from '../domain/next.ts';
import type { Resources } from '../domain/resources.ts';
import { least } from '../domain/room.ts';
import { change, changeWithin, drainOf, type InstanceContext, intend, wakeBursts } from './context.ts';
import { forLaunch, notHeld } from './overhead.ts';

/** What an instance's `why` begins with when it was not launched for want of leave to ask: its bursts are planned again. */
export const throttled = 'throttled';

/** intended → launched. The token was committed with the row, so a repeat after a crash or a lost answer finds the same instance. */
export async function launch(ctx: InstanceContext, instance: Instance): Promise<Next> {
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
    await change(
      ctx,
      held,
      {
        state: 'launched',
        cloudId: made.id,
        type: made.type,
        zone: made.zone,
        launchedAt: ctx.clock.now(),
        price: priceOf(ctx, instance, made),
        // Something larger than was planned may have come, and is used as it is.
        capacity: roomOf(ctx, instance, made),
        trouble: undefined,
      },
      instance.spec.external === undefined
        ? `the cloud launched ${made.id} (${made.type} in ${made.zone})`
        : `${made.id} waits for whoever scales its node group`,
      [answered(made.id)],
    );
    return after(1_000);
  } catch (e) {
    const fault = faultOf(e);
    const text = (e as Error).message;
    if (fault === 'no_capacity' || fault === 'throttled' || fault === 'refused' || fault === 'invalid') {
      noteMissed(ctx, instance.spec, fault, (e as PortError).missed ?? []);
      // EC2 answers a spent token the same way for ever, so what is tried again needs a row and a token of its own.
      const why = {
        no_capacity: 'no capacity',
        throttled,
        refused: 'the cloud refused the launch',
        invalid: 'the launch was malformed',
      }[fault].concat(`: ${text}`);
      await change(ctx, held, { state: 'gone', endedAt: ctx.clock.now(), why }, why, [answered(fault)]);
      await wakeBursts(ctx, held);
      return never;
    }
    if (fault === undefined) throw e;
    await change(
      ctx,
      held,
      { trouble: { since: held.trouble?.since ?? ctx.clock.now(), text: `launch: ${text}` } },
      `launch: ${text}`,
      [answered(fault)],
    );
    return after(3_000);
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

/** On a machine that others use too is room for what they leave, and for no more than its group promises. */
function roomOf(ctx: InstanceContext, { group, spec, capacity }: Instance, made: CloudInstance): Resources {
  const room = made.fixed?.room;
  if (spec.fixed !== undefined) return room === undefined ? capacity : least(spec.fixed.most, room);
  // Which machine somebody brings is not known yet.
  if (spec.external !== undefined) return capacity;
  return ctx.capacityOf?.(group, made.type) ?? capacity;
}

/** Where the cloud did not say which, none of what was asked for is to be had. */
function noteMissed(ctx: InstanceContext, spec: LaunchSpec, fault: Fault, missed: readonly Missed[]): void {
  const told =
    missed.length > 0 || fault !== 'no_capacity'
      ? missed
      : poolsOf(spec).map((pool) => ({ ...pool, why: 'none' as const }));
  ctx.missed?.(spec.group, spec.capacityType, told);
}

/** As it stands at the launch: what it costs later is reckoned by it, whatever the list says by then. */
export function priceOf(
  ctx: InstanceContext,
  { group: name, spec }: Instance,
  made: CloudInstance,
): MachinePrice | undefined {
  const { type, zone } = made;
  if (spec.capacityType === 'spot') {
    const cap = spec.maxPrices?.[type];
    const seen = ctx.spot?.seen;
    const price = seen?.ok === true ? priceAt(seen.value, { type, zone }, ctx.clock.now()) : undefined;
    if (price !== undefined) return { microUsd: price.microUsd, spot: 'history', capMicroUsd: cap };
    return cap === undefined ? undefined : { microUsd: cap, spot: 'cap', capMicroUsd: cap };
  }
  const { prices, pricedFrom } = ctx.group(name) ?? {};
  const microUsd = prices?.[type];
  if (microUsd === undefined) return undefined;
  const from = pricedFrom?.[type];
  return from === undefined ? { microUsd } : { microUsd, from };
}

const poolsOf = ({ types, zones, without = [] }: LaunchSpec): readonly SpotPool[] =>
  types
    .flatMap((type) => zones.map((zone) => ({ type, zone })))
    .filter(({ type, zone }) => !without.some((pool) => pool.type === type && pool.zone === zone));
