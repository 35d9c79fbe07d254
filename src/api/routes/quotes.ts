import { z } from 'zod';
import type { Burst } from '../../domain/burst.ts';
import { type Caller, reads } from '../../domain/caller.ts';
import { type BurstId, burstId } from '../../domain/ids.ts';
import type { Answered } from '../../engine/desk.ts';
import { type Operation, operation } from '../operation.ts';
import { burstPath } from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { approvalOrder, burstView, plainOrder } from '../schemas.ts';
import { signed } from '../signed.ts';
import { viewOf } from './bursts.ts';

export interface QuotesFacade {
  quotes(): Promise<readonly Burst[]>;
  /** Undefined: there is no such burst. */
  burst(id: BurstId): Promise<Burst | undefined>;
  answer(id: BurstId, yes: boolean, by: string, why: string): Promise<Answered | undefined>;
}

/** What waits for a person's word, and that word. The first one stays. */
export function quotes(gateway: QuotesFacade): readonly Operation[] {
  const one = z.strictObject({ burst: burstView });
  const current = async ({ path: { id } }: { readonly path: { readonly id: string } }) => {
    const burst = await gateway.burst(burstId(id));
    if (burst === undefined) throw none(id);
    return { burst: viewOf(burst) };
  };
  const say = async (id: string, yes: boolean, caller: Caller, by: string | undefined, reason: string) => {
    const answer = await gateway.answer(burstId(id), yes, signed(caller, by), reason);
    if (answer === undefined) throw none(id);
    if (answer.refused !== undefined)
      throw new Refusal('conflict', 'Too late, or not to be approved', { detail: answer.refused });
    return { burst: viewOf(answer.burst) };
  };
  const word = (yes: boolean): Operation =>
    operation({
      ...{ id: yes ? 'approve' : 'decline', method: 'post', role: 'operator', order: plainOrder },
      path: `/bursts/{id}/${yes ? 'approve' : 'decline'}`,
      says: yes ? 'Lets an offered burst go ahead.' : 'Says no to an offered burst.',
      params: burstPath,
      answer: one,
      refuses: [404],
      act: ({ path, order, caller }) => say(path.id, yes, caller, order.by, order.reason),
    });
  return [
    operation({
      ...{ id: 'listQuotes', method: 'get', path: '/quotes', role: 'user' },
      says: "Mode approve: what waits for a person's word, the one that ends first in front; of a user, those that he sees.",
      answer: z.strictObject({ quotes: z.array(burstView) }),
      act: async ({ caller }) => ({
        quotes: (await gateway.quotes()).filter((b) => reads(caller, b)).map(viewOf),
      }),
    }),
    operation({
      ...{ id: 'getApproval', method: 'get', path: '/bursts/{id}/approval', role: 'operator', edited: true },
      says: 'The burst as its approval stands, with the ETag that PUT takes.',
      params: burstPath,
      answer: one,
      refuses: [404],
      act: current,
    }),
    operation({
      ...{ id: 'putApproval', method: 'put', path: '/bursts/{id}/approval', role: 'operator' },
      says: "A person's word on a quote. The first one stays, so a repeat is answered the same.",
      params: burstPath,
      order: approvalOrder,
      answer: one,
      refuses: [404, 409],
      current,
      act: ({ path, order, caller }) => say(path.id, order.approved, caller, order.by, order.reason),
    }),
    word(true),
    word(false),
  ];
}

const none = (id: string): Refusal =>
  new Refusal('not_found', 'Not found', { detail: `there is no burst ${id}` });
