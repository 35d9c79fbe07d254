import type { BurstId } from '../domain/ids.ts';
import { wordsOf } from './link.ts';

/** Sees what stand-ins are sent of their jobs' output, after it was sent. It must copy what it keeps, and change nothing. */
export interface Tap {
  /** In order by channel; what is sent again is shown again. */
  passed(burst: BurstId, channel: 1 | 2, offset: number, bytes: Uint8Array): void;
  /** No more will come of it. */
  ended(burst: BurstId): void;
  /** Another gateway carries it from now on. */
  moved(burst: BurstId): void;
}

type Note = (text: string, about: Readonly<Record<string, unknown>>) => void;

/** A tap that cannot hurt: where it fails it is noted, and asked no more for that burst. */
export function harmless(tap: Tap, note: Note | undefined): Tap {
  const broken = new Set<BurstId>();
  /** True: it did. */
  const dared = (burst: BurstId, work: () => void): boolean => {
    try {
      work();
      return true;
    } catch (e) {
      note?.('the output of a burst is not shown any more', { burst, error: wordsOf(e) });
      return false;
    }
  };
  return {
    passed: (burst, channel, offset, bytes) => {
      if (broken.has(burst) || dared(burst, () => tap.passed(burst, channel, offset, bytes))) return;
      broken.add(burst);
      // Half of it would look like all of it.
      dared(burst, () => tap.moved(burst));
    },
    ended: (burst) => {
      dared(burst, () => tap.ended(burst));
      broken.delete(burst);
    },
    moved: (burst) => {
      dared(burst, () => tap.moved(burst));
      broken.delete(burst);
    },
  };
}
