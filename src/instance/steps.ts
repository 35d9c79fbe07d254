import type { Instance, InstanceState } from '../domain/instance.ts';
import type { Next } from '../domain/next.ts';
import type { InstanceContext } from './context.ts';
import { launch } from './launch.ts';
import { awaitJoin, awaitReady } from './register.ts';
import { bury, drain, giveUp, keep, terminate } from './retire.ts';

/** Every state's step: the table of contents of this folder. */
export const instanceSteps = {
  intended: launch,
  launched: awaitJoin,
  joined: awaitReady,
  ready: keep,
  draining: drain,
  never_joined: giveUp,
  terminating: terminate,
  gone: bury,
} as const satisfies Record<InstanceState, (ctx: InstanceContext, instance: Instance) => Promise<Next>>;
