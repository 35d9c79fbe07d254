import { reportQuery } from '../api/schemas.ts';
import { UsageError } from './ask.ts';

/** `30d`, `12h` or `4w`, in milliseconds. */
export function spanOf(since: string): number {
  const read = reportQuery.safeParse({ since });
  if (!read.success) throw new UsageError(`--since ${since}: ${read.error.issues[0]?.message}`);
  return read.data.since;
}
