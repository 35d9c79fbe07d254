import type { Duplex } from 'node:stream';
import type { PodRef } from '../domain/kube.ts';
import type { Clock, Entropy, ObjectsPort, Scheduler } from '../ports.ts';
import type { StreamEvent } from './streams.ts';
import type { Tap } from './tap.ts';

export interface Needs {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly entropy: Entropy;
  /** To the keeper's port in that pod. */
  dial(pod: PodRef): Promise<Duplex>;
  /** Of this process's leader lease, as it is now. */
  epoch(): number;
  /** Through which data are carried; undefined: the site has none. */
  readonly objects?: ObjectsPort | undefined;
  /** Certificates (PEM) that far ends trust beside their own when they speak to it. */
  readonly roots?: string | undefined;
  /** Called after each change that a step may care for; what it throws is noted and goes no further. */
  on(event: StreamEvent): void;
  /** Sees output as it is passed on; undefined: nobody looks. */
  readonly tap?: Tap | undefined;
  /** For the log: what happened to which connection. */
  note?(text: string, about: Readonly<Record<string, unknown>>): void;
}

/** The versions this gateway speaks, best first. */
export const versions: readonly number[] = [1];

/** What a side has to say before anything else is heard from it. */
export const introduceWithin = 10_000;
