/** The orders by which a burst's data are carried, and what came of them (docs/decisions/0027). */
import type { Burst } from '../domain/burst.ts';
import { instant } from '../domain/ids.ts';
import type { Staged, StageOrder } from '../stream/stage.ts';
import type { BurstContext } from './context.ts';

/** What an order says wakes the step; this is for what was lost. */
export const pollMs = 10_000;
/** A content that a sweep may take while it is used is sent again. */
const dayMs = 86_400_000;

/** Where in the store what this burst's script made is kept until it is here. */
export const resultKeys = (burst: Pick<Burst, 'cluster' | 'uid' | 'id'>): string =>
  `${burst.cluster}/${burst.uid}/out/${burst.id}`;

/** What came of an order, which is said if it was not yet; `rank`: in which of its pods. Undefined: nothing yet. */
export function ask(
  ctx: BurstContext,
  burst: Burst,
  at: 'here' | 'pod',
  order: StageOrder,
  rank = 0,
): Staged | undefined {
  ctx.streams.stage(burst.id, at, order, rank);
  const staged = ctx.streams.staged(burst.id, at, rank);
  return staged?.id === order.id ? staged : undefined;
}

export function orderFor(
  ctx: BurstContext,
  burst: Burst,
  name: string,
  of: Pick<StageOrder, 'way' | 'paths'> & Partial<StageOrder>,
): StageOrder {
  const { staging } = ctx.pods;
  const keepMs = staging?.keepMs ?? 30 * dayMs;
  return {
    id: `${burst.id}/${name}`,
    keys: `${burst.cluster}/${burst.uid}/blob`,
    reuseSince:
      of.keys === undefined ? instant(ctx.clock.now() - Math.max(keepMs / 2, keepMs - dayMs)) : undefined,
    mostBytes: staging?.maxBytes ?? 0,
    partBytes: staging?.partBytes,
    mark: burst.id,
    jobId: burst.jobId,
    // What changes here from the start of the job on is its owner's.
    since: burst.data?.since ?? burst.startedAt ?? burst.enteredAt,
    strict: false,
    say: [],
    ...of,
  };
}

export function inWords({ files, bytes }: Staged): string {
  return `${files} ${files === 1 ? 'file' : 'files'}, ${bytes} bytes`;
}
