import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { type Caller, openCaller } from '../domain/caller.ts';
import { faultOf } from '../domain/fault.ts';
import { Buckets, type Rate } from '../domain/rate.ts';
import type { Doorman } from '../engine/doorman.ts';
import { blockOf, clientOf, comesBy } from './from.ts';
import { Refusal } from './problem.ts';

/** One wrong token, as a program sends it that was not told that it is over, and all wrong ones of an address: guessing is hopeless, and must not cost the database much either. */
const wrongOnes: Rate = { perSecond: 1, atOnce: 20 };
/** Of addresses that have sent too many wrong ones, so many that nobody has sent yet are looked at all the same: whoever shares an address with one who guesses has a good one. */
const unseenOnes: Rate = { perSecond: 20, atOnce: 100 };
/** Callers that were let in lately, by the hash of what they sent. */
const knownAtMost = 10_000;

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

export const callerOf = (res: Response): Caller => (res.locals as { caller: Caller }).caller;

/** Finds out who asks, from the Authorization header alone: never from a query, a cookie, or what another header claims. */
export function authentication(
  doorman: Doorman | undefined,
  proxies: readonly string[] | undefined,
  now: () => number,
): RequestHandler {
  const tokens = new Buckets(wrongOnes, now);
  const addresses = new Buckets(wrongOnes, now);
  const unseen = new Buckets(unseenOnes, now);
  const trusted = blockOf(proxies ?? []);
  const known = new Set<string>();
  return async (req, res, next) => {
    if (doorman === undefined) {
      // A web page that a browser on this host shows could otherwise reach it under a name of its own.
      if (!loopback.test(req.headers.host ?? ''))
        throw new Refusal('forbidden', 'Forbidden', { detail: 'ask by a loopback address' });
      res.locals.caller = openCaller;
      return next();
    }
    const from = clientOf(req, trusted);
    const bearer = bearerOf(req);
    const hash = createHash('sha256').update(bearer).digest('base64');
    // By the whole of it: a token's id stands in the audit, and who tries secrets with it must not lock out its owner.
    const token = `${from} ${hash}`;
    const seen = known.has(hash);
    const again = seen ? 0 : tokens.wait(token);
    if (again > 0) throw tooMany(again, 'this token was refused too often');
    const guessed = !seen && addresses.wait(from) > 0;
    const wait = guessed ? unseen.take('') : 0;
    if (wait > 0) throw tooMany(wait, 'too many wrong tokens from this address');
    try {
      res.locals.caller = await doorman.who(bearer);
      if (known.size >= knownAtMost) known.clear();
      known.add(hash);
      if (guessed) unseen.back('');
    } catch (e) {
      const fault = faultOf(e);
      if (fault === 'refused') {
        known.delete(hash);
        tokens.take(token);
        addresses.take(from);
        throw notAuthenticated((e as Error).message, true);
      }
      // The store that is away is no identity provider that is.
      if (fault === 'unreachable' && (e as { at?: string }).at === 'identity.who')
        throw new Refusal(
          'issuer_unreachable',
          'Not available',
          { detail: 'whoever proves that token cannot be asked now; ask again' },
          { 'Retry-After': '5' },
        );
      throw e;
    }
    next();
  };
}

export const tooMany = (seconds: number, detail: string): Refusal =>
  new Refusal('too_many_requests', 'Too many requests', { detail }, { 'Retry-After': String(seconds) });

function bearerOf(req: Request): string {
  const all = req.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'authorization');
  // Which of them a proxy looked at is anybody's guess.
  if (all.length > 1)
    throw new Refusal('bad_request', 'Bad request', { detail: 'Authorization: it stands there twice' });
  const [, bearer] = /^Bearer +([A-Za-z0-9._~+/=-]{1,8192})$/i.exec(req.headers.authorization ?? '') ?? [];
  if (bearer === undefined)
    throw notAuthenticated('send Authorization: Bearer TOKEN; `spillway token create` makes one', false);
  return bearer;
}

/** Who came with a token for reading gives no orders, by whichever door. */
export function mayOrder({ scope }: Caller): void {
  if (scope === 'read')
    throw new Refusal('forbidden', 'Forbidden', {
      detail:
        'this token is for reading (scope read); `spillway token create` without --scope makes one for orders',
    });
}

function notAuthenticated(detail: string, wrong: boolean): Refusal {
  // RFC 6750, section 3.
  const challenge = wrong ? 'Bearer realm="spillway", error="invalid_token"' : 'Bearer realm="spillway"';
  return new Refusal('not_authenticated', 'Not authenticated', { detail }, { 'WWW-Authenticate': challenge });
}

/** Only these and this host itself are answered: whoever else came by would come in the clear. */
export function onlyProxies(proxies: readonly string[]): RequestHandler {
  const known = blockOf(['127.0.0.0/8', '::1', ...proxies]);
  return (req, _res, next) => {
    if (comesBy(req, known)) return next();
    throw new Refusal('forbidden', 'Forbidden', { detail: 'come by the proxy (listen.trustedProxy)' });
  };
}
