import { existsSync } from 'node:fs';
import { join } from 'node:path';
import express, { type RequestHandler, type Response, Router } from 'express';
import { problem, Refusal } from './problem.ts';

/** Its own files and nothing else: no inline script, no frame around it, and asked is this gateway and where one signs in. */
const policyOf = (asks: readonly string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    ["connect-src 'self'", ...asks].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

/** The page's addresses; what stands behind `?` is its own affair. */
const addresses = [
  '/',
  '/login',
  '/jobs',
  '/jobs/:id',
  '/bursts/:id',
  '/decisions',
  '/money',
  '/capacity',
  '/what-if',
];

/** Built files have their content's hash in the name. */
const aYearMs = 365 * 86_400_000;

/**
 * The operator's page from the directory that `npm run build` made; it asks the API like anybody else, so it needs no rights here. `asks`: the
 * origins that it may ask besides.
 */
export function page(dir: string, asks: readonly string[]): Router {
  const policy = policyOf(asks);
  const guarded = (res: Response): void => {
    res.removeHeader('Cache-Control');
    res.setHeader('Content-Security-Policy', policy);
    res.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  };
  const router = Router();
  const index = join(dir, 'index.html');
  const answer: RequestHandler = (_req, res) => {
    if (!existsSync(index))
      return problem(res, 'not_available', 'The page is not built', {
        detail: 'run `npm run build` where the gateway is installed; the API answers at /api/v1',
      });
    guarded(res);
    res.setHeader('Cache-Control', 'no-cache');
    res.sendFile('index.html', { root: dir, cacheControl: false });
  };
  router.get(addresses, answer);
  router.use(
    '/assets',
    express.static(join(dir, 'assets'), {
      index: false,
      maxAge: aYearMs,
      immutable: true,
      redirect: false,
      setHeaders: guarded,
    }),
  );
  return router;
}

/**
 * Another site's page, shown in the same browser, could ask where nobody is asked who he is: a browser says so of each request that it
 * makes, and a page cannot take that back.
 */
export const sameSite: RequestHandler = (req, _res, next) => {
  const site = req.headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site')
    throw new Refusal('forbidden', 'Forbidden', { detail: 'a page of another site asked this' });
  next();
};
