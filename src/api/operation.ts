import type { z } from 'zod';
import type { Caller, Role } from '../domain/caller.ts';
import { nothingAsked } from './schemas.ts';

/** What was asked, parsed by the operation's own schemas. */
export interface Asked<Path, Query, Order> {
  readonly path: Path;
  readonly query: Query;
  readonly order: Order;
  readonly caller: Caller;
  /** What `current` answered, where an If-Match named it. */
  readonly seen?: unknown;
}

/** An answer as it is, without JSON around it. */
export interface Plain {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * One thing that the API does: route, rights, schemas and the document come from it. `act` answers the body; it throws a `Refusal` to say no.
 * A `put` may be repeated as it is; a `post` needs an Idempotency-Key, unless it only asks.
 */
export interface Operation {
  readonly id: string;
  readonly method: 'get' | 'put' | 'post';
  /** Below /api/v1, parameters in braces. */
  readonly path: string;
  readonly says: string;
  /** Least; `anyone`: nobody is asked who he is. */
  readonly role: Role | 'anyone';
  /** Who may do it though his role is lower. */
  readonly admits: ((caller: Caller, params: unknown) => Promise<boolean>) | undefined;
  readonly schemas: {
    readonly path: z.ZodType;
    readonly query: z.ZodType;
    readonly order: z.ZodType | undefined;
    readonly answer: z.ZodType;
  };
  /** Refusals of its own, besides those that every operation may give. */
  readonly refuses: readonly number[];
  /** Asks and changes nothing, though it is a `post`. */
  readonly question: boolean;
  /** The longest body, as express writes it. */
  readonly bodyAtMost: string;
  act(asked: Asked<unknown, unknown, unknown>): Promise<unknown>;
  /** For who would rather have text/plain; undefined: there is JSON alone. */
  readonly plain: ((asked: Asked<unknown, unknown, unknown>) => Promise<Plain>) | undefined;
  /** Of what is edited: the body that its GET answers, whose ETag an If-Match names. */
  readonly current: ((asked: Asked<unknown, unknown, unknown>) => Promise<unknown>) | undefined;
  /** Nobody may do it without having seen what he changes. */
  readonly mustMatch: boolean;
  /** Whether its answer carries an ETag. */
  readonly edited: boolean;
  /** Of one that goes with the next version: until when it is answered at least, which each answer says. [RFC 8594] */
  readonly sunset: Date | undefined;
}

interface Definition<P extends z.ZodType, Q extends z.ZodType, O extends z.ZodType, A extends z.ZodType> {
  readonly id: string;
  readonly method: Operation['method'];
  readonly path: string;
  readonly says: string;
  readonly role: Role;
  readonly admits?: (caller: Caller, path: z.output<P>) => Promise<boolean>;
  readonly params?: P;
  readonly query?: Q;
  readonly order?: O;
  readonly answer: A;
  readonly refuses?: readonly number[];
  readonly question?: boolean;
  readonly bodyAtMost?: string;
  readonly edited?: boolean;
  readonly mustMatch?: boolean;
  readonly sunset?: Date;
  readonly current?: (asked: Asked<z.output<P>, z.output<Q>, z.output<O>>) => Promise<z.input<A>>;
  readonly act: (asked: Asked<z.output<P>, z.output<Q>, z.output<O>>) => Promise<z.input<A>>;
  readonly plain?: (asked: Asked<z.output<P>, z.output<Q>, z.output<O>>) => Promise<Plain>;
}

/** Its parts' types are checked here, and forgotten: the rest treats all operations alike. */
export function operation<
  A extends z.ZodType,
  P extends z.ZodType = z.ZodObject<Record<never, never>>,
  Q extends z.ZodType = z.ZodObject<Record<never, never>>,
  O extends z.ZodType = z.ZodUndefined,
>(d: Definition<P, Q, O, A>): Operation {
  return {
    ...{ id: d.id, method: d.method, path: d.path, says: d.says, role: d.role },
    admits: admitting(d.params, d.admits),
    schemas: {
      path: d.params ?? nothingAsked,
      query: d.query ?? nothingAsked,
      order: d.order,
      answer: d.answer,
    },
    refuses: d.refuses ?? [],
    question: d.question === true,
    bodyAtMost: d.bodyAtMost ?? '10kb',
    edited: d.edited === true || d.current !== undefined,
    mustMatch: d.mustMatch === true,
    sunset: d.sunset,
    current: d.current as Operation['current'],
    act: d.act as Operation['act'],
    plain: d.plain as Operation['plain'],
  };
}

/** Rights come before what is asked is looked at: by a path that will not do nobody is admitted. */
function admitting<P extends z.ZodType>(
  params: P | undefined,
  admits: ((caller: Caller, path: z.output<P>) => Promise<boolean>) | undefined,
): Operation['admits'] {
  if (params === undefined || admits === undefined) return undefined;
  return async (caller, given) => {
    const path = params.safeParse(given);
    return path.success && admits(caller, path.data);
  };
}

/** What is told before one signs in. It hears of no caller, as there is none. */
export function operationForAnyone<A extends z.ZodType>(
  d: Pick<Definition<z.ZodType, z.ZodType, z.ZodType, A>, 'id' | 'path' | 'says' | 'answer'> & {
    readonly act: () => Promise<z.input<A>>;
  },
): Operation {
  return { ...operation({ ...d, method: 'get', role: 'user' }), role: 'anyone' };
}
