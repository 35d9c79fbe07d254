/**
 * One look at a queue and what is decided on it, for the gateway's cycle and for a replay that asks under the gateway's own policy: what both know,
 * they know by the same functions.
 */
import type { JobRef } from '../domain/ids.ts';
import { type BacklogInput, type Decided, decideBacklog } from './backlog.ts';
import type { Foresight } from './foresight.ts';
import { assumed, type Ended, type Ready, readyByGroup } from './ready.ts';

export interface Look extends Omit<BacklogInput, 'forecast' | 'queues' | 'readyIn' | 'live'> {
  /** Jobs that have a live burst: decided already, and as good as gone for those behind. */
  readonly gone: ReadonlySet<JobRef>;
  /** Bursts that are over, newest first: how long the cloud takes is known from them. */
  readonly ended: Iterable<Ended>;
}

export interface Looked {
  readonly decided: readonly Decided[];
  readonly readyIn: (group: string) => Ready;
}

export function decideOn(foresight: Foresight, { gone, ended, ...look }: Look): Looked {
  const { snapshot, setup } = look;
  foresight.look(snapshot, [setup.burstPartition, setup.waitPartition], gone);
  const ready = readyByGroup(ended);
  const readyIn = (group: string): Ready => ready.get(group) ?? assumed;
  const decided = decideBacklog({
    ...look,
    live: gone,
    forecast: (job) => foresight.of(job.ref),
    queues: foresight.queues(),
    readyIn,
  });
  return { decided, readyIn };
}
