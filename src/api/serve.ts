import { createHash } from 'node:crypto';
import express, { type Request, type Response, type Router } from 'express';
import type { z } from 'zod';
import { atLeast } from '../domain/caller.ts';
import { doOnce, type Keeper } from './once.ts';
import type { Asked, Operation } from './operation.ts';
import { type ProblemCode, Refusal } from './problem.ts';
import { callerOf, mayOrder } from './who.ts';

/** Puts operations onto a router: rights, schemas, keys and tags are handled here, alike for all. */
export function serve(router: Router, operations: readonly Operation[], keeper: Keeper | undefined): void {
  const paths = new Map<string, Operation[]>();
  for (const o of operations) {
    const path = o.path.replaceAll(/\{(\w+)\}/g, ':$1');
    paths.set(path, [...(paths.get(path) ?? []), o]);
  }
  // A path that is written out has its own methods, and no other's, whose parameter it might be.
  for (const [path, here] of [...paths].sort(([a], [b]) => parametersIn(a) - parametersIn(b))) {
    for (const o of here) {
      const answer = async (req: Request, res: Response) => send(o, req, res, keeper);
      if (o.method === 'get') router.get(path, answer);
      else router[o.method](path, early(o), express.json({ limit: o.bodyAtMost, strict: true }), answer);
    }
    const known = here.map((o) => o.method.toUpperCase());
    router.all(path, () => {
      const allow = known.includes('GET') ? [...known, 'HEAD'] : known;
      throw new Refusal(
        'method_not_allowed',
        'Method not allowed',
        { detail: `here are ${allow.join(', ')}` },
        { Allow: allow.join(', ') },
      );
    });
  }
}

const parametersIn = (path: string): number => path.split(':').length;

/** Before a body is read at all. */
function early(o: Operation) {
  return async (req: Request, res: Response, next: () => void): Promise<void> => {
    await mayAsk(o, req, res);
    next();
  };
}

async function mayAsk(o: Operation, req: Request, res: Response): Promise<void> {
  if (o.role === 'anyone') return;
  const caller = callerOf(res);
  if (!atLeast(caller, o.role) && (await o.admits?.(caller, req.params)) !== true)
    throw new Refusal('forbidden', 'Forbidden', {
      detail: `this is for role ${o.role}, and ${caller.name} is ${caller.role}`,
    });
  if (o.method !== 'get' && !o.question) mayOrder(caller);
}

async function send(o: Operation, req: Request, res: Response, keeper: Keeper | undefined): Promise<void> {
  if (o.sunset !== undefined) res.setHeader('Sunset', o.sunset.toUTCString());
  if (o.method === 'get') await mayAsk(o, req, res);
  const { schemas } = o;
  const asked: Asked<unknown, unknown, unknown> = {
    path: parsed(schemas.path, req.params, 'bad_path', 'Bad path'),
    query: parsed(schemas.query, req.query, 'bad_query', 'Bad query'),
    order:
      schemas.order === undefined ? undefined : parsed(schemas.order, req.body, 'bad_order', 'Bad order'),
    caller: callerOf(res),
  };
  if (o.plain !== undefined && req.accepts(['application/json', 'text/plain']) === 'text/plain') {
    const { bytes, headers } = await o.plain(asked);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    return void res.type('text/plain').send(bytes);
  }
  // Within the order: a repeat with its key is answered the same, though it is not so any more.
  const act = async () => o.act({ ...asked, seen: await unchanged(o, asked, req) });
  const body =
    o.method === 'post' && !o.question && keeper !== undefined
      ? await doOnce(keeper, asked.caller, req, res, act)
      : await act();
  if (o.edited) res.setHeader('ETag', tagOf(o.method === 'get' ? body : await tagged(o, asked, body)));
  res.json(body);
}

/** What a GET of it answers now. */
const tagged = (o: Operation, asked: Asked<unknown, unknown, unknown>, body: unknown) =>
  o.current === undefined ? body : o.current(asked);

/** Whoever writes `If-Match` has seen what he changes, which is answered: if it is not so any more, he looks again. */
async function unchanged(
  o: Operation,
  asked: Asked<unknown, unknown, unknown>,
  req: Request,
): Promise<unknown> {
  const match = req.headers['if-match'];
  if (match === undefined && o.mustMatch)
    throw new Refusal('if_match_missing', 'If-Match missing', {
      detail: 'If-Match: write the ETag of what you saw, so that nobody’s word is overwritten unseen',
    });
  if (match === undefined || o.current === undefined) return undefined;
  const named = match.split(',').map((tag) => tag.trim());
  if (!named.every((tag) => tag === '*' || /^(W\/)?"[\x21\x23-\x7e]*"$/.test(tag)))
    throw new Refusal('bad_request', 'Bad request', {
      detail: 'If-Match: write the ETag of what you saw as it came, its quotes with it, or *',
    });
  const seen = await o.current(asked);
  const now = tagOf(seen);
  if (!named.includes('*') && !named.includes(now))
    throw new Refusal('changed', 'Changed meanwhile', {
      detail: 'If-Match: it is not as you saw it; read it again',
    });
  return seen;
}

export const tagOf = (body: unknown): string =>
  `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 22)}"`;

function parsed<T>(schema: z.ZodType<T>, given: unknown, code: ProblemCode, title: string): T {
  const read = schema.safeParse(given ?? {});
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const field = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].join('.');
  const what =
    unknown === undefined ? (issue?.message ?? 'malformed') : 'nothing of that name is asked for here';
  throw new Refusal(code, title, {
    detail: `${field === '' ? 'body' : field}: ${what}`,
    ...(field === '' ? {} : { field }),
  });
}
