/** Dependencies between jobs. */
import type { JobRef } from '../../domain/ids.ts';
import { type ArrayRecord, isOver, type JobRecord, type Waited } from './slurm-record.ts';
import type { Dependency } from './slurm-types.ts';

/** A job that slurmctld does not know, or knows as over, is waited for no longer. */
export function waitedFor(
  after: readonly Dependency[],
  find: (ref: JobRef) => JobRecord | ArrayRecord | undefined,
): Waited[] {
  const waited = after.flatMap((one): Waited[] => {
    const on = find(one.ref);
    return on === undefined ? [] : [{ ...one, on, never: false }];
  });
  return stillUnmet(waited);
}

/** Those that remain, marked where they can never be met. */
export function stillUnmet(waited: readonly Waited[]): Waited[] {
  return waited.filter((one) => {
    const { over, ok, failed } = outcome(one.on);
    one.never =
      (one.kind === 'afterok' && failed > 0) || (one.kind === 'afternotok' && over && failed === 0 && ok > 0);
    return !over || one.never;
  });
}

function outcome(on: JobRecord | ArrayRecord): { over: boolean; ok: number; failed: number } {
  if ('records' in on) return { over: on.live.size === 0, ok: on.ok, failed: on.failed };
  const over = isOver(on);
  const ok = on.base === 'COMPLETED';
  return { over, ok: over && ok ? 1 : 0, failed: over && !ok ? 1 : 0 };
}

export function dependencyText(unmet: readonly Waited[]): string {
  return unmet
    .map(({ kind, ref, on, never }) => {
      const whole = 'records' in on ? `${ref}_*` : ref;
      return `${kind}:${whole}(${never ? 'failed' : 'unfulfilled'})`;
    })
    .join(',');
}
