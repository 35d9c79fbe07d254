/** Label and field selectors, as queries say them. */
import type { ApiObject, Kind, Words } from '../../src/sim/models/kubernetes-objects.ts';
import { badRequest } from '../../src/sim/models/kubernetes-types.ts';

export type Fits = (object: ApiObject) => boolean;

/** What of a kind a list or a watch asks for. */
export interface Wanted {
  readonly kind: Kind;
  /** Undefined: all. */
  readonly namespace: string | undefined;
  readonly fits: Fits;
}

export function wanted(kind: Kind, namespace: string | undefined, query: URLSearchParams): Wanted {
  const [labels, fields] = [query.get('labelSelector') ?? '', query.get('fieldSelector') ?? ''];
  const tests = [...parts(labels).map(label), ...parts(fields).map(field)];
  return { kind, namespace, fits: (object) => tests.every((test) => test(object)) };
}

/** Undefined as a kind's object is absent: then it does not fit either. */
export function fitsIn({ namespace, fits }: Wanted, object: ApiObject | undefined): boolean {
  if (object === undefined) return false;
  return (namespace === undefined || object.metadata.namespace === namespace) && fits(object);
}

/** At commas that are not within `in (…)`. */
const parts = (selector: string): string[] =>
  selector
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '');

function label(text: string): Fits {
  const of = (object: ApiObject): Words => object.metadata.labels ?? {};
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    const isIn: Fits = (object) => values.includes(of(object)[key] ?? '') && key in of(object);
    return operator === 'in' ? isIn : (object) => !isIn(object);
  }
  const equal = /^([^!=\s]+)\s*(==?|!=)\s*(\S*)$/.exec(text);
  if (equal !== null) {
    const [, key = '', operator, value] = equal;
    return operator === '!=' ? (object) => of(object)[key] !== value : (object) => of(object)[key] === value;
  }
  if (/^!\S+$/.test(text)) return (object) => !(text.slice(1) in of(object));
  if (/^\S+$/.test(text)) return (object) => text in of(object);
  throw badRequest(`unable to parse requirement: ${text}`);
}

const fields: Readonly<Record<string, (object: ApiObject) => unknown>> = {
  'metadata.name': ({ metadata }) => metadata.name,
  'metadata.namespace': ({ metadata }) => metadata.namespace,
  'spec.nodeName': (object) => inside(object, 'spec', 'nodeName') ?? '',
  'status.phase': (object) => inside(object, 'status', 'phase'),
  'involvedObject.name': (object) => inside(object, 'involvedObject', 'name'),
  'involvedObject.namespace': (object) => inside(object, 'involvedObject', 'namespace'),
  'involvedObject.uid': (object) => inside(object, 'involvedObject', 'uid'),
};

function field(text: string): Fits {
  const [, name = '', operator, value] = /^([^!=\s]+)(==?|!=)(\S*)$/.exec(text) ?? [];
  const pick = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (pick === undefined) throw badRequest(`field label not supported: ${name}`);
  return operator === '!=' ? (object) => pick(object) !== value : (object) => pick(object) === value;
}

const inside = (object: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (inner, name) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, name) : undefined),
    object,
  );
