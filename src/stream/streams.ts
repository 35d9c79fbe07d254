/**
 * What the engine's steps see of the streams between stand-ins and keepers. Every call only states what is wanted
 * and returns at once; the switchboard keeps at it over reconnects, and the views say how far it came.
 */
import type { Exit, Grant, Usage } from '../domain/burst.ts';
import type { Brand, BurstId, ClusterName, Instant } from '../domain/ids.ts';
import type { PodRef } from '../domain/kube.ts';
import type { Team } from '../domain/ranks.ts';
import type { Staged, StageOrder } from './stage.ts';

/** One stand-in process: cluster, bare job id and the session it made for itself. */
export type StandinKey = Brand<string, 'StandinKey'>;
export const standinKey = (cluster: ClusterName, jobId: number, session: string): StandinKey =>
  `${cluster}/${jobId}/${session}` as StandinKey;

/** As the relay of the burst host says; never what the stand-in claims. */
export interface Peer {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly { readonly gid: number; readonly name: string }[];
  readonly user: string;
  readonly home: string;
  readonly shell: string;
  readonly jobId: number;
  readonly pid: number;
  readonly host: string;
}

/** Soft and hard, under setrlimit(2)'s name in small letters; -1 = no limit. */
export type Limits = Readonly<Record<string, readonly [number | string, number | string]>>;

/** As the stand-in says: argv and cwd in base64, since neither need be UTF-8. */
export interface Open {
  readonly restart: number;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly umask: number;
  readonly limits: Limits;
  /** Its stdout and stderr are one file, so the job gets one pipe for both. */
  readonly join: boolean;
  readonly session: string;
  /** It knows how to carry data. */
  readonly stages?: boolean | undefined;
  /** Also of jobs of several nodes. */
  readonly ranks?: boolean | undefined;
  /** It runs Slurm's programs for the script. */
  readonly calls?: boolean | undefined;
}

export interface StandinView {
  readonly key: StandinKey;
  readonly cluster: ClusterName;
  readonly peer: Peer;
  readonly open: Open;
  readonly since: Instant;
  readonly link: 'up' | 'gone';
  readonly linkSince: Instant;
  readonly coupled: BurstId | undefined;
  /** It has its EXIT and ended. One that was refused just goes. */
  readonly bye: boolean;
  /** When the first TERM with scope `all` passed: Slurm is ending the job. */
  readonly termAt: Instant | undefined;
}

export interface KeeperView {
  readonly burst: BurstId;
  readonly rank: number;
  /** `connecting` until the first authenticated connection, `down` when one was lost; both are being tried again. */
  readonly link: 'connecting' | 'up' | 'down';
  readonly linkSince: Instant;
  readonly everUp: boolean;
  /** Why the link is not up, or what the keeper complained of last: `stale`, `auth`, `dial: …`, `already_granted: …`. */
  readonly fault: string | undefined;
  readonly main: 'unknown' | 'absent' | 'ready' | 'refused';
  readonly mainFault: string | undefined;
  /** Script and environment lie whole at the keeper. */
  readonly inputComplete: boolean;
  readonly started: { readonly grant: Grant; readonly at: Instant; readonly pid: number } | undefined;
  readonly exit:
    | {
        readonly exit: Exit;
        readonly usage: Usage | undefined;
        readonly ends: { readonly 1: number; readonly 2: number };
      }
    | undefined;
  /** Written by the stand-in, or discarded. */
  readonly acked: { readonly 1: number; readonly 2: number };
  /** The exit is known and every byte before it was written by the stand-in or discarded. */
  readonly drained: boolean;
  /** Bytes discarded by this process for want of a stand-in. */
  readonly dropped: number;
  readonly byeSent: boolean;
  /** When it last carried what it had not carried before, by its word and by what it asked for. */
  readonly carriedAt?: Instant | undefined;
  /** It knows how to carry data. */
  readonly stages?: boolean | undefined;
  /** Also as one of several nodes. */
  readonly ranks?: boolean | undefined;
}

export interface StartSpec {
  /** With the uid of the pod that is started. */
  readonly grant: Grant;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly umask: number;
  readonly limits: Limits;
  readonly join: boolean;
  readonly env: { readonly drop: readonly string[]; readonly set: Readonly<Record<string, string>> };
  readonly groups: readonly number[];
  /** Of the groups, by gid, for the pod's /etc/group. */
  readonly names?: Readonly<Record<string, string>>;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly user: string;
    readonly home: string;
    readonly shell: string;
  };
  readonly team: Team;
  /** By this process's clock; the keeper goes by the difference to the time of sending. */
  readonly endsAt: Instant | undefined;
  readonly killAfterMs: number;
  /** `--signal`: a signal for the job's steps, at a time of this process's clock. */
  readonly warn?: { readonly signo: number; readonly atMs: number };
  /** Main waits after its script's end for what is asked of it, until an order `end`. */
  readonly stays?: boolean;
  /** What the script asks of Slurm's programs goes to the stand-in. */
  readonly calls?: boolean;
}

export type StreamEvent =
  | { readonly kind: 'standin'; readonly view: StandinView }
  | { readonly kind: 'keeper'; readonly burst: BurstId };

/** `rank`: of the job's node; 0, with the script and its output, if undefined. */
export interface Streams {
  /** Idempotent. Keeps one authenticated connection to the pod's keeper until `release`. */
  attachKeeper(burst: BurstId, pod: PodRef, key: Uint8Array, rank?: number): void;
  keeper(burst: BurstId, rank?: number): KeeperView | undefined;
  /** Those that are gone are kept for some minutes, so that a step can see them. */
  standins(): readonly StandinView[];
  /** The newest of the job, one whose link is up before one that is gone. */
  standinOf(cluster: ClusterName, jobId: number): StandinView | undefined;
  /** Tells a stand-in why it waits; told again when it reconnects, until it is coupled. */
  wait(key: StandinKey, why: string): void;
  /** The stand-in writes the line to its stderr and ends with `exit`. */
  refuse(key: StandinKey, line: string, exit: number): void;
  /**
   * Script and environment flow to the keeper, output flows back from where the stand-in has it. Idempotent; holds over
   * reconnects of either side, and over a new gateway, where nothing that the keeper has is sent again. Another key
   * for the same burst takes the place of the first.
   */
  couple(burst: BurstId, key: StandinKey): void;
  /**
   * Idempotent: START to the keeper of the team's rank once main is ready and, on rank 0, input is complete; again on each connection
   * until STARTED.
   */
  start(burst: BurstId, start: StartSpec): void;
  /** Repeated until SIGNALLED; the keeper applies an id once. */
  signal(burst: BurstId, id: string, signo: number, scope: 'script' | 'all', rank?: number): void;
  /** Idempotent by the order's id; said again on each connection until it was answered. `here`: the coupled stand-in; `pod`: main of that rank. */
  stage(burst: BurstId, at: 'here' | 'pod', order: StageOrder, rank?: number): void;
  /** What came of the newest order there; undefined: nothing yet. */
  staged(burst: BurstId, at: 'here' | 'pod', rank?: number): Staged | undefined;
  /** EXIT to the coupled stand-in, also without a keeper; on each of its connections until BYE. */
  finish(burst: BurstId, exit: Exit): void;
  /** No stand-in will come any more: the rest is acknowledged and counted as dropped. Final. */
  discard(burst: BurstId): void;
  /** All is committed: the keepers of all ranks may end. One above 0 that was started is told once it has said how its main ended. */
  bye(burst: BurstId): void;
  /** Forgets the burst and closes its keepers' connections; its stand-in stays connected, uncoupled. */
  release(burst: BurstId): void;
  /** Another gateway leads: every connection is closed and all is forgotten, so that it can have the far ends. */
  drop(): void;
  close(): Promise<void>;
}
