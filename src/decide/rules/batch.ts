import type { Rule } from '../rule.ts';

/**
 * Only batch jobs have a script that a stand-in can hand over: salloc and srun have none, components of a heterogeneous
 * job start together or not at all. Open OnDemand's interactive sessions are batch jobs by form, but a person waits at a
 * port on the node; they are told by their name.
 */
const portalSession = /(^|\/)(sys|dev|usr)\//;

export const batch: Rule = {
  name: 'batch',
  otherwise: 'never',
  judge({ job }) {
    const limit = 'a batch job that is no portal session';
    if (!job.batch) return { pass: false, measured: 'interactive (salloc or srun)', limit };
    if (job.hetJob) return { pass: false, measured: 'component of a heterogeneous job', limit };
    if (portalSession.test(job.name)) return { pass: false, measured: 'interactive portal session', limit };
    return { pass: true, measured: 'batch', limit };
  },
};
