/** What the cloud's answer to a launch makes of an instance's row. */
import { priceAt } from '../decide/spot.ts';
import type { Fault, PortError } from '../domain/fault.ts';
import { instant } from '../domain/ids.ts';
import type {
  CloudInstance,
  Instance,
  LaunchSpec,
  MachinePrice,
  Missed,
  SpotPool,
} from '../domain/instance.ts';
import type { Resources } from '../domain/resources.ts';
import { least } from '../domain/room.ts';
import type { InstanceChange, InstanceContext, InstancePatch } from './context.ts';

/** What an instance's `why` begins with when it was not launched for want of leave to ask: its bursts are planned again. */
export const throttled = 'throttled';

export function launched(ctx: InstanceContext, instance: Instance, made: CloudInstance): InstanceChange {
  const patch: InstancePatch = {
    state: 'launched',
    cloudId: made.id,
    type: made.type,
    zone: made.zone,
    launchedAt: ctx.clock.now(),
    price: priceOf(ctx, instance, made),
    // Something larger than was planned may have come, and is used as it is.
    capacity: roomOf(ctx, instance, made),
    trouble: undefined,
  };
  const why =
    instance.spec.external === undefined
      ? `the cloud launched ${made.id} (${made.type} in ${made.zone})`
      : `${made.id} waits for whoever scales its node group`;
  return { instance, patch, why };
}

/** The cloud's last word on it; undefined: what was said settles nothing, and the same is asked again. */
export function notLaunched(
  ctx: InstanceContext,
  instance: Instance,
  error: PortError,
): InstanceChange | undefined {
  const { fault, message: text } = error;
  if (fault !== 'no_capacity' && fault !== 'throttled' && fault !== 'refused' && fault !== 'invalid')
    return undefined;
  noteMissed(ctx, instance.spec, fault, error.missed ?? []);
  // EC2 answers a spent token the same way for ever, so what is tried again needs a row and a token of its own.
  const why = {
    no_capacity: 'no capacity',
    throttled,
    refused: 'the cloud refused the launch',
    invalid: 'the launch was malformed',
  }[fault].concat(`: ${text}`);
  return { instance, patch: { state: 'gone', endedAt: ctx.clock.now(), why }, why };
}

/** Between two askings of a cloud that does not answer: at first, and once it has not for so long. */
const againMs = 3_000;
const againAtMostMs = 60_000;

/** It is asked again after as long as it has not answered by now, so half as often each time. */
export function unanswered(ctx: InstanceContext, instance: Instance, { message }: PortError): InstanceChange {
  const text = `launch: ${message}`;
  const at = ctx.clock.now();
  const since = instance.trouble?.since ?? at;
  const inMs = Math.min(againAtMostMs, Math.max(againMs, at - since));
  return { instance, patch: { trouble: { since, text }, askAgainAt: instant(at + inMs) }, why: text };
}

/** For how long it is not asked for yet, whoever wakes it; nothing by a clock that was set back. */
export function restsMs(ctx: InstanceContext, { askAgainAt }: Instance): number {
  const left = (askAgainAt ?? 0) - ctx.clock.now();
  return left > againAtMostMs ? 0 : Math.max(0, left);
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
