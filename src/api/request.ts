import type { RequestHandler } from 'express';

/** A request's id: the asker's own where it is one, or a new one. It stands in the answer, in problems and in the log. */
export function requestIds(newId: () => string): RequestHandler {
  return (req, res, next) => {
    const given = req.headers['x-request-id'];
    const own = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : undefined;
    res.setHeader('X-Request-Id', own ?? newId());
    next();
  };
}

/** The API answers data and never a page: nothing of it may be framed, sniffed, run or kept by what lies between. */
export const securityHeaders: RequestHandler = (_req, res, next) => {
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.setHeader('X-Frame-Options', 'DENY');
  res.setHeader('Referrer-Policy', 'no-referrer');
  res.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  // Browsers heed it over HTTPS only.
  res.setHeader('Strict-Transport-Security', 'max-age=31536000');
  next();
};
