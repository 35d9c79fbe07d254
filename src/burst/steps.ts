import type { Burst, BurstState } from '../domain/burst.ts';
import { approve, reserve } from './approve.ts';
import { cancel } from './cancel.ts';
import { claim, confirmClaim } from './claim.ts';
import { type BurstContext, type Next, never } from './context.ts';
import { giveBack } from './giveback.ts';
import { unlessStopped } from './halt.ts';
import { awaitStandin, grant, start } from './handover.ts';
import { fence, lose } from './lose.ts';
import { awaitInstance, provision } from './provision.ts';
import { drain, run, seek } from './run.ts';
import { confirmEnd, requeue, settle } from './settle.ts';
import { unlessSpent } from './spent.ts';

export type Step = (ctx: BurstContext, burst: Burst) => Promise<Next>;

const done: Step = async () => never;

/** Every state's step, in the order of a job's life: the table of contents of this folder. */
export const steps = {
  proposed: unlessStopped(approve),
  approved: unlessStopped(reserve),
  reserved: unlessStopped(unlessSpent(awaitInstance)),
  provisioning: unlessStopped(unlessSpent(provision)),
  ready: unlessStopped(unlessSpent(claim)),
  moving: confirmClaim,
  placed: awaitStandin,
  attached: grant,
  granted: start,
  running: run,
  draining: drain,
  reported: confirmEnd,
  final: settle,
  returning: giveBack,
  cancelling: cancel,
  lost: lose,
  requeueing: requeue,
  fencing: fence,
  vanished: seek,
  // Nothing leads there yet: on nodes that no cloud can terminate a person must confirm that they are off.
  needs_person: done,
  settled: done,
  returned: done,
  started_onprem: done,
  withdrawn: done,
  requeued: done,
  failed: done,
} as const satisfies Record<BurstState, Step>;
