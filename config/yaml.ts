/** A text in YAML, held against a schema: what is in it, or all that is wrong with it, each with its place. */
import { type Document, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { fieldName, type Problem, place, readable } from './problems.ts';
import { unreadable } from './yaml-limits.ts';

export type ReadYaml<T> =
  /** `given`: as it was written, before it was parsed. */
  | { readonly ok: true; readonly value: T; readonly given: unknown }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Of more it is not worth finding the place of each, which is looked for from the beginning. */
const problemsAtMost = 100;

interface Odd {
  /** Offset in the text. */
  readonly at: number;
  readonly text: string;
}

/** As it was written, with what is no YAML in it. The text is one that `unreadable` lets pass. */
export function documentOf(
  text: string,
  lineCounter = new LineCounter(),
): { readonly document: Document; readonly odd: readonly Odd[] } {
  // The reader's own look for a key that comes twice holds each of a map against all before it.
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false });
  const odd = [...document.errors, ...document.warnings].map((e) => ({ at: e.pos[0], text: e.message }));
  return { document, odd: odd.length > 0 ? odd : twiceIn(document) };
}

function twiceIn(document: Document): readonly Odd[] {
  const odd: Odd[] = [];
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) odd.push({ at: key.range?.[0] ?? 0, text: 'Map keys must be unique' });
        seen.add(key.value);
      }
    },
  });
  return odd;
}

/** `allowed`: the schema as JSON Schema, of what is written. */
export function readYaml<T>(
  text: string,
  schema: z.ZodType<T>,
  allowed: Readonly<Record<string, unknown>>,
): ReadYaml<T> {
  const why = unreadable(text);
  if (why !== undefined) {
    const problem = { field: '', text: `not YAML: ${why}`, line: undefined, column: undefined };
    return { ok: false, problems: [problem] };
  }
  const counter = new LineCounter();
  const { document, odd } = documentOf(text, counter);
  if (odd.length > 0) {
    const problems = odd.slice(0, problemsAtMost).map(({ at, text: why }) => {
      const { line, col } = counter.linePos(at);
      return { field: '', text: `not YAML: ${why}`, line, column: col };
    });
    return { ok: false, problems };
  }
  let given: unknown;
  try {
    given = plain(document) ?? {};
  } catch (e) {
    // An alias to nothing, or aliases of aliases without end.
    const text = `not YAML: ${e instanceof Error ? e.message : String(e)}`;
    return { ok: false, problems: [{ field: '', text, line: undefined, column: undefined }] };
  }
  const nul = nulIn(given, []);
  if (nul !== undefined) {
    const at = place(document, counter, nul, false);
    const problem = { field: fieldName(nul), text: 'holds a NUL character; take it out', ...at };
    return { ok: false, problems: [problem] };
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return { ok: true, value: parsed.data, given };
  const problems = parsed.error.issues
    .flatMap((issue) => readable(issue, allowed))
    .slice(0, problemsAtMost)
    .map((p) => ({ field: p.field, text: p.text, ...place(document, counter, p.path, p.atKey) }));
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return { ok: false, problems };
}

const plain = (document: Document): unknown => document.toJS();

/** The path of a text with a NUL in it: no file name, argument or variable can have one. */
function nulIn(value: unknown, path: readonly (string | number)[]): readonly (string | number)[] | undefined {
  if (typeof value === 'string') return value.includes('\0') ? path : undefined;
  // Deeper than any configuration is: an alias that holds itself.
  if (value === null || typeof value !== 'object' || path.length > 20) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = nulIn(inner, [...path, Array.isArray(value) ? Number(key) : key]);
    if (found !== undefined) return found;
  }
  return undefined;
}
