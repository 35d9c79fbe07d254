/** What a backup says of itself. */
export interface BackupSummary {
  readonly at: number;
  readonly generation: string;
  readonly anchor: number;
  readonly tables: Readonly<Record<string, { readonly rows: number }>>;
}

const rowsOf = ({ tables }: BackupSummary): number =>
  Object.values(tables).reduce((sum, t) => sum + t.rows, 0);
const momentOf = ({ at }: BackupSummary): string => new Date(at).toISOString();

export function backedUp(dir: string, backup: BackupSummary): readonly string[] {
  const burst = backup.tables.bursts?.rows ?? 0;
  return [
    `${dir}: the store as of ${momentOf(backup)}, ${burst} bursts, ${rowsOf(backup)} rows, up to anchor ${backup.anchor}`,
  ];
}

export function restored(dir: string, exportDir: string, backup: BackupSummary): readonly string[] {
  return [
    `the store is as of ${momentOf(backup)}, from ${dir}: ${rowsOf(backup)} rows, up to anchor ${backup.anchor}`,
    'It is older than what was done with it. The gateway that starts next lists jobs, pods and instances, and takes them on, before it does anything.',
    `Keep ${exportDir} as it is: its anchors are newer, and say so.`,
  ];
}
