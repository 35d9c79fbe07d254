import type { Rule } from '../rule.ts';

const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;

/**
 * Who asked for the cloud by partition has it. Others burst when the backlog of a watched partition passes one of the
 * thresholds: so many jobs pending for so long, this job among them (LSF: THRESHOLD[[jobs,minutes] …]).
 */
export const backlog: Rule = {
  name: 'backlog',
  otherwise: 'wait',
  judge({ job, setup, policy, pendingFor, now }) {
    const partitions = job.partition.split(',');
    if (setup.explicit !== undefined && partitions.includes(setup.explicit))
      return {
        pass: true,
        measured: `asked for by partition ${setup.explicit}`,
        limit: 'asked for, or a threshold',
      };
    const limit =
      policy.thresholds.length === 0
        ? 'no threshold is configured'
        : policy.thresholds.map((t) => `${t.pendingJobs} jobs for ${minutes(t.forMs)}`).join(' or ');
    const own = Math.max(0, now - (job.eligibleAt ?? job.submitAt));
    let most = 0;
    for (const name of partitions) {
      const ages = pendingFor.get(name) ?? [];
      most = Math.max(most, ages.length);
      for (const t of policy.thresholds) {
        const waiting = atLeast(ages, t.forMs);
        if (own >= t.forMs && waiting >= t.pendingJobs)
          return {
            pass: true,
            measured: `${waiting} jobs in ${name} pending for ${minutes(t.forMs)} or more`,
            limit,
          };
      }
    }
    return { pass: false, measured: `${most} jobs pending, this one for ${minutes(own)}`, limit };
  },
};

/** How many of the ascending ages are no less than `least`. */
function atLeast(ages: readonly number[], least: number): number {
  let [from, to] = [0, ages.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((ages[middle] ?? 0) < least) from = middle + 1;
    else to = middle;
  }
  return ages.length - from;
}
