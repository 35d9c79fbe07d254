import type { Request, Response } from 'express';
import type { z } from 'zod';

/** What was asked for; undefined: it was malformed, and that is answered. */
export function queryOf<T>(schema: z.ZodType<T>, req: Request, res: Response): T | undefined {
  const query = schema.safeParse(req.query);
  if (query.success) return query.data;
  const issue = query.error.issues[0];
  res
    .status(400)
    .type('application/problem+json')
    .json({
      type: 'about:blank',
      title: 'Bad query',
      status: 400,
      detail: `${issue?.path.join('.') || 'query'}: ${issue?.message}`,
    });
  return undefined;
}
