/** What a client of the old document could not do any more with the new one. */
type Json = Readonly<Record<string, unknown>>;

const map = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Each with its place; empty: nothing. */
export function breaksOf(before: unknown, after: unknown): readonly string[] {
  const found: string[] = [];
  const [old, now] = [map(map(before).paths), map(map(after).paths)];
  for (const [path, methods] of Object.entries(old))
    for (const [method, operation] of Object.entries(map(methods))) {
      const at = `${method.toUpperCase()} ${path}`;
      const again = map(now[path])[method];
      if (again === undefined) found.push(`${at}: is gone`);
      else compareOperation(at, map(operation), map(again), found);
    }
  return found;
}

const ranks = ['user', 'operator', 'admin'];

function compareOperation(at: string, old: Json, now: Json, found: string[]): void {
  if (ranks.indexOf(String(now['x-role'])) > ranks.indexOf(String(old['x-role'])))
    found.push(`${at}: needs role ${String(now['x-role'])}, and needed ${String(old['x-role'])}`);
  const [before, after] = [parametersOf(old), parametersOf(now)];
  for (const [name, p] of before) {
    const q = after.get(name);
    if (q === undefined) found.push(`${at}: parameter ${name} is gone`);
    else {
      if (q.required === true && p.required !== true) found.push(`${at}: parameter ${name} is required now`);
      narrower(`${at} ${name}`, map(p.schema), map(q.schema), 'input', found);
    }
  }
  for (const [name, q] of after)
    if (!before.has(name) && q.required === true) found.push(`${at}: parameter ${name} is new and required`);
  const [body, bodyNow] = [map(old.requestBody), map(now.requestBody)];
  if (bodyNow.required === true && body.required !== true) found.push(`${at}: needs a body now`);
  contents(`${at} body`, body, bodyNow, 'input', found);
  const [answer, answerNow] = [map(map(old.responses)['200']), map(map(now.responses)['200'])];
  contents(`${at} answer`, answer, answerNow, 'output', found);
}

/** By media type: a client sends and reads the one that it knows. */
function contents(at: string, old: Json, now: Json, way: Way, found: string[]): void {
  const [before, after] = [map(old.content), map(now.content)];
  for (const [type, { schema }] of Object.entries(before).map(([t, of]) => [t, map(of)] as const)) {
    const again = after[type];
    if (again === undefined) found.push(`${at}: is ${type} no more`);
    else narrower(at, map(schema), map(map(again).schema), way, found);
  }
}

const parametersOf = (operation: Json): Map<string, Json> =>
  new Map(list(operation.parameters).map((p) => [`${String(map(p).in)} ${String(map(p).name)}`, map(p)]));

type Way = 'input' | 'output';

/** What comes in may grow wider only, what goes out may not: a client reads what it knows. */
function narrower(at: string, old: Json, now: Json, way: Way, found: string[]): void {
  if (typesOf(old).join() !== typesOf(now).join())
    return void found.push(`${at}: was ${typesOf(old).join(' or ')}, is ${typesOf(now).join(' or ')}`);
  const [kinds, kindsNow] = [kindsOf(old), kindsOf(now)];
  if (kinds.length > 1 || kindsNow.length > 1) return void eachKind(at, kinds, kindsNow, way, found);
  const [words, wordsNow] = [wordsOf(old), wordsOf(now)];
  // An answer may say what it did not say before only where words were free.
  const lost = way === 'input' ? words.filter((w) => wordsNow.length > 0 && !wordsNow.includes(w)) : [];
  if (lost.length > 0) found.push(`${at}: takes ${lost.join(', ')} no more`);
  if (way === 'input' && words.length === 0 && wordsNow.length > 0) found.push(`${at}: takes few words now`);
  if (way === 'input') limits(at, old, now, found);
  const [fields, fieldsNow] = [map(old.properties), map(now.properties)];
  const [must, mustNow] = [list(old.required), list(now.required)];
  for (const [name, field] of Object.entries(fields)) {
    const again = fieldsNow[name];
    if (again === undefined) found.push(`${at}.${name}: is gone`);
    else narrower(`${at}.${name}`, map(field), map(again), way, found);
    if (way === 'output' && must.includes(name) && !mustNow.includes(name))
      found.push(`${at}.${name}: may be absent now`);
  }
  if (way === 'input')
    for (const name of mustNow)
      if (!must.includes(name)) found.push(`${at}.${String(name)}: is required now`);
  if (old.items !== undefined) narrower(`${at}[]`, map(old.items), map(now.items), way, found);
  others(at, old, now, way, found);
}

/** Of what may be one or the other: each that came in is taken by one still, and each that goes out can be read as one that was. */
function eachKind(at: string, old: readonly Json[], now: readonly Json[], way: Way, found: string[]): void {
  const fits = (was: Json, is: Json): boolean => {
    const own: string[] = [];
    narrower(at, was, is, way, own);
    return own.length === 0;
  };
  const lost =
    way === 'input'
      ? old.filter((was) => !now.some((is) => fits(was, is)))
      : now.filter((is) => !old.some((was) => fits(was, is)));
  const what = way === 'input' ? 'is taken no more' : 'is another now';
  for (const kind of lost) found.push(`${at}: a kind of ${typesOf(kind).join(' or ')} ${what}`);
}

/** Fields that have no name of their own, as those of a map. */
function others(at: string, old: Json, now: Json, way: Way, found: string[]): void {
  if (!typesOf(old).includes('object')) return;
  const [was, is] = [old.additionalProperties ?? true, now.additionalProperties ?? true];
  if (typeof was === 'object' && typeof is === 'object') narrower(`${at}.*`, map(was), map(is), way, found);
  else if (way === 'input' && was !== false && is !== true && was !== is)
    found.push(`${at}: takes not all further fields now`);
  else if (way === 'output' && typeof was === 'object') found.push(`${at}.*: is gone`);
  if (way === 'input' && old.propertyNames !== undefined && now.propertyNames !== undefined)
    narrower(`${at} names`, map(old.propertyNames), map(now.propertyNames), way, found);
}

const kindsOf = (schema: Json): readonly Json[] => {
  const any = [...list(schema.anyOf), ...list(schema.oneOf)].map(map);
  return any.length === 0 ? [schema] : any.flatMap(kindsOf);
};

const wordsOf = (schema: Json): readonly unknown[] =>
  schema.const === undefined ? list(schema.enum) : [schema.const];

/** The same texts were taken under the one as under the other: how they are told was mended. */
const alike: readonly (readonly [string, string])[] = [
  // Programs can make texts by it, too.
  ['^[^\\p{Cc}\\p{Cs}]*$', '^[^\\x00-\\x1f\\x7f-\\x9f]*$'],
  ['^\\P{Cc}+$', '^[^\\x00-\\x1f\\x7f-\\x9f]+$'],
  ['^\\P{Cc}+$ and ^\\/', '^/[^\\x00-\\x1f\\x7f-\\x9f]*$'],
  // More than 400 days were never taken.
  [
    '^[1-9]\\d{0,4}[hdw]$',
    '^(([1-9]\\d{0,2}|[1-8]\\d{3}|9[0-5]\\d{2}|9600)h|([1-9]\\d?|[1-3]\\d{2}|400)d|([1-9]|[1-4]\\d|5[0-7])w)$',
  ],
];

function limits(at: string, old: Json, now: Json, found: string[]): void {
  for (const [key, sign] of [
    ['minimum', 1],
    ['minLength', 1],
    ['maximum', -1],
    ['maxLength', -1],
    ['minItems', 1],
    ['maxItems', -1],
  ] as const) {
    const [was, is] = [old[key], now[key]];
    const tight = typeof is === 'number' && (typeof was !== 'number' || sign * is > sign * was);
    if (tight) found.push(`${at}: ${key} is ${is}, and was ${String(was ?? 'open')}`);
  }
  const [pattern, before] = [patternOf(now), patternOf(old)];
  const same = alike.some(([was, is]) => was === before && is === pattern);
  if (pattern !== undefined && pattern !== before && !same) found.push(`${at}: another pattern, ${pattern}`);
}

function patternOf(schema: Json): string | undefined {
  const all = [schema, ...list(schema.allOf).map(map)].flatMap((s) =>
    typeof s.pattern === 'string' ? [s.pattern] : [],
  );
  return all.length === 0 ? undefined : all.join(' and ');
}

function typesOf(schema: Json): readonly string[] {
  if (Array.isArray(schema.type)) return schema.type.map(String).sort();
  if (schema.type !== undefined) return [String(schema.type)];
  const any = [...list(schema.anyOf), ...list(schema.oneOf)].flatMap((s) => typesOf(map(s)));
  return [...new Set(any)].sort();
}
