import { afterEach, describe, expect, it } from 'vitest';
import type { KubernetesEvent, Watch } from '../../../src/ports.ts';
import {
  type Answer,
  type Asked,
  type Fake,
  fake,
  namespace,
  nodesPath,
  pod,
  podList,
  podsPath,
  status,
  until,
  type WatchStream,
} from './fake.ts';

let api: Fake | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

/** What one look says of pods; namespaces and nodes are as they should be. */
function serving(server: Fake, pods: (asked: Asked) => Answer | undefined): void {
  server.answer = (asked) => {
    if (asked.path === '/api/v1/namespaces') return { body: { items: [namespace('spillway-alice')] } };
    if (asked.path === podsPath && asked.query.get('watch') === null) return pods(asked);
    return undefined;
  };
}

function watching(server: Fake): { watch: Watch; events: string[] } {
  const events: string[] = [];
  const watch = server.port.watch((event) => {
    if (event.kind === 'pod')
      events.push(`${event.gone ? '-' : '+'}${event.pod.ref.name} ${event.pod.phase}`);
  });
  return { watch, events };
}

const stream = (server: Fake, nth = 0): Promise<WatchStream> =>
  until(`watch ${nth}`, () => server.watches.filter(({ path }) => path === podsPath)[nth]);

const names = (watch: Watch): string[] => (watch.pods() ?? []).map(({ ref }) => ref.name).sort();

describe('the list-watch', () => {
  it('reads all pages, then hears of what is added, changed and gone', async () => {
    api = await fake();
    serving(api, ({ query }) =>
      query.get('continue') === 'more'
        ? podList('10', [pod('b', '9')])
        : podList('10', [pod('a', '8')], 'more'),
    );
    const { watch, events } = watching(api);
    expect(watch.pods()).toBeUndefined();
    const first = await stream(api);
    expect(names(watch)).toEqual(['a', 'b']);
    expect(first.query.get('resourceVersion')).toBe('10');
    expect(first.query.get('allowWatchBookmarks')).toBe('true');
    expect(first.query.get('labelSelector')).toBe('spillway.dev/burst');
    expect(Number(first.query.get('timeoutSeconds'))).toBeGreaterThanOrEqual(240);
    expect(api.lists(podsPath).map(({ query }) => query.get('limit'))).toEqual(['500', '500']);
    first.send('ADDED', pod('c', '11'));
    first.send('MODIFIED', pod('a', '12', { phase: 'Running' }));
    first.send('DELETED', pod('b', '13', { phase: 'Failed' }));
    await until('five events', () => events.length === 5);
    expect(events).toEqual(['+a Pending', '+b Pending', '+c Pending', '+a Running', '-b Failed']);
    expect(names(watch)).toEqual(['a', 'c']);
  });

  it('goes on from the last event when the stream is cut, and lists nothing again', async () => {
    api = await fake();
    serving(api, () => podList('10', [pod('a', '8')]));
    const { events } = watching(api);
    const first = await stream(api);
    first.send('MODIFIED', pod('a', '11', { phase: 'Running' }));
    await until('the change', () => events.length === 2);
    first.cut();
    const second = await stream(api, 1);
    expect(second.query.get('resourceVersion')).toBe('11');
    second.send('MODIFIED', pod('a', '12', { phase: 'Succeeded' }));
    await until('the next change', () => events.includes('+a Succeeded'));
    expect(api.lists(podsPath)).toHaveLength(1);
    expect(events).toHaveLength(3);
  });

  it('goes on from the last bookmark', async () => {
    api = await fake();
    serving(api, () => podList('10', []));
    const { watch, events } = watching(api);
    const first = await stream(api);
    first.send('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: '5000' } });
    first.end();
    const second = await stream(api, 1);
    expect(second.query.get('resourceVersion')).toBe('5000');
    expect(events).toEqual([]);
    expect(names(watch)).toEqual([]);
  });

  it('lists again when the API server says 410, and tells what went meanwhile', async () => {
    api = await fake();
    const lists = [
      podList('10', [pod('a', '8'), pod('b', '9')]),
      podList('99', [pod('b', '9'), pod('c', '98')]),
    ];
    serving(api, () => lists.shift());
    const { watch, events } = watching(api);
    const first = await stream(api);
    first.send('ERROR', status(410, 'Expired', 'too old resource version').body);
    const second = await stream(api, 1);
    expect(second.query.get('resourceVersion')).toBe('99');
    // b is as it was: nothing is told of it twice.
    expect(events).toEqual(['+a Pending', '+b Pending', '+c Pending', '-a Pending']);
    expect(names(watch)).toEqual(['b', 'c']);
  });

  it('begins the list anew when its pages expire', async () => {
    api = await fake();
    let expired = false;
    serving(api, ({ query }) => {
      if (query.get('continue') === null) return podList('10', [pod('a', '8')], expired ? undefined : 'more');
      expired = true;
      return status(410, 'Expired');
    });
    const { watch } = watching(api);
    await stream(api);
    expect(names(watch)).toEqual(['a']);
  });

  it('takes the same name with another uid for another pod', async () => {
    api = await fake();
    const lists = [podList('10', [pod('a', '8')]), podList('20', [pod('a', '19', { uid: 'another' })])];
    serving(api, () => lists.shift());
    const { events } = watching(api);
    (await stream(api)).send('ERROR', status(410, 'Expired').body);
    await stream(api, 1);
    expect(events).toEqual(['+a Pending', '-a Pending', '+a Pending']);
  });

  it('restarts a stream that is silent past its own time', async () => {
    api = await fake({ watchSeconds: [0, 0], silenceGraceMs: 60 });
    serving(api, () => podList('10', []));
    watching(api);
    const first = await stream(api);
    first.send('BOOKMARK', { metadata: { resourceVersion: '11' } });
    const second = await stream(api, 1);
    expect(second.query.get('resourceVersion')).toBe('11');
    expect(api.logged.join('\n')).toContain('the watch went silent');
  });

  it('does not take half a line for an event', async () => {
    api = await fake();
    serving(api, () => podList('10', []));
    const { events } = watching(api);
    const first = await stream(api);
    first.send('ADDED', pod('a', '11'));
    await until('a', () => events.length === 1);
    first.raw(JSON.stringify({ type: 'DELETED', object: pod('a', '12') }).slice(0, -9));
    first.cut();
    const second = await stream(api, 1);
    expect(second.query.get('resourceVersion')).toBe('11');
    expect(events).toEqual(['+a Pending']);
  });

  it('survives garbage on the stream and objects it cannot read', async () => {
    api = await fake();
    serving(api, () => podList('10', [{}, null, pod('a', '8')]));
    const { events, watch } = watching(api);
    (await stream(api)).raw('<html>\n');
    const second = await stream(api, 1);
    second.send('ADDED', pod('b', '11'));
    await until('b', () => events.includes('+b Pending'));
    expect(names(watch)).toEqual(['a', 'b']);
  });

  it('rides out an API server that is away, lists again, and says meanwhile what is wrong', async () => {
    api = await fake();
    const server = api;
    let away = false;
    const pods = [pod('a', '8')];
    serving(server, () => podList('10', pods));
    const { answer } = server;
    server.answer = (asked, response) => {
      if (!away) return answer(asked, response);
      response.destroy();
      return 'by hand';
    };
    const { watch, events } = watching(server);
    const first = await stream(server);
    away = true;
    for (const one of server.watches) one.cut();
    const fault = (what: string): string | undefined => watch.sight().find((one) => one.what === what)?.fault;
    await until('the fault to be seen', () => fault('pods spillway-alice') !== undefined && fault('nodes'));
    const asked = server.asked.length;
    await until('several tries', () => server.asked.length > asked + 4);
    expect(names(watch)).toEqual(['a']);
    pods.splice(0, 1, pod('z', '50'));
    away = false;
    await until('the list after it', () => names(watch).join() === 'z');
    await until('no fault', () => fault('pods spillway-alice') === undefined);
    expect(events).toEqual(['+a Pending', '+z Pending', '-a Pending']);
    expect(first.query.get('resourceVersion')).toBe('10');
  });

  it('does not ask in a tight loop of a server that ends each stream at once', async () => {
    api = await fake({ backoffMs: [10, 200] });
    const server = api;
    serving(server, () => podList('10', []));
    const { answer } = server;
    server.answer = (asked, response) => {
      if (asked.query.get('watch') === null || asked.path !== podsPath) return answer(asked, response);
      return { body: '' };
    };
    watching(server);
    const asks = (): number => server.asked.filter(({ path }) => path === podsPath).length;
    await until('twelve asks', () => asks() >= 12);
    // Two watches take turns at the asks, so how far each of them is by then differs.
    await until('the fifth failure in a row', () =>
      server.logged.some((line) => line.includes('"failures":5')),
    );
  });

  it('lives on when a handler throws', async () => {
    api = await fake();
    serving(api, () => podList('10', [pod('a', '8')]));
    let told = 0;
    const watch = api.port.watch((event) => {
      if (event.kind !== 'pod') return;
      told += 1;
      throw new Error('a bug');
    });
    (await stream(api)).send('ADDED', pod('b', '11'));
    await until('both', () => told === 2);
    expect(names(watch)).toEqual(['a', 'b']);
    expect(api.logged.join('\n')).toContain('a bug');
  });

  it('reads everything anew from time to time, whatever the stream said', async () => {
    api = await fake({ relistMs: 0 });
    const lists = [podList('10', [pod('a', '8')]), podList('20', [])];
    serving(api, () => lists.shift());
    const { watch, events } = watching(api);
    const first = await stream(api);
    await new Promise((resolve) => setTimeout(resolve, 10));
    first.end();
    await until('the second list', () => events.includes('-a Pending'));
    expect(names(watch)).toEqual([]);
  });
});

describe('the watch of all tenants', () => {
  it('watches a namespace that was added, for as long as pods are in it, and nodes', async () => {
    api = await fake({ namespacesMs: 20 });
    const server = api;
    const spaces = [namespace('spillway-alice')];
    const bobs = '/api/v1/namespaces/spillway-bob/pods';
    server.answer = (asked) => {
      if (asked.path === '/api/v1/namespaces') return { body: { items: spaces } };
      if (asked.query.get('watch') !== null) return undefined;
      if (asked.path === nodesPath)
        return {
          body: { metadata: { resourceVersion: '3' }, items: [{ metadata: { name: 'n1', uid: 'u' } }] },
        };
      return asked.path === bobs ? podList('7', [pod('bobs', '6')]) : podList('5', []);
    };
    const seen: KubernetesEvent[] = [];
    const watch = server.port.watch((event) => seen.push(event));
    await until('nodes', () => watch.nodes()?.length === 1);
    await until('no pods', () => watch.pods()?.length === 0);
    expect(server.lists('/api/v1/namespaces')[0]?.query.get('labelSelector')).toBe(
      'spillway.dev/tenant=true',
    );
    spaces.push(namespace('spillway-bob', 2002));
    await until('pods of bob', () => watch.pods()?.length === 1);
    expect(seen.map(({ kind }) => kind)).toEqual(['node', 'pod']);
    // It lost its label while a pod of ours is in it.
    spaces.pop();
    const looks = server.lists('/api/v1/namespaces').length;
    await until('more looks', () => server.lists('/api/v1/namespaces').length > looks + 2);
    expect(watch.pods()).toHaveLength(1);
    server.watches.find(({ path }) => path === bobs)?.send('DELETED', pod('bobs', '9'));
    await until('its end', () => !watch.sight().some(({ what }) => what === 'pods spillway-bob'));
  });

  it('shows a namespace without rights by its fault, and still sees the others', async () => {
    api = await fake();
    api.answer = (asked) => {
      if (asked.path === '/api/v1/namespaces')
        return { body: { items: [namespace('spillway-alice'), namespace('spillway-new', 2009)] } };
      if (asked.query.get('watch') !== null) return undefined;
      if (asked.path === podsPath) return podList('5', [pod('a', '4')]);
      return asked.path.includes('spillway-new') ? status(403, 'Forbidden', 'pods is forbidden') : undefined;
    };
    const { watch } = watching(api);
    await until('pods', () => watch.pods()?.length === 1);
    expect(watch.sight().find(({ what }) => what === 'pods spillway-new')?.fault).toContain('forbidden');
    expect(watch.sight().map(({ what }) => what)).toEqual([
      'namespaces',
      'nodes',
      'pods spillway-alice',
      'pods spillway-new',
    ]);
  });

  it('has no pods to show before every namespace was listed', async () => {
    api = await fake();
    const server = api;
    let hold = true;
    serving(server, () => podList('10', []));
    const { answer } = server;
    server.answer = (asked, response) =>
      asked.path === podsPath && hold ? status(500, 'InternalError') : answer(asked, response);
    const { watch } = watching(server);
    await until('tries', () => server.lists(podsPath).length > 2);
    expect(watch.pods()).toBeUndefined();
    hold = false;
    await until('the list', () => watch.pods()?.length === 0);
  });

  it('closes at once, also while nothing answers', async () => {
    api = await fake();
    api.answer = () => 'by hand';
    const { watch } = watching(api);
    await until('the first ask', () => api?.asked.length);
    const from = performance.now();
    await watch.close();
    expect(performance.now() - from).toBeLessThan(5_000);
  });
});
