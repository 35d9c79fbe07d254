import { faultOf } from '../domain/fault.ts';
import { Refusal } from './problem.ts';

/** Slurm's and sudo's own words reach whoever ordered. */
export async function slurmsWord<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (e) {
    const detail = (e as Error).message;
    switch (faultOf(e)) {
      case 'refused':
      case 'started':
        throw new Refusal('slurm_refused', 'Refused', { detail });
      case 'not_found':
        throw new Refusal('not_found', 'Not found', { detail });
      case 'unknown':
        throw new Refusal('outcome_unknown', 'Not known', {
          detail: `no answer came, so that it may have been done: look at your jobs before you ask again (${detail})`,
        });
      default:
        throw e;
    }
  }
}
