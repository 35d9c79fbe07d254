/** Names in Kubernetes are used once: each carries its burst, and a burst has one pod and one Secret. */
import type { Burst } from '../domain/burst.ts';

export const label = {
  burst: 'spillway.dev/burst',
  cluster: 'spillway.dev/cluster',
  job: 'spillway.dev/job',
  restarts: 'spillway.dev/restarts',
  user: 'spillway.dev/user',
} as const;

/** Keeps the pod's record after its containers ended, until the burst is settled. */
export const settledFinalizer = 'spillway.dev/settled';

type Named = Pick<Burst, 'id' | 'cluster' | 'jobId' | 'restarts'>;

/** At most 63 characters: it is a DNS label too. `rank` is the node's place in the job. */
export function podNameFor(burst: Named, rank = 0): string {
  return `spill-${dnsLabel(burst.cluster, 20)}-${burst.jobId}-${burst.restarts}-${rank}-${shortId(burst.id)}`;
}

/** The key between gateway and keeper. Admission lets the gateway make secrets of this prefix only. */
export function secretNameFor(burst: Pick<Burst, 'id'>): string {
  return `spill-key-${dnsLabel(burst.id, 48)}`;
}

/** The PodGroup of a job of several nodes, where a site has such; a label's value too. */
export function groupNameFor(burst: Pick<Burst, 'id'>): string {
  return `spill-gang-${dnsLabel(burst.id, 48)}`;
}

/** The node as one host name: the pod calls itself so, and the job's SLURM_JOB_NODELIST says the same. */
export function hostNameFor(node: string): string {
  return dnsLabel(node.split('.')[0] ?? node, 63);
}

/** A label value: at most 63 of letters, digits, `-_.`, with a letter or digit at both ends. */
export function labelValue(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}

/** The last characters, because a time-ordered id differs least in its first. */
function shortId(id: string): string {
  return id
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .slice(-10);
}

function dnsLabel(text: string, atMost: number): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, atMost)
    .replace(/^-+|-+$/g, '');
}
