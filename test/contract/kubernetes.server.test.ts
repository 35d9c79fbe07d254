/** The Kubernetes server's own manners on the wire, as far as the adapter does not show them. */
import { once } from 'node:events';
import https from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type KubernetesServer, serveKubernetes } from '../../lab/servers/kubernetes.ts';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import { manifest, model, quick, realChance, realTime } from './kubernetes.harness.ts';
import { until } from './kubernetes.scene.ts';

interface Said {
  readonly code: number;
  readonly type: string;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

const pods = '/api/v1/namespaces/spillway-alice/pods';

describe('the Kubernetes server', () => {
  let cluster: KubernetesModel;
  let server: KubernetesServer;

  beforeAll(async () => {
    cluster = model({ clock: realTime, scheduler: realTime, entropy: realChance }, quick);
    server = await serveKubernetes(cluster, { port: 0 });
    const port = cluster.asPort();
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await port.createPod(manifest('sleep', `spill-${name}`, `burst-${name}`, 'nowhere'));
  });
  afterAll(() => server.close());

  const tls = (kubeconfig: string) => {
    const config = JSON.parse(kubeconfig);
    const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
    return {
      ca: bytes(config.clusters[0].cluster['certificate-authority-data']),
      cert: bytes(config.users[0].user['client-certificate-data']),
      key: bytes(config.users[0].user['client-key-data']),
    };
  };

  async function ask(
    path: string,
    { as = server.kubeconfig, method = 'GET', body, type = 'application/json' }: Ask = {},
  ): Promise<Said> {
    const sent = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
    const { ca, ...own } = tls(as === 'nobody' ? server.kubeconfig : as);
    const request = https.request(`${server.endpoint}${path}`, {
      method,
      ca,
      ...(as === 'nobody' ? {} : own),
      agent: false,
      headers: sent === undefined ? {} : { 'Content-Type': type, 'Content-Length': Buffer.byteLength(sent) },
    });
    request.end(sent);
    const [response] = await once(request, 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    // A watch is lines of JSON, or none.
    const json =
      response.headers['content-type'] === 'application/json' && text.trim().split('\n').length === 1;
    return {
      code: response.statusCode,
      type: response.headers['content-type'],
      text,
      body: json && text !== '' ? JSON.parse(text) : {},
    };
  }
  interface Ask {
    readonly as?: string;
    readonly method?: string;
    readonly body?: unknown;
    readonly type?: string;
  }
  const names = ({ body }: Said): string[] =>
    (body.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
  const events = ({ text }: Said) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));

  it('knows callers by their certificates', async () => {
    expect(await ask(pods, { as: 'nobody' })).toMatchObject({ code: 401, body: { reason: 'Unauthorized' } });
    expect((await ask(pods)).code).toBe(200);
    expect(await ask('/api/v1/pods')).toMatchObject({
      code: 403,
      body: { kind: 'Status', reason: 'Forbidden' },
    });
    expect((await ask('/api/v1/pods', { as: server.adminKubeconfig })).code).toBe(200);
  });

  it('gives a list in pages, whatever is made or deleted meanwhile', async () => {
    const first = await ask(`${pods}?limit=2`);
    expect(names(first)).toEqual(['spill-a', 'spill-b']);
    const {
      continue: next,
      resourceVersion,
      remainingItemCount,
    } = first.body.metadata as Record<string, string>;
    expect(remainingItemCount).toBe(3);
    await cluster.asPort().createPod(manifest('sleep', 'spill-aa', 'burst-aa', 'nowhere'));
    const second = await ask(`${pods}?limit=10&continue=${next}`);
    expect(names(second)).toEqual(['spill-c', 'spill-d', 'spill-e']);
    // A watch from the first page's version tells what came after it.
    expect(second.body.metadata).toEqual({ resourceVersion });
    const told = await ask(`${pods}?watch=true&resourceVersion=${resourceVersion}&timeoutSeconds=1`);
    expect(events(told).map(({ type, object }) => `${type} ${object.metadata.name}`)).toContain(
      'ADDED spill-aa',
    );
    expect((await ask(`${pods}?continue=nonsense`)).code).toBe(400);
    cluster.forgetHistory();
    expect(await ask(`${pods}?continue=${next}`)).toMatchObject({ code: 410, body: { reason: 'Expired' } });
  });

  it('tells a watch that comes too late so, and one without a version what is there', async () => {
    const old = await ask(`${pods}?watch=true&resourceVersion=1000&timeoutSeconds=1`);
    expect(events(old)).toMatchObject([{ type: 'ERROR', object: { kind: 'Status', code: 410 } }]);
    const fresh = await ask(`${pods}?watch=1&timeoutSeconds=1`);
    expect(events(fresh).map(({ type }) => type)).toEqual(Array(6).fill('ADDED'));
    expect((await ask(`${pods}?watch=1&resourceVersion=abc`)).code).toBe(400);
  });

  it('says at the end of a watch how far it was, if anything happened', async () => {
    const { version } = cluster.server.store;
    const watch = `${pods}?watch=1&resourceVersion=${version}&timeoutSeconds=1&allowWatchBookmarks=true&labelSelector=none`;
    expect(events(await ask(watch))).toEqual([]);
    const asked = ask(watch);
    await cluster.asPort().createPod(manifest('sleep', 'spill-f', 'burst-f', 'nowhere'));
    const [bookmark, ...more] = events(await asked);
    expect(more).toEqual([]);
    expect(bookmark).toMatchObject({ type: 'BOOKMARK', object: { kind: 'Pod' } });
    expect(Number(bookmark.object.metadata.resourceVersion)).toBeGreaterThan(version);
  });

  it('selects by labels and fields', async () => {
    const select = async (query: string) => names(await ask(`${pods}?${query}`)).length;
    const encoded = (selector: string) => `labelSelector=${encodeURIComponent(selector)}`;
    expect(await select(encoded('spillway.dev/burst'))).toBe(7);
    expect(await select(encoded('spillway.dev/burst=burst-a'))).toBe(1);
    expect(await select(encoded('spillway.dev/burst in (burst-a, burst-b),spillway.dev/user=alice'))).toBe(2);
    expect(await select(encoded('spillway.dev/burst notin (burst-a)'))).toBe(6);
    expect(await select(encoded('spillway.dev/burst!=burst-a'))).toBe(6);
    expect(await select(encoded('!spillway.dev/burst'))).toBe(0);
    expect(await select('fieldSelector=metadata.name%3Dspill-b')).toBe(1);
    expect((await ask(`${pods}?fieldSelector=spec.colour%3Dred`)).code).toBe(400);
  });

  it('takes the patches that it knows, and says what it does not take', async () => {
    const patch = (type: string, body: unknown) => ask(`${pods}/spill-a`, { method: 'PATCH', body, type });
    const merged = await patch('application/merge-patch+json', { metadata: { annotations: { note: 'x' } } });
    expect(merged.body.metadata).toMatchObject({ annotations: { note: 'x', 'spillway.dev/user': 'alice' } });
    expect((await patch('application/apply-patch+yaml', 'a: b')).code).toBe(415);
    expect(
      (await patch('application/json-patch+json', [{ op: 'test', path: '/metadata/uid', value: 'x' }])).code,
    ).toBe(422);
    expect((await patch('application/merge-patch+json', '{')).code).toBe(400);
    expect((await patch('application/merge-patch+json', { spec: { hostname: 'other' } })).code).toBe(422);
    expect((await ask(`${pods}/spill-a`, { method: 'POST', body: {} })).code).toBe(405);
    expect((await ask('/api/v1/nonsense')).code).toBe(404);
  });

  it('lets the one who read last write', async () => {
    const path = '/api/v1/namespaces/spillway-alice/persistentvolumeclaims/home';
    const put = (body: unknown) => ask(path, { as: server.adminKubeconfig, method: 'PUT', body });
    const { body } = await ask(path, { as: server.adminKubeconfig });
    const labelled = (text: string) => ({
      ...body,
      metadata: { ...(body.metadata as object), labels: { written: text } },
    });
    expect((await put(labelled('first'))).code).toBe(200);
    expect(await put(labelled('second'))).toMatchObject({ code: 409, body: { reason: 'Conflict' } });
  });

  it('is found by kubectl', async () => {
    expect(await ask('/readyz')).toMatchObject({ code: 200, text: 'ok' });
    const { body } = await ask('/api/v1');
    expect((body.resources as { name: string }[]).map(({ name }) => name)).toContain('pods');
  });

  it('upgrades nothing but a port-forward, and for nobody but who may', async () => {
    const dial = async (path: string, as?: string): Promise<string> => {
      const { ca, ...own } = tls(server.kubeconfig);
      const options = { ca, ...(as === 'nobody' ? {} : own) };
      const socket = new WebSocket(
        `${server.endpoint.replace('https', 'wss')}${path}`,
        'v4.channel.k8s.io',
        options,
      );
      const [error] = await once(socket, 'error').catch((e: unknown) => [e]);
      return String(error);
    };
    expect(await dial(`${pods}/spill-a/portforward?ports=1`)).toContain('400');
    expect(await dial(`${pods}/spill-a/portforward?ports=0`)).toContain('400');
    expect(await dial(`${pods}/spill-a/portforward?ports=1`, 'nobody')).toContain('401');
    expect(await dial(`${pods}/spill-a`)).toContain('400');
    expect(await dial(`${pods}/spill-z/portforward?ports=1`)).toContain('404');
  });

  it('that closes leaves nobody hanging', async () => {
    const other = await serveKubernetes(cluster, { port: 0 });
    const { ca, cert, key } = tls(other.adminKubeconfig);
    const request = https.get(`${other.endpoint}${pods}?watch=1`, { ca, cert, key, agent: false });
    const [response] = await once(request, 'response');
    response.on('error', () => undefined);
    response.resume();
    await other.close();
    await until('its end', () => response.closed);
  });
});
