import { faultOf } from '../domain/fault.ts';
import type { JobDetail } from '../domain/job.ts';
import type { SlurmPort } from '../ports.ts';
import { readScript, type Script, withCommandLine } from '../translate/index.ts';

/** The script as it was submitted, with what the command line said before it. Undefined: there is none, or it may not be read. */
export async function submittedScript(
  slurm: Pick<SlurmPort, 'script' | 'submitLine'>,
  job: JobDetail,
): Promise<Script | undefined> {
  let text: string | undefined;
  try {
    text = await slurm.script(job.id);
  } catch (e) {
    if (faultOf(e) !== 'refused') throw e;
  }
  if (text === undefined) return undefined;
  return withCommandLine(readScript(text), await slurm.submitLine(job.id), job);
}
