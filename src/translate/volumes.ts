/** The pod's volumes. Ours are named `spill-…`; admission lets uid 65532 mount no other, and secrets only so. */
export const paths = {
  bin: '/spill-bin',
  run: '/spill-run',
  socket: '/spill-run/keeper.sock',
  /** Where `main` keeps the script, readable by the user alone. */
  job: '/spill-run/job',
  spool: '/spill-spool',
  key: '/spill-key',
  /** In the keeper and the init container; `main` has its files one by one over those of the image. */
  etc: '/spill-etc',
} as const;

interface Mount {
  readonly path: string;
  readonly claim: string;
}

type Json = Readonly<Record<string, unknown>>;

/** No emptyDir has a sizeLimit: one that is passed evicts the whole pod. The keeper bounds its spool itself. */
export function ownVolumes(secretName: string, mounts: readonly Mount[]): Json[] {
  const onDisk = ['spill-bin', 'spill-run', 'spill-spool', 'spill-etc'];
  if (!mounts.some(({ path }) => path === '/tmp')) onDisk.push('spill-tmp');
  return [
    ...onDisk.map((name) => ({ name, emptyDir: {} })),
    { name: 'spill-shm', emptyDir: { medium: 'Memory' } },
    // The files are root's and there is no fsGroup, so the keeper reads them as "other"; no other container mounts them.
    { name: 'spill-key', secret: { secretName, defaultMode: 0o444 } },
  ];
}

/**
 * In any image a bare uid has no name, and the job's other pods none either. Read-only: whoever could write here would
 * be whom he likes to what asks. The keeper fills the files in place, under a uid of its own, before the job starts.
 */
export const etcMounts: readonly Json[] = ['passwd', 'group', 'hosts'].map((name) => ({
  name: 'spill-etc',
  mountPath: `/etc/${name}`,
  subPath: name,
  readOnly: true,
}));

/** Where data are carried to: on the node's own disk, under the path that they have on the cluster. */
export function dataVolumes(roots: readonly string[]): { volumes: Json[]; mounts: Json[] } {
  const volume = (i: number): string => `spill-data-${i}`;
  return {
    volumes: roots.map((_, i) => ({ name: volume(i), emptyDir: {} })),
    mounts: roots.map((mountPath, i) => ({ name: volume(i), mountPath })),
  };
}

/** One volume a claim, however many paths it is mounted at. */
export function claimVolumes(mounts: readonly Mount[]): { volumes: Json[]; mounts: Json[] } {
  const claims = [...new Set(mounts.map(({ claim }) => claim))];
  const volume = (claim: string): string => `claim-${claims.indexOf(claim)}`;
  return {
    volumes: claims.map((claim) => ({ name: volume(claim), persistentVolumeClaim: { claimName: claim } })),
    mounts: mounts.map(({ path, claim }) => ({ name: volume(claim), mountPath: path })),
  };
}
