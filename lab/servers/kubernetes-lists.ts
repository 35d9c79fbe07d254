/** Lists, page by page: the token says how far they are and of what version the first page was. */
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import { type ApiObject, kindNames } from '../../src/sim/models/kubernetes-objects.ts';
import { badRequest } from '../../src/sim/models/kubernetes-types.ts';
import { fitsIn, type Wanted } from './kubernetes-selectors.ts';
import type { Answer } from './kubernetes-status.ts';

interface Token {
  readonly version: number;
  readonly after: string;
}

export function list(model: KubernetesModel, asked: Wanted, query: URLSearchParams): Answer {
  const { store } = model.server;
  const limit = Number(query.get('limit') ?? 0);
  const token = parsed(query.get('continue') ?? '');
  // What was deleted since the first page must still be told by a watch from its version on.
  if (token !== undefined) store.since(token.version);
  const version = token?.version ?? store.version;
  const all = [...store.all(asked.kind)]
    .filter((object) => fitsIn(asked, object))
    .map((object) => ({ key: keyOf(object), object }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .filter(({ key }) => token === undefined || key > token.after);
  const page = limit > 0 ? all.slice(0, limit) : all;
  const rest = all.length - page.length;
  const after = page.at(-1)?.key ?? '';
  const more = rest > 0 ? { continue: encoded({ version, after }), remainingItemCount: rest } : {};
  return {
    code: 200,
    body: {
      kind: `${kindNames[asked.kind]}List`,
      apiVersion: 'v1',
      metadata: { resourceVersion: `${version}`, ...more },
      items: page.map(({ object }) => bare(object)),
    },
  };
}

/** Within a list an object does not say what it is. */
function bare(object: ApiObject): unknown {
  const { apiVersion: _, kind: _kind, ...rest } = object;
  return rest;
}

const keyOf = ({ metadata }: ApiObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;

const encoded = (token: Token): string => Buffer.from(JSON.stringify(token)).toString('base64url');

function parsed(text: string): Token | undefined {
  if (text === '') return undefined;
  try {
    const { version, after } = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Number.isInteger(version) && typeof after === 'string') return { version, after };
  } catch {
    // The same answer as to any other text.
  }
  throw badRequest('invalid continue token');
}
