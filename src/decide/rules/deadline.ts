import { minutes } from '../conditions/condition.ts';
import type { JobRule } from '../rule.ts';
import { groupFor } from './size.ts';

/**
 * What could not end before its deadline in the cloud either is not sent there. Slurm cancels a job that waits, in state DEADLINE, as soon as
 * now + its time limit is beyond the deadline. [slurmctld/job_scheduler.c, deadline_ok]
 */
export const deadline: JobRule = {
  name: 'deadline',
  of: 'job',
  otherwise: 'wait',
  judge({ job, now, groups, readyIn }) {
    const limit = 'in the cloud it ends before its deadline';
    if (job.deadlineAt === undefined) return { pass: true, measured: 'has no deadline', limit };
    const group = groupFor(job, groups)?.group.name;
    const left = job.deadlineAt - now;
    const has = left > 0 ? `its deadline is in ${minutes(left)}` : 'its deadline is over';
    if (group === undefined) return { pass: left > 0, measured: `${has}; no node group holds it`, limit };
    const ready = readyIn(group).p90;
    // Under its partition's limit, or without one, Slurm holds only its start against the deadline.
    const own = typeof job.timeLimitMs === 'number' ? job.timeLimitMs : 0;
    const asks = own > 0 ? `asks for ${minutes(own)}` : 'has no time limit of its own';
    return {
      pass: ready + own <= left,
      measured: `${has}, ${group} has it running in ${minutes(ready)} (9 in 10), it ${asks}`,
      limit,
    };
  },
};
