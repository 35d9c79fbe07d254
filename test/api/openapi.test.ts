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
const answerOf = ['/api/v1/bursts', 'get', 'responses', '200', 'content'];
const instances = [
  '/api/v1/capacity',
  'get',
  ...answer,
  'properties',
  'groups',
  'items',
  'properties',
  'instances',
];
const basis = [
  '/api/v1/decisions',
  'get',
  ...answer,
  'properties',
  'decisions',
  'items',
  'properties',
  'basis',
];
const starts = [...basis, 'properties', 'forecast', 'properties', 'startsIn'];
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
    [
      'a field of one kind of an answer',
      cut([...starts, 'anyOf', 1, 'properties', 'p50Ms']),
      /startsIn: a kind of object is another now/,
    ],
    [
      'another kind of object beside it',
      more([...starts, 'anyOf'], { type: 'object', properties: { at: { type: 'string' } } }),
      /startsIn: a kind of object is another now/,
    ],
    [
      'another kind of value',
      more([...starts, 'anyOf'], { type: 'number' }),
      /is number or object or string/,
    ],
    [
      'what a map holds',
      put([...instances, 'additionalProperties', 'type'], 'string'),
      /instances\.\*: was number/,
    ],
    ['a map', cut([...instances, 'additionalProperties']), /instances\.\*: is gone/],
    [
      'how an answer is told',
      put(['/api/v1/events', 'get', 'responses', '200', 'content'], {}),
      /event-stream no more/,
    ],
    [
      'how an order is told',
      cut([...order.slice(0, 4), 'application/json']),
      /body: is application\/json no more/,
    ],
  ])('%s', (_what, now, words) => {
    expect(breaksOf(JSON.parse(kept), now).join('\n')).toMatch(words);
  });

  it.each<[string, unknown]>([
    ['a path', put(['/api/v1/new'], { get: {} })],
    ['a field of an answer', put([...bursts, 'properties', 'more'], { type: 'string' })],
    ['a parameter', more(parameters, { in: 'query', name: 'x', schema: {} })],
    ['a higher limit', put([...parameters, 0, 'schema', 'maximum'], 5_000)],
    [
      'a field of one kind of an answer',
      put([...starts, 'anyOf', 1, 'properties', 'more'], { type: 'string' }),
    ],
    ['a word beside it', more([...starts, 'anyOf'], { type: 'string', const: 'far away' })],
    ['another way to tell an answer', put([...answerOf, 'text/csv'], {})],
    ['a lower role', put(['/api/v1/audit', 'get', 'x-role'], 'user')],
  ])('what only grows is none: %s', (_what, now) => {
    expect(breaksOf(JSON.parse(kept), now)).toEqual([]);
  });

  const input = (schema: object, required = false) => ({
    paths: { '/x': { post: { requestBody: { required, content: { 'application/json': { schema } } } } } },
  });
  const word = { type: 'string', const: 'never' };
  const kind = (required: readonly string[]) => ({ type: 'object', properties: { a: {}, b: {} }, required });
  it.each<[string, object, object, RegExp | undefined]>([
    [
      'a kind',
      { anyOf: [word, kind([])] },
      { anyOf: [word, kind(['a'])] },
      /a kind of object is taken no more/,
    ],
    [
      'a word',
      { anyOf: [word, kind([])] },
      { anyOf: [{ ...word, const: 'ever' }, kind([])] },
      /a kind of string is/,
    ],
    ['a narrower one beside it', kind([]), { anyOf: [kind(['a']), kind([])] }, undefined],
    ['the one for several', { anyOf: [kind(['a']), kind(['b'])] }, kind([]), undefined],
    [
      'further fields',
      { type: 'object' },
      { type: 'object', additionalProperties: false },
      /takes not all further/,
    ],
    [
      'further fields of any type',
      { type: 'object' },
      { type: 'object', additionalProperties: { type: 'number' } },
      /takes not all further/,
    ],
    ['no further fields', { type: 'object', additionalProperties: false }, { type: 'object' }, undefined],
    [
      'the names of a map',
      { type: 'object', propertyNames: { type: 'string' } },
      { type: 'object', propertyNames: { type: 'string', maxLength: 9 } },
      /names: maxLength is 9/,
    ],
    [
      'as many',
      { type: 'array', items: {} },
      { type: 'array', items: {}, maxItems: 5 },
      /maxItems is 5, and was open/,
    ],
  ])('of an order: %s', (_what, before, now, words) => {
    const found = breaksOf(input(before), input(now)).join('\n');
    if (words === undefined) expect(found).toBe('');
    else expect(found).toMatch(words);
  });

  it('of an order: that it may be left out', () => {
    expect(breaksOf(input({}), input({}, true))).toEqual(['POST /x: needs a body now']);
  });
});
