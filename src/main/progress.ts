import { type Progress, progressOn } from '../cli/progress.ts';

/** On this process's own terminal, if it is one that can take a line away. */
export const ownProgress = (): Progress =>
  progressOn(
    {
      isTTY: process.stderr.isTTY && process.env.TERM !== 'dumb',
      columns: process.stderr.columns,
      write: (text) => process.stderr.write(text),
    },
    () => performance.now(),
  );
