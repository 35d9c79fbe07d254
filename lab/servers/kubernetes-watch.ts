/** Watches: one JSON line an event, from the model's own feed, until their time is up or they are cut. */
import type { ServerResponse } from 'node:http';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { Following } from '../../src/sim/models/kubernetes-feed.ts';
import { kindNames } from '../../src/sim/models/kubernetes-objects.ts';
import type { Change } from '../../src/sim/models/kubernetes-store.ts';
import { ApiError, badRequest } from '../../src/sim/models/kubernetes-types.ts';
import { fitsIn, type Wanted } from './kubernetes-selectors.ts';
import { failure } from './kubernetes-status.ts';

/** Who reads slower than this lies behind is cut, as the API server does. */
const mostBehind = 16 * 1024 * 1024;
const bookmarkMs = 60_000;

export function watch(
  model: KubernetesModel,
  asked: Wanted,
  query: URLSearchParams,
  response: ServerResponse,
): void {
  if (model.on('watch-broken')) {
    response.destroy();
    return;
  }
  const { store } = model.server;
  const from = Number(query.get('resourceVersion') ?? 0);
  if (!Number.isInteger(from)) throw badRequest(`invalid resource version "${query.get('resourceVersion')}"`);
  const start = from === 0 ? store.version : from;
  const seconds = Number(query.get('timeoutSeconds') ?? 0);
  const bookmarks = query.get('allowWatchBookmarks') === 'true';
  let following: Following | undefined;
  let marked = start;

  const send = (type: string, object: unknown): void => {
    if (response.writableLength > mostBehind) response.destroy();
    else response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const bookmark = (): void => {
    const version = following?.version ?? start;
    if (!bookmarks || version === marked) return;
    marked = version;
    const metadata = { resourceVersion: `${version}` };
    send('BOOKMARK', { kind: kindNames[asked.kind], apiVersion: 'v1', metadata });
  };

  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  // Without a version to go on from, what is there comes first.
  if (from === 0)
    for (const object of store.all(asked.kind)) if (fitsIn(asked, object)) send('ADDED', object);
  try {
    following = model.feed.follow(start, {
      take: (change) => {
        const type = typeFor(asked, change);
        if (type !== undefined) {
          marked = change.version;
          send(type, change.object);
        }
      },
      broken: () => response.destroy(),
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    send('ERROR', failure(error).body);
    response.end();
    return;
  }
  const beat = setInterval(bookmark, bookmarkMs);
  const end = setTimeout(
    () => {
      bookmark();
      response.end();
    },
    (seconds > 0 ? seconds : 1_800) * 1_000,
  );
  response.once('close', () => {
    clearInterval(beat);
    clearTimeout(end);
    following?.close();
  });
}

/** As the watcher sees it: what no longer fits is deleted for him, what now fits is new. */
function typeFor(asked: Wanted, { kind, type, object, before }: Change): string | undefined {
  if (kind !== asked.kind) return undefined;
  const [was, is] = [fitsIn(asked, before), type !== 'DELETED' && fitsIn(asked, object)];
  if (was && is) return 'MODIFIED';
  return is ? 'ADDED' : was ? 'DELETED' : undefined;
}
