import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Mark, Page } from '../domain/page.ts';
import { Refusal } from './problem.ts';

/** Cursors are opaque: where the last page ended, and of which question. They open nothing that the question does not. */
const inside = z.tuple([
  z.string(),
  z
    .array(z.union([z.string().max(300), z.number()]))
    .min(1)
    .max(4),
]);

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
  question: string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Page {
  if (cursor === undefined) return { limit };
  const [asked, after] = opened(cursor);
  if (asked !== question)
    throw new Refusal('bad_cursor', 'Bad cursor', {
      detail: 'cursor: it is of another question; ask for the first page again',
      field: 'cursor',
    });
  return { limit, after };
}

function opened(cursor: string): readonly [string, Mark] {
  try {
    const [asked, mark] = inside.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    return [asked, mark];
  } catch {
    throw new Refusal('bad_cursor', 'Bad cursor', {
      detail: 'cursor: write `next` of the page before as it came',
      field: 'cursor',
    });
  }
}
