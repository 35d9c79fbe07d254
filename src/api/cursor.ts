import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Mark, Page } from '../domain/page.ts';
import { Refusal } from './problem.ts';

const whole = z.int().nonnegative();
const text = z
  .string()
  .max(300)
  .regex(/^\P{Cc}*$/u);

/** The sort keys that a page of each list ends with: cursors are the callers' to keep, so one of them may be anything. */
const places: Readonly<Record<string, z.ZodType<Mark>>> = {
  audit: z.tuple([z.string().regex(/^\d{1,19}$/), whole]),
  bursts: z.tuple([whole, text]),
  dead: z.tuple([whole, whole]),
  decisions: z.tuple([whole, whole]),
  instances: z.tuple([whole, text]),
  jobs: z.tuple([text, whole, text]),
  ledger: z.tuple([whole, text]),
  policies: z.tuple([z.int().positive()]),
};

/** Cursors are opaque: where the last page ended, and of which question. They open nothing that the question does not. */
const inside = z.tuple([z.string(), z.unknown()]);

/** Of a list's name, its filters and whose rows are seen. */
export function questionOf(list: string, filter: object): string {
  const kept = Object.entries(filter).filter(([, v]) => v !== undefined);
  return createHash('sha256')
    .update(JSON.stringify([list, kept.sort(([a], [b]) => (a < b ? -1 : 1))]))
    .digest('base64url')
    .slice(0, 12);
}

export const cursorOf = (question: string, mark: Mark): string =>
  Buffer.from(JSON.stringify([question, mark])).toString('base64url');

export function pageOf(
  list: string,
  question: string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Page {
  if (cursor === undefined) return { limit };
  const [asked, mark] = opened(cursor);
  if (asked !== question)
    throw new Refusal('bad_cursor', 'Bad cursor', {
      detail: 'cursor: it is of another question; ask for the first page again',
      field: 'cursor',
    });
  const after = places[list]?.safeParse(mark).data;
  if (after === undefined) throw spoilt();
  return { limit, after };
}

function opened(cursor: string): readonly [string, unknown] {
  try {
    return inside.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw spoilt();
  }
}

const spoilt = (): Refusal =>
  new Refusal('bad_cursor', 'Bad cursor', {
    detail: 'cursor: write `next` of the page before as it came',
    field: 'cursor',
  });
