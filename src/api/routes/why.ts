import { z } from 'zod';
import { type Caller, reads } from '../../domain/caller.ts';
import type { JobStory } from '../../engine/desk.ts';
import { type Operation, operation } from '../operation.ts';
import { jobPath } from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';
import { iso, type StoryView, storyView } from '../schemas.ts';
import { viewOf as burstView } from './bursts.ts';
import { viewOf as decisionView } from './decisions.ts';

export function viewOf({ cluster, ref, decision, bursts }: JobStory): StoryView {
  const told = decision && {
    ...decisionView(decision.receipt),
    seenAgain: decision.again?.times ?? 0,
    lastSeen: iso(decision.again?.last ?? decision.receipt.at),
  };
  return {
    cluster,
    job: ref,
    ...(told === undefined ? {} : { decision: told }),
    bursts: bursts.map(({ burst, steps }) => ({
      ...burstView(burst),
      ...(burst.price === undefined ? {} : { heldMicroUsd: burst.price.held }),
      steps: steps.map((s) => ({ at: iso(s.at), to: s.to, why: s.why })),
    })),
  };
}

export interface WhyFacade {
  why(id: string): Promise<readonly JobStory[]>;
}

/** The newest decision on a job and what became of its bursts; a user sees what was his or of his accounts: ids come again after years. */
export function why(gateway: WhyFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'why', method: 'get', path: '/why/{id}', role: 'user', params: jobPath },
      says: "All that is known of one job, an array task, or an array's tasks (20 at most).",
      answer: z.strictObject({ jobs: z.array(storyView) }),
      refuses: [404],
      act: async ({ path: { id }, caller }) => {
        const jobs = (await gateway.why(id)).flatMap((story) => own(story, caller));
        if (jobs.length === 0)
          throw new Refusal('not_found', 'Not found', { detail: `nothing was ever decided on job ${id}` });
        return { jobs: jobs.map(viewOf) };
      },
    }),
  ];
}

function own(story: JobStory, caller: Caller): readonly JobStory[] {
  const bursts = story.bursts.filter(({ burst }) => reads(caller, burst));
  const decision =
    story.decision !== undefined && reads(caller, story.decision.receipt) ? story.decision : undefined;
  return decision === undefined && bursts.length === 0 ? [] : [{ ...story, decision, bursts }];
}
