import type { ShapeRule } from '../rule.ts';

/**
 * Only batch jobs have a script that a stand-in can hand over: salloc and srun have none, components of a heterogeneous
 * job start together or not at all. Open OnDemand's interactive sessions are batch jobs by form, but a person waits at a
 * port on the node; they are told by their name.
 */
const portalSession = /(^|\/)(sys|dev|usr)\//;

const isPortal = (name: string): boolean => name.includes('/') && portalSession.test(name);

export const batch: ShapeRule = {
  name: 'batch',
  of: 'shape',
  otherwise: 'never',
  key: ({ batch, hetJob, name }) => Number(batch) + 2 * Number(hetJob) + 4 * Number(isPortal(name)),
  judge({ job }) {
    const limit = 'a batch job that is no portal session';
    if (!job.batch) return { pass: false, measured: 'interactive (salloc or srun)', limit };
    if (job.hetJob) return { pass: false, measured: 'component of a heterogeneous job', limit };
    if (isPortal(job.name)) return { pass: false, measured: 'interactive portal session', limit };
    return { pass: true, measured: 'batch', limit };
  },
};
