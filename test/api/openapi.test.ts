/** docs/openapi.json is what a gateway serves, and loses nothing that somebody may use: `npm run docs` would not write it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { breaksOf } from '../../docs/breaks.ts';
import { document } from '../../src/api/document.ts';

const kept = readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8');

it('nothing of the page was taken back', () => {
  expect(breaksOf(JSON.parse(kept), JSON.parse(document()))).toEqual([]);
});

it('the page is what the schemas say', () => {
  expect(kept, 'run npm run docs, and look at what changed').toBe(document());
});

type Path = readonly (string | number)[];
type Node = Record<string | number, unknown>;

/** The page with one thing changed. */
function changed(path: Path, change: (parent: Node, key: string | number) => void): unknown {
  const tree = JSON.parse(kept) as Node;
  let at = tree.paths as Node;
  for (const key of path.slice(0, -1)) at = at[key] as Node;
  change(at, path.at(-1) ?? '');
  return tree;
}
const cut = (path: Path) =>
  changed(path, (at, key) => (Array.isArray(at) ? at.splice(Number(key), 1) : delete at[key]));
const put = (path: Path, value: unknown) => changed(path, (at, key) => Object.assign(at, { [key]: value }));
const more = (path: Path, value: unknown) => changed(path, (at, key) => (at[key] as unknown[]).push(value));

const answer = ['responses', '200', 'content', 'application/json', 'schema'];
const bursts = ['/api/v1/bursts', 'get', ...answer, 'properties', 'bursts', 'items'];
const order = ['/api/v1/stop', 'post', 'requestBody', 'content', 'application/json', 'schema'];
const parameters = ['/api/v1/jobs', 'get', 'parameters'];
/** Where `state` stands among them. */
const states = (
  JSON.parse(kept) as { paths: Record<string, { get: { parameters: { name: string }[] } }> }
).paths['/api/v1/jobs']?.get.parameters.findIndex((p) => p.name === 'state') as number;

describe('a breaking change is found', () => {
  it.each<[string, unknown, RegExp]>([
    ['a path', cut(['/api/v1/jobs']), /GET \/api\/v1\/jobs: is gone/],
    ['a method', cut(['/api/v1/stop', 'put']), /PUT \/api\/v1\/stop: is gone/],
    ['a field of an answer', cut([...bursts, 'properties', 'user']), /bursts\[\]\.user: is gone/],
    ['a field that may be absent', cut([...bursts, 'required', 0]), /id: may be absent now/],
    ['another type', put([...bursts, 'properties', 'jobId', 'type'], 'string'), /was number, is string/],
    ['a parameter', cut([...parameters, 0]), /parameter query limit is gone/],
    [
      'a new parameter that is required',
      more(parameters, { in: 'query', name: 'x', required: true }),
      /query x is new and required/,
    ],
    [
      'a new field that an order must have',
      put([...order, 'required'], ['reason']),
      /reason: is required now/,
    ],
    [
      'a word that is not taken any more',
      cut([...parameters.slice(0, 2), 'parameters', states, 'schema', 'enum', 0]),
      /query state: takes PENDING no more/,
    ],
    ['a lower limit', put([...parameters, 0, 'schema', 'maximum'], 10), /maximum is 10, and was 1000/],
    ['a new pattern', put([...parameters, 1, 'schema', 'pattern'], '^a'), /another pattern/],
    ['a higher role', put(['/api/v1/jobs', 'get', 'x-role'], 'admin'), /needs role admin/],
  ])('%s', (_what, now, words) => {
    expect(breaksOf(JSON.parse(kept), now).join('\n')).toMatch(words);
  });

  it.each<[string, unknown]>([
    ['a path', put(['/api/v1/new'], { get: {} })],
    ['a field of an answer', put([...bursts, 'properties', 'more'], { type: 'string' })],
    ['a parameter', more(parameters, { in: 'query', name: 'x', schema: {} })],
    ['a higher limit', put([...parameters, 0, 'schema', 'maximum'], 5_000)],
    ['a lower role', put(['/api/v1/audit', 'get', 'x-role'], 'user')],
  ])('what only grows is none: %s', (_what, now) => {
    expect(breaksOf(JSON.parse(kept), now)).toEqual([]);
  });
});
