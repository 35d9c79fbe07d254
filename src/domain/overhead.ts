import type { Brand, BurstId, InstanceId, Instant } from './ids.ts';
import type { MicroUsd } from './money.ts';

/** In the ledger, in the place of an account: no account of Slurm's is called so. */
export const overheadAccount = '(overhead)';

/** A row of the ledger that an instance has: it may have several, one for each top-up. */
export type OverheadId = Brand<string, 'OverheadId'>;

/** The `nth` of an instance, from 0. */
export const overheadId = (instance: InstanceId, nth: number): OverheadId =>
  (nth === 0 ? `${instance}` : `${instance}/${nth}`) as OverheadId;

/** What the site pays of its machines besides what jobs hold: boot, idle time, what nobody requested, disk and address. */
export interface Overhead {
  /** Disk and address of one instance, micro-dollars an hour. */
  readonly besides: MicroUsd;
}

/** What an instance holds of the overhead budget, from its launch until it is gone. */
export interface InstanceHold {
  /** An hour of it on demand, of the dearest type that may come, with disk and address. */
  readonly perHour: MicroUsd;
  /** From then on it is paid for. */
  readonly from: Instant;
  /** All its rows in the ledger together. */
  readonly held: MicroUsd;
  readonly rows: number;
  /** Bursts that were seen on it and had not ended then. */
  readonly on: readonly BurstId[];
  /** What those that ended since cost there: they paid for it themselves. */
  readonly relieved: MicroUsd;
  /** The budget did not hold a top-up at this moment. */
  readonly short?: Instant | undefined;
}
