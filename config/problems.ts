import { type Document, isMap, isNode, isPair, isScalar, isSeq, type LineCounter } from 'yaml';
import type { z } from 'zod';

/** One thing that is wrong. Lines and columns count from 1; undefined when there is no file to point into. */
export interface Problem {
  /** As in `clusters[0].slurm.hostKey`; empty for the whole file. */
  readonly field: string;
  readonly text: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

type Path = readonly PropertyKey[];

interface Readable {
  readonly path: Path;
  readonly field: string;
  readonly text: string;
  /** Point at the key, not at its value. */
  readonly atKey: boolean;
}

/** Keys of the design that are refused until what they promise is built. */
const notYet: Readonly<Record<string, string>> = {
  signatures: 'the gateway checks no signatures; let an admission controller do it, and leave it out',
  keepDays: 'nothing is carried, so nothing is kept yet; leave it out',
  launchTimeout: 'is not built yet; joinTimeout counts from the launch',
  labels: 'labels come from the launch template; leave it out',
  requireTimeLimit: 'is not built yet; maxTime keeps jobs without a limit at home',
};

export function fieldName(path: Path): string {
  return path.reduce<string>(
    (out, key) =>
      typeof key === 'number' ? `${out}[${key}]` : out === '' ? String(key) : `${out}.${String(key)}`,
    '',
  );
}

/** An issue of zod as an operator reads it; several unknown keys become one problem each. */
export function readable(issue: z.core.$ZodIssue, jsonSchema: unknown): Readable[] {
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(jsonSchema, issue.path);
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      field: fieldName([...issue.path, key]),
      text: (Object.hasOwn(notYet, key) ? notYet[key] : undefined) ?? unknownKey(key, known),
      atKey: true,
    }));
  }
  if (issue.code === 'invalid_key') {
    const text = issue.issues.map((i) => i.message).join('; ');
    return [{ path: issue.path, field: fieldName(issue.path), text, atKey: true }];
  }
  if (issue.code === 'invalid_type' && (issue.expected === 'object' || issue.expected === 'record')) {
    const keys = keysAt(jsonSchema, issue.path).slice(0, 4).join(', ');
    const what = issue.message.endsWith('received undefined') ? 'missing' : 'not a map of keys and values';
    const text = `${what}${keys ? `; write its keys below it: ${keys}, …` : ''}`;
    return [{ path: issue.path, field: fieldName(issue.path), text, atKey: false }];
  }
  return [{ path: issue.path, field: fieldName(issue.path), text: issue.message, atKey: false }];
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = known
    .map((k) => ({ k, far: distance(key.toLowerCase(), k.toLowerCase()) }))
    .filter(({ k, far }) => far <= Math.max(2, Math.floor(k.length / 3)))
    .sort((a, b) => a.far - b.far)[0];
  if (near) return `unknown key; did you mean ${near.k}?`;
  return known.length > 0
    ? `unknown key; there are ${[...known].sort().join(', ')}`
    : 'unknown key; leave it out';
}

/** Edits that make one word of the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The keys that may stand at a path, from the JSON Schema of what is written. */
function keysAt(jsonSchema: unknown, path: Path): string[] {
  let at = record(jsonSchema);
  for (const key of path)
    at = typeof key === 'number' ? record(at.items) : record(record(at.properties)[String(key)]);
  return Object.keys(record(at.properties));
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Where a field stands; one that is missing is reported at the innermost that does stand there. */
export function place(
  document: Document,
  counter: LineCounter,
  path: Path,
  atKey: boolean,
): { readonly line: number; readonly column: number } {
  let offset = 0;
  let node: unknown = document.contents;
  if (isNode(node) && node.range) offset = node.range[0];
  for (const [depth, key] of path.entries()) {
    let inner: unknown;
    if (isMap(node)) {
      const pair = node.items.find(
        (p) => isPair(p) && isScalar(p.key) && String(p.key.value) === String(key),
      );
      if (!pair) break;
      const atThisKey = (atKey && depth === path.length - 1) || !isNode(pair.value) || !isScalar(pair.value);
      if (isNode(pair.key) && pair.key.range && atThisKey) offset = pair.key.range[0];
      else if (isNode(pair.value) && pair.value.range) offset = pair.value.range[0];
      inner = pair.value;
    } else if (isSeq(node) && typeof key === 'number') {
      inner = node.items[key];
      if (isNode(inner) && inner.range) offset = inner.range[0];
    }
    if (inner === undefined) break;
    node = inner;
  }
  const { line, col } = counter.linePos(offset);
  return { line, column: col };
}
