import { describe, expect, it } from 'vitest';
import { comment } from '../../src/burst/comment.ts';
import type { BurstContext } from '../../src/burst/context.ts';
import { type Fault, PortError } from '../../src/domain/fault.ts';
import { instant } from '../../src/domain/ids.ts';
import { burst } from './fixtures.ts';

describe('the line on a job for its owner', () => {
  const lines: string[] = [];
  const context = (fault: Fault) =>
    ({
      clock: { now: () => instant(0) },
      log: ({ text }: { readonly text: string }) => void lines.push(text),
      slurm: {
        appendComment: () =>
          Promise.reject(new PortError(fault, 'slurm.appendComment', 'the login node says nothing')),
      },
    }) as unknown as BurstContext;

  it('is left where Slurm was asked, for it forgets the job soon: what the burst holds waits for no comment', async () => {
    for (const fault of ['unknown', 'refused', 'not_found', 'transient'] as const) {
      lines.length = 0;
      await comment(context(fault), burst(), 'its pod was lost');
      expect(lines).toEqual(['no comment on job 7: the login node says nothing']);
    }
  });

  it('is not left where nothing was asked: the step comes again', async () => {
    await expect(comment(context('unreachable'), burst(), 'its pod was lost')).rejects.toMatchObject({
      fault: 'unreachable',
    });
  });
});
