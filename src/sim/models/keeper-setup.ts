/** What a pod of a burst is made of, for the model that runs in it. */
import type { Instant } from '../../domain/ids.ts';
import type { Clock, Entropy, Scheduler } from '../../ports.ts';
import type { Timing } from './far-link.ts';
import type { Files } from './far-stage.ts';
import type { ContainerEnd } from './keeper-main.ts';
import type { Behaviour, Grant, Work } from './keeper-work.ts';
import type { ObjectsModel } from './objects.ts';

export type Container = 'main' | 'keeper';

export interface KeeperSetup {
  /** The burst's, as in its Secret. */
  readonly key: Uint8Array;
  readonly podUid: string;
  /** Whose the pod was made to be. */
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** Default: what stands in the script. */
  readonly work?: Work;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly entropy: Entropy;
  readonly timing?: Timing;
  /** A channel; default 64 MiB. */
  readonly spoolBytes?: number;
  /** Main comes up so much later than the keeper; with a fault it refuses to run anything. */
  readonly main?: { readonly afterMs?: number; readonly fault?: string };
  /** From a kept grant to the script's first instruction. */
  readonly startMs?: number;
  /** Its pod's own files, and the store that data come from; without them it carries none. */
  readonly data?: { readonly files: Files; readonly objects: ObjectsModel };
  /** What each running script's steps do on the job's other nodes, by its attempt; shared by all pods. */
  readonly steps?: Map<string, Behaviour>;
  /** Each container once. */
  onEnd?(container: Container, end: ContainerEnd): void;
  /** Each time that a script really began; with a rank above 0: that main began to wait for the job's other pods. */
  ran?(run: {
    readonly grant: Grant;
    readonly podUid: string;
    readonly at: Instant;
    readonly rank: number;
  }): void;
}
