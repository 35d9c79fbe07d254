/** Which of the site's directories the pod of a job has too. */
interface Mounted {
  readonly path: string;
}

const own = ['/tmp', '/var/tmp', '/dev/shm'];

export const placesOf = (mounts: readonly Mounted[]): readonly string[] => [
  ...mounts.map(({ path }) => path),
  ...own,
];

/** Whether the path is one of them or lies below one. */
export const isThere = (path: string, mounts: readonly Mounted[]): boolean =>
  placesOf(mounts).some((place) => path === place || path.startsWith(`${place.replace(/\/$/, '')}/`));

/** Of a HOME that the pod does not share. Undefined: it does, or nobody knows which it is. */
export function homeNote(home: string | undefined, mounts: readonly Mounted[]): string | undefined {
  if (home === undefined || home === '' || isThere(home, mounts)) return undefined;
  return `HOME (${home}) is under no mount: in the pod it is there only if the image has it, and what is written to it is lost`;
}
