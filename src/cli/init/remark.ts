/** One thing of a Slurm that is not as everywhere. */
import type { Survey } from '../../domain/survey.ts';
import type { Plan } from './choose.ts';

/** `now`: it already matters to observing. `later`: before mode approve or auto. `note`: good to know. */
export interface Remark {
  readonly when: 'now' | 'later' | 'note';
  readonly text: string;
  readonly todo?: string;
}

/** `plan` undefined: nothing could be proposed. */
export type Look = (survey: Survey, plan: Plan | undefined) => readonly Remark[];

export const one = (when: Remark['when'], text: string, todo?: string): readonly Remark[] => [
  { when, text, ...(todo === undefined ? {} : { todo }) },
];
