import express, { type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import { problem } from './problem.ts';

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

/** Parses an order's body; only JSON, which no web page sends elsewhere unasked. */
export const orderBody: RequestHandler = express.json({ limit: '10kb' });

/** What was ordered; undefined: it may not be, or was malformed, and that is answered. */
export function orderOf<T>(schema: z.ZodType<T>, req: Request, res: Response): T | undefined {
  // A web page that a browser on this host shows could otherwise reach it under a name of its own.
  if (!loopback.test(req.headers.host ?? '')) {
    problem(res, 403, 'Forbidden', 'ask by a loopback address');
    return undefined;
  }
  const order = schema.safeParse(req.body);
  if (order.success) return order.data;
  const issue = order.error.issues[0];
  problem(res, 400, 'Bad order', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
  return undefined;
}
