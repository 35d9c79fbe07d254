import { type Caller, seesOnly } from '../domain/caller.ts';
import { type ClusterName, clusterName, type Instant, instant } from '../domain/ids.ts';
import type { Mark, Page } from '../domain/page.ts';
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
  readonly from?: Instant;
  readonly to?: Instant;
};

/** What of a list a caller may see, and from where on; filters of the list's own come as `more`. */
export function listOf<Q extends ListQuery>(list: string, query: Q, caller: Caller) {
  const { limit, cursor, cluster, from, to, user: _, ...rest } = query;
  const user = whose(query.user, caller);
  const filter = {
    ...rest,
    ...(cluster === undefined ? {} : { cluster: clusterName(cluster) }),
    ...(user === undefined ? {} : { user }),
    ...(from === undefined ? {} : { from: instant(Date.parse(from)) }),
    ...(to === undefined ? {} : { to: instant(Date.parse(to)) }),
  } as Filter<Q>;
  const question = (more: object = {}): string => questionOf(list, { ...filter, ...more });
  return {
    filter,
    question,
    page: (more: object = {}): Page => pageOf(question(more), { limit, cursor }),
  };
}

/** A user who asks for somebody else's is told that he may not, rather than that there are none. */
function whose(asked: string | undefined, caller: Caller): string | undefined {
  const only = seesOnly(caller);
  if (only !== undefined && asked !== undefined && asked !== only)
    throw new Refusal('forbidden', 'Forbidden', {
      detail: `user: ${caller.name} sees what is his own only`,
      field: 'user',
    });
  return only ?? asked;
}

export const nextOf = (question: string, next: Mark | undefined): { next?: string } =>
  next === undefined ? {} : { next: cursorOf(question, next) };
