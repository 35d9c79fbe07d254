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
/** Of a pod that held a place: without the one above it was given up, and is only shown. */
export const shownFinalizer = 'spillway.dev/shown';
