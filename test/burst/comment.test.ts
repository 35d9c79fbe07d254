import { describe, expect, it } from 'vitest';
import { comment } from '../../src/burst/comment.ts';
import type { BurstContext } from '../../src/burst/context.ts';
import { giveUp } from '../../src/burst/results.ts';
import { type Fault, PortError } from '../../src/domain/fault.ts';
import { instant, uuid } from '../../src/domain/ids.ts';
import { MemStore } from '../../src/sim/models/store.ts';
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

  it('that says where results are goes before the word that they are kept: a step that comes again still says it', async () => {
    const clock = { now: () => instant(0) };
    let ids = 0;
    const entropy = {
      uuid: () => uuid(`x${++ids}`),
      bytes: (n: number) => new Uint8Array(n),
      random: () => 0,
    };
    const store = new MemStore({ clock, entropy });
    const first = burst({
      state: 'draining',
      rev: 0,
      data: { paths: [{ way: 'out', path: '/home/alice/out' }] },
    });
    await store.commit(entropy.uuid(), first.cluster, 0, [{ kind: 'burst', burst: first, why: '' }]);
    const held = async () => {
      const b = await store.burst(first.id);
      if (b === undefined) throw new Error('no burst');
      return b;
    };
    const said: string[] = [];
    const ctx = (away: boolean) =>
      ({
        ...context('unreachable'),
        ...{ store, entropy, epoch: () => 0, pods: {} },
        ...(away
          ? {}
          : { slurm: { appendComment: async (_: unknown, text: string) => void said.push(text) } }),
      }) as unknown as BurstContext;
    await expect(giveUp(ctx(true), await held(), 'its pod was over')).rejects.toMatchObject({
      fault: 'unreachable',
    });
    expect((await held()).data?.kept).toBeUndefined();
    await giveUp(ctx(false), await held(), 'its pod was over');
    expect(said).toEqual([`spillway: ${(await held()).data?.kept}`]);
  });
});
