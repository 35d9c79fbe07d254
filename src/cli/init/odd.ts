/** What of a Slurm is not as everywhere, and what that means for Spillway. */
import type { Survey } from '../../domain/survey.ts';
import type { Plan } from './choose.ts';
import { bound, nodes, partitions, sight } from './odd-partitions.ts';
import {
  accounting,
  clusters,
  partLimits,
  privacy,
  rights,
  scheduling,
  selection,
  slurmds,
  submission,
  version,
} from './odd-settings.ts';
import type { Look, Remark } from './remark.ts';

const looks: readonly Look[] = [
  ...[version, accounting, privacy, rights, sight, partitions, nodes],
  ...[clusters, bound, submission, partLimits, selection, slurmds, scheduling],
];

/** Most urgent first. `plan` undefined: nothing could be proposed. */
export function remarksOf(survey: Survey, plan: Plan | undefined): readonly Remark[] {
  const order = { now: 0, later: 1, note: 2 } as const;
  return looks.flatMap((look) => look(survey, plan)).sort((a, b) => order[a.when] - order[b.when]);
}
