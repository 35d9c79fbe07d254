import type { Request, Response } from 'express';
import type { z } from 'zod';
import { problem } from './problem.ts';

/** What was asked for; undefined: it was malformed, and that is answered. */
export function queryOf<T>(schema: z.ZodType<T>, req: Request, res: Response): T | undefined {
  const query = schema.safeParse(req.query);
  if (query.success) return query.data;
  const issue = query.error.issues[0];
  problem(res, 400, 'Bad query', `${issue?.path.join('.') || 'query'}: ${issue?.message}`);
  return undefined;
}
