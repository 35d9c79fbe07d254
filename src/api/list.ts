import { type Caller, seesOnly } from '../domain/caller.ts';
import { type ClusterName, clusterName, type Instant, instant } from '../domain/ids.ts';
import type { Mark, Page, SeenBy } from '../domain/page.ts';
import { cursorOf, pageOf, questionOf } from './cursor.ts';
import { Refusal } from './problem.ts';

interface ListQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

type Filter<Q> = Omit<Q, 'limit' | 'cursor' | 'cluster' | 'user' | 'from' | 'to'> & {
  readonly cluster?: ClusterName;
  readonly user?: string;
  readonly seenBy?: SeenBy;
  readonly from?: Instant;
  readonly to?: Instant;
};

/** What of a list a caller may see, and from where on; filters of the list's own come as `more`. */
export function listOf<Q extends ListQuery>(list: string, query: Q, caller: Caller) {
  const { limit, cursor, cluster, from, to, user: _, ...rest } = query;
  const { user, seenBy } = whose(query.user, caller);
  const filter = {
    ...rest,
    ...(cluster === undefined ? {} : { cluster: clusterName(cluster) }),
    ...(user === undefined ? {} : { user }),
    ...(seenBy === undefined ? {} : { seenBy }),
    ...(from === undefined ? {} : { from: instant(Date.parse(from)) }),
    ...(to === undefined ? {} : { to: instant(Date.parse(to)) }),
  } as Filter<Q>;
  // A place in a list stays one while what he coordinates changes.
  const asked = { ...filter, user: user ?? seenBy?.user, seenBy: undefined };
  const question = (more: object = {}): string => questionOf(list, { ...asked, ...more });
  return {
    filter,
    question,
    page: (more: object = {}): Page => pageOf(list, question(more), { limit, cursor }),
  };
}

/** A user who asks for somebody else's is told that he may not, rather than that there are none. */
function whose(
  asked: string | undefined,
  caller: Caller,
): { readonly user: string | undefined; readonly seenBy?: SeenBy } {
  const only = seesOnly(caller);
  if (only === undefined || asked === only) return { user: asked };
  const { coordinates: accounts } = caller;
  if (accounts !== undefined && accounts.size > 0) return { user: asked, seenBy: { user: only, accounts } };
  if (asked !== undefined)
    throw new Refusal('forbidden', 'Forbidden', {
      detail: `user: ${caller.name} sees what is his own only`,
      field: 'user',
    });
  return { user: only };
}

export const nextOf = (question: string, next: Mark | undefined): { next?: string } =>
  next === undefined ? {} : { next: cursorOf(question, next) };
