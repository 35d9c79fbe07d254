import { z } from 'zod';
import type { Burst } from '../../domain/burst.ts';
import { atLeast, type Caller, reads } from '../../domain/caller.ts';
import { type BurstId, burstId, instant } from '../../domain/ids.ts';
import type { Answered, Delegating } from '../../engine/desk.ts';
import { type Operation, operation } from '../operation.ts';
import { burstPath } from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { approvalOrder, burstView, delegateOrder, plainOrder } from '../schemas.ts';
import { signed } from '../signed.ts';
import { viewOf } from './bursts.ts';

export interface QuotesFacade {
  quotes(): Promise<readonly Burst[]>;
  /** Undefined: there is no such burst. */
  burst(id: BurstId): Promise<Burst | undefined>;
  /** `delegate`: who may say it only where it was delegated to him. */
  answer(
    id: BurstId,
    yes: boolean,
    by: string,
    why: string,
    delegate?: string,
  ): Promise<Answered | undefined>;
  delegate(id: BurstId, asked: Delegating): Promise<Answered | undefined>;
  expire(id: BurstId, by: string, why: string): Promise<Answered | undefined>;
  /** Whether it was delegated to him, and still is. */
  mayAnswer(id: BurstId, name: string): Promise<boolean>;
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
    const delegate = atLeast(caller, 'operator') ? undefined : caller.name;
    return standing(id, await gateway.answer(burstId(id), yes, signed(caller, by), reason, delegate));
  };
  const standing = (id: string, answer: Answered | undefined) => {
    if (answer === undefined) throw none(id);
    if (answer.refused !== undefined)
      throw new Refusal('conflict', 'Too late, or not to be approved', { detail: answer.refused });
    return { burst: viewOf(answer.burst) };
  };
  const admits = (caller: Caller, { id }: { readonly id: string }) =>
    gateway.mayAnswer(burstId(id), caller.name);
  const word = (yes: boolean): Operation =>
    operation({
      ...{ id: yes ? 'approve' : 'decline', method: 'post', role: 'operator', order: plainOrder },
      path: `/bursts/{id}/${yes ? 'approve' : 'decline'}`,
      says: `${yes ? 'Lets an offered burst go ahead' : 'Says no to an offered burst'}. For operators, and for whom one lets answer it.`,
      params: burstPath,
      admits,
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
      admits,
      answer: one,
      refuses: [404],
      act: current,
    }),
    operation({
      ...{ id: 'putApproval', method: 'put', path: '/bursts/{id}/approval', role: 'operator' },
      says: "A person's word on a quote. The first one stays, so a repeat is answered the same.",
      params: burstPath,
      admits,
      order: approvalOrder,
      answer: one,
      refuses: [404, 409],
      current,
      act: ({ path, order, caller }) => say(path.id, order.approved, caller, order.by, order.reason),
    }),
    word(true),
    word(false),
    operation({
      ...{ id: 'delegate', method: 'post', path: '/bursts/{id}/delegate', role: 'operator' },
      says: 'Lets one user of its account approve or decline an offered burst too. The last one named counts.',
      params: burstPath,
      order: delegateOrder,
      answer: one,
      refuses: [404, 409],
      act: async ({ path: { id }, order: { to, until, by, reason }, caller }) => {
        const end = until === undefined ? undefined : instant(Date.parse(until));
        const asked = { to, until: end, by: signed(caller, by), why: reason };
        return standing(id, await gateway.delegate(burstId(id), asked));
      },
    }),
    operation({
      ...{ id: 'expire', method: 'post', path: '/bursts/{id}/expire', role: 'operator', order: plainOrder },
      says: 'Lets an offered burst lapse now, as it would when its quote ends.',
      params: burstPath,
      answer: one,
      refuses: [404, 409],
      act: async ({ path: { id }, order, caller }) =>
        standing(id, await gateway.expire(burstId(id), signed(caller, order.by), order.reason)),
    }),
  ];
}

const none = (id: string): Refusal =>
  new Refusal('not_found', 'Not found', { detail: `there is no burst ${id}` });
