import { createHash } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import { type Caller, openCaller } from '../domain/caller.ts';
import { faultOf } from '../domain/fault.ts';
import { Buckets, type Rate } from '../domain/rate.ts';
import type { Doorman } from '../engine/doorman.ts';
import { Refusal } from './problem.ts';

/** Wrong tokens of one address: guessing is hopeless, and must not cost the database much either. */
const wrongOnes: Rate = { perSecond: 1, atOnce: 20 };
/** Callers that were let in lately, by the hash of what they sent: behind a proxy all have one address, and one who guesses must not lock out the others. */
const knownAtMost = 10_000;

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

export const callerOf = (res: Response): Caller => (res.locals as { caller: Caller }).caller;

/** Finds out who asks, from the Authorization header alone: never from a query, a cookie, or what another header claims. */
export function authentication(doorman: Doorman | undefined, now: () => number): RequestHandler {
  const wrong = new Buckets(wrongOnes, now);
  const known = new Set<string>();
  return async (req, res, next) => {
    if (doorman === undefined) {
      // A web page that a browser on this host shows could otherwise reach it under a name of its own.
      if (!loopback.test(req.headers.host ?? ''))
        throw new Refusal('forbidden', 'Forbidden', { detail: 'ask by a loopback address' });
      res.locals.caller = openCaller;
      return next();
    }
    const from = addressOf(req);
    const bearer = bearerOf(req);
    const hash = createHash('sha256').update(bearer).digest('base64');
    const wait = known.has(hash) ? 0 : wrong.wait(from);
    if (wait > 0) throw tooMany(wait, 'too many wrong tokens from this address');
    try {
      res.locals.caller = await doorman.who(bearer);
      if (known.size >= knownAtMost) known.clear();
      known.add(hash);
    } catch (e) {
      const fault = faultOf(e);
      if (fault === 'refused') {
        known.delete(hash);
        wrong.take(from);
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

function notAuthenticated(detail: string, wrong: boolean): Refusal {
  // RFC 6750, section 3.
  const challenge = wrong ? 'Bearer realm="spillway", error="invalid_token"' : 'Bearer realm="spillway"';
  return new Refusal('not_authenticated', 'Not authenticated', { detail }, { 'WWW-Authenticate': challenge });
}

export const addressOf = (req: Request): string => req.socket.remoteAddress ?? '';

/** Only these and this host itself are answered: whoever else came by would come in the clear. */
export function onlyProxies(proxies: readonly string[]): RequestHandler {
  const known = new BlockList();
  known.addSubnet('127.0.0.0', 8, 'ipv4');
  known.addAddress('::1', 'ipv6');
  for (const p of proxies) {
    const [address = '', bits] = p.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) known.addAddress(address, family);
    else known.addSubnet(address, Number(bits), family);
  }
  return (req, _res, next) => {
    const address = addressOf(req).replace(/^::ffff:(?=\d+\.)/, '');
    if (isIP(address) !== 0 && known.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')) return next();
    throw new Refusal('forbidden', 'Forbidden', { detail: 'come by the proxy (listen.trustedProxy)' });
  };
}
