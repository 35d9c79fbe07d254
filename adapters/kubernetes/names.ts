/** Names that this adapter reads; `translate` writes them and a test holds the two alike. */
export const label = {
  burst: 'spillway.dev/burst',
  cluster: 'spillway.dev/cluster',
  tenant: 'spillway.dev/tenant',
} as const;
export const recordAnnotation = 'spillway.dev/record';
export const leaseAnnotation = 'spillway.dev/lease';
export const notePrefix = 'spillway.dev/';
export const finalizer = 'spillway.dev/settled';
