/** A gateway of a later version: every answer that the API's document promises, with a field and, for each word, a word that are not in it. */
import { createServer, type Server } from 'node:http';
import { document } from '../../src/api/document.ts';

interface Shape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
}

/** In place of each word that the document has. */
export const newWord = 'hibernating';
export const newField = 'greenness';

/** `alternative`: which of several shapes, from the end where it is negative. */
function sampleOf(shape: Shape, alternative: number): unknown {
  if (shape.anyOf !== undefined) return sampleOf(shape.anyOf.at(alternative) ?? {}, alternative);
  if (shape.enum !== undefined || typeof shape.const === 'string') return newWord;
  if (shape.const !== undefined) return shape.const;
  switch (shape.type) {
    case 'object': {
      const fields = Object.entries(shape.properties ?? {}).map(([k, v]) => [k, sampleOf(v, alternative)]);
      const { additionalProperties: more } = shape;
      if (typeof more === 'object') fields.push([newWord, sampleOf(more, alternative)]);
      return { ...Object.fromEntries(fields), ...(typeof more === 'object' ? {} : { [newField]: newWord }) };
    }
    case 'array':
      return [sampleOf(shape.items ?? {}, alternative)];
    case 'number':
    case 'integer':
      return 7;
    case 'boolean':
      return alternative === 0;
    case 'string':
      return shape.format === 'date-time' ? '2026-01-05T08:00:00.000Z' : 'x';
    default:
      return newWord;
  }
}

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: { readonly 'application/json'?: { readonly schema: Shape } } }>
  >;
}

const { paths } = JSON.parse(document()) as { paths: Record<string, Record<string, Operation>> };

/** What it answers to a question: of lists two pages. Undefined: there is no such question. */
function answerTo(method: string, url: URL, alternative: number): unknown {
  const path =
    paths[url.pathname] === undefined
      ? Object.keys(paths).find((p) => new RegExp(`^${p.replace(/\{\w+\}/g, '[^/]+')}$`).test(url.pathname))
      : url.pathname;
  const operation = paths[path ?? '']?.[method.toLowerCase()];
  const schema = operation?.responses['200']?.content?.['application/json']?.schema;
  if (schema === undefined) return undefined;
  const told = sampleOf(schema, alternative) as Record<string, unknown>;
  if (url.searchParams.has('cursor')) delete told.next;
  return told;
}

export interface Newer {
  readonly server: Server;
  /** Every question that it has no answer to. */
  readonly missed: string[];
}

export function newerGateway(alternative: number): Newer {
  const missed: string[] = [];
  const server = createServer((req, res) => {
    req.resume();
    const told = answerTo(req.method ?? '', new URL(req.url ?? '', 'http://gw'), alternative);
    if (told === undefined) missed.push(`${req.method} ${req.url}`);
    res.writeHead(told === undefined ? 500 : 200, { 'content-type': 'application/json', etag: '"7"' });
    res.end(JSON.stringify(told ?? {}));
  });
  return { server, missed };
}
