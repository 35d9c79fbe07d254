/** What is sent, to servers on this host, and where nothing is sent. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type HookOptions, webhook } from '../../../adapters/webhooks/index.ts';
import { signed } from '../../../adapters/webhooks/sign.ts';
import { instant } from '../../../src/domain/ids.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const s of servers.splice(0)) {
    s.closeAllConnections();
    await new Promise((resolve) => s.close(resolve));
  }
});

interface Got {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function receiver(answer: (res: ServerResponse) => void) {
  const got: Got[] = [];
  const server = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    got.push({ method: req.method, path: req.url, headers: req.headers, body });
    answer(res);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { got, port: (server.address() as AddressInfo).port };
}

const secret = Buffer.alloc(32, 7);
const at = instant(1_700_000_000_000);
const hook = (url: string, over: Partial<HookOptions> = {}) =>
  webhook({ url: new URL(url), secret, allowPrivate: true, timeoutMs: 2_000, ...over });

it('posts the event as it is, signed, under its id', async () => {
  const { got, port } = await receiver((res) => res.writeHead(204).end());
  const body = '{"type":"burst.running","data":{"why":"ü"}}';
  await expect(hook(`http://127.0.0.1:${port}/hook?key=1`).send('g.1.2', body, at)).resolves.toEqual({
    kind: 'taken',
  });
  expect(got).toMatchObject([{ method: 'POST', path: '/hook?key=1', body }]);
  expect(got[0]?.headers).toMatchObject({
    'content-type': 'application/json',
    ...signed(secret, 'g.1.2', at, body),
  });
});

it.each([
  [500, {}, undefined],
  [429, { 'retry-after': '120' }, 120_000],
  [503, { 'retry-after': new Date(at + 60_000).toUTCString() }, 60_000],
  [503, { 'retry-after': 'soon' }, undefined],
  [404, {}, undefined],
])('an answer %i with %j is a refusal, with the time it asks for', async (status, headers, retryAfterMs) => {
  const { port } = await receiver((res) => res.writeHead(status, headers).end('no'));
  expect(await hook(`http://127.0.0.1:${port}/`).send('e', '{}', at)).toEqual({
    kind: 'refused',
    why: `it answers ${status}`,
    retryAfterMs,
  });
});

it('an answer that changes the protocol is none, and keeps nobody waiting', async () => {
  const server = createServer().on('connection', (socket) =>
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    ),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await expect(hook(`http://127.0.0.1:${port}/`).send('e', '{}', at)).rejects.toMatchObject({
    fault: 'unknown',
  });
});

it('follows no redirect', async () => {
  const inner = await receiver((res) => res.end('secret'));
  const { port } = await receiver((res) =>
    res.writeHead(307, { location: `http://127.0.0.1:${inner.port}/` }).end(),
  );
  expect(await hook(`http://127.0.0.1:${port}/`).send('e', '{}', at)).toMatchObject({
    why: 'it answers 307',
  });
  expect(inner.got).toEqual([]);
});

it.each([
  ['http://127.0.0.1:PORT/', []],
  ['http://[::ffff:127.0.0.1]:PORT/', []],
  ['http://2130706433:PORT/', []],
  ['http://portal.example.org:PORT/', ['127.0.0.1']],
  ['http://portal.example.org:PORT/', ['8.8.8.8', '169.254.169.254']],
])('%s (%j) is never called without allowPrivate', async (url, found) => {
  const { got, port } = await receiver((res) => res.end());
  const sent = hook(url.replace('PORT', String(port)), { allowPrivate: false, resolve: async () => found });
  await expect(sent.send('e', '{}', at)).rejects.toMatchObject({
    fault: 'refused',
    message: expect.stringContaining('allowPrivate'),
  });
  expect(got).toEqual([]);
});

it('connects to the address that was looked at, whatever the name leads to by then', async () => {
  const { got, port } = await receiver((res) => res.end());
  const sent = hook(`http://portal.invalid:${port}/`, { resolve: async () => ['127.0.0.1'] });
  expect(await sent.send('e', '{}', at)).toEqual({ kind: 'taken' });
  expect(got[0]?.headers.host).toBe(`portal.invalid:${port}`);
});

it('waits no longer than it may, and does not know then whether it was heard', async () => {
  const { got, port } = await receiver(() => undefined);
  await expect(
    hook(`http://127.0.0.1:${port}/`, { timeoutMs: 300 }).send('e', '{}', at),
  ).rejects.toMatchObject({ fault: 'unknown', message: 'no answer in time' });
  expect(got).toHaveLength(1);
  const deaf = hook('http://portal.invalid/', { timeoutMs: 50, resolve: () => new Promise(() => undefined) });
  await expect(deaf.send('e', '{}', at)).rejects.toMatchObject({ fault: 'unreachable' });
});

it('says that nobody was there', async () => {
  const { port } = await receiver((res) => res.end());
  const [server] = servers.splice(0);
  await new Promise((resolve) => server?.close(resolve));
  await expect(hook(`http://127.0.0.1:${port}/`).send('e', '{}', at)).rejects.toMatchObject({
    fault: 'unreachable',
  });
});
