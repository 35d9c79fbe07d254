/** What `spillway init` sees of a Slurm that it has never met: as Slurm told it, nothing judged. */
import type { Instant } from './ids.ts';
import type { History, Partition, Snapshot } from './job.ts';

/** One question of a survey. Slurm may not know the answer, or not tell it to us; `text` says why. */
export type Asked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly text: string };

/** What slurm.conf says of a node's hardware. Nodes of one shape are alike to a job. */
export interface NodeShape {
  readonly cpus: number;
  readonly boards: number;
  /** On each board. */
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
  readonly memoryMib: number;
  readonly tmpMib: number;
  /** Comma-separated as Slurm has them; '' for none. */
  readonly features: string;
  /** Such as `gpu:a100:2`, without the sockets that they hang on; '' for none. */
  readonly gres: string;
}

export interface SurveyedNode extends NodeShape {
  readonly name: string;
  readonly state: string;
  readonly partitions: readonly string[];
}

export interface SurveyedPartition extends Partition {
  /** UP, DOWN, DRAIN or INACTIVE. */
  readonly state: string;
  readonly byDefault: boolean;
  readonly hidden: boolean;
  readonly rootOnly: boolean;
  /** Who and what it takes, where that is not everything: `AllowAccounts=physics`. */
  readonly narrowed: readonly string[];
}

export interface Association {
  readonly account: string;
  /** '' for the account's own line. */
  readonly user: string;
  /** '' for all partitions. */
  readonly partition: string;
}

export interface Survey {
  readonly at: Instant;
  /** The far clock less ours; undefined where it could not be read. */
  readonly skewMs: number | undefined;
  /** Every key of `scontrol show config`, in small letters. */
  readonly config: ReadonlyMap<string, string>;
  readonly partitions: readonly SurveyedPartition[];
  readonly nodes: Asked<readonly SurveyedNode[]>;
  /** What a gateway would see at this moment. */
  readonly snapshot: Snapshot;
  readonly adminLevel: Asked<string>;
  readonly clusters: Asked<readonly { readonly name: string; readonly federation: string }[]>;
  readonly associations: Asked<readonly Association[]>;
  /** Undefined: not asked for. */
  readonly history: Asked<History> | undefined;
  /** What `history` spans; it ends at `at`. */
  readonly historyMs: number;
}

/** A key of slurm.conf, whatever its letters; '' where Slurm does not know it or says nothing. */
export function settingOf({ config }: Pick<Survey, 'config'>, key: string): string {
  const value = config.get(key.toLowerCase()) ?? '';
  return ['(null)', 'none', 'n/a'].includes(value.toLowerCase()) ? '' : value;
}
