import { signature } from '../../domain/caller.ts';
import { instant } from '../../domain/ids.ts';
import type { Course } from '../../engine/replayed.ts';
import type { ClusterWhatIf, WhatIf, WhatIfs } from '../../engine/what-if.ts';
import { type Operation, operation } from '../operation.ts';
import { Refusal } from '../problem.ts';
import { iso } from '../schemas.ts';
import {
  type ClusterWhatIfView,
  discardedView,
  discardOrder,
  type WhatIfView,
  whatIfOrder,
  whatIfPath,
  whatIfView,
} from '../what-if-schemas.ts';
import { bad, policyBodyAtMost } from './policies.ts';

export type WhatIfsFacade = Pick<WhatIfs, 'begin' | 'ask' | 'discard'>;

function clusterViewOf({ cluster, since, until, by, past, replayed }: ClusterWhatIf): ClusterWhatIfView {
  const { course, zeroRun, oversized, capped, ranBefore, jobs, really, nodes, ...fared } = replayed;
  const { fromMs, ...courses } = course;
  const { leftOut, ...changed } = past;
  return {
    ...{ cluster, since: iso(since), until: iso(until), jobs, really, ...fared },
    nodes: nodes.map((set) => ({
      ...{ partitions: [...set.partitions], cpus: set.cpus, cpusInUse: set.cpusInUse },
      ...{ binds: [...set.binds], exceeded: [...set.exceeded], unused: [...set.unused] },
    })),
    course: {
      ...{ from: iso(instant(fromMs)), spanMs: courses.spanMs },
      nobody: courseViewOf(courses.nobody),
      running: courseViewOf(courses.running),
      proposed: courseViewOf(courses.proposed),
    },
    by,
    leftOut: { ranBefore, ...leftOut, zeroRun, oversized },
    changed: { ...changed, capped },
  };
}

const courseViewOf = ({ waiting, spentMicroUsd }: Course) => ({
  waiting: [...waiting],
  spentMicroUsd: [...spentMicroUsd],
});

function viewOf({ id, by, days, hash, begun, progress }: WhatIf): WhatIfView {
  const of = { id, by, days, hash, begun: iso(begun), state: progress.state };
  switch (progress.state) {
    case 'reading':
    case 'playing':
      return { ...of, share: progress.share };
    case 'failed':
      return { ...of, why: progress.why };
    case 'done':
      return { ...of, clusters: progress.clusters.map(clusterViewOf) };
  }
}

const gone = (id: string): Refusal =>
  new Refusal('not_found', 'Not found', {
    detail: `this gateway has no replay ${id}: another came after it, it was discarded, or another gateway plays it`,
  });

/** Replays of the last days under another policy. They write nothing, and are kept in the memory of the gateway that plays them. */
export function whatIfs(facade: WhatIfsFacade): readonly Operation[] {
  return [
    operation({
      ...{ id: 'beginWhatIf', method: 'post', path: '/what-ifs', role: 'operator' },
      ...{ order: whatIfOrder, answer: whatIfView, question: true, bodyAtMost: policyBodyAtMost },
      ...{ refuses: [409] },
      says: 'Replays the last days under a policy, beside the one that decides: answered at once, and asked for by its id until it is done. One at a time; the same question while it is played is that one. 409 busy while another is played; 503 by a gateway that has not looked at the queue.',
      act: async ({ order: { text, days }, caller }) => {
        const begun = await facade.begin(text, days, signature(caller) || 'somebody on its host');
        switch (begun.kind) {
          case 'begun':
            return viewOf(begun.whatIf);
          case 'busy': {
            const { by, id } = begun.whatIf;
            throw new Refusal(
              'busy',
              'Busy',
              {
                detail: `one replay at a time: that of ${by} is played now (${id}); ask again, or discard it`,
              },
              { 'Retry-After': '10' },
            );
          }
          case 'unreadable':
            throw bad(begun.problems);
          case 'unplayable':
            throw new Refusal('conflict', 'Cannot be played', { detail: begun.why });
          case 'unseen':
            throw new Refusal(
              'not_available',
              'Not available',
              {
                detail: `this gateway has not looked at the queue of ${begun.clusters.join(', ')}: another leads, or this one has only begun; ask that one, or again`,
              },
              { 'Retry-After': '30' },
            );
        }
      },
    }),
    operation({
      ...{ id: 'getWhatIf', method: 'get', path: '/what-ifs/{id}', role: 'operator' },
      ...{ params: whatIfPath, answer: whatIfView, refuses: [404] },
      says: 'How far a replay is, and once it is done what came of it; by the gateway that plays it.',
      act: async ({ path: { id } }) => {
        const whatIf = facade.ask(id);
        if (whatIf === undefined) throw gone(id);
        return viewOf(whatIf);
      },
    }),
    operation({
      ...{ id: 'discardWhatIf', method: 'put', path: '/what-ifs/{id}', role: 'operator' },
      ...{ params: whatIfPath, order: discardOrder, answer: discardedView },
      says: 'Ends a replay, or forgets what came of it; one that is gone already stays gone.',
      act: async ({ path: { id } }) => {
        facade.discard(id);
        return { id, discarded: true as const };
      },
    }),
  ];
}
